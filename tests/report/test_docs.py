"""The generated reference pages are those of the models as they are."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts/make_docs.py"))


@pytest.mark.parametrize("name", ["spec.md", "report-schema.md"])
def test_page_is_up_to_date(name: str) -> None:
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == SCRIPT["pages"]()[name], "run: python scripts/make_docs.py"


def test_pages_tell_every_field() -> None:
    pages = SCRIPT["pages"]()
    assert "| `base_url` | text | required | The URL up to and including `/v1`" in pages["spec.md"]
    assert "| `limit` | integer ≥ 1 or null |  | Only the first so many samples" in pages["spec.md"]
    assert "| `ci95` | [number, number] or null | 95 % interval of `value`" in pages["report-schema.md"]
    assert "| 7 | `unanswered` |" in pages["report-schema.md"]
    assert "``" not in "".join(pages.values()).replace("```", "")


def test_check_tells_a_page_that_is_out_of_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main = SCRIPT["main"]
    monkeypatch.setitem(main.__globals__, "DOCS", tmp_path)
    assert main(["--check"]) == 1
    assert "docs/spec.md is out of date" in capsys.readouterr().out
    assert main([]) == 0 and main(["--check"]) == 0
    assert (tmp_path / "report-schema.md").read_text(encoding="utf-8").startswith("# The report")
