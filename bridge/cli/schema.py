"""``bridge schema``"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from bridge.cli.ending import ended


class Of(StrEnum):
    SPEC = "spec"
    ARENA = "arena"
    PERF = "perf"
    REPORT = "report"
    COMPARISON = "comparison"
    GATE = "gate"


@ended
def command(
    of: Annotated[Of, typer.Argument(help="Of what: the spec that bridge reads, or what it says as JSON.")],
) -> None:
    """Print the JSON schema of a spec, of the report, or of what `compare` and `gate` say with --json."""
    print(json.dumps(_schema(of), indent=2, ensure_ascii=False))


def _schema(of: Of) -> dict[str, Any]:
    from bridge.described import json_schema
    from bridge.report.json_schema import DIALECT, report_schema
    from bridge.spec import TaskSpec

    if of is Of.ARENA:
        from bridge.arena_spec import ArenaSpec

        return {"$schema": DIALECT, **json_schema(ArenaSpec, "validation")}
    if of is Of.PERF:
        from bridge.perf_spec import PerfSpec

        return {"$schema": DIALECT, **json_schema(PerfSpec, "validation")}
    if of is Of.REPORT:
        return report_schema()
    if of is Of.COMPARISON:
        from bridge.report.compare_schema import comparison_schema

        return {"$schema": DIALECT, **comparison_schema()}
    if of is Of.GATE:
        from bridge.gate.schema import answer_schema

        return {"$schema": DIALECT, **answer_schema()}
    return {"$schema": DIALECT, **json_schema(TaskSpec, "validation")}
