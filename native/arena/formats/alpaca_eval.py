"""AlpacaEval: ``annotations.json``, a list of instructions with two outputs and a preference from 1 to 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from bridge.errors import OutputError
from bridge.native.arena.answers import Answer, Answers
from bridge.native.arena.battle import Battle
from bridge.native.arena.formats.imported import Imported, nothing, rows_of, text, unparsed, verdict_battle
from bridge.native.arena.questions import Question, hash_id

TIES = (0.0, 1.5)
Outcome = Literal["first", "second", "tie"]


def read(path: Path, baseline: str | None = None) -> Imported:
    """``output_1`` is the baseline's. Raises OutputError and SpecError."""
    found = Imported()
    files = [path] if path.is_file() else sorted(path.rglob("annotations.json"))
    questions: dict[str, Question] = {}
    times: dict[tuple[str, ...], int] = {}
    between: list[float] = []
    for file in files:
        for place, row in rows_of(file, found.notes):
            question = Question(hash_id(text(row, "instruction", place)), row.get("dataset"), (row["instruction"],))
            questions[question.question_id] = question
            preference = _preference(row)
            if preference is not None and 1 < preference < 2 and preference != 1.5:
                between.append(preference)
            found.battles.append(_battle(row, place, question, preference, times))
            _outputs(found, row, question)
    if not found.battles:
        raise nothing(path, "annotations (a list of rows with 'instruction' and 'preference')")
    found.questions = list(questions.values())
    named = {text(row, "generator_1", place) for file in files for place, row in rows_of(file, [])}
    found.baseline = {"default": baseline or named.pop()} if baseline or len(named) == 1 else None
    if between:
        mean = sum(between) / len(between) - 1
        found.notes.append(
            f"{len(between)} preferences lie between 1 and 2 (as a win rate {mean:.4f} on average): each counts "
            "as a win of the nearer side, so that win rates differ from AlpacaEval's weighted ones"
        )
    return found


def _preference(row: dict[str, Any]) -> float | None:
    value = row.get("preference")
    if isinstance(value, int | float) and not isinstance(value, bool) and (value == 0 or 1 <= value <= 2):
        return float(value)
    return None


def _battle(
    row: dict[str, Any], place: str, question: Question, preference: float | None, times: dict[tuple[str, ...], int]
) -> Battle:
    one, two = text(row, "generator_1", place), text(row, "generator_2", place)
    if one == two:
        raise OutputError(f"{place}: both outputs are of {one!r}")
    verdict: Outcome | None = None
    if preference is not None:
        verdict = "tie" if preference in TIES else "first" if preference < 1.5 else "second"
    judge = str(row.get("annotator") or "judge")
    key = (question.question_id, one, two, judge)
    again = times[key] = times.get(key, -1) + 1
    cost = row.get("price_per_example")
    return verdict_battle(
        question_id=question.question_id,
        first=one,
        second=two,
        verdict=verdict,
        problem=None if verdict else unparsed(f"preference is {row.get('preference')!r}"),
        judge=judge,
        repeat=again,
        order_known=False,
        category=question.category,
        cost=float(cost) if isinstance(cost, int | float) and cost == cost else None,
        latency_s=row.get("time_per_example") if isinstance(row.get("time_per_example"), float) else None,
        parser="imported",
    )


def _outputs(found: Imported, row: dict[str, Any], question: Question) -> None:
    for which in "12":
        output, model = row.get(f"output_{which}"), row.get(f"generator_{which}")
        if isinstance(output, str) and isinstance(model, str):
            answers = found.answers.setdefault(model, Answers(model))
            answers.of[question.question_id] = Answer((output,)) if output.strip() else Answer((None,), "empty")
