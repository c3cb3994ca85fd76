"""What ``configs/quickstart.yaml`` refers to fits together, and is what the scripts make."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bridge.native.benchmarks import benchmark
from bridge.native.prompt import messages_of
from bridge.runs import prepare
from bridge.spec_file import load_spec

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "quickstart.yaml"
FOLDER = ROOT / "configs" / "quickstart"


@pytest.fixture(scope="module")
def questions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quickstart_questions", ROOT / "scripts" / "quickstart_questions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def test_nothing_is_wrong_with_the_spec_and_both_backends_get_the_same() -> None:
    plan = prepare(load_spec(CONFIG))
    asked = {planned.backend.name: planned.task.datasets for planned in plan.tasks}
    assert asked.keys() == {"native", "opencompass"}
    native, opencompass = ([(one.id, one.path) for one in datasets] for datasets in asked.values())
    assert native == opencompass
    assert len(native) == 2


def test_the_files_are_what_the_script_writes(questions: ModuleType, tmp_path: Path) -> None:
    questions.write_files(tmp_path)
    for name in ("sums/sums_test.jsonl", "choices/choices_val.jsonl"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_the_answers_are_right() -> None:
    for row in rows("sums/sums_test.jsonl"):
        a, b = row["id"].split("+")
        assert (row["question"], row["answer"]) == (f"What is {a}+{b}?", str(int(a) + int(b)))
    choices = rows("choices/choices_val.jsonl")
    for row in choices:
        a, b = row["id"].split("+")
        assert row[row["answer"]] == str(int(a) + int(b))
        assert len({row[letter] for letter in "ABCD"}) == 4
    assert [sum(row["answer"] == letter for row in choices) for letter in "ABCD"] == [10, 10, 10, 10]


def test_training_never_shows_what_is_asked(questions: ModuleType) -> None:
    rng = random.Random(3)
    asked = {questions.native_choice(questions.question(a, b), shown) for a, b, shown in questions.asked_choices()}
    assert len(asked) == 40
    learnt = {questions.choice_exchange(rng, questions.native_choice)[0] for _ in range(5000)}
    assert not asked & learnt
    questions._held_out.cache_clear()


def test_the_model_learnt_the_prompts_that_native_sends(questions: ModuleType) -> None:
    mcq, qa = benchmark("general_mcq"), benchmark("general_qa")
    for (a, b, shown), row in zip(questions.asked_choices(), rows("choices/choices_val.jsonl"), strict=True):
        put = questions.native_choice(questions.question(a, b), shown)
        assert messages_of(mcq, mcq.to_sample(row)) == [{"role": "user", "content": put}]
    for row in rows("sums/sums_test.jsonl"):
        assert messages_of(qa, qa.to_sample(row)) == [{"role": "user", "content": row["question"]}]


def test_the_model_is_a_small_qwen3() -> None:
    config = json.loads((FOLDER / "model" / "config.json").read_text(encoding="utf-8"))
    assert (config["model_type"], config["architectures"]) == ("qwen3", ["Qwen3ForCausalLM"])
    assert (FOLDER / "model" / "model.safetensors").stat().st_size <= 3_000_000
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 3_200_000
    assert not list((FOLDER / "model").glob("*.bin")), "weights that run code when they are loaded"
