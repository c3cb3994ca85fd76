"""``watch.json``: what has been evaluated so far. Rewritten as a whole after each checkpoint."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from bridge.report.schema import Report, Status


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(_Part):
    name: str
    """``base``, or the checkpoint's folder name."""
    step: int
    """Training steps; 0 is the base."""
    run: str | None
    """Folder of the run; null where there is none."""
    status: Status
    exit_code: int
    metrics: dict[str, float]
    """Dataset → its primary value; only what has one."""
    reason: str | None = None
    """Why there is nothing, or not everything."""


class Watched(_Part):
    schema_version: str = "1.0"
    training: str
    entries: tuple[Entry, ...]
    ended: bool
    """Everything there was to evaluate has been."""


def entry_of(name: str, step: int, run: str, report: Report) -> Entry:
    """``dataset``, or ``dataset/backend`` where a dataset went through several."""
    rows = [row for row in report.results if row.primary]
    several = {row.dataset for row in rows for other in rows if row.dataset == other.dataset and row is not other}
    metrics = {
        f"{row.dataset}/{row.backend}" if row.dataset in several else row.dataset: row.value
        for row in rows
        if row.value is not None
    }
    return Entry(
        name=name,
        step=step,
        run=run,
        status=report.status,
        exit_code=report.exit_code,
        metrics=metrics,
        reason=next((error.message for error in report.errors), None),
    )
