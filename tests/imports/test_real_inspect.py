"""Logs that Inspect itself has just written."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle_env import ask, oracle

from bridge.imports.found import import_run
from bridge.report.read import samples

pytestmark = pytest.mark.env
CODE = """
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes, match
def answer(text):
    output = ModelOutput.from_content("mockllm/model", text)
    output.usage = ModelUsage(input_tokens=7, output_tokens=2, total_tokens=9)
    return output
answers = [answer(text) for text in ["It is 4", "5", "6", "nine"] * 2]
task = Task(
    name="sums",
    dataset=[Sample(input=f"What is {at} + 1?", target=str(at + 1), id=f"q{at}") for at in (3, 4, 5, 6)],
    scorer=[match(), includes()],
    epochs=2,
)
model = get_model("mockllm/model", custom_outputs=answers)
log, = eval(task, model=model, log_dir=given[0], log_format=given[1], display="none", max_connections=1, max_samples=1)
print(json.dumps([log.status, {s.name: s.metrics["accuracy"].value for s in log.results.scores}]))
"""


@pytest.mark.parametrize("form", ["eval", "json"])
def test_a_log_of_inspect(tmp_path: Path, form: str) -> None:
    pytest.importorskip("pyarrow", reason="Inspect compresses with zstd; any library for it will do")
    status, reported = ask(oracle("inspect", "inspect_ai"), CODE, [str(tmp_path / "logs"), form], tmp_path)
    assert status == "success"
    report = import_run("inspect", tmp_path / "logs", tmp_path / "out")
    assert report.status.value == "complete"
    assert {row.metric: row.value for row in report.results} == pytest.approx(reported)
    (name,) = {row.samples for row in report.results}
    records = list(samples(tmp_path / "out" / str(name)))
    assert [(one.sample_id, one.repeat) for one in records[:3]] == [("q3", 0), ("q3", 1), ("q4", 0)]
    assert (records[0].response, records[0].target, records[0].usage) == (
        "It is 4",
        "4",
        {"prompt_tokens": 7, "completion_tokens": 2},
    )
