"""``bridge schema``"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from bridge.cli.ending import ended


class Of(StrEnum):
    SPEC = "spec"
    REPORT = "report"


@ended
def command(
    of: Annotated[Of, typer.Argument(help="Of what: the spec that bridge reads, or the report it writes.")],
) -> None:
    """Print the JSON schema of the spec or of the report."""
    print(json.dumps(_schema(of), indent=2, ensure_ascii=False))


def _schema(of: Of) -> dict[str, Any]:
    from bridge.report.json_schema import DIALECT, report_schema
    from bridge.spec import TaskSpec

    if of is Of.REPORT:
        return report_schema()
    return {"$schema": DIALECT, **TaskSpec.model_json_schema(mode="validation")}
