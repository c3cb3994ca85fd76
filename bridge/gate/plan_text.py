"""A plan as lines of plain text."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.gate.plan import GatePlan
from bridge.report.text import visible


def plan_text(plan: GatePlan) -> str:
    return "\n".join(visible(line) for line in _lines(plan)) + "\n"


def _lines(plan: GatePlan) -> Iterator[str]:
    if plan.churn is not None:
        yield f"assumed: {100 * plan.churn:g} % of the answers flip between two equally good models (--churn)"
    else:
        yield "spread taken from the comparison of the two runs"
    width = max(len(one.dataset) for one in plan.datasets)
    for one in plan.datasets:
        enough = "enough alone" if one.n >= one.n_needed else f"{one.n_needed:,} to show it alone"
        size = f"{one.n:>7,} pairs  margin {one.margin:g}  standard error {one.stderr:.4f}"
        yield f"{one.dataset.ljust(width)}  {one.tier.ljust(10)}  {size}  {enough}"
    for text in plan.not_planned:
        yield f"not planned: {text}"
    if plan.suite_stderr is not None and plan.suite_times_needed is not None:
        size = f"margin {plan.suite_max_drop:g}, standard error {plan.suite_stderr:.4f}"
        enough = (
            "enough" if plan.suite_times_needed <= 1 else f"{plan.suite_times_needed:.1f} times as many samples needed"
        )
        yield f"suite: {size}: {enough}"
    yield ""
    width = max(len(chance.when) for chance in plan.chances)
    for chance in plan.chances:
        shares = f"GO {chance.go:6.1%}   NO-GO {chance.no_go:6.1%}   INCONCLUSIVE {chance.inconclusive:6.1%}"
        yield f"if {chance.when.ljust(width)}  {shares}"
