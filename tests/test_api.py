"""``from bridge import TaskSpec, run``"""

from __future__ import annotations

import subprocess
import sys

import pytest

import bridge

LOOK = (
    "import sys; {code}; "
    "print([name for name in ('pydantic', 'yaml', 'aiohttp', 'bridge.runs') if name in sys.modules])"
)


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_import_costs_nothing() -> None:
    assert python(LOOK.format(code="import bridge; dir(bridge)")) == "[]\n"
    assert python(LOOK.format(code="from bridge import BridgeError")) == "[]\n"


@pytest.mark.parametrize(
    "code",
    [
        "from bridge import TaskSpec, run",
        "import bridge.runs; from bridge import run",
        "from bridge.runs import default_output; from bridge import run",
        "from bridge import run; import bridge.runs; from bridge import run",
    ],
)
def test_run_is_the_function_whatever_was_imported_before(code: str) -> None:
    assert python(f"{code}; print(run.__module__, run.__name__)") == "bridge.runs run\n"


def test_every_name_is_there() -> None:
    for name in bridge.__all__:
        assert getattr(bridge, name).__module__.startswith("bridge.")
        assert name in dir(bridge)
    with pytest.raises(AttributeError, match="has no attribute 'rnu'"):
        getattr(bridge, "rnu")  # noqa: B009 - mypy would find it otherwise
