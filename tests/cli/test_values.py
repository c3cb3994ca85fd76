from __future__ import annotations

import pytest

from bridge.cli.values import spread_values


@pytest.mark.parametrize(
    ("given", "spread"),
    [
        ("run --datasets a b c --limit 3", "run --datasets a --datasets b --datasets c --limit 3"),
        ("run --datasets a,b c", "run --datasets a --datasets b --datasets c"),
        ("run --datasets=a,b --model m", "run --datasets a --datasets b --model m"),
        ("run --datasets a --datasets b", "run --datasets a --datasets b"),
        ("run --datasets", "run --datasets"),
        ("run --datasets --limit 3", "run --datasets --limit 3"),
        ("run spec.yaml --set x=a b", "run spec.yaml --set x=a b"),
        ("run --datasets a -- b --datasets c d", "run --datasets a -- b --datasets c d"),
    ],
)
def test_spread(given: str, spread: str) -> None:
    assert " ".join(spread_values(given.split())) == spread
