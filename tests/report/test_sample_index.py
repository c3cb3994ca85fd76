"""The index says of every sample what the report says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fakes import make_record, make_report, make_row
from runs import marks, write_run

from bridge.report.embed import state_of as state_by_record
from bridge.report.read import read_report, samples
from bridge.report.sample_index import (
    STATES,
    connect,
    fingerprint,
    index_path,
    is_fresh,
    primary_score,
    sources,
    state_of,
    write_index,
)
from bridge.view.glance import SCHEMA_VERSION, glance


def indexed(root: Path) -> sqlite3.Connection:
    files = sources(read_report(root), root)
    write_index(files, index_path(root))
    return connect(index_path(root))


@pytest.mark.parametrize(
    ("record", "row"),
    [
        ({"scores": {"accuracy": 1.0}}, {}),
        ({"scores": {"accuracy": 0.0}}, {}),
        ({"scores": {"accuracy": 0.0}}, {"higher_is_better": False}),
        ({"scores": {"accuracy": 0.5}}, {}),
        ({"scores": {"other": 1.0}}, {}),
        ({"scores": {"other": 1.0, "another": 0.0}}, {}),
        ({"scores": {}}, {}),
        ({"scores": {"accuracy": 1.0}, "error": "HTTP 500"}, {}),
        ({"scores": {"accuracy": 7.0}}, {"unit": "rating"}),
    ],
    ids=str,
)
def test_states_are_those_of_the_report(record: dict[str, Any], row: dict[str, Any]) -> None:
    made, judged_by = make_record(**record), make_row(**row)
    score = primary_score(made.scores, judged_by.metric)
    assert STATES[state_of(made.model_dump(), score, judged_by)] == state_by_record(made, judged_by)


@pytest.mark.parametrize("scores", [None, [], {"accuracy": "1"}, {"accuracy": None}, {"accuracy": 10**400}])
def test_what_is_no_score(scores: object) -> None:
    assert primary_score(scores, "accuracy") is None


def test_every_line_is_where_the_index_says(tmp_path: Path) -> None:
    write_run(tmp_path, {"gsm8k": marks("10e1", subset="ä"), "mmlu": marks("01", subset="b")})
    path = tmp_path / "samples" / "native" / "gsm8k.jsonl"
    with closing(indexed(tmp_path)) as db:
        rows = db.execute("select offset, length, sample_id, state from sample order by id").fetchall()
        files = db.execute("select path, first, n from file order by id").fetchall()
        tally = db.execute("select state, sum(n) from tally where file = 0 group by 1 order by 1").fetchall()
    raw = path.read_bytes()
    records = list(samples(path))
    assert [raw[at : at + length] for at, length, _, _ in rows[:4]] == raw.splitlines(keepends=True)
    assert [name for _, _, name, _ in rows[:4]] == [one.sample_id for one in records]
    assert [STATES[state] for *_, state in rows[:4]] == ["right", "wrong", "error", "right"]
    assert files == [("samples/native/gsm8k.jsonl", 1, 4), ("samples/native/mmlu.jsonl", 5, 2)]
    assert tally == [(0, 2), (1, 1), (4, 1)]


def test_it_is_stale_when_a_file_or_the_metric_changes(tmp_path: Path) -> None:
    write_run(tmp_path, {"gsm8k": marks("10")})
    report = read_report(tmp_path)
    files = sources(report, tmp_path)
    write_index(files, index_path(tmp_path))
    assert is_fresh(index_path(tmp_path), files)
    other = report.model_copy(update={"results": (report.results[0].model_copy(update={"metric": "f1"}),)})
    assert not is_fresh(index_path(tmp_path), sources(other, tmp_path))
    files[0].path.write_bytes(files[0].path.read_bytes() + b"\n")
    assert not is_fresh(index_path(tmp_path), files)
    before = fingerprint(files)
    files[0].path.unlink()
    assert fingerprint(files) != before and not is_fresh(tmp_path / "nothing", files)


def test_an_index_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    write_run(tmp_path, {"gsm8k": marks("10")})
    files = sources(read_report(tmp_path), tmp_path)
    write_index(files, index_path(tmp_path))
    files[0].path.unlink()
    with pytest.raises(OSError, match="gsm8k"):
        write_index(files, index_path(tmp_path))
    assert [path.name for path in index_path(tmp_path).parent.iterdir() if path.is_file()] == ["index.sqlite"]


def test_nothing_outside_of_the_run_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text("{}\n")
    (tmp_path / "run").mkdir()
    report = make_report(results=(make_row(samples="../secret.jsonl"), make_row(samples="/etc/passwd", dataset="x")))
    assert sources(report, tmp_path / "run") == []


def test_a_glance_sees_what_the_report_says(tmp_path: Path) -> None:
    root = write_run(tmp_path, {"gsm8k": marks("110e"), "mmlu": marks("10")})
    seen, report = glance(root / "report.json"), read_report(root)
    assert seen is not None
    primary = [row for row in report.results if row.primary]
    assert [(row.dataset, row.value, row.ci95, row.n, row.n_errors) for row in seen.rows] == [
        (row.dataset, row.value, row.ci95, row.n, row.n_errors) for row in primary
    ]
    assert (seen.name, seen.status, seen.spec_sha256) == (report.run.name, report.run.status, report.run.spec_sha256)
    assert report.schema_version == SCHEMA_VERSION
