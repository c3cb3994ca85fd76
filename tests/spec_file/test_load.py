"""Reading specs: files, ``--set``, flags, the spec's folder, environment variables, and writing them down again."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from bridge.errors import Problem, SpecError, Unsupported
from bridge.spec import TaskSpec
from bridge.spec_file import dump_spec, load_spec, read_spec, recorded_spec, spec_from_flags, spec_from_mapping

MODEL = 'model: {name: m, endpoint: {base_url: "http://127.0.0.1:1/v1"}}\n'
SPEC = MODEL + "datasets:\n  - gsm8k\n  - {name: mmlu, backend: native, limit: 3}\n"


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_DATA", raising=False)


def write(folder: Path, text: str, name: str = "spec.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(error: pytest.ExceptionInfo[SpecError]) -> list[Problem]:
    return list(error.value.problems)


def test_yaml_and_json_say_the_same(tmp_path: Path) -> None:
    text = MODEL + "datasets: [gsm8k, {name: arc, num_fewshot: 0}]\ngeneration: {temperature: 1e-1, stop: ['no']}\n"
    as_json = {
        "model": {"name": "m", "endpoint": {"base_url": "http://127.0.0.1:1/v1"}},
        "datasets": ["gsm8k", {"name": "arc", "num_fewshot": 0}],
        "generation": {"temperature": 0.1, "stop": ["no"]},
    }
    from_json = load_spec(write(tmp_path, json.dumps(as_json, indent="\t"), "spec.json"))
    assert load_spec(write(tmp_path, text)) == from_json == spec_from_mapping(as_json)
    assert from_json.generation.temperature == 0.1


def test_scalars_follow_yaml_1_2(tmp_path: Path) -> None:
    text = (
        MODEL
        + "datasets: [x]\noptions:\n  o: {a: no, b: 2026-01-01, c: 010, d: 1_0, e: 1e3, f: ~, g: 'true', h: 12:30}\n"
    )
    assert load_spec(write(tmp_path, text)).options["o"] == {
        "a": "no",
        "b": "2026-01-01",
        "c": 10,
        "d": "1_0",
        "e": 1000.0,
        "f": None,
        "g": "true",
        "h": "12:30",
    }


def test_anchors(tmp_path: Path) -> None:
    text = MODEL + "datasets:\n  - {name: a, generation: &g {max_tokens: 5}}\n  - {name: b, generation: *g}\n"
    first, second = load_spec(write(tmp_path, text)).datasets
    assert first.generation == second.generation is not None


def test_set(tmp_path: Path) -> None:
    spec = load_spec(
        write(tmp_path, SPEC),
        [
            "limit=7",
            "datasets[0].limit=5",
            "datasets.1.subsets=[a, b]",
            "datasets.mmlu.num_fewshot=0",
            "generation.stop=['#', \"\\n\"]",
            "model.endpoint.base_url=http://127.0.0.1:2/v1?a=b#c",
            "options.opencompass.deep.er=1e-3",
            "judge={name: j, endpoint: {base_url: http://x/v1}}",
            "limit=8",
        ],
    )
    assert (spec.limit, spec.datasets[0].limit, spec.datasets[1].subsets) == (8, 5, ("a", "b"))
    assert spec.datasets[1].num_fewshot == 0
    assert spec.generation.stop == ("#", "\n")
    assert spec.model is not None and spec.model.endpoint is not None
    assert spec.model.endpoint.base_url == "http://127.0.0.1:2/v1?a=b#c"
    assert spec.options == {"opencompass": {"deep": {"er": 0.001}}}
    assert spec.judge is not None and spec.judge.name == "j"


def test_set_to_nothing_takes_the_default(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, SPEC), ["datasets.1.limit="]).datasets[1].limit is None


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("limit", "--set limit: is to be field=value"),
        ("=1", "--set =1: is to be field=value"),
        ("a..b=1", "--set a..b=1: is to be field=value"),
        ("datasets[9].limit=1", "--set datasets[9].limit=1: datasets[9]: there are only 2 entries"),
        ("datasets.gsmk.limit=1", "there is no entry 'gsmk' (did you mean 'gsm8k'?)"),
        ("model[0]=1", "--set model[0]=1: model[0]: is not in a list"),
        ("model.name.x=1", "--set model.name.x=1: model.name.x: there is nothing in 'm' that could be set"),
        ("limt=1", "--set limt=1: limt: unknown field (did you mean 'limit'?)"),
        ("limit=0", "--set limit=0: limit: is 0; allowed: 1 or more"),
        ("limit='5'", "--set limit='5': limit: is '5'; a whole number is needed"),
        ("datasets[0].limit=x", "--set datasets[0].limit=x: datasets[0].limit: is 'x'; a whole number is needed"),
        ("generation.temperature=.inf", "--set generation.temperature=.inf: .inf is not a finite number"),
        ("generation={", "--set generation={: is not YAML"),
        ("generation={a: *b}", "stands for nothing that is complete above"),
        ("name=\udcff", "is not UTF-8 text"),
        ('name="\udcff"', "is not UTF-8 text"),
    ],
)
def test_problems_in_set_name_the_option(tmp_path: Path, option: str, said: str) -> None:
    with pytest.raises(SpecError) as error:
        load_spec(write(tmp_path, SPEC), [option])
    [problem] = problems(error)
    assert said in str(problem)
    assert problem.where.startswith("--set ")


def test_all_problems_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "limt: 1\n" + SPEC + "repeats: 0\nrepeats: 1\ndata: ${NOT_SET_AT_ALL}\n")
    with pytest.raises(SpecError) as error:
        load_spec(path, ["datasets[0].limit=0"])
    assert [(p.where.removeprefix(f"{path}:"), p.field) for p in problems(error)] == [
        ("--set datasets[0].limit=0", "datasets[0].limit"),
        ("1", "limt"),
        ("6", "repeats"),
        ("7", ""),
        ("8", "data"),
    ]


def test_relative_paths_are_taken_from_the_specs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs" / "weights").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("SUB", "sub")
    monkeypatch.setenv("ABSOLUTE", "/somewhere")
    path = write(
        tmp_path / "specs",
        "models:\n"
        "  - {name: a, deploy: {path: weights, adapters: [./lora, hub/lora]}}\n"
        "  - {name: b, deploy: {path: Qwen/Qwen3-0.6B}}\n"
        "  - {name: c, deploy: {path: ../up}}\n"
        "data: ../data\n"
        "datasets:\n"
        "  - {name: d0, path: x.jsonl}\n"
        "  - {name: d1, path: /abs/../x}\n"
        "  - {name: d2, path: ~/x}\n"
        "  - {name: d3, path: '${SUB}/x'}\n"
        "  - {name: d4, path: '${ABSOLUTE}/x'}\n",
    )
    spec = load_spec(path.relative_to(tmp_path))
    here = tmp_path / "specs"
    assert [model.deploy.path for model in spec.models if model.deploy] == [
        str(here / "weights"),
        "Qwen/Qwen3-0.6B",
        str(tmp_path / "up"),
    ]
    assert spec.models[0].deploy is not None
    assert spec.models[0].deploy.adapters == (str(here / "lora"), "hub/lora")
    assert spec.data == str(tmp_path / "data")
    written = [dataset.path for dataset in spec.datasets]
    assert written == [str(here / "x.jsonl"), "/x", "/home/someone/x", f"{here}/${{SUB}}/x", "${ABSOLUTE}/x"]
    assert [str(spec.path_of(dataset)) for dataset in spec.datasets[3:]] == [f"{here}/sub/x", "/somewhere/x"]


def test_bridge_data_stands_in_for_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "gsm8k").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRIDGE_DATA", "data")
    spec = load_spec(write(tmp_path, SPEC))
    assert spec.path_of(spec.datasets[0]) == tmp_path / "data" / "gsm8k"
    assert spec.path_of(spec.datasets[1]) is None
    assert load_spec(write(tmp_path, SPEC + "data: /other\n")).data == "/other"


def test_a_variable_is_never_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_URL", "http://user:the-secret@127.0.0.1:1/v1")
    monkeypatch.setenv("TOKEN", "the-secret")
    text = "models:\n  - {name: a, endpoint: {base_url: '${THE_URL}'}}\n"
    text += "  - {name: b, deploy: {path: x/y, env: {HF_TOKEN: '${TOKEN}'}}}\ndatasets: [gsm8k]\n"
    spec = load_spec(write(tmp_path, text))
    dumped = dump_spec(spec)
    assert "the-secret" not in dumped + spec.model_dump_json()
    monkeypatch.delenv("TOKEN")
    path = write(tmp_path, dumped, "recorded.yaml")
    assert recorded_spec(path) == spec
    with pytest.raises(SpecError, match="TOKEN is not set"):
        load_spec(path)


def test_verbatim_fields_keep_what_looks_like_a_reference(tmp_path: Path) -> None:
    text = MODEL + "datasets: [x]\ngeneration: {stop: ['${', '${NOT_SET}']}\noptions: {o: {a: '${NOT_SET}'}}\n"
    spec = load_spec(write(tmp_path, text))
    assert spec.generation.stop == ("${", "${NOT_SET}")


def test_backend_replaces_every_backend(tmp_path: Path) -> None:
    source = read_spec(write(tmp_path, SPEC + "backend: x\n"), backend="opencompass")
    assert source.spec.backend == "opencompass"
    assert [dataset.backend for dataset in source.spec.datasets] == [None, None]
    with pytest.raises(SpecError) as error, source.places_named():
        raise SpecError([Problem("", "backend", "there is none")])
    assert problems(error) == [Problem("--backend", "backend", "there is none")]


def test_later_problems_get_their_places(tmp_path: Path) -> None:
    path = write(tmp_path, SPEC)
    source = read_spec(path, ["datasets[0].split=x"])
    found = [
        Problem("", "datasets[1].name", "a"),
        Problem("", "datasets[0].split", "b"),
        Problem("", "datasets[1].path", "c"),
        Problem("--output", "", "d"),
        Problem("", "", "e"),
    ]
    with pytest.raises(Unsupported) as error, source.places_named():
        raise Unsupported(found)
    wheres = [problem.where for problem in error.value.problems]
    assert wheres == [f"{path}:4", "--set datasets[0].split=x", f"{path}:4", "--output", ""]


def test_flags() -> None:
    source = spec_from_flags(
        base_url="http://127.0.0.1:1/v1",
        model="m",
        datasets=["gsm8k", "arc"],
        limit=20,
        backend="native",
        api_key_env="KEY",
        overrides=["datasets.arc.limit=5"],
    )
    spec = source.spec
    assert [(dataset.name, spec.limit_of(dataset)) for dataset in spec.datasets] == [("gsm8k", 20), ("arc", 5)]
    assert spec.model is not None and spec.model.endpoint is not None
    assert (spec.backend, spec.model.endpoint.api_key_env) == ("native", "KEY")


def test_flags_that_are_missing_or_wrong() -> None:
    with pytest.raises(SpecError) as error:
        spec_from_flags(base_url=None, model=None, datasets=[])
    assert [problem.where for problem in problems(error)] == ["--base-url", "--model", "--datasets"]
    with pytest.raises(SpecError) as error:
        spec_from_flags(base_url="localhost", model="m", datasets=["a", "a b"], limit=0)
    assert sorted(problem.where for problem in problems(error)) == ["--base-url", "--datasets", "--limit"]


def test_mappings_that_are_no_plain_values() -> None:
    with pytest.raises(SpecError, match="not made of plain values"):
        spec_from_mapping({"model": object()})
    with pytest.raises(SpecError, match="not made of plain values"):
        spec_from_mapping({"limit": float("nan")})
    loop: dict[str, object] = {}
    loop["a"] = loop
    with pytest.raises(SpecError, match="not made of plain values"):
        spec_from_mapping(loop)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, SPEC)
    for path, said in [
        (tmp_path / "spce.yaml", "there is no such file (did you mean 'spec.yaml'?)"),
        (tmp_path / "no" / "where.yaml", "there is no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "spec.yaml" / "x", "cannot be read: Not a directory"),
        (tmp_path / "a\0b", "cannot be read: embedded null byte"),
        (Path("/dev/zero"), "is larger than 256 KiB"),
    ]:
        with pytest.raises(SpecError) as error:
            load_spec(path)
        [problem] = problems(error)
        assert str(problem).startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{" * 200_000,
        "- " * 100_000,
        "? " * 100_000,
        '"' * 200_001,
        "a: b\n" * 40_000,
        "k: [" + "a, " * 60_000 + "]",
        "a: &a " + "x" * 1000 + "\n" + "".join(f"k{i}: *a\n" for i in range(15_000)),
        "limit: " + "9" * 100_000,
        "- ? - ? - ? - ? " * 5_000,
        "datasets: [" + "{limit: x}, " * 4_000 + "]",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_is_refused_soon(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    started = time.process_time()
    with pytest.raises(SpecError):
        load_spec(path)
    assert time.process_time() - started < 5, "far beyond what a slow machine explains"


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    with path.open("wb") as file:
        file.truncate(50 * 1024**3)
    with pytest.raises(SpecError, match="larger than 256 KiB"):
        load_spec(path)
    assert os.stat(path).st_size > 1024**3


def test_dump_reads_back_from_another_folder(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, SPEC + "data: ../data\ngeneration: {stop: ['1e5', 'no', '0o7', '~', '']}\n"))
    (tmp_path / "run").mkdir()
    assert load_spec(write(tmp_path / "run", dump_spec(spec))) == spec


def test_the_python_way() -> None:
    spec = TaskSpec.model_validate(
        {"model": {"name": "m", "endpoint": {"base_url": "http://x/v1"}}, "datasets": ["gsm8k"]}
    )
    assert spec.datasets[0].name == "gsm8k"
