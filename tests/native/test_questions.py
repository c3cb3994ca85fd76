from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.native.job import DatasetJob
from bridge.native.questions import Question, questions_of
from bridge.native.readers import DataError
from bridge.native.recipe import data_files

Write = Callable[[Path, list[Any]], Path]


def dataset(benchmark: str, path: Path | None, **fields: Any) -> DatasetJob:
    base: dict[str, Any] = {
        "id": benchmark,
        "benchmark": benchmark,
        "path": None if path is None else str(path),
        "subsets": (),
        "split": "val" if benchmark == "general_mcq" else "test",
        "num_fewshot": 0,
        "limit": None,
        "repeats": 1,
        "request": {},
    }
    return DatasetJob(**{**base, **fields})


def places(questions: list[Question]) -> list[tuple[str | None, str, int]]:
    return [(question.subset, question.sample_id, question.repeat) for question in questions]


def test_rows_are_numbered_in_their_subset_and_indexed_in_the_dataset(mcq: Callable[..., Path]) -> None:
    mcq(3, "art")
    folder = mcq(2, "law")
    questions = list(questions_of(dataset("general_mcq", folder)))
    assert places(questions) == [("art", "0", 0), ("art", "1", 0), ("art", "2", 0), ("law", "0", 0), ("law", "1", 0)]
    assert [question.index for question in questions] == [0, 1, 2, 3, 4]


def test_limit_is_of_each_subset_and_repeats_are_next_to_each_other(mcq: Callable[..., Path]) -> None:
    mcq(3, "art")
    folder = mcq(3, "law")
    questions = questions_of(dataset("general_mcq", folder, limit=1, repeats=2))
    assert questions.expected() == {"art": 1, "law": 1}
    assert places(list(questions)) == [("art", "0", 0), ("art", "0", 1), ("law", "0", 0), ("law", "0", 1)]
    assert questions.counts == {"art": 1, "law": 1}


def test_only_the_subsets_that_are_asked_for(mcq: Callable[..., Path]) -> None:
    mcq(2, "art")
    folder = mcq(2, "law")
    assert {q.subset for q in questions_of(dataset("general_mcq", folder, subsets=("law",)))} == {"law"}
    with pytest.raises(DataError, match="no file of the subset 'tax'"):
        questions_of(dataset("general_mcq", folder, subsets=("tax",)))


def test_subsets_that_the_rows_name(tmp_path: Path, write_jsonl: Write) -> None:
    values = [
        {"question": f"q{at}", "choices": list("abcd"), "answer": 0, "subject": ("anatomy", "virology")[at % 2]}
        for at in range(8)
    ]
    write_jsonl(tmp_path / "all" / "test-00000-of-00001.jsonl", values)
    questions = questions_of(dataset("mmlu", tmp_path, limit=2, subsets=("virology",)))
    assert questions.expected() is None
    assert places(list(questions)) == [("virology", "0", 0), ("virology", "1", 0)]
    assert questions.counts == {"virology": 2}


def test_a_broken_row_is_a_question_that_cannot_be_asked(tmp_path: Path, write_jsonl: Write) -> None:
    good = {"question": "q", "answer": "#### 1"}
    path = write_jsonl(tmp_path / "test.jsonl", [good, {"question": "q"}, {"question": "q", "answer": "x"}, good])
    questions = list(questions_of(dataset("gsm8k", tmp_path)))
    assert [question.sample_id for question in questions] == ["0", "1", "2", "3"]
    assert questions[1].problem == f"{path}:2: has no answer; there are: question"
    assert questions[2].problem.startswith(f"{path}:3: the answer has no '#### <number>'")
    assert questions[1].sample is None
    assert questions[3].sample is not None


def test_a_file_that_breaks_off_ends_its_subset_only(tmp_path: Path) -> None:
    for subject, text in {"anatomy": 'q,1,2,3,4,A\n"q,1,2,3,4,B\n', "virology": "q,1,2,3,4,C\n"}.items():
        path = tmp_path / "test" / f"{subject}_test.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    questions = questions_of(dataset("mmlu", tmp_path, subsets=("anatomy", "virology")))
    assert [question.subset for question in questions] == ["anatomy", "virology"]
    assert len(questions.problems) == 1
    assert "anatomy_test.csv:2: a quote" in questions.problems[0]


def test_worked_examples_are_the_first_of_the_subset(tmp_path: Path) -> None:
    for split in ("test", "dev"):
        for subject in ("anatomy", "virology"):
            path = tmp_path / split / f"{subject}_{split}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(f"{split} {subject} {at},1,2,3,4,A\n" for at in range(5)), encoding="utf-8")
    question = list(questions_of(dataset("mmlu", tmp_path, num_fewshot=2)))[-1]
    text = question.messages[0]["content"]
    assert text.index("dev virology 0") < text.index("dev virology 1") < text.index("test virology 4")
    assert "dev virology 2" not in text
    assert "anatomy" not in text


def test_too_few_worked_examples_ask_nothing(tmp_path: Path, write_jsonl: Write) -> None:
    row = {"question": "q", "answer": "#### 1"}
    write_jsonl(tmp_path / "test.jsonl", [row])
    write_jsonl(tmp_path / "train.jsonl", [row] * 3)
    questions = questions_of(dataset("gsm8k", tmp_path, num_fewshot=4))
    assert list(questions) == []
    assert questions.problems == ["gsm8k: num_fewshot is 4, but there are 3 worked examples"]


def test_subsets_without_a_file_are_mentioned(rows: Callable[[str], Path]) -> None:
    questions = questions_of(dataset("arc", rows("arc")))
    assert questions.notes == ["1 of 2 subsets have no file here: ARC-Easy"]
    assert questions.expected() == {"ARC-Challenge": 600}


def test_what_the_records_depend_on_includes_the_worked_examples(rows: Callable[[str], Path]) -> None:
    folder = rows("gsm8k")
    files = data_files(questions_of(dataset("gsm8k", folder, num_fewshot=4)))
    assert [(path, size) for path, size, _ in files] == [
        (str(folder / name), (folder / name).stat().st_size) for name in ("test.jsonl", "train.jsonl")
    ]
