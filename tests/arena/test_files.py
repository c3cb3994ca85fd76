"""Questions and answers in the forms of other tools, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arena.arenas import write_lines

from bridge.errors import SpecError
from bridge.native.arena.answers import read_answers, style
from bridge.native.arena.questions import hash_id, read_questions

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"question_id": 1, "turns": ["a", "b"]}, ("a", "b")),
        ({"question_id": "x", "turns": [{"content": "a"}]}, ("a",)),
        ({"uid": "x", "prompt": "a", "category": "hard"}, ("a",)),
        ({"question_id": 1, "text": "a"}, ("a",)),
        ({"instruction": "a", "output": "b"}, ("a",)),
        ({"instruction": "a", "input": "b"}, ("a\n\nb",)),
    ],
)
def test_questions(tmp_path: Path, row: dict[str, object], turns: tuple[str, ...]) -> None:
    (question,) = read_questions(write_lines(tmp_path / "q.jsonl", [row]))
    assert question.turns == turns


def test_all_that_is_wrong_with_questions_is_told_at_once(tmp_path: Path) -> None:
    rows = [
        {"question_id": 1, "turns": ["a"]},
        {"question_id": "1", "turns": ["b"]},
        {"turns": ["c"]},
        {"question_id": 2},
        {"question_id": 3, "turns": [""]},
        {"question_id": 4, "turns": ["a"], "reference": 3},
    ]
    path = write_lines(tmp_path / "q.jsonl", rows)
    with pytest.raises(SpecError) as error:
        read_questions(path, categories=["maths"])
    told = str(error.value)
    for line, what in ((2, "is there twice"), (3, "no id"), (4, "no turns"), (5, "not empty"), (6, "reference is")):
        assert f"{path}:{line}: " in told
        assert what in told
    assert "no category 'maths'" in told


def test_a_form_that_is_named_must_be_there(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "q.jsonl", [{"question_id": 1, "text": "a"}])
    with pytest.raises(SpecError, match="no turns"):
        read_questions(path, "fastchat")
    assert read_questions(path, "vicuna")


@pytest.mark.parametrize(
    ("row", "text", "problem"),
    [
        ({"question_id": 1, "choices": [{"turns": ["a"]}]}, "a", ""),
        ({"question_id": 1, "choices": [{"turns": [{"content": "a", "token_len": 1}]}]}, "a", ""),
        ({"uid": 1, "messages": [{"role": "user"}, {"role": "assistant", "content": {"answer": "a"}}]}, "a", ""),
        ({"question_id": 1, "text": "a"}, "a", ""),
        ({"question_id": 1, "text": "the question", "answer": "a"}, "a", ""),
        ({"question_id": 1, "text": "<think>hm</think>a"}, "a", ""),
        ({"question_id": 1, "text": "<think>hm"}, None, "empty"),
        ({"question_id": 1, "text": ""}, None, "empty"),
        ({"question_id": 1, "text": None}, None, "null"),
        ({"question_id": 1, "text": True}, None, "no text but bool"),
        ({"question_id": 1, "text": "$ERROR$"}, None, "failed"),
        ({"sample_id": "1", "response": "a", "error": None}, "a", ""),
        ({"sample_id": "1", "response": None, "error": "HTTP 500"}, None, "HTTP 500"),
    ],
)
def test_answers(tmp_path: Path, row: dict[str, object], text: str | None, problem: str) -> None:
    answer = read_answers(write_lines(tmp_path / "a.jsonl", [row]), "m", {}).get("1")
    assert answer.turns == (text,)
    assert problem in answer.problem


def test_a_second_answer_counts_and_is_told(tmp_path: Path) -> None:
    rows = [{"question_id": 1, "text": "a"}, {"question_id": "1", "text": "b"}, {"question_id": 1, "text": "b"}]
    answers = read_answers(write_lines(tmp_path / "a.jsonl", rows), "m", {})
    assert answers.get("1").turns == ("b",)
    assert len(answers.notes) == 1


def test_alpaca_evals_answers_find_their_question_by_its_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"instruction": "Why?", "output": "So.", "generator": "m"}]))
    assert read_answers(tmp_path / "a.json", "m", {"Why?": "7"}).get("7").turns == ("So.",)
    assert read_answers(tmp_path / "a.json", "m", {}).get(hash_id("Why?")).turns == ("So.",)


def test_a_file_with_answers_of_several_models(tmp_path: Path) -> None:
    rows = [{"question_id": 1, "model_id": name, "text": name} for name in ("bard:1", "vicuna/13b")]
    path = write_lines(tmp_path / "a.jsonl", rows)
    assert read_answers(path, "vicuna/13b", {}).get("1").turns == ("vicuna/13b",)
    with pytest.raises(SpecError, match="did you mean 'bard:1'"):
        read_answers(path, "bard1", {})


def test_marks_of_markdown_outside_of_code() -> None:
    text = "# Head\n- one\n2. two\n**bold** text\n```\n# no\n- no\n```\n"
    assert style((text,)) == {"headers": 1, "lists": 2, "bold": 1}


@pytest.mark.skipif(not DATA.exists(), reason="the shared data is not there")
def test_real_files() -> None:
    questions = read_questions(DATA / "mt_bench" / "mt_bench" / "question.jsonl")
    assert (len(questions), len(questions[0].turns)) == (80, 2)
    assert len(read_questions(DATA / "arena_hard" / "question.jsonl")) == 500
    empty = read_answers(DATA / "mt_bench" / "mt_bench" / "model_answer" / "llama2_7b.jsonl", "llama2_7b", {})
    assert [answer.problem for answer in empty.of.values() if answer.problem] == ["the answer is empty"]
    assert len(read_answers(DATA / "vicuna_blog" / "answer" / "answer_bard.jsonl", "bard", {}).of) == 80
