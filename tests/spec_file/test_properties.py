"""Whatever is thrown at the loader: a TaskSpec or a SpecError, never anything else; and what is written reads back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import SpecError
from bridge.spec import TaskSpec
from bridge.spec_file import dump_spec, load_spec, read_spec, spec_from_mapping
from bridge.spec_file.document import parse, parse_json

# The loader reads from a file, and one file per example is enough.
quick = settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | finite | texts
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)
json_objects = st.dictionaries(texts, json_values, max_size=4)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,20}", fullmatch=True)
counts = st.none() | st.integers(1, 10**6)
absolute = st.none() | st.from_regex(r"/[a-z0-9 ]{1,10}", fullmatch=True)

endpoints = st.fixed_dictionaries({"base_url": st.just("http://127.0.0.1:1/v1"), "probe": st.booleans()})
deploys = st.fixed_dictionaries(
    {"path": st.from_regex(r"/[a-z]{1,8}", fullmatch=True), "args": json_objects, "env": st.dictionaries(texts, names)}
)
models = st.fixed_dictionaries({"name": texts.filter(bool), "endpoint": endpoints}) | st.fixed_dictionaries(
    {"name": names, "deploy": deploys}
)
generations = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "max_tokens": counts,
        "top_p": st.none() | st.floats(0.001, 1),
        "seed": st.none() | st.integers(-(2**63), 2**63),
        "stop": st.lists(texts, max_size=3),
        "extra_body": json_objects.map(lambda body: {f"x{key}": value for key, value in body.items()}),
    },
)
datasets = names | st.fixed_dictionaries(
    {"name": names},
    optional={
        "alias": st.none() | names,
        "path": absolute,
        "subsets": st.lists(texts, max_size=3),
        "num_fewshot": st.none() | st.integers(0, 10),
        "limit": counts,
        "generation": st.none() | generations,
    },
)
no_reference = st.fixed_dictionaries(
    {"datasets": st.lists(datasets, min_size=1, max_size=4), "model": models},
    optional={
        "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
        "generation": generations,
        "judge": st.none() | models,
        "limit": counts,
        "concurrency": st.integers(1, 4096),
        "job_timeout_s": st.none() | st.floats(0.1, 1e9),
        "options": st.dictionaries(texts, json_objects, max_size=2),
    },
)
specs = no_reference.filter(lambda spec: "${" not in json.dumps(spec))


@pytest.fixture(autouse=True)
def _no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_DATA", raising=False)


@quick
@given(specs)
def test_round_trip(tmp_path: Path, mapping: dict[str, Any]) -> None:
    spec = TaskSpec.model_validate(mapping)
    path = tmp_path / "spec.yaml"
    path.write_text(dump_spec(spec), encoding="utf-8")
    assert load_spec(path) == spec
    assert dump_spec(load_spec(path)) == dump_spec(spec)


@quick
@given(specs)
def test_a_mapping_is_read_as_pydantic_reads_it(mapping: dict[str, Any]) -> None:
    assert spec_from_mapping(mapping) == TaskSpec.model_validate(mapping)


@quick
@given(json_values)
def test_json_keeps_its_values(value: object) -> None:
    for text in (json.dumps(value, indent="\t"), json.dumps(value)):
        assert parse_json(text.encode(), "x.json").value == value
    assert parse(json.dumps(value).encode(), "x.yaml").value == value


pieces = st.binary(max_size=6) | st.sampled_from([b"- ", b": ", b"\n", b"[", b"{", b"&a ", b"*a", b"!!", b"? ", b"\t"])
mutations = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 12), pieces), max_size=5)
paths = st.sampled_from(["limit", "datasets.0", "datasets[0].x", "model.name", "options.a.b"])
overrides = st.lists(st.text(max_size=30) | st.builds("{}={}".format, paths, st.text(max_size=20)), max_size=3)


@quick
@given(specs, mutations)
def test_damaged_specs(tmp_path: Path, mapping: dict[str, Any], damage: list[tuple[int, int, bytes]]) -> None:
    data = dump_spec(TaskSpec.model_validate(mapping)).encode()
    for at, length, put in damage:
        at %= len(data) + 1
        data = data[:at] + put + data[at + length :]
    path = tmp_path / "spec.yaml"
    path.write_bytes(data)
    refused_or_read(path)


@quick
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    for name in ("spec.yaml", "spec.json"):
        (tmp_path / name).write_bytes(data)
        refused_or_read(tmp_path / name)


@quick
@given(st.dictionaries(st.sampled_from([*TaskSpec.model_fields, "x"]), json_values, max_size=6))
def test_any_values_in_known_fields(mapping: dict[str, Any]) -> None:
    try:
        spec_from_mapping(mapping)
    except SpecError as error:
        assert all(problem.message for problem in error.problems)


@quick
@given(overrides)
def test_any_override(tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("model: {name: m, endpoint: {base_url: 'http://x/v1'}}\ndatasets: [gsm8k]\n", encoding="utf-8")
    refused_or_read(path, options)


def refused_or_read(path: Path, overrides: list[str] | None = None) -> None:
    try:
        source = read_spec(path, overrides or [])
    except SpecError as error:
        assert error.problems
        assert all(problem.where.startswith((str(path), "--set")) for problem in error.problems)
    else:
        assert isinstance(source.spec, TaskSpec)
