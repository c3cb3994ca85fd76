"""FastChat: ``<judge>_single.jsonl``, ``<judge>_pair.jsonl``; and the reviews of Vicuna's first arena (EvalScope's old
form, too), ``review_<a>_<b>.jsonl``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from bridge.errors import OutputError, SpecError
from bridge.native.arena.answers import Answers, read_answers
from bridge.native.arena.battle import Battle, battle_id
from bridge.native.arena.formats.imported import Imported, nothing, prompt_hash, rows_of, text, unparsed, verdict_battle
from bridge.native.arena.questions import id_of, read_questions

PLAIN = re.compile(r"\.jsonl(\.gz)?$")
Outcome = Literal["first", "second", "tie"]


def read(path: Path, baseline: str | None = None) -> Imported:
    """Pairs where there are any, else single scores. Raises OutputError and SpecError."""
    found = Imported()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if PLAIN.search(file.name))
    names = _answers(found, files, path)
    pairs = [file for file in files if file.name.startswith("review_") or _stem(file).endswith("_pair")]
    singles = [file for file in files if _stem(file).endswith("_single")]
    if path.is_file() and not pairs and not singles:
        pairs = [path]
    for file in pairs or singles:
        for place, row in rows_of(file, found.notes):
            found.battles += list(_battles(row, place, file, names))
    if not found.battles:
        raise nothing(path, "judgments (…_single.jsonl, …_pair.jsonl or review_….jsonl)")
    found.single = not pairs or all(battle.model_b is None for battle in found.battles)
    if pairs and singles:
        found.notes.append(f"{len(singles)} files of single scores beside the pairs are left out; import them alone")
    found.baseline = {"default": baseline} if baseline else None
    return found


def _stem(file: Path) -> str:
    return PLAIN.sub("", file.name)


def _answers(found: Imported, files: Iterable[Path], path: Path) -> dict[str, str]:
    """Questions and answers that lie with the judgments; returns answer id → model."""
    names: dict[str, str] = {}
    for file in files:
        if file.name in ("question.jsonl", "questions.jsonl") and not found.questions:
            found.questions = read_questions(file)
        elif file.parent.name in ("model_answer", "answer", "answers"):
            model = _read_one(found, file, names)
            if model:
                found.answers[model[0]] = model[1]
    return names


def _read_one(found: Imported, file: Path, names: dict[str, str]) -> tuple[str, Answers] | None:
    models: set[str] = set()
    for _, row in rows_of(file, found.notes):
        model = str(row.get("model_id") or row.get("model") or "")
        models.add(model)
        if row.get("answer_id"):
            names[str(row["answer_id"])] = model
    if len(models) != 1:
        return None
    model = models.pop()
    try:
        return model, read_answers(file, model, {})
    except SpecError as error:
        found.notes.append(f"{file}: answers are left out ({error.problems[0].message})")
        return None


def _battles(row: dict[str, Any], place: str, file: Path, names: dict[str, str]) -> Iterator[Battle]:
    if "g1_winner" in row:
        yield from _pair(row, place)
    elif "answer1_id" in row or "answer2_id" in row:
        yield _review(row, place, file, names)
    elif "model_a" in row and ("win" in row or "win_1" in row):
        yield from evalscope_review(row, place)
    elif "score" in row and "model" in row:
        yield _single(row, place)
    else:
        raise OutputError(f"{place}: no judgment of FastChat (neither g1_winner nor score nor answer1_id)")


def _judge(row: dict[str, Any]) -> tuple[str, str | None]:
    judge = row.get("judge")
    if isinstance(judge, list) and judge:
        return str(judge[0]), prompt_hash(judge[1] if len(judge) > 1 else None)
    return str(judge or row.get("reviewer_id") or "judge"), None


def _pair(row: dict[str, Any], place: str) -> Iterator[Battle]:
    """Both games; the winner of the second is already told by the models' names."""
    judge, prompt = _judge(row)
    one, two = text(row, "model_1", place), text(row, "model_2", place)
    for game, first, second in (("g1", one, two), ("g2", two, one)):
        if f"{game}_winner" not in row:
            continue
        winner = row[f"{game}_winner"]
        names: dict[Any, Outcome] = {"tie": "tie"}
        names["model_1"], names["model_2"] = ("first", "second") if first == one else ("second", "first")
        said = names.get(winner)
        yield verdict_battle(
            question_id=text({"id": id_of(row)}, "id", place),
            first=first,
            second=second,
            verdict=said,
            problem=None if said else unparsed(f"{game}_winner is {winner!r}"),
            judge=judge,
            prompt=prompt,
            turn=int(row.get("turn") or 1),
            judgment=_text(row.get(f"{game}_judgment")),
            tstamp=_number(row.get("tstamp")),
            parser="imported",
        )


def _single(row: dict[str, Any], place: str) -> Battle:
    judge, prompt = _judge(row)
    score = _number(row.get("score"))
    bad = score is None or score < 0
    question_id, model, turn = text({"id": id_of(row)}, "id", place), text(row, "model", place), row.get("turn") or 1
    return Battle(
        battle_id=battle_id(question_id, model, None, judge, shown_first="a", turn=turn, prompt_sha256=prompt),
        question_id=question_id,
        turn=turn,
        model_a=model,
        judge=judge,
        judge_kind="imported",
        prompt_sha256=prompt,
        score_a=None if bad else score,
        judgment=_text(row.get("judgment")),
        error=unparsed(f"score is {row.get('score')!r}") if bad else None,
        tstamp=_number(row.get("tstamp")),
        parser="imported",
    )


def _review(row: dict[str, Any], place: str, file: Path, names: dict[str, str]) -> Battle:
    """A review scores both answers; whose they are is told by their ids, else by the name of the file."""
    by_file = _stem(file).removeprefix("review_").split("_")
    given = [str(row.get(f"answer{which}_id")) for which in (1, 2)]
    models = [names.get(answer, by_file[at] if len(by_file) == 2 else "") for at, answer in enumerate(given)]
    if not all(models) or models[0] == models[1]:
        raise OutputError(f"{place}: which models answered is not to be found; keep the folder 'answer' beside it")
    scores = row.get("score")
    values = [_number(value) for value in scores] if isinstance(scores, list) and len(scores) == 2 else [None, None]
    a, b = values
    good = a is not None and b is not None and min(a, b) >= 0
    verdict: Outcome | None = None
    if a is not None and b is not None and good:
        verdict = "first" if a > b else "second" if b > a else "tie"
    return verdict_battle(
        question_id=text({"id": id_of(row)}, "id", place),
        first=models[0],
        second=models[1],
        verdict=verdict,
        problem=None if good else unparsed(f"score is {scores!r}"),
        judge=str(row.get("reviewer_id") or "judge"),
        judgment=_text(row.get("text")),
        score_a=a if good else None,
        score_b=b if good else None,
        parser="imported",
    )


def evalscope_review(row: dict[str, Any], place: str) -> Iterator[Battle]:
    """EvalScope of 2024: ``win``, or after a swap ``win_1`` and ``win_2`` (told by the models' names, too)."""
    one, two = text(row, "model_a", place), text(row, "model_b", place)
    games = [("win", one, two, "review_text")] if "win" in row else []
    games = games or [("win_1", one, two, "review_text_1"), ("win_2", two, one, "review_text_2")]
    for name, first, second, said_in in games:
        winner = row.get(name)
        verdict: Outcome | None = None
        if winner == "tie":
            verdict = "tie"
        elif winner in ("model_a", "model_b"):
            verdict = "first" if (winner == "model_a") == (first == one) else "second"
        yield verdict_battle(
            question_id=text({"id": id_of(row)}, "id", place),
            first=first,
            second=second,
            verdict=verdict,
            problem=None if verdict else unparsed(f"{name} is {winner!r}"),
            judge=str(row.get("reviewer_id") or row.get("judge") or "judge"),
            judgment=_text(row.get(said_in)),
            category=_text(row.get("category")),
            tstamp=_number(row.get("tstamp")),
            parser="imported",
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    """A finite number, no truth value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return float(value) if is_number and abs(float(value)) < 1e300 else None  # type: ignore[arg-type]
