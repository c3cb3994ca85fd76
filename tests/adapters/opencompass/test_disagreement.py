"""Native and the real OpenCompass on the same questions: where they part, ``bridge compare`` says at which stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fault_server import FaultServer
from server_thread import serving

from bridge.report.compare import Options, compare
from bridge.runs import run
from bridge.spec import TaskSpec

pytestmark = pytest.mark.env
ROWS = [
    {"question": f"Case {at}: Ann has {at + 30} pens and buys {at + 9}. How many?", "answer": f"#### {2 * at + 39}"}
    for at in range(24)
]
SHOTS = [{"question": f"Bob has {at} pens. How many?", "answer": f"Bob has {at}.\n#### {at}"} for at in range(8)]
GROUPS = ("read differently", "right", "wrong", "answered differently")


def answer(prompt: str) -> str:
    """By the question alone, whoever asks: but for the last group, which is answered by the prompt's form."""
    at = next((at for at, row in enumerate(ROWS) if str(row["question"]) in prompt), 0)
    right = 2 * at + 39
    match GROUPS[at % 4]:
        case "read differently":
            return f"So we have it.\nANSWER: \\boxed{{{right}}}\nThat took 7 steps."
        case "right":
            return f"We get {right}."
        case "wrong":
            return f"We get {right + 1}."
        case _:
            return f"We get {right if 'boxed' in prompt else right + 2}."


def test_the_stage_at_which_they_part(tmp_path: Path) -> None:
    data = tmp_path / "gsm8k"
    data.mkdir()
    for name, rows in (("train", SHOTS), ("test", ROWS)):
        (data / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serving(FaultServer(model="m", answer=answer)) as thread:
        spec = {
            "name": "both",
            "model": {"name": "m", "endpoint": {"base_url": thread.server.base_url}},
            "datasets": [{"name": "gsm8k", "backend": name, "path": str(data)} for name in ("native", "opencompass")],
            "generation": {"temperature": 0.0, "max_tokens": 256},
        }
        report = run(TaskSpec.model_validate(spec), output=tmp_path / "run")
    assert report.exit_code == 0, report.errors
    (against,) = compare([str(tmp_path / "run")], Options()).against
    (one,) = against.datasets
    assert (one.baseline_backend, one.candidate_backend, one.n) == ("native", "opencompass", 24)
    assert one.reasons == {"extraction": 6, "prompt": 6}
    assert {flip.reason: flip.baseline.extracted != flip.candidate.extracted for flip in one.flips_lost} == {
        "extraction": True,
        "prompt": True,
    }
