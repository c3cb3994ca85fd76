"""Writes docs/benchmarks.md, the table of native's benchmarks; with --check, only compares.

python scripts/list_benchmarks.py [--check]
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import astuple
from pathlib import Path

from bridge.native.benchmark import Benchmark
from bridge.native.benchmarks import NAMES, benchmark

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
ROWS = {
    "mmlu": 14042,
    "mmlu_pro": 12032,
    "cmmlu": 11582,
    "ceval": 1346,
    "gpqa_diamond": 198,
    "gsm8k": 1319,
    "math_500": 500,
    "competition_math": 5000,
    "arc": 3548,
    "hellaswag": 10042,
    "commonsenseqa": 1221,
    "openbookqa": 500,
    "piqa": 1838,
    "winogrande": 1267,
    "boolq": 3270,
    "race": 4934,
    "trivia_qa": 7993,
    "truthful_qa": 817,
    "truthful_qa_mc2": 817,
    "bbh": 6511,
    "lambada": 5153,
    "humaneval": 164,
    "mbpp": 500,
    "mbpp_sanitized": 257,
    "ifeval": 541,
    "llmbar": 419,
}
"""Rows of the split that is scored, as published."""
INTRO = """\
# The benchmarks of native

Each is one file in `native/benchmarks/`, whose docstring says what a row looks like and in what it differs from other
frameworks. *Rows* are those of the split that is scored, as published. *Prompt* is the beginning of the SHA-256 of the
benchmark's templates: figures are comparable only where it is the same. `bridge preview` prints what is sent.

| benchmark | split | rows | shots | prompt | scorer | quoted | reference |
|---|---|---|---|---|---|---|---|
"""


def prompt_hash(mark: Benchmark) -> str:
    kinds = (mark.prompt, mark.prompt_zh, mark.prompt_several, mark.prompt_several_zh)
    return hashlib.sha256(repr([prompt and astuple(prompt) for prompt in kinds]).encode()).hexdigest()[:12]


def line(mark: Benchmark) -> str:
    rows = f"{ROWS[mark.name]:,}" if mark.name in ROWS else "yours"
    paper = f"[paper]({mark.paper})" if mark.paper else "–"
    metric = mark.scorer.metrics[0].name
    quoted = f"{metric}, {mark.average}" if mark.subsets else metric
    parts = [f"`{mark.name}`", mark.split, rows, str(mark.num_fewshot), f"`{prompt_hash(mark)}`", mark.scorer.name]
    return f"| {' | '.join([*parts, quoted, paper])} |\n"


def page() -> str:
    return INTRO + "".join(line(benchmark(name)) for name in NAMES)


def main(argv: list[str]) -> int:
    if unlisted := sorted({name for name in NAMES if benchmark(name).paper} ^ ROWS.keys()):
        sys.exit(f"ROWS: {', '.join(unlisted)}: each benchmark that is published, and no other, has its rows here")
    if argv != ["--check"]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE.name} is out of date: python scripts/list_benchmarks.py writes it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
