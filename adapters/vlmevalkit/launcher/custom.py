"""Scores of a user's own questions, for which VLMEvalKit has none: its ``CustomVQADataset`` cannot be evaluated.

A scorer takes the right answers (any of them will do) and the model's answer, and gives a score from 0 to 1 and what it
compared. Only ``math`` needs more than the standard library, and ``judge`` a judge.
"""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any

from . import arithmetic, models, watch

Score = tuple[float, str | None]
ANLS_THRESHOLD = 0.5
NUMERIC_TOLERANCE = 1e-6
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_VERDICT = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
JUDGE_PROMPT = """\
You judge whether an answer to a question about an image is right. You are given the question, the right answer (or
several, of which any will do) and a model's answer. The model's answer is right if it says the same as the right
answer, in whatever words. Do not answer the question yourself.

Question: {question}
Right answer: {target}
Model's answer: {answer}

Reply with one word: yes if the model's answer is right, no if it is not."""


def exact(targets: Sequence[str], answer: str) -> Score:
    """The same text, but for case, surrounding punctuation and white space."""
    read = _plain(answer)
    return float(any(_plain(target) == read for target in targets)), read


def containment(targets: Sequence[str], answer: str) -> Score:
    """A right answer stands somewhere in the answer."""
    read = " ".join(answer.casefold().split())
    return float(any(" ".join(target.casefold().split()) in read for target in targets)), answer.strip()


def numeric(targets: Sequence[str], answer: str) -> Score:
    """The last number of the answer is that of a right answer, within a millionth of it."""
    found = _last_number(answer)
    if found is None:
        return 0.0, None
    wanted = [number for number in map(_last_number, targets) if number is not None]
    near = any(abs(found - number) <= NUMERIC_TOLERANCE * max(1.0, abs(number)) for number in wanted)
    return float(near), f"{found:g}"


def anls(targets: Sequence[str], answer: str) -> Score:
    """1 less the normalised edit distance to the nearest right answer; 0 where that is below a half."""
    read = " ".join(answer.strip().casefold().split())
    near = max((_similarity(" ".join(target.strip().casefold().split()), read) for target in targets), default=0.0)
    return (near if near >= ANLS_THRESHOLD else 0.0), answer.strip()


def math(targets: Sequence[str], answer: str) -> Score:
    """The same text, or the same number to two decimals: MATH-Vision's own scoring, rule by rule."""
    read = read_math(answer)
    return float(any(_same_math(read, target) for target in targets)), read


def read_math(answer: str) -> str:
    """The final answer in a text: what is boxed, else all of it; an option's letter without its brackets."""
    boxed = re.findall(r"oxed{(.*)}", answer, flags=re.DOTALL)
    text = (boxed[-1] if boxed else answer).casefold().strip()
    option = re.fullmatch(r"\(?([a-e])\)?\.?", text)
    if option:
        return option[1]
    text = text.split("=")[-1].split("\\approx")[-1].strip().strip("$")
    for gone in ("\\left", "\\right", "^{\\circ}", "^\\circ", " "):
        text = text.replace(gone, "")
    return text


def _same_math(read: str, target: str) -> bool:
    if read.strip().casefold() == target.strip().casefold():
        return True
    ours, theirs = _math_value(read), _math_value(target)
    return ours is not None and theirs is not None and round(ours, 2) == round(theirs, 2)


@cache
def _math_value(text: str) -> float | None:
    """The number that a formula comes to; None where it has unknowns, or degrees, or is none."""
    text = text.strip().strip("$").strip().casefold()
    if "circ" in text:
        return None
    plain = arithmetic.number(text)
    if plain is not None:
        return plain
    try:
        formula = import_module("latex2sympy2_extended").latex2sympy(text)
        value = None if formula.free_symbols else complex(formula.evalf())
    except Exception:  # noqa: BLE001 - its parser raises anything for what is no formula
        return None
    return value.real if value is not None and abs(value.imag) < 1e-9 else None


SCORERS: dict[str, Callable[[Sequence[str], str], Score]] = {
    "exact": exact,
    "containment": containment,
    "numeric": numeric,
    "anls": anls,
    "math": math,
}
JUDGE = "judge"


def targets_of(row: dict[str, Any]) -> list[str]:
    """The right answers of a row: its ``answer``, which may be a list, and the text of the option that it names."""
    answer = str(row.get("answer", ""))
    listed = _list(answer)
    targets = listed if listed is not None else [answer]
    options = _list(str(row.get("choices", ""))) or []
    if options and len(answer) == 1 and answer in string.ascii_uppercase[: len(options)]:
        targets.append(options[string.ascii_uppercase.index(answer)])
    return [target for target in targets if target.strip()]


def score_all(scorer: str, rows: dict[str, dict[str, Any]], threads: int) -> None:
    """Notes score and extract of every row (index → row) that was answered, in ``watch.notes``."""
    models.use_judge(models.judge_of_job if scorer == JUDGE else None)
    judge = models.build_judge(max_tokens=16, temperature=0) if scorer == JUDGE else None
    if judge is not None:
        judge.working()
    with ThreadPoolExecutor(threads if judge is not None else 1) as pool:
        list(pool.map(lambda pair: watch.at(pair[0], _score, scorer, pair[0], pair[1], judge), rows.items()))


def _score(scorer: str, key: str, row: dict[str, Any], judge: Any) -> None:
    targets, answer = targets_of(row), models.asked[key].response or ""
    if not targets:
        watch.notes.drawn[key] = "the row has no right answer"
    elif judge is not None:
        _judge(judge, key, row, targets, answer)
    else:
        watch.notes.hits[key], watch.notes.extracted[key] = SCORERS[scorer](targets, answer)


def _judge(judge: Any, key: str, row: dict[str, Any], targets: list[str], answer: str) -> None:
    target = " | ".join(targets)
    verdict = judge.generate(JUDGE_PROMPT.format(question=row.get("question", ""), target=target, answer=answer))
    if judge.fail_msg in verdict:
        return
    words = {word.lower() for word in _VERDICT.findall(verdict)}
    if len(words) != 1:
        watch.notes.drawn[key] = f"the judge said neither yes nor no: {' '.join(verdict.split())[:80]!r}"
        return
    watch.notes.hits[key], watch.notes.extracted[key] = float(words == {"yes"}), answer.strip()


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(string.punctuation + " ")


def _last_number(text: str) -> float | None:
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def _similarity(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return 1.0 - _distance(one, other) / longest if longest else 1.0


def _distance(one: str, other: str) -> int:
    """Levenshtein's."""
    before = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        here = [row]
        for column, right in enumerate(other, 1):
            here.append(min(before[column] + 1, here[-1] + 1, before[column - 1] + (left != right)))
        before = here
    return before[-1]


def _list(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return [str(item) for item in value] if isinstance(value, list) else None
