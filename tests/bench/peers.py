"""How the peers are run on the same rows: their own commands, each in an environment of its own."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from oracle_env import oracle

BRIDGE = str(Path(sys.executable).with_name("bridge"))
Json = dict[str, Any]

LETTERS = (
    "Answer the following multiple choice question. The entire content of your response should be of the following "
    "format: 'ANSWER: $LETTER' (without quotes) where LETTER is one of A,B,C,D.\n\n{question}\n\n{choices}"
)
INSPECT = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.scorer import choice, pattern
from inspect_ai.solver import generate, multiple_choice

def choices(row):
    return Sample(input=row["question"], choices=row["choices"], target=row["answer"], id=row["id"])

def question(row):
    return Sample(input=row["prompt"], target=row["answer"], id=row["id"])

@task
def mcq():
    return Task(dataset=json_dataset("rows.jsonl", choices), solver=multiple_choice(), scorer=choice())

@task
def qa():
    return Task(dataset=json_dataset("rows.jsonl", question), solver=generate(), scorer=pattern(r"ANSWER: (\\d+)"))

gsm8k = qa
"""


@dataclass(frozen=True)
class Run:
    """One command in one folder."""

    argv: list[str]
    folder: Path
    env: dict[str, str]


@dataclass(frozen=True)
class Scene:
    """``kind`` is mcq, qa or gsm8k; ``rows`` have question, answer, and for mcq their choices."""

    kind: str
    rows: list[Json]
    in_flight: int


Prepare = Callable[[Scene, str, Path], Run]


def with_bridge(scene: Scene, url: str, folder: Path) -> Run:
    name = {"mcq": "general_mcq", "qa": "general_qa", "gsm8k": "gsm8k"}[scene.kind]
    if scene.kind == "mcq":
        _write_lines(folder / "data" / "bank_val.jsonl", map(_lettered, scene.rows))
    elif scene.kind == "qa":
        _write_lines(folder / "data" / "bank_test.jsonl", scene.rows)
    else:
        _write_lines(folder / "data" / "test.jsonl", scene.rows)
    dataset: Json = {"name": name, "path": str(folder / "data")}
    if scene.kind == "gsm8k":
        dataset["num_fewshot"] = 0
    spec = {
        "model": {"name": "mock-model", "endpoint": {"base_url": url}},
        "datasets": [dataset],
        "concurrency": scene.in_flight,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    return Run([BRIDGE, "run", "spec.json", "--output", "run"], folder, {})


def with_lm_eval(scene: Scene, url: str, folder: Path) -> Run:
    python = oracle("lm_eval", "lm_eval.models.openai_completions")
    _write_lines(folder / "rows.jsonl", map(_prompted, scene.rows))
    pattern = r"ANSWER: ([ABCD])" if scene.kind == "mcq" else r"ANSWER: (\d+)"
    task = {
        "task": "peer",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{target}}",
        "generation_kwargs": {"until": [], "max_gen_toks": 256, "do_sample": False},
        "filter_list": [
            {"name": "read", "filter": [{"function": "regex", "regex_pattern": pattern}, {"function": "take_first"}]}
        ],
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / "peer.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    model = (
        f"model=mock-model,base_url={url}/chat/completions,num_concurrent={scene.in_flight},max_retries=6,"
        "tokenized_requests=False,tokenizer_backend=None"
    )
    argv = [str(python.with_name("lm_eval")), "run", "--model", "local-chat-completions", "--model_args", model]
    argv += ["--tasks", "peer", "--include_path", str(folder), "--apply_chat_template", "--gen_kwargs", "temperature=0"]
    argv += ["--log_samples", "--output_path", "out"]
    env = {"OPENAI_API_KEY": "x", "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hf")}
    return Run(argv, folder, env)


def with_inspect(scene: Scene, url: str, folder: Path) -> Run:
    python = oracle("inspect_eval", "inspect_ai, openai")
    _write_lines(folder / "rows.jsonl", map(_prompted, scene.rows))
    (folder / "tasks.py").write_text(INSPECT, encoding="utf-8")
    argv = [str(python.with_name("inspect")), "eval", f"tasks.py@{'mcq' if scene.kind == 'mcq' else 'qa'}"]
    argv += ["--model", "openai-api/mock/mock-model", "--max-connections", str(scene.in_flight)]
    argv += ["--max-samples", str(scene.in_flight), "--temperature", "0", "--max-tokens", "256"]
    argv += ["--log-dir", "out", "--display", "plain"]
    return Run(argv, folder, {"MOCK_API_KEY": "x", "MOCK_BASE_URL": url, "HOME": str(folder)})


def with_evalscope(scene: Scene, url: str, folder: Path) -> Run:
    python = oracle("evalscope", "evalscope")
    if scene.kind == "mcq":
        _write_lines(folder / "data" / "bench_val.jsonl", map(_lettered, scene.rows))
    elif scene.kind == "qa":
        _write_lines(
            folder / "data" / "bench.jsonl", [{"query": r["question"], "response": r["answer"]} for r in scene.rows]
        )
    else:
        _hub_layout(folder / "data", scene.rows)
    name = {"mcq": "general_mcq", "qa": "general_qa", "gsm8k": "gsm8k"}[scene.kind]
    given: Json = {"local_path": str(folder / "data")}
    given |= {"few_shot_num": 0} if scene.kind == "gsm8k" else {"subset_list": ["bench"]}
    argv = [str(python.with_name("evalscope")), "eval", "--model", "mock-model", "--api-url", url, "--api-key", "EMPTY"]
    argv += ["--eval-type", "openai_api", "--datasets", name, "--dataset-args", json.dumps({name: given})]
    argv += ["--eval-batch-size", str(scene.in_flight), "--work-dir", "out", "--no-timestamp"]
    return Run(argv, folder, {"HOME": str(folder)})


PEERS: dict[str, Prepare] = {
    "bridge": with_bridge,
    "EvalScope": with_evalscope,
    "lm-eval": with_lm_eval,
    "Inspect": with_inspect,
}


def whole_environment(run: Run) -> dict[str, str]:
    return {**os.environ, **run.env}


def _lettered(row: Json) -> Json:
    return {"question": row["question"], **dict(zip("ABCD", row["choices"], strict=True)), "answer": row["answer"]}


def _prompted(row: Json) -> Json:
    if "choices" not in row:
        target = str(row["answer"]).rpartition("####")[2].strip()
        return {**row, "prompt": row["question"], "target": target}
    choices = "\n".join(f"{letter}) {text}" for letter, text in zip("ABCD", row["choices"], strict=True))
    return {**row, "prompt": LETTERS.format(question=row["question"], choices=choices), "target": row["answer"]}


def _hub_layout(folder: Path, rows: list[Json]) -> None:
    """As the hub has it: a README that names the configs, and a table of each split."""
    head = {
        "configs": [
            {"config_name": "main", "data_files": [{"split": s, "path": f"main/{s}.csv"} for s in ("train", "test")]}
        ]
    }
    (folder / "main").mkdir(parents=True)
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(head)}---\n", encoding="utf-8")
    for split in ("train", "test"):
        with (folder / "main" / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["question", "answer"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)


def _write_lines(path: Path, rows: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
