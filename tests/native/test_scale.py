"""Memory does not grow with the number of rows; ``tests/bench/test_native_scale_bench.py`` has a million."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fault_server import FaultServer

from bridge.report.schema import Status

SCRIPT = Path(__file__).parents[1] / "native_scale.py"
ROOM_MB = 6.0
"""What two runs may differ by: the interpreter's own, and a few bytes for each row that says where its record is."""


def measured(rows: int, folder: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, SCRIPT, str(rows), folder], capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def test_ten_times_the_rows_take_the_same_memory(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    few, many = (measured(rows, tmp_path / str(rows)) for rows in (2_000, 20_000))
    assert many["engine_mb"] - few["engine_mb"] < ROOM_MB
    assert many["both_mb"] - few["both_mb"] < ROOM_MB


GENERATED = """
import itertools, json, resource
from bridge.native.benchmark import Benchmark, Layout, Prompt, Sample
from bridge.native.scorers.math import Math

def rows(split):
    for n in itertools.count() if split == "endless" else range({rows}):
        if n == {fails_at}:
            raise RuntimeError("the source is gone")
        yield {{"n": n}}

BENCHMARK = Benchmark(
    name="counted", description="", paper="", licence="", prompt=Prompt(question="{{question}}"), scorer=Math(),
    layout=Layout(files=(), splits={{"test": (), "endless": ()}}, example=""), rows=rows,
    to_sample=lambda row: Sample(target=str(row["n"]), fields={{"question": f"What is {{row['n']}}?"}}),
)
"""


@pytest.mark.parametrize(("split", "limit", "asked"), [("test", None, 40), ("endless", 30, 30)])
async def test_rows_from_a_generator(
    native_run, task, tmp_path: Path, split: str, limit: int | None, asked: int
) -> None:
    definition = tmp_path / "counted.py"
    definition.write_text(GENERATED.format(rows=40, fails_at=-1))
    given = task({"name": "counted", "definition": str(definition), "split": split, "limit": limit})
    assert native_run.backend.check(given) == []
    async with FaultServer(answer=lambda prompt: prompt.removeprefix("What is ").removesuffix("?")) as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    assert (result.rows[0].value, result.rows[0].n) == (1.0, asked)
    assert [record.sample_id for record in result.samples] == [str(n) for n in range(asked)]


async def test_a_generator_that_breaks_leaves_what_it_gave(native_run, task, tmp_path: Path) -> None:
    definition = tmp_path / "counted.py"
    definition.write_text(GENERATED.format(rows=40, fails_at=7))
    given = task({"name": "counted", "definition": str(definition)})
    async with FaultServer(answer=lambda prompt: prompt) as server:
        assert await native_run.run(given, server.base_url) == 5
    (result,) = native_run.collect(given, 5)
    assert (result.rows[0].n, result.rows[0].status) == (7, Status.PARTIAL)
    assert "its rows end after 7: RuntimeError: the source is gone" in result.errors[0].message


def test_rows_that_are_made_need_no_path(task, native_run, tmp_path: Path) -> None:
    definition = tmp_path / "counted.py"
    definition.write_text(GENERATED.format(rows=4, fails_at=-1))
    (problem,) = native_run.backend.check(
        task({"name": "counted", "definition": str(definition), "path": str(tmp_path)})
    )
    assert problem.field == "datasets[0].path" and "makes its rows itself" in problem.message
