"""Terminal and Markdown: what a reader must see, and what foreign text must not do."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from fakes import HOSTILE, make_model, make_report, make_row, make_run
from rich.console import Console

from bridge.report.markdown import escaped, render_markdown
from bridge.report.schema import ErrorKind, Report, ReportError, Status
from bridge.report.table import report_table

OPENCOMPASS = {"backend": "opencompass", "backend_version": "0.5.4"}
LOST = ReportError(
    kind=ErrorKind.UNANSWERED, message="HTTP 500", hint="run it again", count=3, backend="opencompass", dataset="gsm8k"
)


def terminal(report: Report, width: int = 100, **options: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=width, **options).print(report_table(report, Path("runs/x")))
    return out.getvalue()


def partial() -> Report:
    rows = (
        make_row(),
        make_row(**OPENCOMPASS, value=0.592, ci95=(0.49, 0.68), n=97, n_errors=3, status="partial", reason="3 lost"),
        make_row(metric="accuracy_macro", primary=False, value=0.55),
        make_row(**OPENCOMPASS, dataset="arc", value=None, ci95=None, n=0, n_errors=9, status="failed", reason="down"),
    )
    return make_report(status=Status.PARTIAL, results=rows, errors=(LOST,))


def test_terminal_one_backend() -> None:
    lines = [line.rstrip() for line in terminal(make_report(), width=72).splitlines()]
    assert lines[0] == "qwen, native 0.1.0"
    assert lines[2].split() == ["dataset", "metric", "score", "95", "%", "interval", "n", "errors"]
    assert lines[4] == " gsm8k     accuracy   60.00 %   [50.20, 69.06]   100        0"
    assert lines[-3:] == [
        "COMPLETE  1 result over 100 scored samples",
        "100 requests, 15,400 tokens, 1 min 40 s",
        "report: runs/x/report.html",
    ]


def test_terminal_backends_side_by_side() -> None:
    text = terminal(partial())
    assert re.search(r"gsm8k +accuracy +60\.00 % +59\.20 %", text)
    assert re.search(r"\[50\.20, 69\.06\] +\[49\.00, 68\.00\]", text)
    assert "n 97, 3 errors" in text and re.search(r"arc +accuracy +–", text) and "down" in text
    assert "unanswered × 3  opencompass · gsm8k" in text and "→ run it again" in text
    assert "PARTIAL  2 of 3 results not complete; 12 of 209 samples" in text
    assert "report: runs/x/report.html" in text


def test_terminal_fits_a_narrow_window() -> None:
    assert max(len(line) for line in terminal(partial(), width=60).splitlines()) <= 60


def test_markdown() -> None:
    assert render_markdown(partial()) == GOLDEN


GOLDEN = """\
# test

**PARTIAL**: 2 of 3 results not complete; 12 of 209 samples without an answer or a score, and in no value.

## Errors

- **unanswered** × 3 (opencompass · gsm8k): HTTP 500 → run it again

## Scores

| model | dataset | backend | metric | score | 95 % interval | n | errors |
|---|---|---|---|---:|---|---:|---:|
| qwen | gsm8k | native 0.1.0 | accuracy | **60.00 %** | [50.20, 69.06] | 100 | 0 |
| qwen | gsm8k | opencompass 0.5.4 | accuracy | **59.20 %** | [49.00, 68.00] | 97 | 3 |
| qwen | gsm8k | native 0.1.0 | accuracy\\_macro | 55.00 % | [50.20, 69.06] | 100 | 0 |
| qwen | arc | opencompass 0.5.4 | accuracy | **–** | down | 0 | 9 |

## Run

- run: test-20260101-000000-abcdef, bridge 0.1.0, spec 000000000000
- started: 2026-01-01T00:00:00+00:00, took 1 min 40 s
- model: qwen (external, http://127.0.0.1:8000/v1)
- requests: 100 (0 from the cache, 0 tried again, 0 failed); tokens: 12,000 in, 3,400 out
"""


def hostile_report(text: str) -> Report:
    row = make_row(model=text, dataset=text, metric=text, value=None, reason=text, ci95=None, backend_version=text)
    two = row.model_copy(update={"backend": text, "subset": text, "primary": False, "settings": {text: text}})
    error = ReportError(kind=ErrorKind.BACKEND, message=text, hint=text, dataset=text, model=text, backend=text)
    return make_report(
        run=make_run(name=text, argv=(text,), host={text: text}, id=text, started_at=text),
        models=(make_model(name=text, source=text, engine=text, adapters=(text,), revision=text),),
        results=(row, two),
        errors=(error,),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_terminal_shows_hostile_text_as_text(text: str) -> None:
    shown = terminal(hostile_report(text), width=5000)
    assert all(char.isprintable() or char == "\n" for char in shown)
    if text.isprintable():
        assert text in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_terminal_in_colour_has_only_its_own_sequences(text: str) -> None:
    shown = terminal(hostile_report(text), force_terminal=True, color_system="truecolor", legacy_windows=False)
    own = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert all(char.isprintable() or char == "\n" for char in own)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_escapes_hostile_text(text: str) -> None:
    shown = render_markdown(hostile_report(text))
    assert all(char.isprintable() or char == "\n" for char in shown)
    without_own = shown.replace("<details><summary>Subsets (1 rows)</summary>", "").replace("</details>", "")
    assert "<" not in without_own
    for line in shown.splitlines():
        if line.startswith("| "):
            assert len(re.findall(r"(?<!\\)\|", line)) == 9


def test_escaped() -> None:
    assert escaped("a|b *c* [d](e) <f> &") == r"a\|b \*c\* \[d\](e) &lt;f&gt; &amp;"


def test_warnings_are_told_apart_from_errors() -> None:
    note = ReportError(kind=ErrorKind.WARNING, message="the judge is the model itself")
    text = terminal(make_report(errors=(note,)))
    assert "warnings" in text and "─ errors" not in text and "COMPLETE  1 result over 100 scored samples" in text
