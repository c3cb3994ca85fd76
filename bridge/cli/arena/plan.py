"""``bridge arena plan``"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.arena.run import SpecFile
from bridge.cli.ending import ended
from bridge.cli.given import Overrides
from bridge.report.text import plural

if TYPE_CHECKING:
    from bridge.arena.plan import ArenaPlan


@ended
def command(
    spec: SpecFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="The folder that would be gone on with.")
    ] = None,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON object.")] = False,
) -> None:
    """Say what an arena would take: answers, battles, calls of judges, tokens, money. Ask nobody."""
    from bridge.arena.plan import plan_of
    from bridge.arena.prepare import prepare
    from bridge.spec_file.arena import read_arena_spec

    source = read_arena_spec(spec, overrides or [])
    with source.places_named():
        setup = prepare(source.spec)
    plan = plan_of(setup, output if output is not None and output.exists() else None)
    print(json.dumps(plan.to_json(), indent=2) if as_json else "\n".join([*_lines(plan), *_notes(setup.notes)]))


def _notes(notes: list[str]) -> Iterator[str]:
    return (f"note: {note}" for note in notes)


def _lines(plan: ArenaPlan) -> Iterator[str]:
    yield plural(plan.questions, "question")
    for model, requests in plan.answers.items():
        yield f"answers of {model}: {plural(requests, 'request')}"
    yield f"{plural(plan.comparisons, 'comparison')}"
    if plan.dry_run:
        yield "dry run: no judge is asked"
    for judge in plan.judges:
        tokens = f"about {judge.prompt_tokens:,} tokens in, {judge.completion_tokens:,} out"
        money = "no price given" if judge.usd is None else f"about {judge.usd:,.2f} USD"
        yield f"judge {judge.judge}: {plural(judge.calls, 'call')}, {tokens}, {money}"
    for name in plan.people:
        yield f"judge {name}: people, with bridge arena review"
    for count, why in (
        (plan.done, "made before, not made again"),
        (plan.identical, "not needed: both answers are the same"),
        (plan.missing, "not possible: an answer is missing"),
    ):
        if count:
            yield f"{plural(count, 'call')} {why}"
