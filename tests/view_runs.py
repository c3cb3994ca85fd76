"""Runs made by ``bridge run``'s own pipeline, through native, against a server whose two models differ a little."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

from fault_server import FaultServer
from server_thread import serving

from bridge.runs import run
from bridge.spec import TaskSpec

SUBSETS = {"addition": "+", "subtraction": "-", "multiplication": "*"}
SKILL = {"base": 0.62, "sft": 0.74}


def questions(folder: Path, n: int) -> None:
    """Multiple choice of ``n`` sums for each subset."""
    folder.mkdir(parents=True)
    rng = random.Random(7)
    for name, sign in SUBSETS.items():
        lines = ["question,A,B,C,D,answer"]
        for _ in range(n):
            a, b = rng.randint(2, 99), rng.randint(2, 99)
            right = {"+": a + b, "-": a - b, "*": a * b}[sign]
            choices = [right, right + 1, right - 10, right + 7]
            rng.shuffle(choices)
            lines.append(f"What is {a} {sign} {b}?,{','.join(map(str, choices))},{'ABCD'[choices.index(right)]}")
        (folder / f"{name}_val.csv").write_text("\n".join(lines) + "\n")


def answers(model: str):  # type: ignore[no-untyped-def]
    """Right as often as the model's skill says, by the question; now and then without a letter."""

    def answer(prompt: str) -> str:
        asked = prompt[prompt.index("What is") :]
        a, sign, b = asked.split("?")[0].removeprefix("What is ").split()
        right = str({"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[sign])
        letters = {line[0]: line[1:].strip(" .:)") for line in asked.splitlines()[1:] if line[1:2] == ")"}
        letter = next((name for name, value in letters.items() if value == right), "A")
        luck, own = (int(hashlib.sha256(f"{asked}{who}".encode()).hexdigest()[:8], 16) / 2**32 for who in ("", model))
        if own > 0.97:
            return "I would rather not say."
        good = 0.8 * luck + 0.2 * own < SKILL[model] - (0.15 if sign == "*" else 0)
        return f"{a} {sign} {b} is what is asked for.\nANSWER: {letter if good else 'ABCD'['ABCD'.index(letter) - 1]}"

    return answer


def two_real_runs(root: Path, n: int = 40) -> Path:
    """``base`` and ``sft`` in ``root/runs``; the curve of a training beside the second."""
    questions(root / "questions", n)
    for model in SKILL:
        with serving(FaultServer(model=model, answer=answers(model))) as thread:
            spec = TaskSpec.model_validate(
                {
                    "name": "sums",
                    "model": {"name": model, "endpoint": {"base_url": thread.server.base_url}},
                    "datasets": [
                        {"name": "general_mcq", "path": str(root / "questions"), "alias": "sums"},
                        {"name": "general_mcq", "path": str(root / "questions"), "alias": "few", "limit": 10},
                    ],
                    "generation": {"temperature": 0.0, "max_tokens": 64 if model == "base" else 128},
                }
            )
            report = run(spec, output=root / "runs" / model)
            assert report.exit_code == 0, report.errors
    (root / "runs" / "sft" / "finetuned.json").write_text(json.dumps(curve()))
    return root / "runs"


def curve() -> dict[str, object]:
    """``finetuned.json``, of a training that was none."""
    values = {0: 0.58, 200: 0.61, 400: 0.66, 600: 0.69, 800: 0.70, 1000: 0.695}
    points = [
        {
            "model": f"checkpoint-{step}" if step else "base",
            "step": step,
            "value": value,
            "ci95": [value - 0.06, value + 0.06],
            "n": 120,
            "n_errors": 0,
        }
        for step, value in values.items()
    ]
    one = {"dataset": "sums", "backend": "native", "metric": "accuracy", "unit": "fraction", "higher_is_better": True}
    told: dict[str, object] = {"training": "output/v0", "base": None, "checkpoints": [], "best": None}
    return {**told, "status": "complete", "notes": [], "curves": [{**one, "points": points}], "comparison": None}
