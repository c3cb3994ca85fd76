from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import TempPathFactory

from bridge.native.records import SampleIndex, SampleWriter


def record(index: int, repeat: int = 0, **fields: Any) -> dict[str, Any]:
    base = {"sample_id": str(index), "repeat": repeat, "error": None, "scores": {"accuracy": 1.0}}
    return {**base, **fields, "metadata": {"index": index}}


def test_records_come_back_in_the_datasets_order(tmp_path: Path) -> None:
    path = tmp_path / "s" / "a.jsonl"
    with SampleWriter(path, repeats=2) as writer:
        for index, repeat in [(2, 1), (0, 0), (2, 0), (0, 1)]:
            writer.write(index, repeat, record(index, repeat))
    index = SampleIndex(path, 2, total=3)
    found = [one and (one["metadata"]["index"], one["repeat"]) for one in index.records()]
    assert found == [(0, 0), (0, 1), None, None, (2, 0), (2, 1)]


def test_the_later_record_of_a_sample_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with SampleWriter(path, repeats=1) as writer:
        writer.write(0, 0, record(0, error="not answered", scores={}))
        assert not writer.is_done(0, 0)
        writer.write(0, 0, record(0))
        assert writer.is_done(0, 0)
        assert not writer.is_done(1, 0)
    assert [one and one["error"] for one in SampleIndex(path, 1, None).records()] == [None]


def test_a_torn_last_line_is_as_good_as_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with SampleWriter(path, repeats=1) as writer:
        writer.write(0, 0, record(0))
        writer.write(1, 0, record(1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with SampleWriter(path, repeats=1) as writer:
        assert writer.is_done(0, 0)
        assert not writer.is_done(1, 0)
        writer.write(1, 0, record(1))
    assert [one is not None for one in SampleIndex(path, 1, 2).records()] == [True, True]
    assert path.read_bytes().count(b"\n") == 3


def test_lines_that_are_no_records_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [b"[]", b"nonsense", b'{"metadata": []}', b'{"metadata": {"index": -1}}', orjson.dumps(record(0))]
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert [one and one["sample_id"] for one in SampleIndex(path, 1, None).records()] == ["0"]


def test_records_beyond_the_dataset_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with SampleWriter(path, repeats=1) as writer:
        writer.write(5, 0, record(5))
    assert list(SampleIndex(path, 1, 2).records()) == [None, None]
    assert list(SampleIndex(tmp_path / "none.jsonl", 1, 2).records()) == [None, None]


def test_a_disk_that_takes_no_more_is_an_error(tmp_path: Path) -> None:
    with SampleWriter(tmp_path / "a.jsonl", repeats=1) as writer:
        os.close(writer._file)
        writer._file = os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(OSError, match="No space left"):
            writer.write(0, 0, record(0))
        assert not writer.is_done(0, 0)


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(12)), cut=st.integers(0, 400))
def test_a_cut_anywhere_loses_nothing_before_it(tmp_path_factory: TempPathFactory, order: list[int], cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.jsonl"
    with SampleWriter(path, repeats=1) as writer:
        for index in order:
            writer.write(index, 0, record(index))
    kept = path.read_bytes()[:-cut] if cut else path.read_bytes()
    path.write_bytes(kept)
    with SampleWriter(path, repeats=1) as writer:
        done = {index for index in range(12) if writer.is_done(index, 0)}
    assert done == set(order[: kept.count(b"\n")])
