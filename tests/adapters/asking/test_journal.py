"""The journal keeps what was done, whatever happens to the process in the middle of a line."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.adapters.asking.journal import Journal, Key


def test_an_entry_is_there_for_whoever_opens_the_file_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl")
    journal.add(Key("7", 1), {"response": "zwölf\n字"})

    assert Journal(tmp_path / "a.jsonl").get(Key("7", 1)) == {"id": "7", "repeat": 1, "response": "zwölf\n字"}
    assert Journal(tmp_path / "a.jsonl").get(Key("7", 0)) is None


def test_the_last_line_of_a_key_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl")
    journal.add(Key("7"), {"error": "gone"})
    journal.add(Key("8"), {"response": "other"})
    journal.add(Key("7"), {"response": "there"})

    for seen in (journal, Journal(tmp_path / "a.jsonl")):
        entry = seen.get(Key("7"))
        assert entry is not None and entry["response"] == "there" and "error" not in entry
        assert len(seen) == 2


def test_no_file_is_an_empty_journal_and_is_not_made(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep" / "a.jsonl")
    assert Key("0") not in journal
    assert not journal.path.exists()
    journal.add(Key("0"), {})
    assert Key("0") in Journal(journal.path)


@pytest.mark.parametrize("torn_by", range(1, 12))
def test_a_torn_last_line_is_cut_off_and_its_work_is_missing(tmp_path: Path, torn_by: int) -> None:
    path = tmp_path / "a.jsonl"
    journal = Journal(path)
    journal.add(Key("0"), {"response": "字字"})
    journal.add(Key("1"), {"response": "字字"})
    path.write_bytes(path.read_bytes()[:-torn_by])

    resumed = Journal(path)
    assert Key("0") in resumed
    assert Key("1") not in resumed
    resumed.add(Key("1"), {"response": "again"})
    assert [(Journal(path).get(Key(key)) or {})["response"] for key in "01"] == ["字字", "again"]
    assert len(path.read_bytes().splitlines()) == 2


def test_a_damaged_line_in_the_middle_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "0", "repeat": 0}\n{"id": "1", "rep\xff\xff\n[1]\n{"id": "2", "repeat": 0}\n')
    journal = Journal(path)
    assert [Key(key) in journal for key in "012"] == [True, False, True]
    journal.add(Key("1"), {"x": 1})
    assert Key("2") in Journal(path)
    assert Key("1") in Journal(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=[])), max_size=6), cut=st.integers(0, 400))
def test_whatever_is_written_and_wherever_it_is_cut(tmp_path: Path, texts: list[str], cut: int) -> None:
    path = tmp_path / "a.jsonl"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    for at, text in enumerate(texts):
        journal.add(Key(str(at)), {"response": text})
    whole = path.read_bytes() if path.exists() else b""
    path.write_bytes(whole[: max(0, len(whole) - cut)])

    resumed = Journal(path)
    kept = [at for at in range(len(texts)) if Key(str(at)) in resumed]
    assert kept == list(range(len(kept)))
    assert [(resumed.get(Key(str(at))) or {})["response"] for at in kept] == texts[: len(kept)]
