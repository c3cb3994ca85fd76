"""What a reader of the report is told besides the scores: failures, and what VLMEvalKit keeps to itself."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.adapters.vlmevalkit.lines import Left
from bridge.adapters.vlmevalkit.records import from_run, is_unread
from bridge.adapters.vlmevalkit.rows import Scores, differences
from bridge.backend import Outcome
from bridge.report.schema import ErrorKind, ReportError, ResultRow


def errors(outcome: Outcome, row: ResultRow, scores: Scores) -> Iterator[ReportError]:
    """What went wrong with the dataset as a whole; samples without a score are counted in the rows."""
    left = scores.left
    if left.error:
        silent = bool(left.lines) and all(line.error for line in left.lines)
        silent = silent or not outcome.started_at or outcome.stopped in ("interrupted", "endpoint")
        yield _error(row, ErrorKind.UNANSWERED if silent else ErrorKind.BACKEND, left.error, left)
    for message in differences(scores):
        yield _error(row, ErrorKind.OUTPUT, message, left)


def warnings(row: ResultRow, scores: Scores, split_thinking: bool) -> Iterator[ReportError]:
    answered = [line for line in scores.left.lines if not line.why_not]
    thought = sum("</think>" in line.response for line in answered)
    source = scores.left.result.get("source") or {}
    repeats = scores.left.result.get("repeats", ())
    counts = {
        "answers could not be read and are scored as wrong, as VLMEvalKit does": sum(map(is_unread, answered)),
        "answers were cut off at the token limit": sum(line.finish_reason == "length" for line in answered),
        "answers hold </think>, and all of each was scored: set options.vlmevalkit.split_thinking": (
            0 if split_thinking else thought
        ),
        "open questions were scored as a choice between two options, which finds too few right": (
            sum(line.row.get("question_type") == "open" for line in answered)
        ),
        "cells of the table (NA, None, null, …) are empty to VLMEvalKit: an option of that name is not shown": (
            source.get("read_as_missing", 0)
        ),
        "answers 'a' or 'b' count as the right number: VLMEvalKit's comparison takes them for its own variables": (
            sum(part.get("borrowed") or 0 for part in repeats)
        ),
    }
    for message, count in counts.items():
        if count:
            yield _about(row, ErrorKind.WARNING, f"{row.dataset}: {message}", "", count)


def _error(row: ResultRow, kind: ErrorKind, message: str, left: Left) -> ReportError:
    if kind is ErrorKind.UNANSWERED:
        hint = "run the same command again: only what is missing is asked"
        return _about(row, kind, f"{row.dataset}: {message}", hint, max(1, len(left.lines)))
    return _about(row, kind, f"{row.dataset}: {message}", f"see {from_run(left.folder)}/log.txt", 1)


def _about(row: ResultRow, kind: ErrorKind, message: str, hint: str, count: int) -> ReportError:
    return ReportError(
        kind=kind,
        message=message,
        hint=hint,
        count=count,
        model=row.model,
        backend=row.backend,
        dataset=row.dataset,
    )
