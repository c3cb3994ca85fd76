"""Which samples the page carries, and that it says what it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import make_record, make_report, make_row, write_samples
from hypothesis import given
from hypothesis import strategies as st

from bridge.report.embed import embedded, shares, state_of
from bridge.report.schema import Report, ResultRow

A, B = "samples/native/a.jsonl", "samples/native/b.jsonl"


def two_datasets(root: Path, n_a: int, n_b: int) -> Report:
    write_samples(
        root,
        {
            A: [make_record(dataset="a", sample_id=str(at)) for at in range(n_a)],
            B: [make_record(dataset="b", sample_id=str(at)) for at in range(n_b)],
        },
    )
    return make_report(results=(make_row(dataset="a", samples=A), make_row(dataset="b", samples=B)))


def test_all_samples_and_nothing_to_say(tmp_path: Path) -> None:
    got = embedded(two_datasets(tmp_path, 3, 2), tmp_path)
    assert [(s["c"], s["id"]) for s in got.samples] == [(0, "0"), (0, "1"), (0, "2"), (1, "0"), (1, "1")]
    assert got.notes == []


def test_above_the_limit_samples_are_spread_and_it_says_so(tmp_path: Path) -> None:
    got = embedded(two_datasets(tmp_path, 100, 4), tmp_path, max_samples=14)
    assert [s["id"] for s in got.samples if s["c"] == 0] == [str(at) for at in range(9, 100, 10)]
    assert sum(s["c"] == 1 for s in got.samples) == 4
    assert got.notes == [f"a (native): 10 of 100 samples are here, evenly spread; all are in {A}"]


def test_a_limit_of_bytes(tmp_path: Path) -> None:
    report = two_datasets(tmp_path, 100, 100)
    size = (tmp_path / A).stat().st_size
    got = embedded(report, tmp_path, max_bytes=size)
    assert 90 <= len(got.samples) <= 100 and len(got.notes) == 2


def test_long_texts_keep_both_ends(tmp_path: Path) -> None:
    long = "first " + "x" * 10_000 + " last"
    write_samples(tmp_path, {A: [make_record(input=[{"role": "user", "content": long}], target={"deep": [long]})]})
    (sample,) = embedded(make_report(results=(make_row(samples=A),)), tmp_path, max_text=100).samples
    for text in (sample["in"][0]["content"], sample["t"]["deep"][0]):
        assert text.startswith("first ") and text.endswith(" last") and "9,911 characters left out" in text


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (None, "no per-sample records"),
        ("samples/none.jsonl", "samples/none.jsonl is not there"),
        ("../outside.jsonl", "is not there"),
        ("/etc/passwd", "is not there"),
    ],
)
def test_files_that_are_not_there_or_not_ours(tmp_path: Path, samples: str | None, said: str) -> None:
    root = tmp_path / "run"
    write_samples(tmp_path, {"outside.jsonl": [make_record()]})
    root.mkdir()
    got = embedded(make_report(results=(make_row(samples=samples),)), root)
    assert got.samples == () and said in got.notes[0]


def test_a_line_that_cannot_be_read_is_counted(tmp_path: Path) -> None:
    report = two_datasets(tmp_path, 3, 1)
    path = tmp_path / A
    path.write_bytes(path.read_bytes() + b'{"half": ')
    got = embedded(report, tmp_path)
    assert len(got.samples) == 4 and got.notes == [f"a (native): 1 line of {A} cannot be read"]


@pytest.mark.parametrize(
    ("fields", "row", "state"),
    [
        ({}, {}, "right"),
        ({"scores": {"accuracy": 0.0}}, {}, "wrong"),
        ({"scores": {"accuracy": 0.25}}, {}, "between"),
        ({"scores": {"f1": 1.0}}, {}, "right"),
        ({"scores": {"f1": 1.0, "em": 0.0}}, {}, "error"),
        ({"scores": {}}, {}, "error"),
        ({"scores": {"accuracy": 1.0}, "error": "HTTP 500"}, {}, "error"),
        ({"scores": {"accuracy": 1.0}}, {"higher_is_better": False}, "wrong"),
        ({"scores": {"accuracy": 8.5}}, {"unit": "rating", "max_value": 10.0}, "scored"),
    ],
)
def test_states(fields: dict[str, Any], row: dict[str, Any], state: str) -> None:
    assert state_of(make_record(**fields), make_row(**row)) == state


@given(st.lists(st.integers(0, 500), max_size=12), st.integers(0, 2_000))
def test_shares_give_all_that_can_be_given(wanted: list[int], total: int) -> None:
    given = shares(wanted, total)
    assert all(got <= want for got, want in zip(given, wanted, strict=True))
    assert sum(given) == min(total, sum(wanted))
    rest = [got for got, want in zip(given, wanted, strict=True) if got < want]
    assert not rest or (max(rest) - min(rest) <= 1 and max(given) <= max(rest) + 1)


def test_rows_that_are_not_primary_have_no_column(tmp_path: Path) -> None:
    rows: tuple[ResultRow, ...] = (
        make_row(),
        make_row(metric="f1", primary=False),
        make_row(subset="s", primary=False),
    )
    assert len(embedded(make_report(results=rows), tmp_path).columns) == 1
