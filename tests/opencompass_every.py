"""Every short name of the OpenCompass backend: a few rows of each, and a model that is right now and wrong then."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import opencompass_rows as rows
import opencompass_toys as toys
from opencompass_writers import WRITERS

CODE = {
    "humaneval": "in the sandbox, the reference solutions | 164 | 1.0000 | 1.0000 | yes",
    "mbpp": "in the sandbox, the reference solutions | 40 | 0.9250 | 0.9250 | yes",
}
"""They execute what the model wrote: ``test_code.py`` holds them to this."""
HUB = ("commonsenseqa",)
"""Its pinned configuration chooses worked examples with a model from a hub."""
SUBSETS = {
    "mmlu": toys.MMLU,
    "bbh": toys.BBH,
    "ceval": toys.CEVAL,
    "cmmlu": rows.CMMLU,
    "agieval": tuple(rows.AGIEVAL),
    "GaokaoBench": tuple(rows.GAOKAO),
    "mmlu.mmlu_llmjudge_gen_f4336b": toys.MMLU[:2],
}
JUDGED = ("mmlu.mmlu_llmjudge_gen_f4336b", "gsm8k.gsm8k_cascade_eval_rawprompt_gen_36fce7")
"""The judge's word alone, and where rules find an answer wrong."""
VARIANTS = (
    "math.math_0shot_gen_393424",
    "math.math_4shot_base_gen_43d5b6",
    "math.math_evaluatorv2_gen_cecb31",
    "math.math_intern_evaluator_gen_265cce",
    "math.math_gen_a58d9d",
    "math.math_500_gen",
    "math.math_prm800k_500_0shot_cot_gen",
    "commonsenseqa.commonsenseqa_7shot_cot_gen_734a22",
    *JUDGED,
)
"""Configurations of the same benchmarks under their own names: other prompts, other evaluators."""
TOYS = ("gsm8k", "mmlu", "bbh", "ceval", "ARC_c", "ARC_e")
NAMES = (*TOYS, *(name for name in WRITERS if name not in HUB))


def write_every(root: Path, count: int) -> None:
    """OpenCompass's data folder, as ``root/data``."""
    data = root / "data"
    for write in WRITERS.values():
        write(data, count)
    toys.write_gsm8k(data / "gsm8k", count)
    toys.write_mmlu(data / "mmlu", count)
    toys.write_bbh(data / "BBH" / "data", count)
    toys.write_ceval(data / "ceval" / "formal_ceval", count)
    for part, folder in (("Challenge", "ARC-c"), ("Easy", "ARC-e")):
        lines = [toys.arc_row(part, n) for n in range(count)]
        toys.write_jsonl(data / "ARC" / folder / f"ARC-{part}-Dev.jsonl", lines)


def asked(name: str) -> dict[str, Any]:
    """The entry of a spec."""
    entry = {"name": f"opencompass:{name}", "alias": name.replace(".", "-")} if "." in name else {"name": name}
    return {**entry, "subsets": list(SUBSETS[name])} if name in SUBSETS else entry


def answer(prompt: str) -> str:
    """By the clue in the question, in several phrasings; of the prompt alone."""
    if "Gold Target Begin" in prompt:
        return judgement(prompt)
    found = re.findall(r"\[clue ([^\]]+)\]", prompt)
    chance = hashlib.sha256(prompt.encode()).digest()
    if not found:
        return _without_clue(prompt, chance)
    right = found[-1]
    said = right if chance[0] % 3 else _wrong(right)
    if re.search("[\u4e00-\u9fff]", prompt):
        return [said, f"答案是{said}", f"【答案】 {said} <eoa>"][chance[1] % 3]
    if said.isdigit():
        return f"It is $\\boxed{{{said}}}$. The answer is {said}" if chance[1] % 2 else f"The answer is {said}"
    return [said, f"The answer is {said}", f"{said}\n"][chance[1] % 3]


def judgement(prompt: str) -> str:
    """The gold target is somewhere in the prediction, or is not."""
    told = re.split(r"<Predicted (?:Answer|End)[^>]*>:?", prompt)[1]
    gold = re.split(r"<Gold Target (?:Begin|End)>:?", prompt)[1].strip()
    return "A" if re.search(rf"\b{re.escape(gold)}\b", told) else "B"


def _wrong(right: str) -> str:
    if right in rows.LETTERS:
        return "A" if right != "A" else "B"
    return {"yes": "no", "no": "yes"}.get(right, str(int(right) + 1) if right.isdigit() else "nothing of that kind")


def _without_clue(prompt: str, chance: bytes) -> str:
    if "without commas" in prompt or "lower case" in prompt or "in your answer" in prompt:
        told = prompt.split("about a ")[-1].split(",")[0].split(".")[0] if "about a" in prompt else "lamp"
        return (
            f"the {told} stood on the table, and it was old."
            if chance[0] % 2
            else f"the {told} stood there and was old"
        )
    return toys.answer(prompt)


def dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
