"""A run with all that an exporter may meet: two backends, subsets, errors, repeats, ratings, hostile text, a null."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import HOSTILE, make_model, make_row
from runs import marks, record, write, write_run

from bridge.report.read import read_report
from bridge.report.schema import SampleRecord


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_whole_run(tmp_path / "run")


def write_whole_run(root: Path) -> Path:
    questions = [_asked(one, at) for at, one in enumerate(marks("1101e0111001"))]
    repeated = [record(str(at), "10"[(at + repeat) % 2], repeat=repeat) for at in range(5) for repeat in range(2)]
    odd = [
        record(str(at), "1", input=text, response=text, extracted=text, target=text, metadata={"note": text})
        for at, text in enumerate(HOSTILE)
    ]
    settings = {"temperature": 0.0, "max_tokens": 512, "limit": 12, "scorer": "number"}
    write_run(
        root,
        {"mmlu": questions, ("opencompass", "mmlu"): questions[:4], "repeated": repeated, "odd": odd},
        model="org/qwen",
        settings=settings,
        models=(make_model(name="org/qwen", engine="swift", adapters=("lora-1",)),),
    )
    report = read_report(root)
    nothing = make_row(
        model="org/qwen",
        dataset="lost",
        value=None,
        stderr=None,
        ci95=None,
        n=0,
        n_errors=3,
        status="failed",
        reason="down",
    )
    rating = make_row(
        model="org/qwen",
        dataset="arena",
        metric="elo",
        value=1012.5,
        unit="rating",
        min_value=None,
        max_value=None,
        ci95=None,
    )
    return write(root, report.model_copy(update={"results": (*report.results, nothing, rating)}))


def _asked(one: SampleRecord, at: int) -> SampleRecord:
    return one.model_copy(
        update={
            "subset": "xy"[at % 2],
            "target": ["4", "four"],
            "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"What is {at} + 2?"}],
            "usage": {"prompt_tokens": 10 + at, "completion_tokens": 3},
            "latency_s": 0.25,
        }
    )
