"""Who meets whom on which question, and which calls of judges that takes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from bridge.arena_spec import ArenaBlock
from bridge.native.arena.battle import Battle, Side, battle_id
from bridge.native.arena.prompts import Prompt, choose
from bridge.native.arena.questions import Question


@dataclass(frozen=True, slots=True)
class Match:
    """One question and the models that meet on it, all turns, all judges."""

    question: Question
    model_a: str
    model_b: str | None
    """``model_a < model_b``; None in single mode."""
    given_first: Side = "a"
    """Which of them stands first in the spec (the baseline before all others)."""

    @property
    def key(self) -> tuple[str, str, str | None]:
        return self.question.question_id, self.model_a, self.model_b

    @property
    def pair(self) -> tuple[str, str | None]:
        return self.model_a, self.model_b


@dataclass(frozen=True, slots=True)
class Call:
    """A judge, to be asked once about one turn of a match."""

    match: Match
    turn: int
    judge: str
    shown_first: Side
    repeat: int
    prompt: Prompt
    battle_id: str


def draw(seed: int, *parts: object) -> bytes:
    """Bytes that are the same for the same seed and parts, and otherwise as good as random."""
    return hashlib.sha256("\0".join(map(str, (seed, *parts))).encode("utf-8", "surrogatepass")).digest()


def pairs_on(question: Question, models: Sequence[str], block: ArenaBlock) -> Iterator[Match]:
    """Everybody who may meet on this question."""
    if block.mode == "single":
        yield from (Match(question, model, None) for model in models)
        return
    baseline = block.baseline_of(question.category)
    for first, second in combinations(models, 2) if baseline is None else ((baseline, m) for m in models):
        if first != second:
            in_order = first < second
            yield Match(question, *((first, second) if in_order else (second, first)), "a" if in_order else "b")


def matches(questions: Sequence[Question], models: Sequence[str], block: ArenaBlock) -> Iterator[Match]:
    """The matches in the order in which they are played; the first so many are as even a sample as can be.

    For ``all`` and no limit that is the order of the questions; else questions are drawn by the seed, and on each of
    them all pairs meet, in an order that is drawn, too.
    """
    pairs = block.pairs
    if pairs.strategy == "all" and pairs.per_pair is None and pairs.budget is None:
        for question in questions:
            yield from pairs_on(question, models, block)
        return
    met: Counter[tuple[str, str | None]] = Counter()
    for question in sorted(questions, key=lambda one: draw(pairs.seed, "question", one.question_id)):
        of_question = pairs_on(question, models, block)
        for match in sorted(of_question, key=lambda one: draw(pairs.seed, *one.key)):
            if pairs.per_pair is None or met[match.pair] < pairs.per_pair:
                met[match.pair] += 1
                yield match


def calls_of(match: Match, judges: Iterable[str], prompts: Sequence[Prompt], block: ArenaBlock) -> Iterator[Call]:
    """What the match takes, all judges and orders. Raises ValueError where no prompt fits."""
    for turn in range(1, len(match.question.turns) + 1):
        prompt = choose(prompts, match.question, turn)
        for judge in judges:
            for repeat in range(block.repeats):
                for first in _orders(match, turn, judge, repeat, block):
                    yield call_of(match, turn, judge, first, repeat, prompt)


def call_of(match: Match, turn: int, judge: str, first: Side, repeat: int, prompt: Prompt) -> Call:
    what = battle_id(
        match.question.question_id,
        match.model_a,
        match.model_b,
        judge,
        shown_first=first,
        turn=turn,
        prompt_sha256=prompt.sha256,
        repeat=repeat,
    )
    return Call(match, turn, judge, first, repeat, prompt, what)


def _orders(match: Match, turn: int, judge: str, repeat: int, block: ArenaBlock) -> tuple[Side, ...]:
    if match.model_b is None:
        return ("a",)
    if block.order == "both":
        return ("a", "b")
    if block.order == "as_given":
        return (match.given_first,)
    return ("a",) if draw(block.pairs.seed, "order", *match.key, turn, judge, repeat)[0] % 2 else ("b",)


def within(candidates: Iterable[Match], budget: int | None, cost: Callable[[Match], int]) -> Iterator[Match]:
    """The matches that ``budget`` calls pay for; ``cost``: those that a match still needs, 0 where it was played."""
    if budget is None:
        yield from candidates
        return
    for match in candidates:
        budget -= cost(match)
        if budget < 0:
            return
        yield match


def spent(rows: Iterable[Battle]) -> tuple[int, float]:
    """Calls of judges that were answered, and what they cost in dollars."""
    asked = [row for row in rows if row.judge_kind == "llm" and row.judgment is not None]
    return len(asked), sum(row.cost or 0.0 for row in asked)
