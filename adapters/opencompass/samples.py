"""A unit's rows as records of the report: what was sent, what came, what the evaluator made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bridge.adapters.asking.request import prompt_sha256
from bridge.adapters.opencompass.output import Detail, Unit, is_dialogue
from bridge.report.aggregate import ScoredSample
from bridge.report.schema import SampleRecord

_ROLES = {"HUMAN": "user", "BOT": "assistant", "SYSTEM": "system"}


@dataclass(frozen=True)
class Row:
    """One sample, asked once."""

    sample: int
    repeat: int
    error: str | None
    scores: dict[str, float]


def rows(unit: Unit, metrics: tuple[str, ...], marker: str) -> Iterator[Row]:
    """Every row that there should be; the repeats of a sample next to each other. ``metrics`` are means of flags."""
    for sample in range(unit.samples):
        for repeat in range(unit.repeats):
            yield _row(unit, sample, repeat, metrics, marker)
    if not unit.samples:
        yield Row(0, 0, unit.failure or "there is no sample", {})


def _row(unit: Unit, sample: int, repeat: int, metrics: tuple[str, ...], marker: str) -> Row:
    at = repeat * unit.samples + sample
    response = response_of(unit, at)
    if response is None:
        return Row(sample, repeat, f"not answered: {unit.failure or 'there is no prediction'}", {})
    if failed := request_failure(response, marker):
        return Row(sample, repeat, failed, {})
    if unit.failure:
        return Row(sample, repeat, f"not scored: {unit.failure}", {})
    detail = unit.details[at] if at < len(unit.details) else None
    if detail and (failed := no_verdict(detail, marker)):
        return Row(sample, repeat, f"the judge gave no verdict: {failed}", {})
    flag = detail.correct if detail else None
    return Row(sample, repeat, None, {} if flag is None else dict.fromkeys(metrics, flag))


def response_of(unit: Unit, at: int) -> str | None:
    """All that the model said."""
    row = unit.predictions.get(at)
    if row is None:
        return None
    found: Any = row.get("prediction")
    if is_dialogue(found):
        return "\n\n".join(str(turn.get("assistant")) for turn in found)
    return found if isinstance(found, str) else str(found)


def request_failure(response: str, marker: str) -> str:
    """Why the request behind this response finally failed; empty where it did not."""
    if not marker or marker not in response:
        return ""
    told = " ".join(response.replace(marker, " ").split())
    return f"the request finally failed{f': {told}' if told else ''}"


def no_verdict(detail: Detail, marker: str) -> str:
    """Why the judge's word does not count; empty where it does, and where none was asked."""
    return request_failure(detail.judged, marker) or detail.unjudged


def scored(unit: Unit, metrics: tuple[str, ...], marker: str) -> Iterator[ScoredSample]:
    for row in rows(unit, metrics, marker):
        yield ScoredSample(str(row.sample), row.scores, row.error, unit.subset, row.repeat)


@dataclass(frozen=True)
class Samples:
    """Records of all units, one unit after the other; the files are read anew each time."""

    model: str
    dataset: str
    marker: str
    metrics: tuple[str, ...]
    units: Callable[[], Iterator[Unit]]

    def __iter__(self) -> Iterator[SampleRecord]:
        for unit in self.units():
            for row in rows(unit, self.metrics, self.marker):
                if unit.samples:
                    yield self._record(unit, row)

    def _record(self, unit: Unit, row: Row) -> SampleRecord:
        at = row.repeat * unit.samples + row.sample
        detail = unit.details[at] if at < len(unit.details) else None
        asked = unit.predictions.get(at, {})
        messages = _messages(_prompt(asked))
        failed = bool(request_failure(response_of(unit, at) or "", self.marker))
        judged = detail.judged if detail and not failed and not request_failure(detail.judged, self.marker) else ""
        return SampleRecord(
            model=self.model,
            dataset=self.dataset,
            subset=unit.subset,
            sample_id=str(row.sample),
            repeat=row.repeat,
            input=messages,
            prompt_sha256=_hash(messages) if asked else None,
            target=detail.target if detail and detail.target is not None else asked.get("gold"),
            response=None if failed else _answer(asked),
            extracted=detail.extracted if detail and not failed else None,
            scores=row.scores,
            error=row.error,
            metadata={"judge": judged} if judged else {},
        )


def _prompt(asked: dict[str, Any]) -> Any:
    """A dialogue says itself what was asked in it: all up to its last answer."""
    turns: Any = asked.get("prediction")
    if not is_dialogue(turns):
        return asked.get("origin_prompt", "")
    return [{"role": role, "content": turn[role]} for turn in turns for role in ("user", "assistant")][:-1]


def _answer(asked: dict[str, Any]) -> str | None:
    found: Any = asked.get("prediction")
    if is_dialogue(found):
        found = found[-1]["assistant"] if found else ""
    return found if found is None or isinstance(found, str) else str(found)


def _messages(prompt: Any) -> str | list[dict[str, Any]]:
    """OpenCompass's prompt as the messages that ``OpenAISDK`` makes of it."""
    if not isinstance(prompt, list):
        return str(prompt)
    return [_message(turn) for turn in prompt if isinstance(turn, dict)]


def _message(turn: dict[str, Any]) -> dict[str, Any]:
    if "content" in turn:
        return {"role": turn["role"], "content": turn["content"]}
    return {"role": _ROLES.get(turn["role"], turn["role"]), "content": turn["prompt"]}


def _hash(messages: str | list[dict[str, Any]]) -> str:
    return prompt_sha256([{"role": "user", "content": messages}] if isinstance(messages, str) else messages)
