"""bridge's own ``battles.jsonl``, of another run or made by whatever program."""

from __future__ import annotations

from pathlib import Path

from bridge.native.arena.battle import read_battles
from bridge.native.arena.folder import ArenaFolder, recorded_questions
from bridge.native.arena.formats.imported import Imported, nothing
from bridge.native.arena.settings import recorded


def read(path: Path, baseline: str | None = None) -> Imported:
    """Raises OutputError for a row that is none."""
    found = Imported()
    if path.is_dir():
        folder = ArenaFolder(path)
        found.battles = list(folder.all_battles())
        found.questions = recorded_questions(folder.questions)
        found.baseline = recorded(path).block.baseline
    else:
        found.battles = list(read_battles(path))
    if not found.battles:
        raise nothing(path, "battles")
    found.single = all(battle.model_b is None for battle in found.battles)
    found.baseline = {"default": baseline} if baseline else found.baseline
    return found
