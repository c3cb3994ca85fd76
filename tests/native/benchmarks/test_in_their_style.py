"""Sets in the style of MMLU-Pro (ten options) and GPQA (right answer first, shuffled), from file to report."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fault_server import FaultServer


def pick(prompt: str) -> str:
    """The letter of the option ``right``, in the question that is asked last."""
    asked = prompt.rpartition("Question ")[2]
    return "So.\nANSWER: " + next(line[0] for line in asked.splitlines() if line[1:] == ") right")


async def test_ten_options_with_reasoned_examples(native_run: Any, task: Callable[..., Any], tmp_path: Path) -> None:
    def row(at: int, **more: Any) -> dict[str, Any]:
        options = [f"wrong {number}" for number in range(9)]
        options.insert(at % 10, "right")
        base = {"question_id": at, "question": f"Question {at}", "options": options, "answer": "ABCDEFGHIJ"[at % 10]}
        return {**base, "answer_index": at % 10, "category": ("law", "math")[at % 2], **more}

    examples = [row(at, cot_content=f"A: Let's think {at}.") for at in range(100, 110)]
    for name, values in (("test", [row(at) for at in range(40)]), ("validation", examples)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    given = task({"name": "mmlu_pro", "path": str(tmp_path)}, concurrency=8)
    async with FaultServer(answer=pick) as server:
        assert await native_run.run(given, server.base_url) == 0
        assert all(prompt.count("Let's think") == 5 for prompt in server.prompts), "five of the field"
        assert all("J) " in prompt for prompt in server.prompts)
    (result,) = native_run.collect(given)
    found = {(row.subset, row.metric): (row.value, row.n) for row in result.rows}
    assert found[None, "accuracy"] == (1.0, 40)
    assert found["law", "accuracy"] == found["math", "accuracy"] == (1.0, 20)


async def test_the_right_answer_first_is_shuffled(native_run: Any, task: Callable[..., Any], tmp_path: Path) -> None:
    wrong = [f"Incorrect Answer {number}" for number in (1, 2, 3)]
    with (tmp_path / "gpqa_diamond.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Record ID", "Question", "Correct Answer", *wrong, "Subdomain"])
        table.writerows([f"rec{at}", f"Question {at}", "right", "one", "two,\nthree", "four", "x"] for at in range(40))
    given = task({"name": "gpqa_diamond", "path": str(tmp_path)}, concurrency=8)
    async with FaultServer(answer=pick) as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    assert (result.rows[0].value, result.rows[0].n) == (1.0, 40)
    assert {sample.target for sample in result.samples} == set("ABCD")
    assert next(iter(result.samples)).sample_id == "rec0"
