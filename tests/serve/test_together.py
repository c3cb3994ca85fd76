"""A base and its adapters in one process: which models that are, and what becomes of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_backend import ROWS, FakeBackend
from serve.live import ask, processes

import bridge.execute
import bridge.plan
from bridge.report.schema import Report
from bridge.rundir import RunDir
from bridge.runs import run
from bridge.serve import serve, serve_together, together
from bridge.spec import ModelSpec, TaskSpec


def model(name: str, path: Path | str = "/base", *adapters: Path | str, **fields: Any) -> ModelSpec:
    return ModelSpec.model_validate(
        {"name": name, "deploy": {"path": str(path), "adapters": [str(one) for one in adapters], **fields}}
    )


def names(*models: ModelSpec) -> list[list[str]]:
    return [[one.name for one in group] for group in together(models)]


def test_a_base_and_its_adapters_are_one_start() -> None:
    assert names(model("base"), model("a", "/base", "/a"), model("b", "/base", "/b")) == [["base", "a", "b"]]
    assert names(model("a", "/base", "/a"), model("x", "/other"), model("base")) == [["a", "base"], ["x"]]
    assert names(model("base", engine="vllm"), model("a", "/base", "/a", engine="vllm")) == [["base", "a"]]


def test_what_differs_in_more_than_an_adapter_is_not() -> None:
    base = model("base")
    assert names(base, model("a", "/base", "/a", template="x")) == [["base"], ["a"]]
    assert names(base, model("two", "/base", "/a", "/b")) == [["base"], ["two"]]
    assert names(base, ModelSpec.model_validate({"name": "e", "endpoint": {"base_url": "http://h/v1"}})) == [
        ["base"],
        ["e"],
    ]
    sglang = {"args": {"infer_backend": "sglang"}}
    assert names(model("base", **sglang), model("a", "/base", "/a", **sglang)) == [["base"], ["a"]]


@pytest.fixture
def tuned(tmp_path: Path, adapter: Path) -> list[Path]:
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
        for file in adapter.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    return folders


async def test_each_name_is_answered_by_its_own_weights(
    tmp_path: Path, weights: Path, tuned: list[Path], fake: Path
) -> None:
    env = {"PYTHONPATH": str(fake)}
    group = [model("base", weights, env=env), *(model(f"my {one.name}", weights, one, env=env) for one in tuned)]
    log, python, lines = tmp_path / "log.txt", Path(sys.executable), list[str]()
    async with serve_together(group, python=python, concurrency=4, log=log, progress=lines.append) as served:
        assert [await ask(one) for one in served.values()] == [weights.name, "first", "second"]
        assert len({one.base_url for one in served.values()}) == 1
        assert len({one.identity for one in served.values()}) == 3
        assert lines == ["starting ms-swift with base and my first and my second"]
    assert processes(str(weights)) == []
    async with serve(group[1], python=python, concurrency=4, log=log, progress=lines.append) as alone:
        assert alone.identity == served["my first"].identity


# Through the pipeline ---------------------------------------------------------------------------------------------


@pytest.fixture
def only_the_fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made = {"fake": FakeBackend()}
    monkeypatch.setattr(bridge.plan, "backend_names", lambda: tuple(made))
    monkeypatch.setattr(bridge.plan, "backend", made.__getitem__)

    async def own_python(*_: Any, **__: Any) -> Path:
        return Path(sys.executable)

    monkeypatch.setattr(bridge.execute, "ensure", own_python)
    yield


def run_all(weights: Path, tuned: list[Path], fake: Path, root: Path, mode: str) -> Report:
    env = {"PYTHONPATH": str(fake), "FAKE": mode}
    group = [model("base", weights, env=env), *(model(one.name, weights, one, env=env) for one in tuned)]
    models = [one.model_dump(exclude_none=True) for one in group]
    return run(TaskSpec.model_validate({"models": models, "datasets": ["sums"]}), output=root)


@pytest.mark.usefixtures("only_the_fake")
@pytest.mark.parametrize(("mode", "starts"), [("", 1), ("one-adapter", 3)])
def test_one_start_or_one_each_where_the_engine_cannot(
    mode: str, starts: int, tmp_path: Path, weights: Path, tuned: list[Path], fake: Path
) -> None:
    report = run_all(weights, tuned, fake, tmp_path / "run", mode)
    assert [one.name for one in report.models] == ["base", "first", "second"]
    assert [row.n for row in report.results if row.primary] == [ROWS] * 3, report.errors
    rundir = RunDir(tmp_path / "run")
    logs = [rundir.serve_log(one.name) for one in report.models]
    assert len([log for log in logs if log.exists() and "Uvicorn running" in log.read_text()]) == starts
    assert report.usage.requests == 3 * ROWS
    assert processes(str(weights)) == []
