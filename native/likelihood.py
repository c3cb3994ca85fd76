"""Log-likelihoods of answers, from a server that tells the log-probabilities of a prompt's tokens.

Context and answer are sent as one text, without a chat template, as the papers do with base models. The answer's tokens
are those of the whole text beyond as many as the context alone has: lm-eval's definition. So a question with four
answers takes five requests, all of them cached.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import orjson

from bridge.endpoint.answer import Answer, RequestFailed
from bridge.native.benchmark import Benchmark, Sample
from bridge.native.prompt import prompt_of

COMPLETIONS = "/completions"
Way = Literal["prompt_logprobs", "echo"]
Ask = Callable[[dict[str, Any]], Awaitable[Answer]]
"""Sends the body of a request for a completion."""


def context_of(benchmark: Benchmark, sample: Sample, demos: Sequence[Sample], subset: str | None) -> str:
    """The text in front of the answers: the prompt's introduction, worked examples, the question.

    The introduction may name ``{about}``: the subset's name in words, with `` about `` before it.
    """
    prompt = prompt_of(benchmark, sample)
    shown = [prompt.demo.format_map(demo.fields) for demo in demos]
    about = f" about {subset.replace('_', ' ')}" if subset else ""
    intro = prompt.demos_intro.format_map({**sample.fields, "about": about})
    return "\n\n".join(filter(None, [intro, *shown, prompt.question.format_map(sample.fields)]))


def bodies_of(model: str, context: str, continuations: Sequence[str], way: Way) -> list[dict[str, Any]]:
    """The requests of one sample: the context alone, then with each of the answers."""
    plain: dict[str, Any] = {"model": model, "max_tokens": 1, "temperature": 0}
    told: dict[str, Any] = {"prompt_logprobs": 0} if way == "prompt_logprobs" else {"echo": True, "logprobs": 1}
    whole = [{**plain, "prompt": context + continuation, **told} for continuation in continuations]
    return [{**plain, "prompt": context}, *whole]


async def log_likelihoods(ask: Ask, model: str, context: str, continuations: Sequence[str], way: Way) -> Answer:
    """An answer whose text is JSON: ``[{"continuation", "logprob", "tokens"}, …]``. Raises RequestFailed."""
    alone, *whole = await _all([ask(body) for body in bodies_of(model, context, continuations, way)])
    before = _prompt_tokens(alone)
    told = []
    for continuation, answer in zip(continuations, whole, strict=True):
        of_answer = prompt_logprobs(answer, way)[before:]
        if not of_answer or any(value is None for value in of_answer):
            raise _unreadable(answer, f"of the {len(of_answer)} tokens of {continuation!r} some have none")
        total = math.fsum(value for value in of_answer if value is not None)
        told.append({"continuation": continuation, "logprob": total, "tokens": len(of_answer)})
    return _together([alone, *whole], orjson.dumps(told).decode())


def prompt_logprobs(answer: Answer, way: Way) -> list[float | None]:
    """Of each token of the prompt, None where nothing precedes it. Raises RequestFailed where they are not told."""
    choice = answer.json["choices"][0]
    try:
        found = _of_vllm(choice["prompt_logprobs"]) if way == "prompt_logprobs" else _of_echo(choice, answer)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise _unreadable(answer, f"{way} is not there, or not in the usual form") from error
    return found


def _of_vllm(told: Sequence[Any]) -> list[float | None]:
    """Per token a mapping whose first entry is the prompt's own token; more likely ones may follow."""
    return [None if entry is None else float(next(iter(entry.values()))["logprob"]) for entry in told]


def _of_echo(choice: dict[str, Any], answer: Answer) -> list[float | None]:
    """What was generated follows the prompt and is left out."""
    values = choice["logprobs"]["token_logprobs"]
    return [None if value is None else float(value) for value in values[: _prompt_tokens(answer)]]


def _prompt_tokens(answer: Answer) -> int:
    count = (answer.usage or {}).get("prompt_tokens")
    if count is None:
        raise _unreadable(answer, "it does not say usage.prompt_tokens")
    return count


def _unreadable(answer: Answer, why: str) -> RequestFailed:
    return RequestFailed("garbage", f"the server's log-probabilities cannot be used: {why}", tries=answer.tries)


async def _all(asked: Sequence[Awaitable[Answer]]) -> list[Answer]:
    """All of them, or the first failure after all have ended: none is left behind."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if isinstance(one, Answer)]


def _together(answers: Sequence[Answer], text: str) -> Answer:
    usages = [answer.usage or {} for answer in answers]
    usage = {name: sum(one.get(name, 0) for one in usages) for name in set(itertools.chain(*usages))}
    body = orjson.dumps({"choices": [{"text": text, "finish_reason": None}], "usage": usage})
    return Answer(
        200,
        body,
        tries=sum(answer.tries for answer in answers),
        cached=all(answer.cached for answer in answers),
        latency_s=max(answer.latency_s for answer in answers),
    )
