"""The rule, on numbers alone.

    GO            the mean of the suite is shown to have fallen by less than its margin, every critical dataset by less
                  than its own, and no dataset is shown to be worse than its margin
    NO-GO         the suite's mean, or any dataset (Holm over all that are gated), is shown to be worse than its margin
    INCONCLUSIVE  neither

A suite and a collapse rule together: to ask every dataset alone to show that it is no worse is inconclusive nearly
always, for want of samples. Where no dataset can be in the mean, every one must show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.gate.policy import Tier
from bridge.report.multiple import holm
from bridge.report.paired import Evidence, combined

Verdict = Literal["GO", "NO-GO", "INCONCLUSIVE"]
State = Literal["ok", "worse", "not shown"]


@dataclass(frozen=True)
class Claim:
    """What is known of one dataset's loss; a loss is positive where the candidate is worse."""

    tier: Tier
    loss: Evidence
    margin: float
    weight: float = 0.0
    """In the suite's mean; 0: not in it."""
    suite_loss: Evidence | None = None
    """In the suite's unit; ``loss`` itself where that is none."""


@dataclass(frozen=True)
class Finding:
    state: State
    p_worse: float
    """That it is worse than allowed; Holm's, over all that are gated, of a dataset that is."""
    p_ok: float
    """That it is not as bad as the margin."""


@dataclass(frozen=True)
class Decision:
    verdict: Verdict
    claims: tuple[Finding, ...]
    suite: Finding | None
    suite_loss: Evidence | None


def decide(claims: Sequence[Claim], suite_margin: float, alpha: float) -> Decision:
    gated = [claim for claim in claims if claim.tier != "advisory"]
    adjusted = iter(holm([claim.loss.p_above(claim.margin) for claim in gated]))
    loss = _suite_loss(gated)
    findings = []
    for claim in claims:
        raw = claim.loss.p_above(claim.margin)
        p_worse = raw if claim.tier == "advisory" else next(adjusted)
        must_show = claim.tier == "critical" or (loss is None and claim.tier == "supporting")
        findings.append(_finding(p_worse, claim.loss.p_below(claim.margin), alpha, must_show=must_show))
    suite = None
    if loss is not None:
        suite = _finding(loss.p_above(suite_margin), loss.p_below(suite_margin), alpha, must_show=True)
    states = [finding.state for claim, finding in zip(claims, findings, strict=True) if claim.tier != "advisory"]
    states += [suite.state] if suite else []
    return Decision(_verdict(states), tuple(findings), suite, loss)


def _finding(p_worse: float, p_ok: float, alpha: float, *, must_show: bool) -> Finding:
    state: State = "worse" if p_worse <= alpha else "not shown" if must_show and p_ok > alpha else "ok"
    return Finding(state, p_worse, p_ok)


def _suite_loss(gated: Sequence[Claim]) -> Evidence | None:
    inside = [claim for claim in gated if claim.weight]
    total = sum(claim.weight for claim in inside)
    if not inside:
        return None
    return combined([claim.suite_loss or claim.loss for claim in inside], [claim.weight / total for claim in inside])


def _verdict(states: Sequence[State]) -> Verdict:
    if "worse" in states:
        return "NO-GO"
    return "GO" if states and "not shown" not in states else "INCONCLUSIVE"
