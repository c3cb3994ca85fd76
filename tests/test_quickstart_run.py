"""``bridge run configs/quickstart.yaml``, with the real ms-swift and OpenCompass."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.report.schema import Status
from bridge.runs import run
from bridge.spec_file import load_spec

pytestmark = pytest.mark.env
CONFIG = Path(__file__).parents[1] / "configs" / "quickstart.yaml"


def test_both_backends_score_well_and_alike(tmp_path: Path) -> None:
    report = run(load_spec(CONFIG), output=tmp_path / "run")
    assert (report.status, report.exit_code, report.errors) == (Status.COMPLETE, 0, ())
    primary = {(row.dataset, row.backend): row for row in report.results if row.primary}
    assert primary.keys() == {(d, b) for d in ("sums", "choices") for b in ("native", "opencompass")}
    assert all((row.n, row.n_errors) == (40, 0) for row in primary.values())
    values = {key: row.value or 0.0 for key, row in primary.items()}
    assert values["sums", "native"] == values["sums", "opencompass"] >= 0.95
    assert min(values["choices", "native"], values["choices", "opencompass"]) >= 0.7
    assert report.models[0].engine == "swift 4.6.0 (transformers)"

    again = run(load_spec(CONFIG), output=tmp_path / "run")
    assert again == report
