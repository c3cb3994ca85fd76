"""What a reader of other tools' files finds, and how it becomes the folder of an arena."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bridge.arena_spec import ArenaBlock
from bridge.errors import OutputError, Problem, SpecError
from bridge.native.arena.answers import Answers, sha256, style
from bridge.native.arena.asking import write_answers
from bridge.native.arena.battle import Battle, BattleError, JudgeKind, Verdict, battle_id, in_order, line
from bridge.native.arena.folder import ArenaFolder, write_lines, write_questions
from bridge.native.arena.questions import Question
from bridge.native.arena.settings import FILE, RatingRun, dumped
from bridge.native.readers import DataError, read_rows

Mode = Literal["single", "pairwise-baseline", "pairwise-all"]


@dataclass
class Imported:
    """Battles, with the questions and answers that they are about where these are there, too."""

    battles: list[Battle] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    answers: dict[str, Answers] = field(default_factory=dict)
    baseline: dict[str, str] | None = None
    notes: list[str] = field(default_factory=list)
    """What is not carried over, or not as it was."""
    single: bool = False

    @property
    def mode(self) -> Mode:
        if self.single:
            return "single"
        return "pairwise-baseline" if self.baseline else "pairwise-all"


def verdict_battle(
    *,
    question_id: str,
    first: str,
    second: str,
    verdict: Literal["first", "second", "tie"] | None,
    judge: str,
    problem: BattleError | None = None,
    kind: JudgeKind = "imported",
    turn: int = 1,
    repeat: int = 0,
    annotator: str | None = None,
    prompt: str | None = None,
    **further: Any,
) -> Battle:
    """A battle told as "first shown, second shown"; in ``further`` what ends in ``_a`` is of the first."""
    ended: dict[str | None, Verdict | None] = {"first": "a", "second": "b", "tie": "tie", None: None}
    a_first = first <= second
    model_a, model_b = sorted([first, second])
    made = battle_id(
        question_id,
        model_a,
        model_b,
        judge,
        shown_first="a" if a_first else "b",
        turn=turn,
        prompt_sha256=prompt,
        repeat=repeat,
        annotator=annotator,
    )
    battle = Battle(
        battle_id=made,
        question_id=question_id,
        turn=turn,
        model_a=first,
        model_b=second,
        judge=judge,
        judge_kind=kind,
        prompt_sha256=prompt,
        repeat=repeat,
        verdict=ended[verdict],
        error=problem,
        annotator=annotator,
        **further,
    )
    return in_order(battle)


def unparsed(message: str) -> BattleError:
    return BattleError("unparsed", message)


def rows_of(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """File and line, and the row. A line that is none is a note; a file that cannot be read an OutputError."""
    try:
        for row in read_rows(path):
            if row.problem:
                notes.append(f"{path}:{row.number}: {row.problem}; left out")
            else:
                yield f"{path}:{row.number}", dict(row.row)
    except DataError as error:
        raise OutputError(str(error)) from error


def text(row: dict[str, Any], name: str, place: str) -> str:
    """The field, which must be there and be text; numbers stand for their digits."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise OutputError(f"{place}: {name} is {value!r}; a text is needed")
    return value


def nothing(path: Path, what: str) -> SpecError:
    return SpecError([Problem(str(path), "", f"holds no {what}", "see docs/arena.md for what each format looks like")])


def write_import(found: Imported, output: Path, *, name: str, dataset: str, source: str, order: str) -> RatingRun:
    """The folder of an arena: questions, answers, battles, and how they are to be rated."""
    folder = ArenaFolder(output)
    battles = with_answers(found)
    if found.questions:
        write_questions(folder.questions, found.questions)
        for model, answers in found.answers.items():
            write_answers(folder.answers(model), answers, found.questions, dataset)
    write_lines(folder.battles, map(line, battles))
    block = ArenaBlock.model_validate({"mode": found.mode, "baseline": found.baseline, "order": order})
    models = sorted({name for battle in battles for name in (battle.model_a, battle.model_b) if name})
    run = RatingRun(name, dataset, block, tuple(models), (), f"import {source}")
    write_lines(output / FILE, [dumped(run)])
    return run


def with_answers(found: Imported) -> list[Battle]:
    """The battles, with categories, and lengths and marks of the answers, where these are known."""
    categories = {question.question_id: question.category for question in found.questions}
    looks: dict[tuple[str, str, int], tuple[str, int, dict[str, int]] | None] = {}

    def look(model: str | None, battle: Battle) -> tuple[str, int, dict[str, int]] | None:
        key = (model or "", battle.question_id, battle.turn)
        if key not in looks:
            looks[key] = _look(found.answers.get(key[0]), battle)
        return looks[key]

    for battle in found.battles:
        battle.category = battle.category or categories.get(battle.question_id)
        if one := look(battle.model_a, battle):
            battle.answer_a_sha256, battle.len_a, battle.style_a = one
        if other := look(battle.model_b, battle):
            battle.answer_b_sha256, battle.len_b, battle.style_b = other
    return found.battles


def _look(answers: Answers | None, battle: Battle) -> tuple[str, int, dict[str, int]] | None:
    texts = answers.get(battle.question_id).up_to(battle.turn) if answers else None
    return (sha256(texts), sum(map(len, texts)), style(texts)) if texts else None


def prompt_hash(value: object) -> str | None:
    """A stand-in for the hash of a prompt of which only the name is known."""
    return hashlib.sha256(f"name:{value}".encode()).hexdigest() if value else None


def unique(notes: Iterable[str], most: int = 20) -> Sequence[str]:
    told = list(dict.fromkeys(notes))
    return [*told[:most], *([f"… and {len(told) - most} more"] if len(told) > most else [])]
