"""An arena's battles in the forms that other tools read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import orjson

from bridge.errors import OutputError
from bridge.native.arena.answers import Answers, read_answers
from bridge.native.arena.battle import Battle, line
from bridge.native.arena.folder import ArenaFolder, file_name, json_line, recorded_questions, write_lines
from bridge.native.arena.questions import Question
from bridge.native.arena.settings import RatingRun

Row = dict[str, Any]
Place = Literal["model_1", "model_2"]
NO_SCORE = -1


def fastchat(folder: ArenaFolder, run: RatingRun, output: Path) -> list[str]:
    """FastChat's folder: question.jsonl, model_answer/, model_judgment/<judge>_pair.jsonl or _single.jsonl."""
    battles = list(folder.all_battles())
    questions = recorded_questions(folder.questions)
    if questions:
        write_lines(output / "question.jsonl", map(json_line, map(_question, questions)))
        for model, answers in _answers(folder, run).items():
            rows = (_answer(model, question, answers) for question in questions)
            write_lines(output / "model_answer" / f"{file_name(model)}.jsonl", map(json_line, rows))
    for judge in dict.fromkeys(battle.judge for battle in battles):
        own = [battle for battle in battles if battle.judge == judge]
        pairs = [battle for battle in own if battle.model_b is not None]
        singles = [battle for battle in own if battle.model_b is None]
        place = output / "model_judgment"
        if pairs:
            write_lines(place / f"{file_name(judge)}_pair.jsonl", map(json_line, _pairs(pairs)))
        if singles:
            write_lines(place / f"{file_name(judge)}_single.jsonl", map(json_line, map(_single, singles)))
    return [] if questions else ["the folder has no questions.jsonl: judgments only"]


def lmarena(folder: ArenaFolder, run: RatingRun, output: Path) -> list[str]:
    """A JSON list of decided battles, one per judge call."""
    decided = [battle for battle in _paired(folder) if battle.verdict is not None]
    names = {"a": "model_a", "b": "model_b", "tie": "tie"}
    rows = [
        {
            "question_id": battle.question_id,
            "model_a": battle.model_a,
            "model_b": battle.model_b,
            "winner": names[battle.verdict or "tie"],
            "judge": battle.annotator or battle.judge,
            "turn": battle.turn,
            "category": battle.category,
            "tstamp": battle.tstamp,
        }
        for battle in decided
    ]
    _write_list(output, rows)
    return ["which answer was shown first is not in this form"]


def alpaca_eval(folder: ArenaFolder, run: RatingRun, output: Path) -> list[str]:
    """annotations.json, the baseline as ``output_1``."""
    questions = {question.question_id: question for question in recorded_questions(folder.questions)}
    if not questions:
        raise OutputError(f"{folder.questions}: not there; AlpacaEval's rows hold instructions and outputs")
    answers = _answers(folder, run)
    rows, longer = [], 0
    for battle in _paired(folder):
        question = questions.get(battle.question_id)
        if question is None or battle.turn > 1 or battle.model_b is None:
            longer += 1
            continue
        base = run.block.baseline_of(battle.category)
        sides = [battle.model_a, battle.model_b]
        if base == battle.model_b:
            sides.reverse()
        rows.append(_annotation(battle, question, sides, answers))
    _write_list(output, rows)
    return [f"{longer} battles beyond the first turn are left out"] if longer else []


def arena_hard(folder: ArenaFolder, run: RatingRun, output: Path) -> list[str]:
    """model_judgment/<judge>/<model>.jsonl; game 0 has the baseline first."""
    if not run.block.baseline:
        raise OutputError(f"{folder.root}: arena-hard's form has a baseline, and this arena has none")
    games: dict[tuple[str, str, str], list[Battle]] = {}
    left = 0
    for battle in _paired(folder):
        base = run.block.baseline_of(battle.category)
        if battle.turn > 1 or base not in (battle.model_a, battle.model_b):
            left += 1
            continue
        model = battle.model_b if base == battle.model_a else battle.model_a
        games.setdefault((battle.judge, str(model), battle.question_id), []).append(battle)
    files: dict[Path, list[Row]] = {}
    for (judge, model, question_id), own in games.items():
        path = output / "model_judgment" / file_name(judge) / f"{file_name(model)}.jsonl"
        base = run.block.baseline_of(own[0].category)
        row = {"question_id": question_id, "model": model, "judge": judge, "baseline": base, "games": _games(own, base)}
        files.setdefault(path, []).append(row | ({"category": own[0].category} if own[0].category else {}))
    for path, rows in files.items():
        write_lines(path, map(json_line, rows))
    return [f"{left} battles without the baseline, or beyond the first turn, are left out"] if left else []


def battles(folder: ArenaFolder, run: RatingRun, output: Path) -> list[str]:
    """One file with everybody's battles."""
    write_lines(output, map(line, folder.all_battles()))
    return []


WRITERS: dict[str, tuple[Callable[[ArenaFolder, RatingRun, Path], list[str]], str]] = {
    "fastchat": (fastchat, "a folder"),
    "arena-hard": (arena_hard, "a folder"),
    "alpaca-eval": (alpaca_eval, "a JSON file"),
    "lmarena": (lmarena, "a JSON file"),
    "battles": (battles, "a file of JSON lines"),
}


def _paired(folder: ArenaFolder) -> Iterator[Battle]:
    found = [battle for battle in folder.all_battles() if battle.model_b is not None]
    if not found:
        raise OutputError(f"{folder.root}: this form is of battles of two models, and there are none")
    yield from found


def _pairs(found: Iterable[Battle]) -> Iterator[Row]:
    """Both orders of a judge in one row, as game 1 (model_1 first) and game 2."""
    rows: dict[tuple[str, str, str, int, int, str], Row] = {}
    for battle in found:
        key = (
            battle.question_id,
            battle.model_a,
            str(battle.model_b),
            battle.turn,
            battle.repeat,
            str(battle.annotator),
        )
        row = rows.setdefault(
            key,
            {
                "question_id": battle.question_id,
                "model_1": battle.model_a,
                "model_2": battle.model_b,
                "judge": [battle.judge, "bridge"],
                "turn": battle.turn,
                "tstamp": battle.tstamp,
            },
        )
        game = "g1" if battle.shown_first == "a" else "g2"
        winners = {"a": "model_1", "b": "model_2", "tie": "tie", None: "error"}
        row |= {f"{game}_winner": winners[battle.verdict], f"{game}_judgment": battle.judgment or ""}
    yield from rows.values()


def _single(battle: Battle) -> Row:
    return {
        "question_id": battle.question_id,
        "model": battle.model_a,
        "judge": [battle.judge, "bridge"],
        "judgment": battle.judgment or "",
        "score": NO_SCORE if battle.score_a is None else battle.score_a,
        "turn": battle.turn,
        "tstamp": battle.tstamp,
    }


def _games(own: list[Battle], base: str | None) -> list[Row | None]:
    """Game 0: the baseline first; null where a game was not played or not decided."""
    games: list[Row | None] = [None, None]
    for battle in own:
        first = battle.model_a if battle.shown_first == "a" else battle.model_b
        arrow = ">>" if battle.strength == 2 else ">"
        winner_is_first = (battle.verdict == "a") == (first == battle.model_a)
        score = "A=B" if battle.verdict == "tie" else f"A{arrow}B" if winner_is_first else f"B{arrow}A"
        if battle.verdict is not None:
            games[0 if first == base else 1] = {"score": score, "judgment": battle.judgment or ""}
    return games


def _annotation(battle: Battle, question: Question, sides: list[str], answers: dict[str, Answers]) -> Row:
    preference = {None: None, "tie": 1.5, "a": 1.0, "b": 2.0}[battle.verdict]
    if preference is not None and sides[0] != battle.model_a:
        preference = 3 - preference
    row: Row = {"instruction": question.turns[0], "dataset": question.category}
    for which, model in enumerate(sides, 1):
        turns = answers[model].get(question.question_id).turns if model in answers else ()
        row |= {f"output_{which}": turns[0] if turns and turns[0] else "", f"generator_{which}": model}
    return row | {"annotator": battle.judge, "preference": preference, "price_per_example": battle.cost}


def _answers(folder: ArenaFolder, run: RatingRun) -> dict[str, Answers]:
    return {model: read_answers(path, model, {}) for model in run.models if (path := folder.answers(model)).is_file()}


def _question(question: Question) -> Row:
    row: Row = {"question_id": question.question_id, "category": question.category, "turns": list(question.turns)}
    return row | ({"reference": list(question.references)} if question.references else {})


def _answer(model: str, question: Question, answers: Answers) -> Row:
    turns = [text or "" for text in answers.get(question.question_id).turns]
    return {
        "question_id": question.question_id,
        "answer_id": f"{model}:{question.question_id}",
        "model_id": model,
        "choices": [{"index": 0, "turns": turns}],
    }


def _write_list(output: Path, rows: list[Row]) -> None:
    write_lines(output, [orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)])


def export(root: Path, run: RatingRun, form: str, output: Path) -> list[str]:
    """Writes a new file or folder; returns what is not in it. Raises OutputError where it is there already."""
    if output.exists() and (output.is_file() or any(output.iterdir())):
        raise OutputError(f"{output}: is there already; give a new --output")
    try:
        return WRITERS[form][0](ArenaFolder(root), run, output)
    except BaseException:
        if output.is_dir():
            shutil.rmtree(output, ignore_errors=True)
        raise
