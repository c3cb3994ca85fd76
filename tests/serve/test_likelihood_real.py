"""Real rows scored by likelihood, both ways, against log-likelihoods computed by hand with transformers."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serve.live import processes

from bridge.envs import ensure
from bridge.report.schema import Report, Status
from bridge.runs import run
from bridge.serve import LOCAL_ENV, swift
from bridge.spec import TaskSpec

HERE = Path(__file__).parent
TOKENIZER = HERE.parents[1] / "configs" / "quickstart" / "model"
DATA = Path(os.environ.get("BRIDGE_DATA") or HERE.parents[2] / "shared" / "data")
FOLDERS = {
    "hellaswag": "hellaswag",
    "arc": "arc",
    "mmlu": "mmlu",
    "truthful_qa": "truthfulqa",
    "truthful_qa_mc2": "truthfulqa",
}
LIMIT = 3
pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(not (DATA / "hellaswag").is_dir(), reason="the folder of shared real rows is not here"),
]


@pytest.fixture(scope="module")
def python() -> Path:
    return asyncio.run(ensure(LOCAL_ENV))


@pytest.fixture(scope="module")
def model(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    by_hand(python, "make", str(TOKENIZER), str(folder))
    return folder


def by_hand(python: Path, *arguments: str) -> str:
    argv = [str(python), str(HERE / "likelihood_by_hand.py"), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@contextmanager
def echo_server(python: Path, model: Path) -> Iterator[str]:
    argv = [str(python), str(HERE / "likelihood_by_hand.py"), "echo", str(model)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        finally:
            server.terminate()


def evaluated(model: dict[str, Any], root: Path, **fields: Any) -> Report:
    datasets = [
        {"name": name, "path": str(DATA / folder), "scoring": "loglikelihood", "limit": LIMIT}
        for name, folder in FOLDERS.items()
    ]
    datasets[2] |= {"subsets": ["abstract_algebra"], "num_fewshot": 2}
    datasets[1] |= {"subsets": ["ARC-Challenge"]}
    spec = {"model": {"name": "tiny", **model}, "backend": "native", "datasets": datasets, **fields}
    return run(TaskSpec.model_validate(spec), output=root)


def told(root: Path) -> list[tuple[str, str, float]]:
    """Context, continuation and log-likelihood of every answer of the run."""
    found = []
    for name in FOLDERS:
        for line in (root / "samples" / "native" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            found += [(sample["input"], one["continuation"], one["logprob"]) for one in json.loads(sample["response"])]
    return found


def test_local_weights_and_a_server_say_what_transformers_says(python: Path, model: Path, tmp_path: Path) -> None:
    local = evaluated({"local": {"path": str(model), "batch_size": 16}}, tmp_path / "local")
    assert (local.status, local.exit_code) == (Status.COMPLETE, 0), local.errors
    assert {row.dataset: row.n for row in local.results if row.primary} == dict.fromkeys(FOLDERS, LIMIT)
    with echo_server(python, model) as url:
        served = evaluated({"endpoint": {"base_url": url}}, tmp_path / "served")
    assert served.status is Status.COMPLETE, served.errors
    mine, theirs = told(tmp_path / "local"), told(tmp_path / "served")
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([[context, continuation] for context, continuation, _ in mine]), encoding="utf-8")
    expected = json.loads(by_hand(python, "score", str(model), str(texts)))
    assert len(expected) == len(mine) >= 5 * LIMIT * 4 - LIMIT
    assert [value for *_, value in mine] == pytest.approx(expected, abs=1e-4)
    assert [value for *_, value in theirs] == pytest.approx(expected, abs=1e-4)
    assert_scores(local, mine, expected)
    assert_scores(served, theirs, expected)
    assert processes(str(model)) == []


def assert_scores(report: Report, answers: list[tuple[str, str, float]], expected: list[float]) -> None:
    """MC1 and MC2 from the log-likelihoods by hand; in the file the right answers stand first."""
    by_text = {(context, text.strip()): value for (context, text, _), value in zip(answers, expected, strict=True)}
    rows = json.loads((DATA / "truthfulqa" / "mc_task.json").read_text(encoding="utf-8"))[:LIMIT]
    contexts = {context.rpartition("Q: ")[2]: context for context, *_ in answers if "\n\nQ: " in context}
    mc1, mc2 = [], []
    for row in rows:
        context = contexts[f"{row['question']}\nA:"]
        sums = {text: by_text[context, text] for text in row["mc1_targets"]}
        mc1.append(float(row["mc1_targets"][max(sums, key=lambda text: sums[text])]))
        weights = {text: math.exp(by_text[context, text]) for text in row["mc2_targets"]}
        true = sum(weight for text, weight in weights.items() if row["mc2_targets"][text])
        mc2.append(true / sum(weights.values()))
    values = {row.dataset: row.value for row in report.results if row.primary}
    assert values["truthful_qa"] == pytest.approx(sum(mc1) / LIMIT)
    assert values["truthful_qa_mc2"] == pytest.approx(sum(mc2) / LIMIT, abs=1e-4)


def test_ms_swifts_own_engine_is_refused_with_the_reason(model: Path, tmp_path: Path) -> None:
    """Its completions put a chat template around the text, and tell nothing of the prompt."""
    deploy = {"path": str(model), "model_type": "llama", "template": "chatml"}
    report = evaluated({"deploy": deploy}, tmp_path / "run")
    assert report.exit_code == 4
    assert "tells no log-probabilities of a prompt" in report.errors[0].message
    assert list((tmp_path / "run" / "samples").rglob("*.jsonl")) == []
    assert swift.VERSION in report.models[0].engine
