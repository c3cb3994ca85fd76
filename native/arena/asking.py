"""Models are asked the questions, turn by turn; ``answers/<model>.jsonl`` holds a sample record for each turn."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bridge.endpoint.answer import Answer as Reply
from bridge.endpoint.answer import EndpointDown, RequestFailed
from bridge.endpoint.client import Client
from bridge.errors import OutputError
from bridge.native.answer import without_thinking
from bridge.native.arena.answers import LEFT_EMPTY, Answers
from bridge.native.arena.battle import rows
from bridge.native.arena.folder import Appender, json_line, write_lines
from bridge.native.arena.questions import Question

CHAT = "/chat/completions"
Record = dict[str, Any]
Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Contestant:
    """A model as it is asked."""

    name: str
    questions_name: str
    request: dict[str, Any]
    """The fields of the request besides model and messages."""
    source: str
    """What the answers depend on besides: where the model is, and how it is served."""

    def recipe(self, question: Question) -> str:
        what = [self.name, self.request, self.source, question.turns]
        return hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()


def answered(path: Path, contestant: Contestant, questions: Sequence[Question]) -> dict[str, list[Record]]:
    """Question id → records, of the questions with a good answer to every turn, asked as they would be now."""
    found: dict[str, list[Record]] = {}
    recipes = {question.question_id: contestant.recipe(question) for question in questions}
    for row in _recorded(path):
        question_id, metadata = str(row.get("sample_id")), row.get("metadata")
        recipe = metadata.get("recipe") if isinstance(metadata, dict) else None
        if row.get("error") is None and recipe is not None and recipes.get(question_id) == recipe:
            found.setdefault(question_id, []).append(row)
    turns = {question.question_id: len(question.turns) for question in questions}
    return {question_id: records for question_id, records in found.items() if len(records) == turns[question_id]}


def still_to_ask(path: Path, contestant: Contestant, questions: Sequence[Question]) -> list[Question]:
    """The questions without a good answer to every turn; leaves in the file the records of the others only."""
    whole = answered(path, contestant, questions)
    write_lines(path, (json_line(row) for records in whole.values() for row in records))
    return [question for question in questions if question.question_id not in whole]


def _recorded(path: Path) -> list[Record]:
    """The records in the file; none where it cannot be read: what was answered is in the cache, too."""
    try:
        return [row for _, row in rows(path)] if path.exists() else []
    except OutputError:
        return []


async def ask(
    client: Client,
    contestant: Contestant,
    questions: Iterable[Question],
    path: Path,
    *,
    concurrency: int,
    told: Callable[[bool], None],
) -> None:
    """Asks every question; ``told``: after each, whether all its turns were answered."""
    stream = iter(questions)
    with Appender(path) as file:

        async def work() -> None:
            for question in stream:
                told(await _converse(client, contestant, question, file))

        # One that waits for its retry leaves its place to another.
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency + max(2, concurrency // 2)):
                group.create_task(work())


def write_answers(path: Path, answers: Answers, questions: Sequence[Question], questions_name: str) -> None:
    """Answers that were on file, as the records of a model that was asked."""
    write_lines(path, map(json_line, _from_file(answers, questions, questions_name)))


def _from_file(answers: Answers, questions: Sequence[Question], questions_name: str) -> Iterator[Record]:
    for question in questions:
        answer = answers.get(question.question_id)
        for turn, asked in enumerate(question.turns, 1):
            text = answer.turns[turn - 1] if turn <= len(answer.turns) else None
            record = _record(answers.model, questions_name, question, turn, asked)
            error = None if text is not None else answer.problem or "there is no answer to this turn"
            # What the file does not hold at all, the model did not say.
            left_empty = text is None and (turn in answer.empty or turn > len(answer.turns))
            metadata = {"turn": turn, **({LEFT_EMPTY: True} if left_empty else {})}
            yield record | {"response": text, "error": error, "metadata": metadata}


async def _converse(client: Client, contestant: Contestant, question: Question, file: Appender) -> bool:
    messages: Messages = []
    recipe = contestant.recipe(question)
    for turn, asked in enumerate(question.turns, 1):
        messages = [*messages, {"role": "user", "content": asked}]
        record = _record(contestant.name, contestant.questions_name, question, turn, messages)
        record["metadata"] = {"turn": turn, "recipe": recipe}
        body = {"model": contestant.name, "messages": messages, **contestant.request}
        try:
            if client.down.is_set():
                raise EndpointDown(client.down_reason)
            reply = await client.ask(CHAT, body, job=f"{contestant.name}.arena")
        except (RequestFailed, EndpointDown) as failure:
            file.write(json_line(record | {"response": None, "error": f"not answered: {failure}"}))
            return False
        file.write(json_line(record | _answered(reply)))
        messages = [*messages, {"role": "assistant", "content": without_thinking(reply.text).answer}]
    return True


def _record(model: str, dataset: str, question: Question, turn: int, said: str | Messages) -> Record:
    return {
        "model": model,
        "dataset": dataset,
        "subset": question.category,
        "sample_id": question.question_id,
        "repeat": 0,
        "input": said,
        "target": next(iter(question.references[turn - 1 : turn]), "") or None,
        "extracted": None,
        "scores": {},
        "usage": None,
        "latency_s": None,
        "finish_reason": None,
    }


def _answered(reply: Reply) -> Record:
    return {
        "response": reply.text,
        "error": None,
        "usage": reply.usage,
        "latency_s": reply.latency_s,
        "finish_reason": reply.finish_reason,
    }
