"""``bridge verify``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.columns import columns
from bridge.cli.ending import ended
from bridge.errors import OutputError


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    digest: Annotated[
        str | None, typer.Option(metavar="HEX", help="The digest that was noted when the run was made; must be equal.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also read the jobs' folders anew and compare with the report.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verification as JSON.")] = False,
) -> int:
    """Check that a run is whole and as it was when its report was written. Asks nothing, changes nothing."""
    from bridge.verify import Finding, verify

    found = verify(run)
    more: list[Finding] = []
    if digest is not None and digest != found.digest:
        more.append(Finding(state="wrong", file="seal.json", message=f"its digest is {found.digest}, not {digest}"))
    if again:
        from bridge.verify.again import differences

        more += differences(run)
    found = found.model_copy(update={"findings": (*found.findings, *more)})
    if as_json:
        print(json.dumps({"ok": found.ok, **found.model_dump(mode="json")}, indent=2))
    else:
        rows = [(finding.state, finding.file, finding.message) for finding in found.findings]
        print("\n".join([*columns(("", "FILE", "FOUND"), rows), ""]) if rows else "", end="")
        word = "whole and unchanged" if found.ok else "NOT as it was"
        print(f"{run}: {word}; {found.n_files} files, {found.n_samples} samples; digest {found.digest}")
    return 0 if found.ok else OutputError.exit_code
