"""The bars of ``bridge perf`` and other clients beside it. Prints figures; asserts only that there are any.

pytest -m bench tests/bench/test_perf_bench.py -s
"""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import perf_bars
from bench.perf_tools import IMPORTS, compared

pytestmark = pytest.mark.bench


@pytest.mark.parametrize("name", ["accuracy", "cost", "rates", "arrivals", "command", "search"])
def test_bars(name: str) -> None:
    bars = list(getattr(perf_bars, name)())
    for bar in bars:
        print(f"\n{bar.number:>3} {bar.what}: {bar.measured}; bar: {bar.bar}", end="")
    assert bars


@pytest.mark.parametrize("tool", list(IMPORTS))
@pytest.mark.parametrize("streams", perf_bars.STREAMS)
def test_other_clients(tool: str, streams: int, tmp_path: Path) -> None:
    said = compared(tool, streams, 4 * streams, tmp_path / "out", *perf_bars.SCENE)
    if said.why_not:
        pytest.skip(said.why_not)
    own = perf_bars.scene(streams)
    print(
        f"\n{streams:4} streams, error of the first token's mean: {tool} {said.ttft_error:+.1f} ms, "
        f"bridge {1e3 * own['ttft_error']:+.2f} ms; of ITL's p99: {tool} {said.itl_p99_error or 0:+.1f} ms",
        end="",
    )
    assert said.req_s
