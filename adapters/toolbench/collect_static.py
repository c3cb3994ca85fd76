"""ToolBench-Static: rows and records.  A metric is over the rows that it applies to, by their references alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.request import digest, prompt_sha256
from bridge.adapters.asking.results import Records, null_row, rows_of, why_unfinished
from bridge.adapters.toolbench.settings import ANSWERS, SCORES, ToolOptions
from bridge.backend import Outcome
from bridge.report.aggregate import MetricInfo, ScoredSample
from bridge.report.schema import ResultRow, SampleRecord
from bridge.spec import JsonObject

F1 = MetricInfo("f1")
METRICS = (
    F1,
    MetricInfo("f1_easy"),
    MetricInfo("f1_hard"),
    MetricInfo("plan_em"),
    MetricInfo("act_em"),
    MetricInfo("act_em_args"),
    MetricInfo("rouge_l"),
    MetricInfo("hallu_rate", higher_is_better=False),
)
NO_ARGUMENTS = "EvalScope does not compare arguments in Act.EM"


@dataclass(frozen=True, slots=True)
class Scored:
    """One sample's scores, without its texts."""

    subset: str
    sample_id: str
    repeat: int
    metrics: Sequence[str] | None
    """Those that apply; None: those that EvalScope's rules have given it a score for."""
    scores: dict[str, float]
    error: str | None

    def has(self, metric: MetricInfo) -> bool:
        if self.metrics is not None:
            return metric.name in self.metrics
        return self.error is not None or metric.name in self.scores

    def of(self, metric: MetricInfo) -> ScoredSample:
        return ScoredSample(self.sample_id, self.scores, self.error, self.subset, self.repeat)


def collect(
    outcome: Outcome, shared: ResultRow, lines: Sequence[JsonObject], options: ToolOptions
) -> tuple[tuple[ResultRow, ...], Records]:
    samples = [line for line in lines if "left_out" not in line]
    why = Counter(line["left_out"] for line in lines if "left_out" in line)
    shared = shared.model_copy(update={"settings": {**shared.settings, **({"left_out": dict(why)} if why else {})}})
    scored = [_scored(outcome, *found) for found in _found(outcome, samples)]
    rows: list[ResultRow] = []
    for metric in METRICS:
        if metric.name == "act_em_args" and options.compat:
            rows.append(null_row(shared, metric, NO_ARGUMENTS))
            continue
        about = (sample.of(metric) for sample in scored if sample.has(metric))
        rows += rows_of(about, template=shared, metric=metric, primary=metric is F1)
    return tuple(rows), Records(lambda: (_record(outcome, shared, *found) for found in _found(outcome, samples)))


def _found(outcome: Outcome, samples: Sequence[JsonObject]) -> Iterator[tuple[JsonObject, JsonObject, JsonObject]]:
    """Each sample with its own answer and that answer's own scores; empty where there is none."""
    answers, scores = Journal(outcome.dir / ANSWERS), Journal(outcome.dir / SCORES)
    for sample in samples:
        key = Key(f"{sample['subset']}/{sample['id']}", sample["repeat"])
        answer = answers.get(key) or {}
        answer = answer if answer.get("request_sha256") == sample["request_sha256"] else {}
        score = scores.get(key) or {}
        belongs = "response" in answer and score.get("response_sha256") == digest(answer["response"])
        yield sample, answer, score if belongs else {}


def _error(outcome: Outcome, answer: JsonObject, score: JsonObject) -> str | None:
    return None if score else answer.get("error") or why_unfinished(outcome)


def _scored(outcome: Outcome, sample: JsonObject, answer: JsonObject, score: JsonObject) -> Scored:
    error = _error(outcome, answer, score)
    scores = score.get("scores", {})
    return Scored(sample["subset"], sample["id"], sample["repeat"], sample["metrics"], scores, error)


def _record(
    outcome: Outcome, shared: ResultRow, sample: JsonObject, answer: JsonObject, score: JsonObject
) -> SampleRecord:
    return SampleRecord(
        model=outcome.model,
        dataset=shared.dataset,
        subset=sample["subset"],
        sample_id=sample["id"],
        repeat=sample["repeat"],
        input=sample["messages"],
        prompt_sha256=prompt_sha256(sample["messages"]),
        target=sample["target"],
        response=answer.get("response"),
        extracted=score.get("step"),
        scores=score.get("scores", {}),
        error=_error(outcome, answer, score),
        usage=answer.get("usage"),
        latency_s=answer.get("latency_s"),
        finish_reason=answer.get("finish_reason"),
        metadata={"reference_plan": sample["plan"], "tools": sample["tools"]},
    )
