"""Files in the benchmark's own layout → where OpenCompass looks, and what is said about those that are broken."""

from __future__ import annotations

import json
from pathlib import Path

import opencompass_toys as toys
import pytest

from bridge.adapters.opencompass.ocbridge.lay_out import Candidate, File, Laid, LayoutError, Source, choose, lay_out


def laid(root: Path, into: Path, *files: File) -> Laid:
    found = Laid()
    lay_out(Candidate(root, files), into, found)
    return found


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_first_place_that_is_whole_is_used(tmp_path: Path) -> None:
    toys.write_gsm8k(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "test.jsonl").touch()
    files = (File("test.jsonl", "x"), File("train.jsonl", "y"))
    source = Source((str(tmp_path / "a"), str(tmp_path / "b")), files)
    assert choose([source]).root == tmp_path / "b"
    assert Source.from_json(json.loads(json.dumps(source.to_json()))) == source


def test_what_is_missing_is_told_of_the_nearest_place(tmp_path: Path) -> None:
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "test.jsonl").touch()
    files = (File("test.jsonl", "x"), File("train.jsonl", "y"))
    with pytest.raises(LayoutError, match=r"near: train.jsonl missing"):
        choose([Source((str(tmp_path / "far"), str(tmp_path / "near")), files)])


def test_files_of_the_same_format_are_linked(tmp_path: Path) -> None:
    toys.write_gsm8k(tmp_path / "gsm8k", 4)
    found = laid(tmp_path / "gsm8k", tmp_path / "into", File("test.jsonl", "data/gsm8k/test.jsonl", "jsonl"))
    target = tmp_path / "into/data/gsm8k/test.jsonl"
    assert target.is_symlink() and target.resolve() == tmp_path / "gsm8k/test.jsonl"
    assert found.rows == {"data/gsm8k/test.jsonl": 4} and not found.problems


def test_a_pattern_that_fits_several_files_is_no_file(tmp_path: Path) -> None:
    file = File("*.jsonl", "data/hellaswag/hellaswag.jsonl", "hellaswag")
    toys.write_hellaswag(tmp_path, 2)
    assert len(file.found(tmp_path)) == 1
    toys.write_jsonl(tmp_path / "other.jsonl", [toys.hellaswag_row(1)])
    assert file.found(tmp_path) == []


def test_hellaswag_is_cleaned_as_for_opencompass_own_file(tmp_path: Path) -> None:
    toys.write_hellaswag(tmp_path, 2)
    laid(tmp_path, tmp_path / "into", File("hellaswag_val.jsonl", "h.jsonl", "hellaswag"))
    row = rows(tmp_path / "into/h.jsonl")[1]
    assert row["query"] == "Cooking.  eggs: A man puts pan number 1 on the stove slowly. He".replace(".  ", ". ")
    assert row["choices"] == ["sings a song.", "cooks two eggs.", "swims home.", "flies."]
    assert row["gold"] == toys.hellaswag_row(1)["label"]


def test_rows_that_are_converted_already_stay(tmp_path: Path) -> None:
    converted = {"query": "A: b", "choices": ["1", "2", "3", "4"], "gold": 2}
    toys.write_jsonl(tmp_path / "h.jsonl", [converted])
    laid(tmp_path / "h.jsonl", tmp_path / "into", File("", "h.jsonl", "hellaswag"))
    assert rows(tmp_path / "into/h.jsonl") == [converted]


def test_own_questions_are_brought_into_one_form(tmp_path: Path) -> None:
    toys.write_jsonl(
        tmp_path / "a_val.jsonl",
        [
            {"id": 7, "question": "Which?", "B": 2, "A": 1, "C": "", "answer": "b"},
            {"question": 5, "A": "x", "B": "y", "answer": " A "},
        ],
    )
    toys.write_csv(tmp_path / "b_val.csv", [["Which?", "1", "2", "B"]], ["question", "A", "B", "answer"])
    laid(tmp_path, tmp_path / "into", File("*_val.jsonl", "own/", "mcq"), File("*_val.csv", "own/", "mcq"))
    assert rows(tmp_path / "into/own/a.jsonl") == [
        {"question": "Which?", "A": "1", "B": "2", "answer": "B"},
        {"question": "5", "A": "x", "B": "y", "answer": "A"},
    ]
    assert rows(tmp_path / "into/own/b.jsonl") == [{"question": "Which?", "A": "1", "B": "2", "answer": "B"}]
    toys.write_jsonl(tmp_path / "c.jsonl", [{"query": "q", "response": 3}, {"question": "r", "answer": "s"}])
    laid(tmp_path, tmp_path / "into", File("c.jsonl", "own/c.jsonl", "qa"))
    assert rows(tmp_path / "into/own/c.jsonl") == [{"question": "q", "answer": "3"}, {"question": "r", "answer": "s"}]


GOOD = {"question": "Which?", "A": "x", "B": "y", "answer": "A"}


@pytest.mark.parametrize(
    ("how", "text", "said"),
    [
        ("jsonl", '{"a": 1}\n{"a": \n', r":2: not JSON"),
        ("jsonl", "[1]\n", r":1: not a JSON object"),
        ("examples", "{}", r"not a JSON object with 'examples'"),
        ("mmlu", "q,1,2,3,4,A\nq,1,2\n", r": row 2 has 3 columns, expected 6"),
        ("ceval", "id,question,A\n1,q\n", r": row 2 has 2 columns, expected 3"),
        ("hellaswag", '{"ctx": "x", "endings": []}\n', r":1: field 'activity_label' missing"),
        ("hellaswag", '{"query": "x", "choices": 1}\n', r":1: field 'gold' missing"),
        ("mcq", json.dumps({**GOOD, "answer": "C"}), r":1: answer 'C' is none of A, B"),
        ("mcq", json.dumps({**GOOD, "D": "z"}), r":1: choices ABD; they are to be A, B"),
        ("mcq", json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "C": "z"}), r":2: 3 choices where the first row has 2"),
        ("mcq", "", r"has no rows"),
        ("qa", '{"question": "q", "answer": "a", "system": "be brief"}', r":1: field 'system'"),
        ("qa", '{"question": "q"}', r":1: field 'response' missing; it has question"),
    ],
)
def test_a_broken_file_is_left_out_and_its_place_is_told(tmp_path: Path, how: str, text: str, said: str) -> None:
    (tmp_path / "bad").write_text(text, encoding="utf-8")
    toys.write_gsm8k(tmp_path, 2)
    found = laid(tmp_path, tmp_path / "into", File("bad", "bad", how), File("test.jsonl", "good", "jsonl"))
    assert not (tmp_path / "into/bad").exists()
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(found.problems["bad"])
    assert found.rows == {"good": 2}


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_bytes(b'{"a": "\xff"}\n')
    assert "cannot be read" in laid(tmp_path, tmp_path / "into", File("bad.jsonl", "x", "jsonl")).problems["x"]
