from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer

from bridge.native.backend import NativeBackend
from bridge.native.definition import read_definition
from bridge.native.prompt import messages_of
from bridge.native.readers import DataError

CAPITALS = """\
question: What is the capital of {country}?
target: "{capital}"
scorer: exact
system: Be brief.
id: code
"""
PYTHON = """\
from bridge.native.benchmark import Benchmark, Layout, Prompt, Sample
from bridge.native.scorers.math import Math

BENCHMARK = Benchmark(
    name="sums",
    description="Sums",
    paper="",
    licence="",
    layout=Layout(files=("{split}",), splits={"test": ("test",)}, example="test.jsonl (a, b)"),
    to_sample=lambda row: Sample(target=str(row["a"] + row["b"]), fields={"a": str(row["a"]), "b": str(row["b"])}),
    prompt=Prompt(question="{a} + {b} = ?"),
    scorer=Math(),
)
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_yaml_makes_templates_of_columns(tmp_path: Path) -> None:
    mark = read_definition(write(tmp_path, "capitals.yaml", CAPITALS))
    sample = mark.to_sample({"country": "France", "capital": "Paris", "code": 33})
    assert (sample.target, sample.id) == (["Paris"], "33")
    assert messages_of(mark, sample) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    assert mark.scorer.at_once("the Paris.", sample).scores["exact_match"] == 1.0
    with pytest.raises(KeyError, match="country"):
        mark.to_sample({"capital": "Paris"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("question: '{q}'\nscorer: exact\n", "target: is missing"),
        ("question: '{q}'\njudging: {method: correctness}\n", "target: is missing"),
        ("question: '{q}'\ntarget: '{a}'\n", "or give 'options' or 'judging'"),
        ("question: '{q}'\njudging: {method: rubric}\n", "needs criteria"),
        ("question: '{q}'\njudging: {method: rating, prompt_file: gone.txt}\n", "gone.txt: cannot be read"),
    ],
)
def test_what_a_definition_lacks_is_told(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        read_definition(write(tmp_path, "own.yaml", text))


@pytest.mark.parametrize("target", ["B", "1", "blue"])
@pytest.mark.parametrize("options", ["[x, y, z]", "colours"])
def test_options_make_it_multiple_choice(tmp_path: Path, options: str, target: str) -> None:
    text = f"question: '{{q}}'\ntarget: '{{a}}'\noptions: {options}\n"
    mark = read_definition(write(tmp_path, "own.yaml", text))
    colours = ["red", "blue", "green"]
    row = {"q": "Sky?", "a": target, "colours": colours, **dict(zip("xyz", colours, strict=True))}
    sample = mark.to_sample(row)
    assert sample.target == "B"
    assert mark.scorer.at_once("ANSWER: B", sample).scores == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("own.yaml", "question: x\n", "target: is missing"),
        ("own.yaml", "question: [", "not YAML"),
        ("own.yaml", CAPITALS + "scorers: x\n", "scorers: Extra inputs"),
        ("own.yaml", "question: x\ntarget: y\n", "scorer: is missing; one of math"),
        ("own.yaml", CAPITALS + "options: [a, b]\n", "multiple choice has its own"),
        ("own.yaml", "- x\n", "the file: "),
        ("own.py", "BENCHMARK = 1\n", "has no BENCHMARK"),
        ("own.py", "import nothing_like_this\n", "cannot be loaded: ModuleNotFoundError"),
        ("own.py", "def broken(:\n", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, task, name: str, text: str, message: str) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(DataError, match=message):
        read_definition(path)
    given = task({"name": "own", "definition": str(path), "path": str(tmp_path)})
    (problem,) = NativeBackend().check(given)
    assert problem.field == "datasets[0].definition"
    assert "\n" not in problem.message


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path, task) -> None:
    for name, message in {"own.py": "there is no such file", "own.txt": "a .py or .yaml file"}.items():
        given = task({"name": "own", "definition": str(tmp_path / name)})
        (problem,) = NativeBackend().check(given)
        assert message in problem.message


@pytest.mark.parametrize(("name", "text"), [("sums.py", PYTHON), ("own.yaml", None)])
async def test_it_runs_and_is_scored_like_any_other(
    native_run, task, tmp_path: Path, write_jsonl, name: str, text: str | None
) -> None:
    """Also in the scoring processes: every second answer is an expression."""
    yaml = "question: '{a} + {b} = ?'\ntarget: '{sum}'\nscorer: math\n"
    path = write(tmp_path, name, text or yaml)
    values: list[Any] = [{"a": at, "b": 1, "sum": at + 1} for at in range(6)]
    write_jsonl(tmp_path / "data" / "test.jsonl", values)
    given = task({"name": "sums", "definition": str(path), "path": str(tmp_path / "data")})
    assert NativeBackend().check(given) == []

    def answer(prompt: str) -> str:
        at = int(prompt.split()[0])
        return f"\\boxed{{\\frac{{{2 * at + 2}}}{{2}}}}" if at % 2 else f"\\boxed{{{at}}}"

    async with FaultServer(answer=answer) as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    assert (result.rows[0].value, result.rows[0].n, result.errors) == (0.5, 6, ())
