"""LMArena's public battles: ``model_a, model_b, winner``, one vote of one person each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from bridge.errors import OutputError
from bridge.native.arena.formats.imported import Imported, nothing, rows_of, text, unparsed, verdict_battle

WINNERS: dict[str, Literal["first", "second", "tie"]] = {
    "model_a": "first",
    "model_b": "second",
    "tie": "tie",
    "tie (bothbad)": "tie",
    "both_bad": "tie",
}
IDS = ("question_id", "conversation_id", "id")


def read(path: Path, baseline: str | None = None) -> Imported:
    """Every row is a question of its own unless it names one. Raises OutputError and SpecError."""
    found, selves = Imported(), 0
    times: dict[tuple[str, ...], int] = {}
    for number, (place, row) in enumerate(rows_of(path, found.notes), 1):
        if "winner" not in row or "model_a" not in row:
            what = "a leaderboard, not battles" if "arena_score" in row or "rank" in row else "no battle"
            raise OutputError(f"{place}: {what} (a row is to have model_a, model_b and winner)")
        one, two = text(row, "model_a", place), text(row, "model_b", place)
        if one == two:
            selves += 1
            continue
        said = WINNERS.get(str(row["winner"]))
        question = next((str(row[name]) for name in IDS if row.get(name) not in (None, "")), f"row {number}")
        voter = str(row.get("judge") or "")
        key = (question, *sorted([one, two]), voter)
        again = times[key] = times.get(key, -1) + 1
        found.battles.append(
            verdict_battle(
                question_id=question,
                first=one,
                second=two,
                verdict=said,
                problem=None if said else unparsed(f"winner is {row['winner']!r}"),
                judge="people",
                kind="imported",
                annotator=voter or None,
                repeat=again,
                category=_category(row),
                tstamp=row.get("tstamp") if isinstance(row.get("tstamp"), float) else None,
                parser="imported",
            )
        )
    if not found.battles:
        raise nothing(path, "battles (rows with model_a, model_b, winner)")
    if selves:
        found.notes.append(f"{selves} battles of a model against itself are left out")
    found.baseline = {"default": baseline} if baseline else None
    return found


def _category(row: dict[str, Any]) -> str | None:
    value = row.get("category", row.get("language"))
    return value if isinstance(value, str) and value else None
