"""The ``arena`` object of a report, and what is to be said about the arena as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bridge.arena_spec import ArenaBlock
from bridge.native.arena.decide import DISAGREE, RULES
from bridge.native.arena.judges import Judged, judged
from bridge.native.arena.outcome import Outcome
from bridge.native.arena.ranks import separability
from bridge.native.arena.ratings import Rated
from bridge.native.arena.result import adjusted, rated_models, within
from bridge.native.arena.scores import Scores
from bridge.native.arena.settings import RatingRun
from bridge.native.arena.votes import Votes
from bridge.report.arena_schema import (
    ArenaCounts,
    ArenaCycle,
    ArenaJudge,
    ArenaModel,
    ArenaPair,
    ArenaPanel,
    ArenaReport,
    ArenaTerm,
)
from bridge.report.schema import ErrorKind, ReportError
from bridge.report.text import plural

FEW_QUESTIONS = 20
UNFAIR = 0.65
"""A judge that picks the first answer so often, or flips so often, is worth a word."""


def pairwise_report(found: Outcome) -> ArenaReport:
    block, judges = found.run.block, found.judges
    terms = [ArenaTerm(**asdict(term)) for term in (found.style.terms if found.style else ())]
    first = [term for term in found.ratings.terms if term.name == "first position"]
    intervals = [one.interval for one in found.ratings.models if one.component == 0 and one.interval is not None]
    return ArenaReport(
        mode=block.mode,
        baseline=block.baseline,
        dry_run=any(judge.kind == "dry_run" for judge in judges),
        counts=_counts(found),
        models=tuple(_model(found, rated) for rated in rated_models(found)),
        components=tuple(
            tuple(found.rows.models[model] for model in part.members) for part in found.ratings.components
        ),
        pairs=tuple(ArenaPair(**asdict(pair)) for pair in found.pairs),
        judges=_judges(judges),
        panel=ArenaPanel(**asdict(found.panel)) if found.panel else None,
        style=tuple(terms),
        first_position=ArenaTerm(**asdict(first[0])) if first else None,
        davidson_nu=found.ratings.nu,
        cycle=ArenaCycle(**asdict(found.cycle)) if found.cycle else None,
        misfit_chi2=found.misfit.chi2 if found.misfit else None,
        misfit_df=found.misfit.df if found.misfit else None,
        separability=separability(intervals),
        settings=settings_of(block) | {"ci_method": found.ratings.method},
    )


def score_report(found: Scores, votes: Votes, run: RatingRun) -> ArenaReport:
    """Of single mode: there are no pairs, and no ratings."""
    judges = judged(votes, run.block)
    missing = int(np.isnan(found.score).sum())
    return ArenaReport(
        mode="single",
        dry_run=any(judge.kind == "dry_run" for judge in judges),
        counts=ArenaCounts(
            questions=len(np.unique(found.question)),
            battles=len(votes),
            comparisons=len(found.score),
            undecided=missing,
            why={"no score": missing} if missing else {},
        ),
        models=(),
        judges=_judges(judges),
        settings=settings_of(run.block),
    )


def settings_of(block: ArenaBlock) -> dict[str, Any]:
    """What changes the figures."""
    how = block.rating
    return {
        "mode": block.mode,
        "order": block.order,
        "on_disagreement": block.on_disagreement,
        "panel": block.panel.rule,
        "quorum": block.panel.quorum,
        "strong_weight": block.strong_weight,
        "ties": how.ties,
        "scale": how.scale,
        "anchor": how.anchor or (dict.fromkeys(set((block.baseline or {}).values()), 1000.0) or None),
        "prior": how.prior,
        "ci": how.ci.model_dump(mode="json"),
    }


def row_settings(block: ArenaBlock, judges: Sequence[Judged], method: str | None) -> dict[str, Any]:
    """The part of the settings that each row tells."""
    names = ("order", "on_disagreement") if block.mode != "single" else ()
    found: dict[str, Any] = {name: settings_of(block)[name] for name in names}
    found["judge"] = ", ".join(judge.judge for judge in judges) or None
    if block.mode != "single":
        found |= {"ties": block.rating.ties, "prior": block.rating.prior, "ci_method": method}
        found |= {"cluster": block.rating.ci.cluster, "ci_level": block.rating.ci.level, "seed": block.rating.ci.seed}
        found["resamples"] = block.rating.ci.resamples if method == "bootstrap" else None
        found["anchor"] = settings_of(block)["anchor"]
    return found


def remarks(found: Outcome) -> Iterator[ReportError]:
    """What leaves comparisons undecided, and what a reader of the table should know."""
    dataset = found.run.dataset
    why = _why(found)
    lost = {reason: count for reason, count in why.items() if reason != RULES[DISAGREE]}
    if lost:
        total = sum(lost.values())
        none = total == len(found.decisions)
        yield ReportError(
            kind=ErrorKind.BACKEND if none else ErrorKind.UNANSWERED,
            message=f"{total:,} of {plural(len(found.decisions), 'comparison')} are undecided: "
            + ", ".join(f"{reason} ({count:,})" for reason, count in lost.items()),
            hint="run the same command again: only what is missing is asked",
            count=total,
            dataset=dataset,
        )
    for text in _warnings(found):
        yield ReportError(kind=ErrorKind.WARNING, message=text, dataset=dataset)


def _warnings(found: Outcome) -> Iterator[str]:
    yield from found.notes
    if any(judge.kind == "dry_run" for judge in found.judges):
        yield "dry run: the verdicts were drawn, no judge was asked; the figures mean nothing"
    parts = [part for part in found.ratings.components if len(part.members) > 1]
    if len(found.ratings.components) > 1:
        n = plural(len(found.ratings.components), "group")
        yield f"the models fall into {n} that never met: no common scale, a table for each" if parts else "nobody met"
    for rated in found.ratings.models:
        if rated.unbounded:
            word = "lost" if rated.unbounded == "above" else "won"
            yield f"{rated.model} never {word} against the rest: its rating has no end to that side"
    if found.decisions.superseded:
        yield f"{plural(found.decisions.superseded, 'battle')} were there twice; the later row counts"
    if found.decisions.stale:
        yield f"{plural(found.decisions.stale, 'verdict')} about answers that have changed since do not count"
    if 0 < found.ratings.n_questions < FEW_QUESTIONS:
        yield f"only {plural(found.ratings.n_questions, 'question')}: the intervals are rough"
    if found.cycle:
        circle = " beats ".join([*found.cycle.models, found.cycle.models[0]])
        yield f"no order fits: {circle}, each by {found.cycle.margin} or more"
    yield from _biases(found.judges)
    if found.run.block.rating.ci.method == "bootstrap" and found.ratings.method != "bootstrap":
        yield "the intervals are those of the closed form: there is no bootstrap with ties: davidson, or order: random"
    if found.style_reason and found.run.block.rating.style:
        yield f"no rating_style: {found.style_reason}"
    elif found.style is not None and found.style.left_out:
        yield f"rating_style leaves out {plural(found.style.left_out, 'comparison')} whose answers are not known"


def _biases(judges: Sequence[Judged]) -> Iterator[str]:
    for judge in judges:
        first = judge.first_position_share
        if first is not None and judge.calls >= 2 * FEW_QUESTIONS and not 1 - UNFAIR <= first <= UNFAIR and judge.pairs:
            yield f"judge {judge.judge} picks the answer shown first in {first:.0%} of its verdicts"
        if judge.consistency is not None and judge.pairs >= FEW_QUESTIONS and judge.consistency < UNFAIR:
            yield f"judge {judge.judge} says the same in both orders in only {judge.consistency:.0%} of comparisons"


def _why(found: Outcome) -> dict[str, int]:
    rules, counts = np.unique(found.decisions["rule"][found.decisions.undecided], return_counts=True)
    return {RULES[int(rule)]: int(count) for rule, count in zip(rules, counts, strict=True)}


def _counts(found: Outcome) -> ArenaCounts:
    decisions = found.decisions
    return ArenaCounts(
        questions=len(np.unique(decisions["question"])),
        battles=found.n_battles,
        comparisons=len(decisions),
        undecided=int(decisions.undecided.sum()),
        why=_why(found),
        superseded=decisions.superseded,
        stale=decisions.stale,
    )


def _model(found: Outcome, rated: Rated) -> ArenaModel:
    at = found.rows.models.index(rated.model)
    style = found.style.models[at] if found.style is not None and found.run.block.rating.style else None
    win = next((win for win in found.win_rates if win.model == rated.model), None)
    return ArenaModel(
        model=rated.model,
        component=rated.component,
        rating=rated.rating,
        stderr=rated.stderr,
        interval=rated.interval,
        ci95=rated.interval if found.run.block.rating.ci.level == 0.95 else None,
        unbounded=rated.unbounded,
        bound=rated.bound,
        rank=rated.rank,
        rank_low=rated.rank_low,
        rank_high=rated.rank_high,
        n=rated.n,
        wins=rated.wins,
        ties=rated.ties,
        losses=rated.losses,
        rating_style=style.rating if style else None,
        rating_style_ci95=style.interval if style else None,
        win_rate=win.estimate.value if win else None,
        win_rate_ci95=within(win.estimate.ci95) if win else None,
        win_rate_adjusted=adjusted(found, win)[0] if win else None,
        elo=_number(found.elo.rating[at]) if found.elo is not None else None,
        elo_spread=_number(found.elo.spread[at]) if found.elo is not None else None,
        reason=rated.reason,
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _judges(judges: Sequence[Judged]) -> tuple[ArenaJudge, ...]:
    return tuple(ArenaJudge.model_validate(asdict(judge)) for judge in judges)
