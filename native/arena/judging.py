"""Judges are asked: a window of calls for each judge, a row of ``battles.jsonl`` for each call as it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.endpoint.answer import Answer as Reply
from bridge.endpoint.answer import EndpointDown, RequestFailed
from bridge.endpoint.client import Client
from bridge.native.arena.answers import Answers, sha256, style
from bridge.native.arena.battle import FLIPPED, Battle, BattleError, Side, line
from bridge.native.arena.folder import Appender
from bridge.native.arena.matches import Call, draw
from bridge.native.arena.prompts import nonce_of, values
from bridge.native.arena.verdicts import LOGPROBS, Decided, by_likelihood, decide
from bridge.native.scorers.verdict import Unreadable

CHAT = "/chat/completions"
MatchKey = tuple[str, str, str | None]
MILLION = 1_000_000
CHARS_PER_TOKEN = 4
TYPICAL_VERDICT_TOKENS = 250
_BREATH = 100


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float

    def of(self, prompt_tokens: float, completion_tokens: float) -> float:
        return (self.input * prompt_tokens + self.output * completion_tokens) / MILLION


@dataclass(frozen=True)
class Judge:
    """A judge as it is asked."""

    name: str
    request: dict[str, Any]
    """The fields of the request besides model and messages."""
    price: Price | None = None

    def body(self, call: Call, messages: list[dict[str, str]]) -> dict[str, Any]:
        body = {"model": self.name, "messages": messages, **self.request}
        if call.prompt.parser == "logprob":
            body |= LOGPROBS
        if call.repeat and "seed" in body:
            # With one seed, every repeat would be the same reply.
            body["seed"] += call.repeat
        return body


@dataclass
class Shown:
    """The answers as judges see them, and what is known of each: its hash, its length, its marks."""

    answers: Mapping[str, Answers]
    _facts: dict[tuple[str, str, int], tuple[str, int, dict[str, int]]] = field(default_factory=dict)

    def texts(self, call: Call, model: str) -> tuple[str, ...] | None:
        return self.answers[model].get(call.match.question.question_id).up_to(call.turn)

    def facts(self, call: Call, model: str, texts: tuple[str, ...]) -> tuple[str, int, dict[str, int]]:
        key = (model, call.match.question.question_id, call.turn)
        if key not in self._facts:
            self._facts[key] = (sha256(texts), sum(map(len, texts)), style(texts))
        return self._facts[key]

    def missing(self, call: Call) -> dict[str, str]:
        """Models of the match without an answer → why."""
        names = filter(None, (call.match.model_a, call.match.model_b))
        of_question = {name: self.answers[name].get(call.match.question.question_id) for name in names}
        return {
            name: answer.problem or "there is no answer to this turn"
            for name, answer in of_question.items()
            if answer.up_to(call.turn) is None
        }

    def left_empty(self, call: Call, model: str) -> bool:
        """Whether the model itself left the question without an answer, rather than that its request failed."""
        return self.answers[model].get(call.match.question.question_id).left_empty(call.turn)

    def messages(self, call: Call) -> list[dict[str, str]]:
        """What the judge is sent."""
        match, question = call.match, call.match.question
        texts_a = self.texts(call, match.model_a)
        assert texts_a is not None
        if match.model_b is None:
            nonce = nonce_of(*question.turns, *texts_a)
            return call.prompt.messages(values(question, call.turn, {"": texts_a}, nonce))
        texts_b = self.texts(call, match.model_b)
        assert texts_b is not None
        first, second = (texts_a, texts_b) if call.shown_first == "a" else (texts_b, texts_a)
        nonce = nonce_of(*question.turns, *texts_a, *texts_b)
        return call.prompt.messages(values(question, call.turn, {"a": first, "b": second}, nonce))


def estimate(shown: Shown, call: Call, judge: Judge) -> tuple[int, int]:
    """About how many tokens the call takes, of prompt and of reply: four characters each."""
    chars = sum(len(message["content"]) for message in shown.messages(call))
    most = 1 if call.prompt.parser == "logprob" else judge.request.get("max_tokens")
    return -(-chars // CHARS_PER_TOKEN), min(TYPICAL_VERDICT_TOKENS, most or TYPICAL_VERDICT_TOKENS)


def blank(call: Call, shown: Shown) -> Battle:
    """The row of a call that nobody has answered yet."""
    match = call.match
    row = Battle(
        battle_id=call.battle_id,
        question_id=match.question.question_id,
        category=match.question.category,
        turn=call.turn,
        model_a=match.model_a,
        model_b=match.model_b,
        shown_first=call.shown_first,
        judge=call.judge,
        prompt_sha256=call.prompt.sha256,
        repeat=call.repeat,
        parser=call.prompt.parser,
    )
    if (texts := shown.texts(call, match.model_a)) is not None:
        row.answer_a_sha256, row.len_a, row.style_a = shown.facts(call, match.model_a, texts)
    if match.model_b is not None and (texts := shown.texts(call, match.model_b)) is not None:
        row.answer_b_sha256, row.len_b, row.style_b = shown.facts(call, match.model_b, texts)
    return row


def unplayed(call: Call, shown: Shown, *, missing_loses: bool) -> Battle | None:
    """The row of a call for which nobody need be asked: an answer is missing, or both are the same; else None."""
    missing = shown.missing(call)
    row = blank(call, shown)
    if missing:
        row.parser = "missing"
        # A request that failed says nothing about the model.
        loser = [name for name in missing if shown.left_empty(call, name)]
        if missing_loses and call.match.model_b is not None and len(missing) == len(loser) == 1:
            row.verdict = "b" if call.match.model_a in loser else "a"
        else:
            told = "; ".join(f"{name}: {why}" for name, why in missing.items())
            row.error = BattleError("no_answer", told)
        return row
    if call.match.model_b is not None and row.answer_a_sha256 == row.answer_b_sha256:
        row.parser, row.verdict = "identical", "tie"
        return row
    return None


def drawn(call: Call, shown: Shown, seed: int, scale: tuple[float, float]) -> Battle:
    """A dry run's row: a verdict by lot, marked as such."""
    row = blank(call, shown)
    row.judge_kind, row.parser = "dry_run", "dry_run"
    lot = int.from_bytes(draw(seed, "dry run", call.battle_id)[:4]) / 2**32
    if call.match.model_b is None:
        row.score_a = round(scale[0] + lot * (scale[1] - scale[0]), 1)
    else:
        row.verdict = "a" if lot < 0.4 else "b" if lot < 0.8 else "tie"
    return row


@dataclass
class Purse:
    """Money: a match is begun only where what it may cost is left, and is then played to its end."""

    limit: float | None
    spent: float = 0.0
    _reserved: dict[MatchKey, float] = field(default_factory=dict)
    _in_reserve: float = 0.0

    def begin(self, key: MatchKey, cost: Callable[[], float]) -> bool:
        if self.limit is None or key in self._reserved:
            return True
        wanted = cost()
        if self.spent + self._in_reserve + wanted > self.limit:
            return False
        self._reserved[key] = wanted
        self._in_reserve += wanted
        return True

    def paid(self, key: MatchKey, expected: float, cost: float | None) -> None:
        """One of the match's calls; without a cost of its own it counts as it was expected."""
        self.spent += expected if cost is None else cost
        if key in self._reserved:
            released = min(expected, self._reserved[key])
            self._reserved[key] -= released
            self._in_reserve -= released


@dataclass
class Judging:
    """Asks several judges side by side; each has its own client, and its own window."""

    shown: Shown
    file: Appender
    scale: tuple[float, float]
    concurrency: int
    told: Callable[[Battle], None]
    purse: Purse
    not_begun: set[MatchKey] = field(default_factory=set)
    """Matches that there was no money for."""

    async def run(self, plan: Sequence[tuple[Judge, Client, Sequence[Call]]]) -> None:
        judges = {judge.name: judge for judge, _, _ in plan}
        together: dict[MatchKey, list[Call]] = {}
        if self.purse.limit is not None:
            for _, _, calls in plan:
                for call in calls:
                    together.setdefault(call.match.key, []).append(call)
        async with asyncio.TaskGroup() as group:
            for judge, client, calls in plan:
                stream = self._affordable(calls, judges, together)
                for _ in range(self.concurrency + max(2, self.concurrency // 2)):
                    group.create_task(self._work(judge, client, stream))

    def _affordable(
        self, calls: Iterable[Call], judges: Mapping[str, Judge], together: Mapping[MatchKey, list[Call]]
    ) -> Iterator[Call]:
        for call in calls:
            key = call.match.key

            def cost(calls: Sequence[Call] = together.get(key, ())) -> float:
                return sum(self._expected(one, judges[one.judge]) for one in calls)

            if key not in self.not_begun and self.purse.begin(key, cost):
                yield call
            else:
                self.not_begun.add(key)

    def _expected(self, call: Call, judge: Judge) -> float:
        return judge.price.of(*estimate(self.shown, call, judge)) if judge.price else 0.0

    async def _work(self, judge: Judge, client: Client, stream: Iterator[Call]) -> None:
        for number, call in enumerate(stream):
            if client.down.is_set() and number % _BREATH == 0:
                await asyncio.sleep(0)
            row = await self._ask(judge, client, call)
            self._pay(row, judge, call)
            self.file.write(line(row))
            self.told(row)

    def _pay(self, row: Battle, judge: Judge, call: Call) -> None:
        """A call that failed costs nothing, and what was set aside for it is free again."""
        if self.purse.limit is not None:
            failed = row.error is not None and row.error.kind == "failed"
            self.purse.paid(call.match.key, self._expected(call, judge), 0.0 if failed else row.cost)

    async def _ask(self, judge: Judge, client: Client, call: Call) -> Battle:
        row = blank(call, self.shown)
        if client.down.is_set():
            row.error = BattleError("failed", f"not asked: {client.down_reason}")
            return row
        body = judge.body(call, self.shown.messages(call))
        try:
            reply = await client.ask(CHAT, body, job=f"{judge.name}.judge", repeat=call.repeat)
        except RequestFailed as failure:
            row.error = BattleError("failed", f"{failure.kind}: {failure}")
            return row
        except EndpointDown as down:
            row.error = BattleError("failed", str(down))
            return row
        self._read(row, call, reply)
        self._cost(row, judge, reply)
        return row

    def _read(self, row: Battle, call: Call, reply: Reply) -> None:
        row.judgment, row.tstamp = reply.text, time.time()
        pairwise, cut = call.match.model_b is not None, reply.finish_reason == "length"
        try:
            if call.prompt.parser == "logprob":
                decided = by_likelihood(reply.json)
            else:
                decided = decide(reply.text, call.prompt.parser, pairwise=pairwise, scale=self.scale, cut=cut)
        except Unreadable as unreadable:
            row.error = BattleError("unparsed", str(unreadable))
            return
        take(row, decided)

    def _cost(self, row: Battle, judge: Judge, reply: Reply) -> None:
        row.usage, row.latency_s = reply.usage, reply.latency_s
        usage = reply.usage or {}
        if judge.price and usage:
            row.cost = judge.price.of(usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0))


def take(row: Battle, decided: Decided) -> None:
    """What was decided about the answers as they were shown, as a verdict about ``model_a`` and ``model_b``."""
    first: Side = row.shown_first
    second: Side = FLIPPED[first]
    scores = {first: decided.score_first, second: decided.score_second}
    row.score_a, row.score_b, row.strength = scores["a"], scores["b"], decided.strength
    row.ambiguous = decided.ambiguous
    if decided.side is not None:
        row.verdict = "tie" if decided.side == "tie" else first if decided.side == "first" else second
