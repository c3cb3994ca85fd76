"""What is wrong besides a broken field is told with it; what may only follow from it is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import bridge

from bridge.errors import SpecError
from bridge.runs import prepare, problems_beside
from bridge.spec_file import read_spec, spec_from_flags
from bridge.spec_file.document import Key, Value

MODEL = 'model: {name: m, endpoint: {base_url: "http://127.0.0.1:1/v1"}}\n'
UNKNOWN = "datasets: [{name: gsm9k, backend: native}]\n"


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_DATA", raising=False)


@pytest.fixture
def mmlu(tmp_path: Path) -> Path:
    """Two of its subjects, a question each."""
    for split in ("dev", "test"):
        for subject in ("anatomy", "astronomy"):
            file = tmp_path / "mmlu" / split / f"{subject}_{split}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("Which?,a,b,c,d,A\n", encoding="utf-8")
    return tmp_path / "mmlu"


def told(folder: Path, text: str, *overrides: str) -> list[str]:
    """The fields that problems are told of, in the order of their lines."""
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        read_spec(path, overrides, what_else=problems_beside)
    return [problem.field for problem in caught.value.problems]


def test_an_unknown_field_does_not_hide_an_unknown_dataset(tmp_path: Path) -> None:
    assert told(tmp_path, MODEL + "colour: blue\n" + UNKNOWN) == ["colour", "datasets[0].name"]


def test_nor_does_one_in_the_same_dataset(tmp_path: Path) -> None:
    text = MODEL + "datasets:\n  - name: gsm9k\n    colour: blue\n    limit: ten\n"
    assert told(tmp_path, text) == ["datasets[0].name", "datasets[0].colour", "datasets[0].limit"]


def test_what_a_backend_refuses_is_told_too(tmp_path: Path, mmlu: Path) -> None:
    text = f"{MODEL}concurrency: many\ndatasets:\n- {{name: mmlu, path: {mmlu}, subsets: [astrology]}}\n"
    assert told(tmp_path, text) == ["concurrency", "datasets[0].subsets[0]"]
    text = f"{MODEL}concurrency: many\ndatasets:\n- {{name: mmlu, path: {mmlu}, split: midnight}}\n"
    assert told(tmp_path, text) == ["concurrency", "datasets[0].split"]


def test_one_dataset_is_checked_although_another_is_broken(tmp_path: Path, mmlu: Path) -> None:
    whole = f"  - {{name: mmlu, path: {mmlu}, subsets: [astrology]}}\n"
    broken = f"  - {{name: mmlu, alias: other, path: {mmlu}, subsets: [anatomy, 7]}}\n"
    text = f"{MODEL}datasets:\n{broken}  - 12\n{whole}"
    assert told(tmp_path, text) == ["datasets[0].subsets[1]", "datasets[1]", "datasets[2].subsets[0]"]


def test_a_model_that_is_not_there_hides_no_dataset(tmp_path: Path) -> None:
    nowhere = tmp_path / "no-weights"
    deployed = f"models:\n- {{name: m, deploy: {{path: {nowhere}}}}}\n"
    assert told(tmp_path, UNKNOWN) == ["", "datasets[0].name"]
    assert told(tmp_path, "model: {name: m}\n" + UNKNOWN) == ["model", "datasets[0].name"]
    assert told(tmp_path, "models: [{name: m, endpoint: 7}]\n" + UNKNOWN) == ["models[0].endpoint", "datasets[0].name"]
    assert told(tmp_path, f"{deployed}colour: blue\n{UNKNOWN}") == [
        "models[0].deploy.path",
        "colour",
        "datasets[0].name",
    ]


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("backend: 5\ndatasets: [gsm9k]\n", "backend"),
        ("backedn: opencompass\ndatasets: [mmlu_gen_4d595a]\n", "backedn"),
        ("datasets: [{name: mmlu_gen_4d595a, backed: opencompass}]\n", "datasets[0].backed"),
        ("datasets: [{name: mine, definiton: mine.py}]\n", "datasets[0].definiton"),
        ("datasets: [{name: general_mcq, pth: mine}]\n", "datasets[0].pth"),
        ("date: .\ndatasets: [general_mcq]\n", "date"),
        ("data: 5\ndatasets: [general_mcq]\n", "data"),
        ("data: ${NOT_SET}\ndatasets: [general_mcq]\n", "data"),
        ("jugde: {name: j}\ndatasets: [{name: mmlu, path: MMLU, judging: {method: rating}}]\n", "jugde"),
        ("options: 5\ndatasets: [general_mcq]\n", "options"),
        ("datasets: [{name: general_mcq, path: 5}]\n", "datasets[0].path"),
        ("datasets: [{alias: x}]\n", "datasets[0].name"),
        ("datasets: 5\n", "datasets"),
    ],
)
def test_what_may_follow_from_a_broken_field_is_not_told(tmp_path: Path, mmlu: Path, text: str, alone: str) -> None:
    assert told(tmp_path, MODEL + text.replace("MMLU", str(mmlu))) == [alone]


def test_a_dataset_that_is_there_twice_may_have_had_an_alias(tmp_path: Path, mmlu: Path) -> None:
    again = f"{{name: mmlu, path: {mmlu}}}"
    assert told(tmp_path, f"{MODEL}datasets: [{again}, {{name: mmlu, path: {mmlu}, alais: b}}]\n") == [
        "datasets[1].alais"
    ]
    assert told(tmp_path, f"{MODEL}colour: blue\ndatasets: [{again}, {again}]\n") == ["colour", "datasets[1]"]


def test_a_backend_that_is_told_wrong_is_told_once(tmp_path: Path) -> None:
    text = MODEL + "backend: opencompas\noptions: {opencompas: {}}\ndatasets: [gsm8k, arc]\nlimit: 0\n"
    assert told(tmp_path, text) == ["backend", "options.opencompas", "limit"]


def test_a_setting_that_a_backend_refuses_stands_beside_a_broken_one(tmp_path: Path, mmlu: Path) -> None:
    likelihood = f"datasets: [{{name: mmlu, path: {mmlu}, scoring: loglikelihood, repeats: 2}}]\n"
    text = f"{MODEL}generation: {{temperature: hot}}\nconfine: 1\n{likelihood}"
    assert told(tmp_path, text) == ["generation.temperature", "confine", "datasets[0].repeats"]


def whole_specs(folder: Path, mmlu: Path) -> list[Value]:
    """Specs that pydantic takes and that backends refuse in several places."""
    here: Value = {"base_url": "http://127.0.0.1:1/v1"}
    one: Value = {
        "model": {"name": "m", "endpoint": here},
        "datasets": [
            {"name": "gsm9k", "limit": 5},
            {"name": "mmlu", "path": str(mmlu), "subsets": ["nope"], "num_fewshot": 1},
            {"name": "mmlu", "path": str(mmlu), "alias": "judged", "judging": {"method": "rating", "scale": [1, 5]}},
        ],
        "judge": {"name": "j", "endpoint": here, "generation": {"temperature": 0.5}},
        "generation": {"temperature": 0.2, "seed": 3},
        "options": {"natve": {}},
    }
    several: Value = {
        "models": [
            {"name": "m", "deploy": {"path": str(folder / "nowhere"), "args": {"infer_backend": "transformers"}}},
            {"name": "n", "endpoint": here},
        ],
        "backend": "opencompass",
        "datasets": [
            {"name": "gsm8k", "backend": "native", "path": str(mmlu)},
            {"name": "mmlu_gen_4d595a", "split": "x"},
            {"name": "hellaswagg"},
        ],
        "generation": {"temperature": 0.7, "seed": 1},
        "data": str(folder),
    }
    local: Value = {
        "model": {"name": "m", "local": {"path": str(folder), "device": "cpu"}},
        "datasets": [
            {"name": "mmlu", "path": str(mmlu), "scoring": "loglikelihood", "repeats": 2},
            {"name": "toolbench_pass_rate", "path": str(folder)},
            {"name": "own", "definition": str(folder / "own.yaml")},
        ],
        "judges": [{"name": "a", "endpoint": here}, {"name": "b", "endpoint": here}],
    }
    return [one, several, local]


def places(value: Value, key: Key = ()) -> Iterator[Key]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in entries:
        yield (*key, name)
        yield from places(inner, (*key, name))


def broken(spec: Value, key: Key) -> Iterator[Value]:
    """The spec with one field mistyped, or of a wrong kind."""
    for wrong in (5, "text", {"x": 1}, None):
        changed = copy.deepcopy(spec)
        holder: Any = changed
        for part in key[:-1]:
            holder = holder[part]
        if wrong is not None:
            holder[key[-1]] = wrong
        elif isinstance(holder, dict):
            holder[str(key[-1])[:-1]] = holder.pop(key[-1])
        yield changed


def problems_of(read: Callable[[Path], object], folder: Path, spec: Value) -> set[tuple[str, str]]:
    path = folder / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    try:
        read(path)
    except SpecError as error:
        return {(problem.field, problem.message) for problem in error.problems}
    return set()


def everything(path: Path) -> None:
    prepare(read_spec(path, what_else=problems_beside).spec)


@pytest.mark.parametrize("at", range(3))
def test_what_is_told_besides_is_told_of_the_whole_spec_too(tmp_path: Path, mmlu: Path, at: int) -> None:
    spec = whole_specs(tmp_path, mmlu)[at]
    whole = problems_of(everything, tmp_path, spec)
    besides = 0
    for key in places(spec):
        for changed in broken(spec, key):
            if alone := problems_of(read_spec, tmp_path, changed):  # else it is a right spec, though another one
                told = problems_of(everything, tmp_path, changed)
                assert alone <= told and told - alone <= whole, (key, changed)
                besides += len(told - alone)
    assert len(whole) > 2 and besides > 50


def test_an_option_that_could_not_be_followed_ends_the_search(tmp_path: Path) -> None:
    assert told(tmp_path, MODEL + "datasets: [gsm9k]\n", "datasets[0].name") == [""]
    assert told(tmp_path, MODEL + "datasets: [gsm8k]\n", "datasets[0].name=gsm9k", "limit=0") == [
        "datasets[0].name",
        "limit",
    ]


def test_flags_alone_as_well() -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_flags(base_url="127.0.0.1:1/v1", model="m", datasets=["gsm9k"], limit=0, what_else=problems_beside)
    assert [(problem.where, problem.field) for problem in caught.value.problems] == [
        ("--base-url", "model.endpoint.base_url"),
        ("--datasets", "datasets[0].name"),
        ("--limit", "limit"),
    ]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_the_commands_print_a_line_for_each_and_end_with_two(tmp_path: Path, command: str) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(MODEL + "colour: blue\n" + UNKNOWN, encoding="utf-8")
    done = bridge(command, spec)
    assert done.exit_code == 2
    assert [line.split(": ")[1:3] for line in done.stderr.splitlines()] == [
        [f"{spec}:2", "colour"],
        [f"{spec}:3", "datasets[0].name"],
    ]
