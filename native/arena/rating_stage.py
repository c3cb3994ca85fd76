"""The last stage of an arena: from the battles in a folder to decisions on disk and the results. Asks nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bridge.errors import OutputError
from bridge.native.arena.battle import Battle, read_battles
from bridge.native.arena.decide import decide, hear
from bridge.native.arena.decision_file import decision_lines
from bridge.native.arena.folder import ArenaFolder, recorded_questions, write_lines
from bridge.native.arena.judges import judged, measured
from bridge.native.arena.outcome import Outcome, conclude
from bridge.native.arena.result import pairwise_rows, score_rows
from bridge.native.arena.scores import scores
from bridge.native.arena.settings import RatingRun
from bridge.native.arena.table import pairwise_report, remarks, row_settings, score_report
from bridge.native.arena.votes import Votes, joined, read_votes, votes
from bridge.report.arena_schema import ArenaReport
from bridge.report.schema import ErrorKind, ReportError, ResultRow
from bridge.report.text import plural


@dataclass(frozen=True)
class Rating:
    """What goes into the report."""

    rows: list[ResultRow]
    arena: ArenaReport
    errors: list[ReportError]


def rate_folder(root: Path, run: RatingRun) -> Rating:
    """Writes ``decisions.jsonl`` anew. Raises OutputError for battles that cannot be read, or where there are none."""
    folder = ArenaFolder(root)
    people = people_of(folder, run)
    judges = [read_votes(folder.battles)] if folder.battles.exists() else []
    found = joined([*judges, votes(people.votes)])
    if not len(found):
        old = f" ({plural(people.stale, 'vote')} are about answers that have changed)" if people.stale else ""
        hint = "'bridge arena run' or 'bridge arena import' makes them"
        raise OutputError(f"{folder.battles}: no battles yet{old}; {hint}")
    if run.block.mode == "single":
        return told(_single(found, run), people.strange, run)
    heard = hear(found, run.block)
    heard = replace(heard, stale=heard.stale + people.stale)
    decisions, measures = decide(heard, run.block, run.judges), measured(found, heard)
    several = len(run.judges) > 1 or len(found.names["judge"]) > 1
    write_lines(folder.decisions, decision_lines(decisions, run.block.panel.rule if several else "single judge"))
    return told(_pairwise(conclude(decisions, measures, len(found), run)), people.strange, run)


def told(rating: Rating, strange: int, run: RatingRun) -> Rating:
    if not strange:
        return rating
    message = f"{strange} votes do not count: their question or model is not in this arena"
    error = ReportError(kind=ErrorKind.WARNING, message=message, count=strange, dataset=run.dataset)
    return replace(rating, errors=[*rating.errors, error])


@dataclass(frozen=True)
class People:
    """What people said in ``bridge arena review``."""

    votes: list[Battle]
    """Those that count."""
    strange: int
    """How many are on a question or a model that is not in the arena."""
    stale: int
    """How many are on answers that have changed since."""


def people_of(folder: ArenaFolder, run: RatingRun) -> People:
    """Raises OutputError for files that cannot be read."""
    rows = [battle for path in folder.vote_files() for battle in read_battles(path)]
    if not rows:
        return People([], 0, 0)
    from bridge.native.arena.present import about_now

    questions = {question.question_id for question in recorded_questions(folder.questions)}
    known = [
        battle
        for battle in rows
        if not questions
        or (battle.question_id in questions and {battle.model_a, battle.model_b} <= {None, *run.models})
    ]
    now = about_now(folder, known)
    return People(now, len(rows) - len(known), len(known) - len(now))


def nobody_said_anything(folder: ArenaFolder, run: RatingRun) -> bool:
    """Whether there is nothing to rate. Raises OutputError for files that cannot be read."""
    judges = folder.battles.exists() and next(read_battles(folder.battles), None) is not None
    return not judges and not people_of(folder, run).votes


def _pairwise(found: Outcome) -> Rating:
    common = row_settings(found.run.block, found.judges, found.ratings.method)
    return Rating(pairwise_rows(found, common), pairwise_report(found), list(remarks(found)))


def _single(votes: Votes, run: RatingRun) -> Rating:
    found = scores(votes)
    arena = score_report(found, votes, run)
    errors = []
    if arena.counts.undecided:
        none = arena.counts.undecided == arena.counts.comparisons
        errors.append(
            ReportError(
                kind=ErrorKind.BACKEND if none else ErrorKind.UNANSWERED,
                message=f"{arena.counts.undecided:,} of {arena.counts.comparisons:,} answers have no score",
                hint="run the same command again: only what is missing is asked",
                count=arena.counts.undecided,
                dataset=run.dataset,
            )
        )
    if arena.dry_run:
        message = "dry run: the scores were drawn, no judge was asked; the figures mean nothing"
        errors.append(ReportError(kind=ErrorKind.WARNING, message=message, dataset=run.dataset))
    judges = judged(votes, run.block)
    return Rating(score_rows(found, run, row_settings(run.block, judges, None)), arena, errors)
