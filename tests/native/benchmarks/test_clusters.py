"""Questions on one passage are declared to belong together, and a comparison takes that from the records."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from fault_server import FaultServer
from server_thread import serving

from bridge.native.benchmarks.boolq import to_sample as boolq
from bridge.native.benchmarks.race import to_sample as race
from bridge.report.compare import Options, compare
from bridge.runs import run
from bridge.spec import TaskSpec


def always(answer: str, _prompt: str) -> str:
    return answer


def test_the_passage_is_the_cluster() -> None:
    questions = [
        {"article": text, "question": f"{at}?", "options": list("abcd"), "answer": "A"}
        for at, text in enumerate(("x", " x ", "y"))
    ]
    first, same, other = (race(row).cluster for row in questions)
    assert first == same != other
    plain = boolq({"question": "is it", "passage": "It is.", "answer": True})
    asked = boolq({"query": "Passage: It is.\nQuestion: is it?\nAnswer:", "choices": ["no", "yes"], "gold": 1})
    assert plain.cluster == asked.cluster != boolq({"question": "is it", "passage": "No.", "answer": True}).cluster


def test_a_comparison_counts_passages(tmp_path: Path) -> None:
    rows = [
        {
            "article": f"Story {at // 4}.",
            "question": f"What of {at}?",
            "options": list("abcd"),
            "answer": "ABCD"[at % 4],
        }
        for at in range(48)
    ]
    for name in ("test", "train"):
        (tmp_path / "race" / "high").mkdir(parents=True, exist_ok=True)
        (tmp_path / "race" / "high" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for model in "ab":
        says = {"a": "ANSWER: A", "b": "ANSWER: B"}[model]
        with serving(FaultServer(model=model, answer=partial(always, says))) as thread:
            spec = {
                "name": "race",
                "model": {"name": model, "endpoint": {"base_url": thread.server.base_url}},
                "datasets": [{"name": "race", "path": str(tmp_path / "race"), "subsets": ["high"], "num_fewshot": 0}],
            }
            assert run(TaskSpec.model_validate(spec), output=tmp_path / model).exit_code == 0
    (against,) = compare([str(tmp_path / "a"), str(tmp_path / "b")], Options()).against
    (one,) = against.datasets
    assert (one.n, one.groups, one.clustered, one.test) == (48, 12, True, "sign-flip")
