"""A performance test in the report: its table, plots and comparison, from rows and a file that are made here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import bridge

from bridge.report.html import render_html
from bridge.report.perf_chart import chart
from bridge.report.perf_plots import of_point, over_all
from bridge.report.schema import ModelInfo, Report, ResultRow, RunInfo, Status, Usage
from bridge.report.write import report_json

EVIL = "<script>alert(1)</script>"


def row(metric: str, value: float | None, subset: str | None, **fields: Any) -> ResultRow:
    half = 0.02 * (value or 0.0)
    plain: dict[str, Any] = {
        "model": "m",
        "backend": "native",
        "backend_version": "1",
        "dataset": "perf",
        "subset": subset,
        "metric": metric,
        "value": value,
        "unit": "seconds" if "." in metric else "per_second",
        "max_value": None,
        "higher_is_better": "." not in metric,
        "n": 500,
        "ci95": None if value is None else (value - half, value + half),
        "settings": {"client": "clean", "input_tokens": 100},
        "reason": None if value is not None else "80 samples; this percentile needs 500",
        "status": Status.COMPLETE if value is not None else Status.FAILED,
    }
    return ResultRow(**{**plain, **fields})


def report(factor: float = 1.0, **fields: Any) -> Report:
    rows = [row("output_tok_s", 400 * factor, None, primary=True)]
    for users in (1, 4, 16):
        rows.append(row("ttft.p50", 0.05 * users * factor, f"closed={users}", **fields))
        rows.append(row("ttft.p99", None, f"closed={users}", **fields))
        rows.append(row("output_tok_s", 100.0 * users, f"closed={users}", **fields))
    run = RunInfo(
        id="r", name="r", status="complete", started_at="2026-01-01T00:00:00", finished_at="2026-01-01T00:00:10",
        bridge_version="1", spec_sha256="0",
    )  # fmt: skip
    return Report(
        run=run,
        models=(ModelInfo(name="m", source="http://x/v1", engine="external"),),
        usage=Usage(),
        results=tuple(rows),
    )


def point(users: int) -> dict[str, Any]:
    def value(number: float | None) -> dict[str, Any]:
        return {"value": number, "ci95": None if number is None else [number * 0.9, number * 1.1], "n": 9, "reason": ""}

    return {
        "id": f"closed={users}",
        "kind": "closed",
        "load": users,
        "verdict": "clean" if users < 16 else "saturated",
        "window": [0.5, 2.0],
        "values": {
            "ttft.p50": value(0.05),
            "ttft.p99": value(0.09),
            "gap.p50": value(0.01),
            "output_tok_s": value(100.0 * users),
            "tpot.mean": value(0.01 * users),
            "goodput": value(0.9),
        },
        "plots": {
            "ttft_cdf": [0.04, 0.05, 0.09],
            "gap_cdf": [0.0, 0.01, 0.02],
            "timeline": {"step_s": 1.0, "in_flight": [users, users], "tok_s": [10.0, 20.0], "failed": [0, 1]},
            "waterfall": [[0.0, 0.1, 0.5, 0.5], [0.1, None, None, 0.4]],
            "ttft_by_input": [[10, 0.1], [20, 0.2], [30, 0.3]],
            "ttft_by_turn": [[1, 0.1, 0.2, 0.3], [2, 0.1, 0.2, 0.3]],
            "late_cdf": [0.0, 0.001, 0.002],
            "send_late": [[0.1, 0.0001], [0.2, 0.0002]],
        },
    }


DATA: dict[str, Any] = {
    "points": [point(users) for users in (1, 4, 16)],
    "knee": {"closed": 4.0},
    "pareto": ["closed=1", "closed=16"],
    "search": {"over": "closed", "said": f"4 holds, 16 does not: {EVIL}", "path": [[1, True, ""], [16, False, "x"]]},
}


def test_the_page_has_the_table_and_every_plot(tmp_path: Path) -> None:
    (tmp_path / "perf.json").write_text(json.dumps(DATA), encoding="utf-8")
    page = render_html(report(), tmp_path)
    section = page.partition('<section id="perf">')[2].partition("</section>")[0]
    assert section.count("<svg") == len(over_all(DATA)) + 3 * len(of_point(DATA["points"][0])) == 7 + 3 * 6
    assert "knee at 4" in section
    assert EVIL not in page
    assert "NaN" not in section
    assert " style=" not in section
    assert 'title="80 samples; this percentile needs 500"' in section
    assert 'title="95 %: 49 to 51"' in section


def test_without_the_file_there_is_the_table_alone(tmp_path: Path) -> None:
    page = render_html(report(), tmp_path)
    section = page.partition('<section id="perf">')[2].partition("</section>")[0]
    assert "closed=16" in section
    assert "<svg" not in section


def test_an_evaluation_has_no_such_section(tmp_path: Path) -> None:
    rows = tuple(one.model_copy(update={"dataset": "gsm8k"}) for one in report().results)
    assert '<section id="perf">' not in render_html(report().model_copy(update={"results": rows}), tmp_path)


@pytest.mark.parametrize("values", [[5.0], [0.0], [3.0, 3.0], [1e-5, 1e6], [12.0, 700.0]])
@pytest.mark.parametrize("log", [False, True])
def test_axes_hold_their_values(values: list[float], log: bool) -> None:
    found = chart("t", "x", "y", values, values, log_x=log, log_y=log)
    if log and not any(values):
        assert found is None
        return
    assert found is not None
    assert 1 <= len(found.x.ticks) <= 14
    for value in values:
        assert 56 <= found.x.at(value) <= 418
        assert 10 <= found.y.at(value) <= 212


def saved(folder: Path, what: Report) -> Path:
    folder.mkdir()
    (folder / "report.json").write_bytes(report_json(what))
    return folder


def test_two_tests_are_compared_load_by_load(tmp_path: Path) -> None:
    before, after = saved(tmp_path / "a", report()), saved(tmp_path / "b", report(1.2))
    done = bridge("compare", before, after, "--json", "--html", tmp_path / "c.html")
    assert done.exit_code == 0, done.stderr
    [against] = json.loads(done.stdout)["against"]
    found = {(one["load"], one["metric"]): one for one in against["loads"]}
    slower = found["closed=4", "ttft.p50"]
    assert slower["difference"] == pytest.approx(0.04)
    assert slower["verdict"] == "worse"
    # Half-widths of 0.004 and 0.0048 around the two values.
    assert slower["ci95"] == pytest.approx([0.04 - 0.006248, 0.04 + 0.006248], abs=1e-6)
    assert found["closed=4", "output_tok_s"]["verdict"] == "no difference shown"
    assert ("closed=4", "ttft.p99") not in found
    assert "closed=16" in (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "+40" in bridge("compare", before, after).stdout
    assert re.search(
        r"\| closed=4 \| ttft.p50 \| 200 ms \| 240 ms \| \+40 ", bridge("compare", before, after, "--markdown").stdout
    )


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"client": "saturated", "input_tokens": 100}, "client saturated"),
        ({"client": "clean", "input_tokens": 512}, "not the same load: input_tokens differ"),
    ],
)
def test_what_cannot_be_compared_gets_no_verdict(tmp_path: Path, settings: dict[str, Any], note: str) -> None:
    before, after = saved(tmp_path / "a", report()), saved(tmp_path / "b", report(1.2, settings=settings))
    [against] = json.loads(bridge("compare", before, after, "--json").stdout)["against"]
    assert all(one["verdict"] is None and note in one["note"] for one in against["loads"])
    assert against["loads"]
