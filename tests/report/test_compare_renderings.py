from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command import Done, bridge
from fakes import HOSTILE
from runs import marks, record, write, write_run

from bridge.report.compare import Options, compare
from bridge.report.compare_html import comparison_html, scale_of
from bridge.report.compare_markdown import comparison_markdown
from bridge.report.compare_schema import Comparison
from bridge.report.read import read_report


def compared(*arguments: object) -> Done:
    return bridge("compare", *arguments)


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    subsets = [one.model_copy(update={"subset": "xyz"[at % 3]}) for at, one in enumerate(marks("1" * 90))]
    worse = [one.model_copy(update={"subset": "xyz"[at % 3]}) for at, one in enumerate(marks("e" + "10" * 44 + "1"))]
    a = write_run(
        tmp_path / "a", {"mmlu": subsets, "gsm8k": marks("1" * 50), "only": marks("1")}, settings={"limit": 90}
    )
    b = write_run(tmp_path / "b", {"mmlu": worse, "gsm8k": marks("1" * 50)}, settings={"limit": 9}, model="sft")
    return a, b


@pytest.fixture
def hostile(tmp_path: Path) -> Comparison:
    """The text of every field that can come from elsewhere."""
    before, after = [], []
    for at, text in enumerate(HOSTILE):
        fields = dict.fromkeys(("input", "target", "subset", "response", "extracted"), text)
        before.append(record(f"{at}{text}", "1", **fields))
        after.append(record(f"{at}{text}", "0", **fields))
    every = " ".join(HOSTILE)
    for name, records in (("a", before), ("b", after)):
        root = write_run(tmp_path / name, {"d": records}, model=f"{every}{name}", settings={every: f"{every}{name}"})
        report = read_report(root)
        rows = [row.model_copy(update={"dataset": every, "backend": every}) for row in report.results]
        write(root, report.model_copy(update={"results": tuple(rows)}))
    return compare([str(tmp_path / "a"), str(tmp_path / "b")], Options())


def test_the_table_says_what_differs_before_any_number(runs: tuple[Path, Path]) -> None:
    done = compared(*runs)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    text = done.stdout
    assert lines[0] == "sft against qwen"
    assert text.index("limit") < text.index("100.00 %")
    assert re.search(r"mmlu +89 +100.00 % +50.56 % +-49.44 pp +\[-\d+.\d+, -\d+.\d+\]", text)
    assert "worse on mmlu; no difference shown on 1 dataset" in text
    assert "not compared: only: only qwen has it" in text
    assert "1 sample not in it: 1 no score in the candidate" in text
    assert "… and 39 more lost" in text


def test_json_is_the_comparison(runs: tuple[Path, Path]) -> None:
    found = Comparison.model_validate_json(compared(*runs, "--json", "--flips", 2).stdout)
    assert [one.verdict for one in found.against[0].datasets] == ["worse", "no difference shown"]
    assert len(found.against[0].datasets[0].flips_lost) == 2


def test_markdown_has_a_table_and_the_remarks(runs: tuple[Path, Path]) -> None:
    text = compared(*runs, "--markdown").stdout
    assert text.startswith("# sft against qwen\n")
    assert "| mmlu | 89 | 100.00 % | 50.56 % | -49.44 pp |" in text
    assert "- not compared: only: only qwen has it" in text


def test_html_is_one_file_without_scripts(runs: tuple[Path, Path], tmp_path: Path) -> None:
    page = tmp_path / "new" / "c.html"
    assert compared(*runs, "--html", page).exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert "worse on mmlu" in html and "-49.44 pp" in html
    assert "<script" not in html and "http" not in html.replace("http-equiv", "")
    assert "default-src 'none'; style-src 'sha256-" in unescape(html)


def test_two_runs_that_cannot_be_compared_end_with_two_and_a_reason(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", {"arc": marks("1")}, model="x")
    done = compared(runs[0], other)
    assert done.exit_code == 2
    assert "qwen and x cannot be compared on arc: only x has it" in done.stderr
    assert compared(runs[0]).exit_code == 2
    assert compared(runs[0], tmp_path / "none").exit_code == 2
    assert compared(*runs, "--dataset", "=x").exit_code == 2


def test_hostile_text_does_nothing_in_html(hostile: Comparison) -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: set[str] = set()
            self.attributes: set[str] = set()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add(tag)
            self.attributes |= {name for name, _ in attrs}

    found = Tags()
    html = comparison_html(hostile)
    found.feed(html)
    assert not found.seen & {"script", "img", "iframe", "a", "link", "b"}
    assert not {name for name in found.attributes if name.startswith("on")}
    assert not [char for char in html if not char.isprintable() and char != "\n"]


def test_hostile_text_does_nothing_in_the_terminal_and_in_markdown(hostile: Comparison, tmp_path: Path) -> None:
    done = compared(tmp_path / "a", tmp_path / "b")
    for text in (done.stdout, comparison_markdown(hostile)):
        assert not [char for char in text if not char.isprintable() and char != "\n"]
    assert "<script" not in comparison_markdown(hostile)
    assert json.loads(compared(tmp_path / "a", tmp_path / "b", "--json").stdout)["schema_version"] == "1.0"


def test_the_scale_is_not_stretched_by_a_subset_that_says_nothing(runs: tuple[Path, Path]) -> None:
    one = compare([str(run) for run in runs], Options()).against[0].datasets[1]
    narrow = [one.model_copy(update={"ci95": (-0.01, 0.01)})] * 4
    wide = one.model_copy(update={"ci95": (-0.9, 0.9)})
    scale = scale_of([*narrow, wide], "fraction")
    assert scale.reach == pytest.approx(0.04)
    assert scale.x(0.0) == 140.0 and scale.x(0.9) == scale.x(0.04)
