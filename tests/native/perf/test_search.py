"""The search on servers whose limit is known, with noise, and with a client that is too slow."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.native.perf.metrics import wilson
from bridge.native.perf.search import Search, knee, pareto
from bridge.perf_spec import SearchSpec


def summary(
    ttft: float, *, failed: float = 0.0, verdict: str = "clean", good: float = 1.0, n: int = 500
) -> dict[str, Any]:
    kept = round(good * n)
    return {
        "verdict": verdict,
        "verdict_reason": "read 40 ms late (p99)" if verdict == "saturated" else "",
        "counts": {"unsent": 0},
        "values": {
            "error_share": {"value": failed, "ci95": None, "n": n, "reason": ""},
            "ttft.p99": {"value": ttft, "ci95": [ttft * 0.98, ttft * 1.02], "n": n, "reason": ""},
            "goodput": {"value": kept / n, "ci95": list(wilson(kept, n)), "n": n, "reason": ""},
        },
    }


def searched(spec: SearchSpec, serve: Any) -> Search:
    search = Search(spec)
    while (load := search.next_load()) is not None:
        search.take(load, serve(load))
    return search


UNTIL = {"ttft.p99": "<= 500ms"}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 24, 60, 100, 200, 333, 511])
def test_a_known_limit_is_found_in_twelve_points(limit: int) -> None:
    search = searched(SearchSpec(over="closed", until=UNTIL), lambda load: summary(0.4 if load <= limit else 0.8))
    assert len(search.judged) <= 12
    low, high = search.bracket()
    assert low is not None
    assert high is not None
    assert low <= limit < high
    assert high - low <= max(1, 0.06 * limit)
    assert search.answer()["value"] == low


def test_a_rate_is_found_to_within_a_step() -> None:
    spec = SearchSpec(over="open", until=UNTIL, range=(0.5, 100))
    search = searched(spec, lambda load: summary(0.4 if load <= 37.5 else 0.9))
    found = search.answer()["value"]
    assert 0.94 * 37.5 <= found <= 37.5


def test_goodput_is_shown_with_confidence_or_not_at_all() -> None:
    spec = SearchSpec(over="open", max="goodput", attain=0.95, range=(1, 64))
    search = searched(spec, lambda load: summary(0.1, good=0.99 if load <= 20 else 0.955))
    found = search.answer()
    assert 18 <= found["value"] <= 20
    assert "with 95 % confidence at least" in found["said"]
    few = searched(spec, lambda load: summary(0.1, n=40))
    assert few.answer()["value"] is None
    assert "too few" in few.answer()["said"]


def test_the_clients_limit_is_never_the_servers() -> None:
    spec = SearchSpec(over="closed", until=UNTIL)
    search = searched(spec, lambda load: summary(0.1, verdict="saturated" if load > 64 else "clean"))
    found = search.answer()
    assert found["value"] is None
    assert found["least_known_to_hold"] == 64
    assert found["said"].endswith("the limit found is ours, not the server's")


def test_failures_and_what_cannot_be_measured() -> None:
    spec = SearchSpec(over="closed", until=UNTIL)
    broken = searched(spec, lambda load: summary(0.1, failed=0.3))
    assert broken.answer()["said"] == "not even 1 holds: 30 % of the requests failed"
    unknown = summary(0.1)
    unknown["values"]["ttft.p99"] = {"value": None, "ci95": None, "n": 80, "reason": "80 samples; needs 500"}
    assert "cannot be judged: ttft.p99" in searched(spec, lambda load: unknown).answer()["said"]
    all_hold = searched(spec, lambda load: summary(0.1)).answer()
    assert (all_hold["value"], all_hold["is_bound"]) == (512, True)


def test_knee_and_pareto() -> None:
    assert knee([(1, 10), (2, 20), (4, 40), (8, 78), (16, 80), (32, 81)]) == 8
    assert knee([(1, 30), (2, 30), (4, 30)]) == 1
    assert knee([(1, 10), (2, 20), (4, 40)]) is None
    assert knee([(1, 10), (2, 11)]) is None
    assert pareto([(10, 5), (20, 4), (15, 3), (30, 1)]) == [0, 1, 3]
