"""ToolEval: rows and records of pass rate and win rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.results import Records, rows_of, why_unfinished
from bridge.adapters.toolbench import tooleval
from bridge.adapters.toolbench.ballots import Ballots, Missing, key_of
from bridge.adapters.toolbench.names import PASS_RATE, WIN_RATE, Kind
from bridge.adapters.toolbench.settings import ToolOptions
from bridge.backend import Outcome
from bridge.report.aggregate import MetricInfo, ScoredSample
from bridge.report.schema import ResultRow, SampleRecord
from bridge.spec import JsonObject

PASS, SOLVED = MetricInfo("pass_rate"), MetricInfo("solved_votes")
WIN, TIE, LOSS = MetricInfo("win_rate"), MetricInfo("tie_rate"), MetricInfo("loss_rate", higher_is_better=False)
REFERENCE_PASS = MetricInfo("reference_pass_rate")
METRICS = {PASS_RATE: (PASS, SOLVED), WIN_RATE: (WIN, TIE, LOSS, PASS, SOLVED, REFERENCE_PASS)}
Part = float | Missing


def collect(
    outcome: Outcome, shared: ResultRow, samples: Sequence[JsonObject], options: ToolOptions, kind: Kind
) -> tuple[tuple[ResultRow, ...], Records]:
    ballots = Ballots.of(outcome.dir, options.judge.votes, why_unfinished(outcome))
    parts = [_parts(ballots, sample, kind) for sample in samples]
    rows: list[ResultRow] = []
    for metric in METRICS[kind]:
        about = [_scored(sample, part[metric.name], metric) for sample, part in zip(samples, parts, strict=True)]
        rows += rows_of(about, template=shared, metric=metric, primary=metric is METRICS[kind][0])
    return tuple(rows), Records(lambda: _records(outcome, shared, samples, ballots, kind))


def _parts(ballots: Ballots, sample: JsonObject, kind: Kind) -> dict[str, Part]:
    """By metric."""
    mine = ballots.statuses(sample, "model")
    parts: dict[str, Part] = {
        PASS.name: mine if isinstance(mine, Missing) else tooleval.passed(mine),
        SOLVED.name: mine if isinstance(mine, Missing) else tooleval.solved_share(mine),
    }
    if kind == PASS_RATE:
        return parts
    theirs = ballots.statuses(sample, "reference")
    parts[REFERENCE_PASS.name] = theirs if isinstance(theirs, Missing) else tooleval.passed(theirs)
    side = ballots.winner(sample)
    for metric, wanted in ((WIN, "model"), (TIE, "tie"), (LOSS, "reference")):
        parts[metric.name] = side if isinstance(side, Missing) else float(side == wanted)
    return parts


def _scored(sample: JsonObject, part: Part, metric: MetricInfo) -> ScoredSample:
    if isinstance(part, Missing):
        return ScoredSample(sample["id"], {}, str(part), sample["subset"])
    return ScoredSample(sample["id"], {metric.name: part}, None, sample["subset"])


def _records(
    outcome: Outcome, shared: ResultRow, samples: Sequence[JsonObject], ballots: Ballots, kind: Kind
) -> Iterator[SampleRecord]:
    for sample in samples:
        parts = _parts(ballots, sample, kind)
        mine, theirs = sample["model"] or {}, sample["reference"] or {}
        yield SampleRecord(
            model=outcome.model,
            dataset=shared.dataset,
            subset=sample["subset"],
            sample_id=sample["id"],
            input=sample["query"],
            target=theirs.get("final_answer"),
            response=mine.get("final_answer"),
            scores={name: part for name, part in parts.items() if not isinstance(part, Missing)},
            error=next((str(part) for part in parts.values() if isinstance(part, Missing)), None),
            metadata={
                "method": mine.get("method"),
                "steps": mine.get("steps"),
                "votes": _shown(ballots.model, sample, ballots.votes),
                "reference_votes": _shown(ballots.reference, sample, ballots.votes),
                "preferences": _shown(ballots.preferences, sample, ballots.votes),
            },
        )


def _shown(journal: Journal, sample: JsonObject, votes: int) -> list[dict[str, Any]]:
    """The votes with what the judge wrote."""
    entries = (journal.get(Key(key_of(sample), nth)) for nth in range(votes))
    fields = ("status", "better", "error", "responses")
    return [{field: entry[field] for field in fields if field in entry} for entry in entries if entry]
