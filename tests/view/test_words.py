"""The pages in Chinese: nothing that a template or a sentence asks for is missing, and no placeholder is lost."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from markdown_blocks import ROOT

from bridge.report.compare_schema import DatasetComparison, Unpaired
from bridge.report.compare_words import _REASONS, _UNPAIRED, subset_caption
from bridge.report.language import catalogue, counted, translator
from bridge.report.sample_index import STATES
from bridge.report.schema import ErrorKind, Status
from bridge.report.sections import all_sections
from bridge.view.samples import FLAGS

IN_TEMPLATE = re.compile(r"""_\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
TEMPLATES = [*(ROOT / "bridge/report/templates").glob("*.html"), *(ROOT / "bridge/view/templates").glob("*.html")]
MODULES = [
    *(ROOT / "bridge/view").glob("*.py"),
    *(ROOT / "bridge/report" / f"{name}.py" for name in ("compare_words", "overview", "language")),
]
FROM_DATA = [
    *STATES,
    *FLAGS,
    *(status.value for status in Status),
    *(kind.value for kind in ErrorKind),
    *_UNPAIRED.values(),
    *_REASONS.values(),
    *_REASONS,
    *DatasetComparison.model_fields["verdict"].annotation.__args__,
    *(f"{{n}} {noun}s" for noun in ("sample", "run", "dataset", "cluster", "lost answer", "result", "scored sample")),
    subset_caption(),
    "unreadable",
]


def asked() -> set[str]:
    found = {*FROM_DATA, *(section.title for section in all_sections())}
    for path in TEMPLATES:
        found |= {ast.literal_eval(text) for text in IN_TEMPLATE.findall(path.read_text(encoding="utf-8"))}
    for path in MODULES:
        found |= set(_in_module(path))
    return found


def _in_module(path: Path) -> list[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    first = [
        call.args[0]
        for call in calls
        if call.args and getattr(call.func, "id", getattr(call.func, "attr", "")) in ("_", "translate", "Pending")
    ]
    return [one.value for one in first if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_nothing_is_missing() -> None:
    words = catalogue("zh")
    assert sorted(text for text in asked() if text not in words) == []
    assert len(asked()) > 100


def test_nothing_is_left_over() -> None:
    assert sorted(set(catalogue("zh")) - asked()) == []


@pytest.mark.parametrize("english", sorted(catalogue("zh")))
def test_every_placeholder_is_there(english: str) -> None:
    assert fields(catalogue("zh")[english]) == fields(english)


def test_counts() -> None:
    assert counted(1, "sample") == "1 sample"
    assert counted(1_234, "sample") == "1,234 samples"
    assert counted(1_234, "sample", translator("zh")) == "1,234 个样本"


def test_every_reason_for_no_pair_has_words() -> None:
    assert set(_UNPAIRED) == set(Unpaired.model_fields)
