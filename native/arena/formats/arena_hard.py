"""arena-hard: ``model_judgment/<judge>/<model>.jsonl``, two games per question, the baseline first in game 0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from bridge.errors import OutputError
from bridge.native.arena.battle import Battle
from bridge.native.arena.formats.imported import Imported, nothing, prompt_hash, rows_of, text, unparsed, verdict_battle
from bridge.native.arena.questions import id_of, read_questions

OLD_BASELINE = "gpt-4-0314"
"""Of arena-hard v0.1, whose rows do not name it."""
Outcome = Literal["first", "second", "tie"]
LEVELS: dict[str, tuple[Outcome, Literal[1, 2]]] = {
    "A>>B": ("first", 2),
    "A>B": ("first", 1),
    "A=B": ("tie", 1),
    "B>A": ("second", 1),
    "B>>A": ("second", 2),
}


def read(path: Path, baseline: str | None = None) -> Imported:
    """Raises OutputError and SpecError."""
    found = Imported()
    files = [path] if path.is_file() else sorted(path.rglob("model_judgment/**/*.jsonl"))
    questions = [] if path.is_file() else sorted(path.rglob("question.jsonl"))
    if questions:
        found.questions = read_questions(questions[0])
    for file in files:
        for place, row in rows_of(file, found.notes):
            found.battles += list(_games(row, place, file, baseline))
    if not found.battles:
        raise nothing(path, "judgments (model_judgment/<judge>/<model>.jsonl, rows with 'games')")
    found.baseline = _baselines(found)
    found.notes.append(
        "arena-hard counts the two games of a question apart; here they are one comparison, a tie where they disagree"
    )
    return found


def _games(row: dict[str, Any], place: str, file: Path, baseline: str | None) -> Iterator[Battle]:
    if not isinstance(row.get("games"), list):
        raise OutputError(f"{place}: no judgment of arena-hard (there is no list 'games')")
    model, base = text(row, "model", place), str(row.get("baseline") or baseline or OLD_BASELINE)
    judge = str(row.get("judge") or file.parent.name)
    if model == base:
        return
    for number, game in enumerate(row["games"]):
        first, second = (base, model) if number % 2 == 0 else (model, base)
        said = game.get("score") if isinstance(game, dict) else None
        level = LEVELS.get(str(said))
        judgment = game.get("judgment") if isinstance(game, dict) else None
        if isinstance(judgment, dict):
            judgment = judgment.get("answer")
        yield verdict_battle(
            question_id=text({"id": id_of(row)}, "id", place),
            first=first,
            second=second,
            verdict=level[0] if level else None,
            strength=level[1] if level else 1,
            problem=None if level else unparsed(f"game {number} has the score {said!r}"),
            judge=judge,
            category=row.get("category"),
            judgment=judgment if isinstance(judgment, str) else None,
            prompt=prompt_hash(row.get("prompt_template")),
            parser="imported",
        )


def _baselines(found: Imported) -> dict[str, str]:
    """Who is met, by category; one model for all where that is so."""
    met: dict[str, dict[str, int]] = {}
    for battle in found.battles:
        for model in (battle.model_a, battle.model_b or ""):
            own = met.setdefault(battle.category or "default", {})
            own[model] = own.get(model, 0) + 1
    chosen = {category: max(own, key=lambda name: own[name]) for category, own in met.items()}
    common = set(chosen.values())
    if len(common) == 1:
        return {"default": common.pop()}
    return {"default": next(iter(chosen.values())), **chosen}
