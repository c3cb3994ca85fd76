"""Written, read again, and refused with one clear line where a file is something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import make_record, make_report, make_row, write_samples

from bridge.errors import OutputError
from bridge.report.json_schema import report_schema, sample_schema
from bridge.report.read import read_report, samples
from bridge.report.schema import ReportError
from bridge.report.write import report_json, sample_line, write_report
from bridge.rundir import RunDir


def test_written_is_read(tmp_path: Path) -> None:
    report = make_report(errors=(ReportError(kind="warning", message="note"),), results=(make_row(value=1 / 3),))
    rundir = RunDir(tmp_path / "run")
    assert write_report(rundir, report) is report
    assert read_report(rundir.report_json) == read_report(rundir.root) == report
    assert {path.name for path in rundir.root.iterdir()} == {"report.json", "report.md", "report.html"}


def test_a_report_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no report here; 'bridge report"):
        read_report(tmp_path / "report.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b'{"schema_version": "1.0", "run": {"id"', "only half of it"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1, 2]", "a JSON list"),
        (b'{"accuracy": 0.5}', "no schema_version"),
        (b'{"schema_version": "2.0"}', "install a newer bridge"),
        (b'{"schema_version": "0.9"}', "makes it again"),
        (b'{"schema_version": {"a": 1}}', "give a report of bridge"),
        (b'{"schema_version": "1.0"}', "run: Field required (and 3 more)"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(OutputError) as caught:
        read_report(path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_every_cut_of_a_report_is_refused_clearly(tmp_path: Path) -> None:
    whole, path = report_json(make_report()), tmp_path / "report.json"
    for length in range(0, len(whole) - 2, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(OutputError):
            read_report(path)


def test_samples_come_one_at_a_time(tmp_path: Path) -> None:
    records = [make_record(sample_id=str(at)) for at in range(5)]
    write_samples(tmp_path, {"s.jsonl": records})
    lines = samples(tmp_path / "s.jsonl")
    assert next(lines) == records[0]
    assert list(lines) == records[1:]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    write_samples(tmp_path, {"s.jsonl": [make_record(), make_record()]})
    path = tmp_path / "s.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    lines = samples(path)
    next(lines)
    with pytest.raises(OutputError, match=r"s\.jsonl:2: not a sample record"):
        next(lines)
    with pytest.raises(OutputError, match="cannot be read"):
        next(samples(tmp_path / "none.jsonl"))


def test_schema_describes_what_is_written() -> None:
    schema, report = report_schema(), json.loads(report_json(make_report()))
    assert set(report) == set(schema["properties"]) == set(schema["required"])
    assert set(report["results"][0]) == set(schema["$defs"]["ResultRow"]["properties"])
    record = json.loads(make_record().model_dump_json())
    assert set(record) == set(sample_schema()["properties"]) == set(schema["$defs"]["SampleRecord"]["properties"])
    assert json.loads(json.dumps(schema)) == schema


def test_halves_of_characters_do_not_cost_the_report(tmp_path: Path) -> None:
    half = "half \ud83d of it"
    error = ReportError(kind="backend", message=half, hint=half)
    row = make_row(reason=half, settings={half: [half]}, dataset=half, model=half, backend=half, metric=half)
    write_report(RunDir(tmp_path), make_report(results=(row,), errors=(error,)))
    assert read_report(tmp_path).errors[0].message == "half \ufffd of it"
    record = make_record(response=half, target={"deep": [half]})
    (tmp_path / "s.jsonl").write_bytes(sample_line(record) + sample_line(make_record()))
    first, second = samples(tmp_path / "s.jsonl")
    assert first.response == "half \ufffd of it" and first.target == {"deep": ["half \ufffd of it"]}
    assert second == make_record()
