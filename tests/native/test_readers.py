from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.native.readers import DataError, count_rows, read_rows, suffix_of

COLUMNS = ("question", "A", "B", "answer")
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_jsonl_says_which_line_is_broken_and_reads_the_others(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.jsonl", '\ufeff{"a": 1}\n\n{"a": \n[1]\n{"a": "\\ud800"}\n{"a": 2}')
    lines = list(read_rows(path))
    assert [(line.number, line.row) for line in lines if not line.problem] == [(1, {"a": 1}), (6, {"a": 2})]
    assert [line.number for line in lines if line.problem] == [3, 4, 5]
    assert "not JSON" in lines[1].problem
    assert "to be an object, not list" in lines[2].problem


def test_a_line_that_is_not_utf8_is_broken_alone(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.jsonl", b'{"a": "\xff"}\n{"a": 2}\n')
    assert [bool(line.problem) for line in read_rows(path)] == [True, False]


def test_csv_without_a_header_has_quotes_commas_and_line_breaks(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.csv", '"What, ""now""?\nSay",1,2,B\r\nNext?,"3,5",4,A\n')
    lines = list(read_rows(path, COLUMNS))
    assert lines[0].row == {"question": 'What, "now"?\nSay', "A": "1", "B": "2", "answer": "B"}
    assert [line.number for line in lines] == [1, 3]


def test_csv_names_the_line_of_a_row_with_other_columns(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.csv", "One?,1,2,A\nTwo?,1,2\nThree?,1,2,B\n")
    lines = list(read_rows(path, COLUMNS))
    assert lines[1] == (2, {}, "3 columns; there are to be 4: question, A, B, answer")
    assert lines[2].row["question"] == "Three?"


def test_csv_with_a_stray_quote_breaks_one_row(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.csv", '"One"?,1,2,A\nTwo?,1,2,B\n')
    lines = list(read_rows(path, COLUMNS))
    assert "not CSV" in lines[0].problem
    assert lines[-1].row["question"] == "Two?"


def test_csv_with_an_open_quote_names_where_it_opens(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.csv", 'One?,1,2,A\n"Two?,1,2,B\nThree?,1,2,B\n')
    lines = read_rows(path, COLUMNS)
    assert next(lines).row["question"] == "One?"
    with pytest.raises(DataError, match=r"rows\.csv:2: a quote that is opened here is never closed"):
        next(lines)


def test_csv_that_is_not_utf8_breaks_one_row(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.csv", b"On\xe9?,1,2,A\nTwo?,1,2,B\n")
    assert [line.problem for line in read_rows(path, COLUMNS)] == ["not UTF-8", ""]


def test_tsv_takes_its_header(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.tsv", "question\tanswer\n你好?\t是\n")
    assert [line.row for line in read_rows(path)] == [{"question": "你好?", "answer": "是"}]


@pytest.mark.parametrize("text", ['[{"a": 1}]', '{"canary": "x", "examples": [{"a": 1}]}'])
def test_json_is_a_list_or_an_object_around_one(tmp_path: Path, text: str) -> None:
    assert [line.row for line in read_rows(file(tmp_path, "rows.json", text))] == [{"a": 1}]


@pytest.mark.parametrize(("text", "message"), [("{", r"rows\.json:1: not JSON"), ('{"a": 1}', "is to hold a list")])
def test_json_of_another_shape_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_rows(file(tmp_path, "rows.json", text)))


def test_compressed_files_are_read_and_a_cut_one_is_said_to_be(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"a": %d}\n' % at for at in range(5000)))
    assert sum(1 for _ in read_rows(file(tmp_path, "rows.jsonl.gz", whole))) == 5000
    with pytest.raises(DataError, match=r"cut\.jsonl\.gz: cannot be read"):
        list(read_rows(file(tmp_path, "cut.jsonl.gz", whole[: len(whole) // 2])))
    with pytest.raises(DataError, match=r"bad\.jsonl\.gz: cannot be read"):
        list(read_rows(file(tmp_path, "bad.jsonl.gz", whole[:40] + bytes(60) + whole[100:])))


def test_other_formats_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one of \.jsonl"):
        list(read_rows(file(tmp_path, "rows.xlsx", b"")))
    with pytest.raises(DataError, match="No such file"):
        list(read_rows(tmp_path / "none.csv"))


def test_parquet_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'evalbridge\[parquet\]'"):
        list(read_rows(file(tmp_path, "rows.parquet", b"PAR1")))


def test_parquet_is_read_in_batches(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra [parquet] is not installed")
    values = [{"question": f"q{at}", "choices": ["a", "b"], "answer": at % 2} for at in range(1000)]
    parquet.write_table(pyarrow.Table.from_pylist(values), tmp_path / "rows.parquet")
    assert [line.row for line in read_rows(tmp_path / "rows.parquet")] == values
    assert count_rows(tmp_path / "rows.parquet") == 1000
    with pytest.raises(DataError, match="not a parquet file"):
        list(read_rows(file(tmp_path, "bad.parquet", b"nonsense")))


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.jsonl", ".jsonl"), ("a.b.jsonl.gz", ".jsonl.gz"), ("a.csv", ".csv"), ("a", ""), ("gz", "")]
)
def test_the_suffix_says_the_format(name: str, suffix: str) -> None:
    assert suffix_of(Path(name)) == suffix


def test_counting_stops_where_more_does_not_matter(tmp_path: Path) -> None:
    path = file(tmp_path, "rows.jsonl", "{}\n" * 50)
    assert count_rows(path, most=7) == 7
    assert count_rows(tmp_path / "none.jsonl") is None


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@quick
@given(values=st.lists(st.dictionaries(texts, st.none() | st.booleans() | texts | st.lists(texts), max_size=4)))
def test_what_is_written_as_jsonl_is_read_again(tmp_path: Path, values: list[dict[str, Any]]) -> None:
    path = file(tmp_path, "rows.jsonl", "".join(json.dumps(value, ensure_ascii=True) + "\n" for value in values))
    assert [line.row for line in read_rows(path)] == values
    assert count_rows(path) == len(values)


@quick
@given(values=st.lists(st.lists(texts, min_size=4, max_size=4)))
def test_what_is_written_as_csv_is_read_again(tmp_path: Path, values: list[list[str]]) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows(values)
    read = list(read_rows(path, COLUMNS))
    assert [list(line.row.values()) for line in read] == values
    assert count_rows(path, COLUMNS) == len(values)


@quick
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".jsonl", ".json", ".csv", ".tsv", ".jsonl.gz"]))
def test_no_content_raises_anything_but_a_data_error(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = file(tmp_path, f"rows{suffix}", content)
    try:
        lines = list(read_rows(path, COLUMNS))
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert all(line.problem or isinstance(line.row, dict) for line in lines)
