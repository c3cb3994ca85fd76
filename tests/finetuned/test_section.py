"""The curve over the steps, in the report of the run itself."""

from __future__ import annotations

from pathlib import Path

from fakes import make_model, make_report, make_row

from bridge.report.html import render_html
from bridge.report.schema import Report


def report_of(*models: str) -> Report:
    values = {"base": 0.02, "checkpoint-50": 0.4, "checkpoint-100": 0.9}
    rows = [make_row(model=name, value=values.get(name, 0.5), primary=True) for name in models]
    return make_report(models=[make_model(name=name) for name in models], results=rows)


def test_checkpoints_have_a_curve_in_the_report(tmp_path: Path) -> None:
    page = render_html(report_of("base", "checkpoint-50", "checkpoint-100"), tmp_path)
    assert '<section id="steps">' in page
    drawn = page.split('<section id="steps">')[1].split("</section>")[0]
    assert "step 0: 2.00 %, step 50: 40.00 %, step 100: 90.00 %" in drawn
    assert drawn.count("<circle") == 3


def test_other_models_have_none(tmp_path: Path) -> None:
    assert 'id="steps"' not in render_html(report_of("base", "another"), tmp_path)
    assert 'id="steps"' not in render_html(report_of("checkpoint-50"), tmp_path)
