"""``bridge gate``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.ending import ended
from bridge.errors import Problem, SpecError

if TYPE_CHECKING:
    from bridge.gate.policy_file import PolicySource
    from bridge.gate.schema import GateAnswer
    from bridge.report.compare_sides import Selected


@ended
def command(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BASELINE] CANDIDATE", help="Folders of runs; the policy may name the baseline."),
    ] = None,
    policy: Annotated[Path, typer.Option(metavar="FILE", help="The policy, a YAML or JSON file.")] = Path("gate.yaml"),
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what the policy can decide, from the baseline alone, before any run.")
    ] = False,
    churn: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="SHARE", help="With --plan: how many answers flip by chance (0.1)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print it as Markdown.")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write it as JUnit XML.")] = None,
) -> int:
    """Decide whether a candidate may take the baseline's place.

    Exit codes: 0 GO, 10 NO-GO, 11 INCONCLUSIVE, 2 the policy or the command line is wrong.
    """
    from bridge.gate.policy_file import read_policy

    source = read_policy(policy)
    baseline, candidate = _sides(source, runs or [], plan)
    if plan:
        return _print_plan(source, baseline, candidate, churn, as_json)
    if churn is not None:
        raise SpecError([Problem("--churn", "", "is for --plan")])
    assert candidate is not None
    from datetime import UTC, datetime

    from bridge.gate.judge import judge

    answer = judge(source, baseline, candidate, datetime.now(UTC).date())
    if junit is not None:
        _write_junit(answer, junit)
    _print(answer, as_json, as_markdown)
    return answer.exit_code


def _sides(source: PolicySource, runs: list[str], plan: bool) -> tuple[Selected, Selected | None]:
    from bridge.report.compare_sides import select, select_one

    given = list(runs)
    if source.policy.baseline is not None and len(given) == (0 if plan else 1):
        given.insert(0, str(source.path.parent / source.policy.baseline))
    if plan and len(given) == 1:
        return select_one(given[0]), None
    if len(given) != 2:
        needed = "one or two runs are" if plan else "two runs are"
        hint = f"bridge gate {'--plan BASELINE [CANDIDATE]' if plan else 'BASELINE CANDIDATE'} --policy FILE"
        raise SpecError([Problem("", "", f"{needed} needed, not {len(given)}", hint)])
    baseline, candidate = select(given)
    return baseline, candidate


def _print_plan(
    source: PolicySource, baseline: Selected, candidate: Selected | None, churn: float | None, as_json: bool
) -> int:
    from datetime import UTC, datetime

    from bridge.gate.plan import plan
    from bridge.gate.plan_text import plan_text

    if candidate is not None and churn is not None:
        raise SpecError([Problem("--churn", "", "is taken from the two runs", "leave one of them out")])
    found = plan(source, baseline, candidate, churn, datetime.now(UTC).date())
    print(found.model_dump_json(indent=2) if as_json else plan_text(found), end="\n" if as_json else "")
    return 0


def _print(answer: GateAnswer, as_json: bool, as_markdown: bool) -> None:
    from bridge.gate.text import answer_markdown, answer_text

    if as_json:
        print(answer.model_dump_json(indent=2))
    else:
        print(answer_markdown(answer) if as_markdown else answer_text(answer), end="")


def _write_junit(answer: GateAnswer, path: Path) -> None:
    from bridge.gate.junit import answer_junit
    from bridge.rundir import write_atomic

    try:
        write_atomic(path, answer_junit(answer))
    except OSError as error:
        raise SpecError([Problem("--junit", "", f"{path}: {error.strerror or error}")]) from None
