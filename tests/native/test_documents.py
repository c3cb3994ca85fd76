"""RACE and MATH as their authors publish them: a file for each document, unpacked or in a tar."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer

from bridge.native.job import DatasetJob
from bridge.native.questions import questions_of
from bridge.native.readers import DataError

Files = dict[str, bytes]


def article(level: str, number: int, count: int = 2) -> tuple[str, dict[str, Any]]:
    return f"{level}/{number}.txt", {
        "id": f"{level}{number}.txt",
        "article": f"Article {number} for {level}.",
        "questions": [f"What is {at}?" for at in range(count)],
        "options": [["one", "two", "three", "four"]] * count,
        "answers": ["B"] * count,
    }


def race() -> Files:
    found: Files = {}
    for split, numbers in (("test", (2, 10)), ("train", (1, 2, 3))):
        for level in ("high", "middle"):
            for number in numbers:
                name, value = article(level, number)
                found[f"RACE/{split}/{name}"] = json.dumps(value).encode()
    return found


def math() -> Files:
    def problem(number: int) -> bytes:
        solution = f"So it is $\\boxed{{{number}}}$."
        return json.dumps(
            {"problem": f"Say {number}.", "level": "Level 1", "type": "Algebra", "solution": solution}
        ).encode()

    return {f"MATH/{split}/algebra/{at}.json": problem(at) for split in ("test", "train") for at in (1, 2, 10, 30, 4)}


def packed(path: Path, files: Files) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, content in reversed(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def unpacked(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def places(tmp_path: Path, files: Files, tar: str) -> Iterator[Path]:
    """The four ways to have an archive."""
    yield packed(tmp_path / tar, files)
    yield packed(tmp_path / "folder" / tar, files).parent if (tmp_path / "folder").mkdir() is None else tmp_path
    yield unpacked(tmp_path / "open", files)
    yield tmp_path / "open" / next(iter(files)).split("/", 1)[0]


def job(name: str, path: Path, **more: Any) -> DatasetJob:
    base = {"id": name, "benchmark": name, "path": str(path), "subsets": (), "split": "test", "num_fewshot": 2}
    return DatasetJob(**{**base, "limit": None, "repeats": 1, "request": {}, **more})


def test_race_is_read_article_by_article(tmp_path: Path) -> None:
    seen = []
    for path in places(tmp_path, race(), "RACE.tar.gz"):
        questions = list(questions_of(job("race", path)))
        assert [question.problem for question in questions] == [""] * 8, path
        seen.append([(one.subset, one.sample_id.rpartition("RACE/")[2].removeprefix("test/")) for one in questions])
        text = questions[0].messages[-1]["content"]
        assert "Article 2 for high." in text
        assert "Article 1 for high." in text, "a worked example"
        assert questions[0].sample is not None
        assert questions[0].sample.target == "B"
    assert seen[0][:4] == [("high", f"high/{name}") for name in ("2.txt#0", "2.txt#1", "10.txt#0", "10.txt#1")]
    assert seen[1:] == seen[:1] * 3


def test_math_is_read_problem_by_problem(tmp_path: Path) -> None:
    for path in places(tmp_path, math(), "MATH.tar"):
        opened = questions_of(job("competition_math", path, num_fewshot=1))
        assert [opened.tables[0].count(None), len(opened.tables)] == [5, 1]
        questions = list(opened)
        assert [question.sample.target for question in questions if question.sample] == ["1", "2", "4", "10", "30"]
        assert {question.subset for question in questions} == {"Level 1"}
        assert questions[0].sample_id.endswith("test/algebra/1.json")


def test_a_broken_document_costs_itself_only(tmp_path: Path) -> None:
    files = {**math(), "MATH/test/algebra/5.json": b"{", "MATH/test/algebra/6.json": b"[]"}
    questions = list(questions_of(job("competition_math", unpacked(tmp_path, files), num_fewshot=0)))
    problems = [question.problem for question in questions if question.problem]
    assert len(questions) == 7
    assert ["algebra/5.json: " in problems[0], "6.json: a document is to be an object" in problems[1]] == [True, True]
    name, value = article("high", 2)
    broken = {f"RACE/test/{name}": json.dumps({**value, "answers": ["A"]}).encode()}
    (question,) = questions_of(job("race", unpacked(tmp_path / "r", broken), num_fewshot=0))
    assert "high/2.txt: has not as many questions as options and answers" in question.problem


def test_a_tar_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "RACE.tar.gz").write_bytes(b"no tar")
    with pytest.raises(DataError, match="not a tar that can be read"):
        questions_of(job("race", tmp_path / "RACE.tar.gz"))
    with pytest.raises(DataError, match=r"expected RACE\.tar\.gz, RACE/test/high"):
        questions_of(job("race", packed(tmp_path / "other.tar", {"a/b.txt": b"{}"})))


async def test_a_run_on_the_tar(native_run: Any, task: Callable[..., Any], tmp_path: Path) -> None:
    given = task({"name": "race", "path": str(packed(tmp_path / "RACE.tar.gz", race())), "num_fewshot": 1})
    async with FaultServer(answer=lambda prompt: "ANSWER: B") as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    assert {(row.subset, row.n) for row in result.rows} == {(None, 8), ("high", 4), ("middle", 4)}
    assert result.rows[0].value == 1.0
