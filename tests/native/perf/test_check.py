"""``bridge perf check``: what it says is measured, not made up."""

from __future__ import annotations

import pytest

from bridge.cli import perf_check
from bridge.native.perf import check
from bridge.native.perf.check import Checked, measured, stand_in


def test_one_load_against_the_truth() -> None:
    with stand_in("--ttft", "0.05", "--gap", "0.01", "--tokens", "20") as url:
        found = measured(url, 8, 16)
    assert 0.045 < found.ttft_mean < 0.5
    # On a busy machine the client waits for the CPU between the clock and the call; never the other way round.
    assert -1e-3 < found.ttft_error < 0.05
    assert found.events == 320
    assert found.clock == "kernel"
    assert found.req_s > 1


@pytest.mark.parametrize(("verdict", "code"), [("clean", 0), ("strained", 0), ("saturated", 7)])
def test_the_exit_code_is_the_first_loads(
    verdict: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Checked(1, 2.0, 90.0, 0.05, 7e-5, None, 3e-4, 0.03, verdict, "", "kernel", 40, 1.0)
    monkeypatch.setattr(check, "check", lambda: [one, one])
    assert perf_check.check(as_json=False) == code
    said = capsys.readouterr().out
    assert "+0.07" in said
    assert ("clean up to 1 streams" in said) == (verdict == "clean")
