"""ToolBench-Static: every step is asked, then scored.  A job started again goes on from the journals of both stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bridge.adapters.asking.answering import answered
from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.model import Model, Reply
from bridge.adapters.asking.request import digest, of_repeat
from bridge.adapters.asking.results import PROGRESS, SAMPLES
from bridge.adapters.asking.thinking import without_thinking
from bridge.adapters.asking.work import Progress, write_whole
from bridge.adapters.toolbench import evalscope, metrics
from bridge.adapters.toolbench.prompts import as_react, request_parts
from bridge.adapters.toolbench.react import parse_step
from bridge.adapters.toolbench.rows import StaticRow
from bridge.adapters.toolbench.settings import ANSWERS, SCORES, StaticJob
from bridge.adapters.toolbench.static_data import read_rows
from bridge.spec import JsonObject


class Ask(NamedTuple):
    """One step, asked for the ``repeat``-th time."""

    row: StaticRow
    repeat: int
    body: JsonObject
    """The request."""
    sha256: str
    """The request's hash."""

    @property
    def key(self) -> Key:
        return Key(f"{self.row.subset}/{self.row.id}", self.repeat)


def prepared(job: StaticJob) -> list[Ask]:
    """What is to be asked, written down first; rows that say nothing about a model are counted. Raises DataError."""
    rows = read_rows(Path(job.path) if job.path else None, job.subsets, job.limit)
    asks, left_out = [], []
    for row in rows:
        why = "" if job.compat else metrics.why_left_out(parse_step(row.target), row.tool_names)
        left_out += [{"left_out": why, "subset": row.subset}] if why else []
        asks += [] if why else [ask_for(job, row, repeat) for repeat in range(job.repeats)]
    lines = [*(sample_of(job, ask) for ask in asks), *left_out]
    write_whole(Path(SAMPLES), "".join(json.dumps(line) + "\n" for line in lines))
    return asks


def ask_for(job: StaticJob, row: StaticRow, repeat: int) -> Ask:
    body = {"model": job.model, **request_parts(row, job.style, job.compat), **of_repeat(job.request, repeat)}
    return Ask(row, repeat, body, digest(body))


def sample_of(job: StaticJob, ask: Ask) -> JsonObject:
    """What the collector is to know; which metrics a row has is settled before it is asked."""
    reference = parse_step(ask.row.target)
    return {
        "id": ask.row.id,
        "subset": ask.row.subset,
        "repeat": ask.repeat,
        "request_sha256": ask.sha256,
        "messages": ask.body["messages"],
        "target": ask.row.target,
        "plan": reference.plan,
        "metrics": None if job.compat else metrics.applicable(reference),
        "tools": sorted(ask.row.tool_names),
    }


async def run(job: StaticJob, asks: Sequence[Ask], model: Model) -> None:
    def text_of(reply: Reply) -> str:
        return as_react(reply.text, reply.tool_calls) if job.style == "tools" else reply.text

    answers = Journal(Path(ANSWERS))
    there = await answered(asks, model, answers, dataset=job.dataset, concurrency=job.concurrency, text_of=text_of)
    score(job, there, answers)


def score(job: StaticJob, asks: Sequence[Ask], answers: Journal) -> None:
    scores = Journal(Path(SCORES))
    progress = Progress(Path(PROGRESS), "score", job.dataset, done=0, total=len(asks))
    for ask in asks:
        response = (answers.get(ask.key) or {})["response"]
        about = digest(response)
        if (scores.get(ask.key) or {}).get("response_sha256") != about:
            scores.add(ask.key, {"response_sha256": about, **scored(job, ask.row, response)})
        progress.step()


def scored(job: StaticJob, row: StaticRow, response: str) -> JsonObject:
    """The step that was read out of a response, and its scores."""
    if job.compat is not None:
        text = evalscope.cleaned(response) if job.compat == "evalscope" else response
        values = evalscope.score(text, row.target, row.tool_names, job.compat)
    else:
        text = without_thinking(response)
        values = metrics.score(text, parse_step(row.target), row.tool_names)
    step = parse_step(text)
    read = {"plan": step.plan, "action": step.action, "arguments": step.arguments, "answer": step.answer}
    return {"step": {name: value for name, value in read.items() if value is not None}, "scores": values}
