"""A native job over so many rows of parquet, and its cost: ``python native_scale.py ROWS FOLDER``.

Prints one JSON object: rows, seconds and peak memory of the engine, and with collecting the results. All is as in a run
but for the connection to the model, so that what is measured is what bridge costs.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Self

import orjson

import bridge.native.__main__ as engine
from bridge.backend import Endpoint, Outcome, Task
from bridge.endpoint.answer import Answer
from bridge.native.backend import NativeBackend
from bridge.native.job import BASE_URL_ENV
from bridge.spec import TaskSpec

SHARDS = 4
BATCH = 500


class Ready:
    """A client of a model that answers at once, 1 in 4 wrongly."""

    def __init__(self) -> None:
        self.down = asyncio.Event()
        self.down_reason = ""
        self._asked = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def ask(self, path: str, body: dict[str, Any], *, job: str, repeat: int = 0) -> Answer:
        self._asked += 1
        await asyncio.sleep(0)
        number = int(body["messages"][-1]["content"].partition("parcel ")[2].partition(" ")[0])
        text = f"Three each, so \\boxed{{{number * 3 + (self._asked % 4 == 0)}}}."
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        reply = {"choices": [choice], "usage": {"prompt_tokens": 40, "completion_tokens": 9}}
        return Answer(200, orjson.dumps(reply), 1, False, 0.0)


def write_rows(folder: Path, rows: int) -> None:
    """GSM8K's columns, as a hub has them: a folder of shards."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    folder.mkdir(parents=True, exist_ok=True)
    schema = pyarrow.schema([("question", pyarrow.string()), ("answer", pyarrow.string())])
    each = -(-rows // SHARDS)
    for shard in range(SHARDS):
        path = folder / f"test-{shard:05}-of-{SHARDS:05}.parquet"
        with ParquetWriter(path, schema) as writer:
            last = min(rows, (shard + 1) * each)
            for first in range(shard * each, last, BATCH):
                numbers = range(first, min(last, first + BATCH))
                asked = [f"How many pens are in parcel {n} of the {rows}, with three for each number?" for n in numbers]
                answers = [f"Three each.\n#### {n * 3}" for n in numbers]
                writer.write_table(pyarrow.table([asked, answers], schema=schema))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(rows: int, folder: Path) -> dict[str, float]:
    write_rows(folder / "data" / "main", rows)
    model = {"name": "m", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    datasets = [{"name": "gsm8k", "path": str(folder / "data"), "num_fewshot": 0}]
    spec = TaskSpec.model_validate({"model": model, "datasets": datasets})
    assert spec.model is not None
    task, backend, work = Task(spec, spec.model, spec.datasets, 32), NativeBackend(), folder / "jobs" / "native"
    (job,) = backend.translate(task, Endpoint("http://127.0.0.1:9/v1", "m"))
    work.mkdir(parents=True)
    (work / "job.json").write_text(job.files["job.json"], encoding="utf-8")
    began = time.monotonic()
    os.environ[BASE_URL_ENV] = "http://127.0.0.1:9/v1"
    engine._client = lambda *_: Ready()  # type: ignore[assignment, return-value]
    assert engine.main([str(work / "job.json")]) == 0
    engine_s, engine_mb = time.monotonic() - began, peak_mb()
    began = time.monotonic()
    (result,) = backend.collect(Outcome(job="native", backend="native", model="m", dir=work, exit_code=0), task)
    assert result.rows[0].n == rows and sum(1 for _ in result.samples) == rows
    return {
        "rows": rows,
        "engine_s": engine_s,
        "engine_mb": engine_mb,
        "collect_s": time.monotonic() - began,
        "both_mb": peak_mb(),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
