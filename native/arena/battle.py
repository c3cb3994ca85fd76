"""What an arena leaves on disk: ``battles.jsonl``, a row per judge call, and ``decisions.jsonl``, a row per comparison.

A pair of models is always told in one order, ``model_a < model_b``; which of the two answers the judge saw first is
``shown_first``. Verdicts and scores are about ``model_a`` and ``model_b``, whatever was shown first.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from bridge.errors import OutputError

SCHEMA_VERSION = "1.0"

Side = Literal["a", "b"]
Verdict = Literal["a", "b", "tie"]
JudgeKind = Literal["llm", "human", "imported", "dry_run"]
Winner = Literal["a", "b", "tie", "undecided"]

FLIPPED: dict[Any, Any] = {"a": "b", "b": "a"}
VERDICTS = ("a", "b", "tie", None)
JUDGE_KINDS = ("llm", "human", "imported", "dry_run")


@dataclass(slots=True)
class BattleError:
    """Why a battle has no verdict."""

    kind: str
    """``failed``: the judge was not reached or refused the request; ``unparsed``: its words hold no verdict;
    ``no_answer``: a model's answer is missing, so nobody was asked."""
    message: str


@dataclass(slots=True, kw_only=True)
class Battle:
    """One judge, asked once about one question: about two answers, or in single mode (no ``model_b``) about one."""

    battle_id: str
    """Of what was asked; see ``battle_id()``."""
    question_id: str
    category: str | None = None
    turn: int = 1
    """The last turn that the judge saw, from 1."""
    model_a: str
    model_b: str | None = None
    """Null in single mode."""
    shown_first: Side = "a"
    order_known: bool = True
    """False: nobody wrote down which answer was shown first, and ``shown_first`` says nothing."""
    judge: str
    judge_kind: JudgeKind = "llm"
    prompt_sha256: str | None = None
    """Of the judge's prompt before anything was filled in."""
    repeat: int = 0
    verdict: Verdict | None = None
    """Null: none, and ``error`` says why; in single mode always."""
    strength: Literal[1, 2] = 1
    """2: the judge said "much better"."""
    score_a: float | None = None
    score_b: float | None = None
    judgment: str | None = None
    """The judge's words as they came."""
    parser: str | None = None
    """What read the verdict out of them; ``identical`` where the answers are and nobody was asked."""
    ambiguous: bool = False
    """The judgment holds several different verdicts; the last one counts."""
    error: BattleError | None = None
    answer_a_sha256: str | None = None
    answer_b_sha256: str | None = None
    len_a: int | None = None
    """Characters of the answer; where imported, of whatever unit the file has."""
    len_b: int | None = None
    style_a: dict[str, int] | None = None
    """Marks of Markdown in the answer: ``headers``, ``lists``, ``bold``."""
    style_b: dict[str, int] | None = None
    usage: dict[str, int] | None = None
    cost: float | None = None
    """US dollars; null where no price is given."""
    latency_s: float | None = None
    annotator: str | None = None
    """Who voted; the judge is then ``human``'s name in the spec."""
    tstamp: float | None = None
    schema_version: str = SCHEMA_VERSION


@dataclass(slots=True, kw_only=True)
class Decision:
    """One comparison (question × pair × turn) after both orders and all judges."""

    question_id: str
    category: str | None = None
    turn: int = 1
    model_a: str
    model_b: str
    winner: Winner
    rule: str
    """What made it: ``majority``, ``single judge``, or why it is undecided."""
    consistent: bool | None = None
    """Every judge said the same in both orders; null where no judge saw both."""
    votes: dict[str, int]
    """After each judge's orders: how many said ``a``, ``b``, ``tie``, and ``none``."""
    weight: float = 1.0
    len_a: int | None = None
    len_b: int | None = None
    style_a: dict[str, int] | None = None
    style_b: dict[str, int] | None = None
    first: float = 0.0
    """Where one order only was asked: 1 if ``model_a`` was shown first, -1 if ``model_b``; 0 where both were."""


def battle_id(
    question_id: str,
    model_a: str,
    model_b: str | None,
    judge: str,
    *,
    shown_first: Side,
    turn: int = 1,
    prompt_sha256: str | None = None,
    repeat: int = 0,
    annotator: str | None = None,
) -> str:
    """The same for the same call; a judge's two orders are two calls. The answers' hashes are not in it."""
    parts = [question_id, model_a, model_b, judge, shown_first, turn, prompt_sha256, repeat, annotator]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:24]


def in_order(battle: Battle) -> Battle:
    """The same battle with ``model_a < model_b``; its ``battle_id`` stays."""
    if battle.model_b is None or battle.model_a <= battle.model_b:
        return battle
    return replace(
        battle,
        model_a=battle.model_b,
        model_b=battle.model_a,
        shown_first=FLIPPED[battle.shown_first],
        verdict=FLIPPED.get(battle.verdict, battle.verdict),
        score_a=battle.score_b,
        score_b=battle.score_a,
        answer_a_sha256=battle.answer_b_sha256,
        answer_b_sha256=battle.answer_a_sha256,
        len_a=battle.len_b,
        len_b=battle.len_a,
        style_a=battle.style_b,
        style_b=battle.style_a,
    )


def line(row: Battle | Decision) -> bytes:
    """The row as one line of its file. Text that is no Unicode (half a surrogate pair) is written with ``?`` in it."""
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        from dataclasses import asdict

        from bridge.report.text import well_formed

        return orjson.dumps(well_formed(asdict(row)), option=orjson.OPT_APPEND_NEWLINE)


def read_battles(path: Path) -> Iterator[Battle]:
    """The rows of ``battles.jsonl``. A last line that a kill cut short is left out; else a fault is an OutputError."""
    for number, row in rows(path):
        yield battle_from(row, f"{path}:{number}")


def read_decisions(path: Path) -> Iterator[Decision]:
    for number, row in rows(path):
        place = f"{path}:{number}"
        _known(row, DECISION_FIELDS, place)
        _texts(row, ("question_id", "model_a", "model_b", "winner", "rule"), place)
        yield Decision(**{"votes": {}, **row})


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object, line by line."""
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            if not raw.strip():
                continue
            try:
                row = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                if not raw.endswith(b"\n"):
                    return
                raise OutputError(f"{path}:{number}: not JSON ({error}); mend or delete the line") from None
            if not isinstance(row, dict):
                raise OutputError(f"{path}:{number}: a JSON {type(row).__name__}, where a row of an arena is expected")
            yield number, row


BATTLE_FIELDS = tuple(field.name for field in fields(Battle))
DECISION_FIELDS = tuple(field.name for field in fields(Decision))
REQUIRED = ("battle_id", "question_id", "model_a", "judge")


def battle_from(row: dict[str, Any], place: str) -> Battle:
    """The row checked; ``place`` (file and line) begins the message of an OutputError."""
    _known(row, BATTLE_FIELDS, place)
    _texts(row, REQUIRED, place)
    error = row.get("error")
    if isinstance(error, dict):
        error = BattleError(str(error.get("kind", "failed")), str(error.get("message", "")))
    battle = Battle(**{**row, "error": error})
    fault = fault_of(battle)
    if fault:
        raise OutputError(f"{place}: {fault}")
    return battle


def fault_of(battle: Battle) -> str:
    """What is wrong with the row as such; empty where nothing is."""
    if battle.model_b is not None and battle.model_a >= battle.model_b:
        return f"model_a {battle.model_a!r} must sort before model_b {battle.model_b!r}"
    if battle.verdict not in VERDICTS:
        return f"verdict is {battle.verdict!r}; allowed are a, b, tie and null"
    if battle.shown_first not in ("a", "b"):
        return f"shown_first is {battle.shown_first!r}; allowed are a and b"
    if battle.judge_kind not in JUDGE_KINDS:
        return f"judge_kind is {battle.judge_kind!r}; allowed are {', '.join(JUDGE_KINDS)}"
    if battle.strength not in (1, 2):
        return f"strength is {battle.strength!r}; allowed are 1 and 2"
    return next((f"{name} is {value!r}, no number" for name, value in _scores(battle) if not _is_number(value)), "")


def _scores(battle: Battle) -> Iterable[tuple[str, Any]]:
    return (("score_a", battle.score_a), ("score_b", battle.score_b), ("cost", battle.cost))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))


def _texts(row: dict[str, Any], names: tuple[str, ...], place: str) -> None:
    for name in names:
        if not isinstance(row.get(name), str) or not row[name]:
            raise OutputError(f"{place}: {name} is {row.get(name)!r}; a text is needed")


def _known(row: dict[str, Any], allowed: tuple[str, ...], place: str) -> None:
    unknown = sorted(set(row).difference(allowed))
    if unknown:
        raise OutputError(f"{place}: there is no field {unknown[0]!r}; allowed are {', '.join(allowed)}")
