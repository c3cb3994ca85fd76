"""How a judge scores a dataset's answers: what it is asked, what of its reply is the verdict, what that is worth.

Pure: ``panel`` asks the judges. The answer that is judged stands between marks made of a hash of what is judged, which
no answer can hold, and a verdict is read out of the judge's own reply only (``scorers.verdict``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Literal

from bridge.native.benchmark import Message, Metric, Sample
from bridge.native.judge_prompts import FORMATS, PROMPTS
from bridge.native.scorers.verdict import (
    Reading,
    in_scale,
    one_of,
    read_json,
    read_letter,
    read_rating,
)

Method = Literal["correctness", "rating", "rubric", "pairwise"]
Scores = dict[str, float]
RIGHT_OR_WRONG = {"correct": 1.0, "incorrect": 0.0}
_WINNERS = {"A": 1.0, "B": 0.0, "tie": 0.5}
_LETTERS = {"A": "A", "B": "B", "C": "tie"}
NEEDS_TARGET: frozenset[Method] = frozenset({"correctness", "pairwise"})


@dataclass(frozen=True)
class Judging:
    """As ``spec.JudgingSpec``, with the prompt at hand; plain data, part of ``job.json``."""

    method: Method
    prompt: str = ""
    """Empty: bridge's own."""
    system: str = ""
    scale: tuple[float, float] = (1.0, 10.0)
    rubric: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, float] = field(default_factory=dict)
    verdict: Literal["json", "brackets"] = "json"
    swap: bool = True
    attempts: int = 2
    panel: Literal["mean", "majority"] | None = None

    @property
    def worth(self) -> Mapping[str, float]:
        """What each verdict of ``correctness`` is worth."""
        return self.choices or RIGHT_OR_WRONG

    @property
    def main(self) -> str:
        """The metric that is quoted."""
        return "win_rate" if self.method == "pairwise" else self.method

    @property
    def by_majority(self) -> bool:
        return (self.panel or ("majority" if self.method == "correctness" else "mean")) == "majority"

    @property
    def name(self) -> str:
        """As what the report calls the scorer."""
        return f"judge_{self.method}"


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a judge about one answer."""

    messages: list[Message]
    swapped: bool = False
    """``pairwise``: the answer stands second."""


def judging_from(raw: Mapping[str, Any]) -> Judging:
    """What ``job.json`` says."""
    return Judging(**{**raw, "scale": tuple(raw["scale"])})


def metrics_of(judging: Judging, judges: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics of a sample: the one that is quoted first; of several judges each one's own last."""
    low, high = judging.scale
    metric = Metric(judging.main)
    more: tuple[Metric, ...] = ()
    if judging.method in ("rating", "rubric"):
        metric = Metric(judging.main, "rating", low, high)
        more = tuple(Metric(name, "rating", low, high) for name in judging.rubric)
    elif judging.method == "pairwise" and judging.swap:
        more = (Metric("consistency"),)
    each = judges if len(judges) > 1 else ()
    own = (Metric(f"{metric.name}@{judge}", metric.unit, metric.min_value, metric.max_value) for judge in each)
    return (metric, *more, *own)


def asks_of(judging: Judging, sample: Sample, response: str) -> list[Ask]:
    """What a judge is asked about an answer. Raises KeyError where the prompt names what the sample has not."""
    orders = (False, True) if judging.method == "pairwise" and judging.swap else (False,)
    return [Ask(_messages(judging, _fields(judging, sample, response, swapped)), swapped) for swapped in orders]


def read_reply(judging: Judging, reply: str, *, swapped: bool = False) -> Reading[Scores]:
    """The scores in a judge's reply. Raises ``Unreadable`` where there is no verdict in it."""
    low, high = judging.scale
    if judging.method == "pairwise":
        found = _winner(judging, reply)
        share = _WINNERS[found.verdict]
        return Reading({judging.main: 1.0 - share if swapped else share}, found.ambiguous)
    if judging.method == "correctness":
        found = _choice(judging, reply)
        return Reading({judging.main: judging.worth[found.verdict]}, found.ambiguous)
    if judging.verdict == "brackets":
        rating = read_rating(reply, low, high)
        return Reading({judging.main: rating.verdict}, rating.ambiguous)
    names = tuple(judging.rubric) or (judging.main,)
    read = read_json(reply, lambda value: {name: in_scale(value[name], low, high) for name in names})
    mean = fmean(read.verdict[name] for name in names)
    return Reading({judging.main: mean, **({} if names == (judging.main,) else read.verdict)}, read.ambiguous)


def of_one_judge(judging: Judging, readings: Sequence[Scores]) -> Scores:
    """A judge's scores from its replies in every order."""
    if len(readings) == 1:
        return dict(readings[0])
    shares = [reading[judging.main] for reading in readings]
    return {judging.main: fmean(shares), "consistency": float(len(set(shares)) == 1)}


def of_panel(judging: Judging, judged: Mapping[str, Scores]) -> Scores:
    """The panel's scores, and each judge's own where there are several."""
    if len(judged) == 1:
        return next(iter(judged.values()))
    names = next(iter(judged.values()))
    combine = _majority if judging.by_majority else fmean
    together = {name: combine([scores[name] for scores in judged.values()]) for name in names}
    return together | {f"{judging.main}@{judge}": scores[judging.main] for judge, scores in judged.items()}


def lowest(judging: Judging, judges: Sequence[str]) -> Scores:
    """What an empty answer is worth; no judge is asked about it."""
    worst = min(judging.worth.values()) if judging.method == "correctness" else None
    scores = {}
    for metric in metrics_of(judging, judges):
        low = metric.min_value or 0.0
        scores[metric.name] = 1.0 if metric.name == "consistency" else low if worst is None else worst
    return scores


def _majority(values: Sequence[float]) -> float:
    """The most frequent value; of several that are equally frequent their mean."""
    most = max(values.count(value) for value in values)
    return fmean({value for value in values if values.count(value) == most})


def _winner(judging: Judging, reply: str) -> Reading[str]:
    if judging.verdict == "brackets":
        read = read_letter(reply)
        return Reading(_LETTERS[read.verdict], read.ambiguous)
    return read_json(reply, lambda value: one_of(value["verdict"], tuple(_WINNERS)))


def _choice(judging: Judging, reply: str) -> Reading[str]:
    labels = tuple(judging.worth)
    if judging.verdict == "json":
        return read_json(reply, lambda value: one_of(value["verdict"], labels))
    by_letters = {"".join(label.split()).upper(): label for label in labels}
    read = read_letter(reply, tuple(by_letters))
    return Reading(by_letters[read.verdict], read.ambiguous)


def _messages(judging: Judging, fields: Mapping[str, str]) -> list[Message]:
    text = (judging.prompt or PROMPTS[judging.method]).format_map(fields)
    system = [{"role": "system", "content": judging.system}] if judging.system else []
    return [*system, {"role": "user", "content": text}]


def _fields(judging: Judging, sample: Sample, response: str, swapped: bool) -> dict[str, str]:
    target = _text(sample.target)
    question = asked(sample)
    fields = {**sample.fields, "question": question, "target": target, "response": response}
    mark = hashlib.sha256("\0".join([question, target, response]).encode("utf-8", "surrogatepass")).hexdigest()
    fields["nonce"] = f"=== {mark[:16]} ==="
    first, second = (target, response) if swapped else (response, target)
    fields |= {"answer_a": first, "answer_b": second}
    low, high = judging.scale
    fields |= {"low": f"{low:g}", "high": f"{high:g}", "verdicts": ", ".join(judging.worth)}
    fields["criteria"] = "\n".join(f"- {name}: {meaning}" for name, meaning in judging.rubric.items())
    fields["format"] = _format(judging).format_map(fields)
    return fields


def _format(judging: Judging) -> str:
    """How the verdict is to be given."""
    if judging.method == "rubric":
        example = ", ".join(f'"{name}": …' for name in judging.rubric)
        return FORMATS["rubric", "json"].replace("EXAMPLE", f"{{{{{example}}}}}")
    if judging.method == "correctness":
        shape = '{{{{"verdict": "{}"}}}}' if judging.verdict == "json" else "[[{}]]"
        wanted = " or ".join(shape.format(label) for label in judging.worth)
        return FORMATS["correctness", judging.verdict].replace("EXAMPLE", wanted)
    return FORMATS[judging.method, judging.verdict]


def asked(sample: Sample) -> str:
    """The question as a judge is shown it; of a conversation all turns."""
    if not sample.messages:
        shown = sample.fields.get("question", "")
        options = sample.fields.get("choices", "") if sample.choices else ""
        return f"{shown}\n\n{options}" if options else shown
    turns = [f"{turn.get('role')}: {_content(turn.get('content'))}" for turn in sample.messages]
    return "\n\n".join(turns) if len(turns) > 1 else _content(sample.messages[0].get("content"))


def _content(content: Any) -> str:
    if not isinstance(content, list):
        return str(content or "")
    return "\n".join(str(part.get("text") or f"[{part.get('type')}]") for part in content if isinstance(part, dict))


def _text(target: Any) -> str:
    if isinstance(target, list | tuple):
        return "\nor\n".join(map(str, target))
    return "" if target is None else str(target)
