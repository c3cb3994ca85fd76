"""What turns the battles of a folder into a report: of a run its spec, of imported battles ``arena.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from bridge.arena_spec import ArenaBlock, ArenaSpec
from bridge.errors import OutputError

FILE = "arena.json"


@dataclass(frozen=True)
class RatingRun:
    name: str
    dataset: str
    """The questions' name in the report."""
    block: ArenaBlock
    models: tuple[str, ...] = ()
    """In the order of the spec; models that only the battles know come after them."""
    judges: tuple[str, ...] = ()
    """Whose votes decide; empty: all."""
    source: str = "run"
    """``import fastchat`` and the like, where no run of bridge made the battles."""


ADAPTER = TypeAdapter(RatingRun)


def of_spec(spec: ArenaSpec) -> RatingRun:
    return RatingRun(
        name=spec.name,
        dataset=spec.questions_name,
        block=spec.arena,
        models=tuple(model.name for model in spec.models),
        judges=tuple(judge.name for judge in spec.all_judges),
    )


def recorded(root: Path) -> RatingRun:
    """Of a folder with ``spec.yaml`` (a run) or ``arena.json`` (an import). Raises OutputError where it has neither."""
    spec, imported = root / "spec.yaml", root / FILE
    if imported.is_file():
        return _imported(imported)
    if not spec.is_file():
        raise OutputError(
            f"{root}: no arena here (neither spec.yaml nor {FILE}); give the folder of a run or an import"
        )
    from bridge.spec_file.arena import recorded_arena_spec

    return of_spec(recorded_arena_spec(spec))


def _imported(path: Path) -> RatingRun:
    try:
        return ADAPTER.validate_python(orjson.loads(path.read_bytes()))
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise OutputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); import the battles again") from None


def dumped(run: RatingRun) -> bytes:
    value: dict[str, Any] = ADAPTER.dump_python(run, mode="json")
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
