"""A spec that was made of another tool's file: printed, or written where it was asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from bridge.errors import Problem, SpecError


def hand_over(text: str, left_out: Iterable[str], output: Path | None) -> None:
    """Raises SpecError where ``output`` is there already. What could not be carried over is named on stderr."""
    from bridge.rundir import write_atomic

    for line in left_out:
        print(f"bridge: not carried over: {line}", file=sys.stderr)
    if output is None:
        print(text, end="")
        return
    if output.exists():
        raise SpecError([Problem("--output", "", f"{output} is there already", "give a new file")])
    write_atomic(output, text)
    print(output)
