"""The report of an arena, from what its folder holds. Nobody is asked; the same folder gives the same figures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bridge.arena_spec import ArenaBlock
from bridge.backend import BenchmarkResult
from bridge.errors import OutputError
from bridge.manifest import Manifest, read_manifest
from bridge.native.arena.rating_stage import rate_folder
from bridge.native.arena.settings import RatingRun, recorded
from bridge.report.merge import merge
from bridge.report.read import read_report
from bridge.report.schema import ErrorKind, ModelInfo, Report, ReportError, Usage
from bridge.report.write import write_report
from bridge.rundir import RunDir
from bridge.seal import write_seal


def rate_run(root: Path, run: RatingRun | None = None) -> Report:
    """Decisions, ratings and the report of a folder made anew, with other settings where ``run`` is given.

    What asking has cost and what went wrong then stays as the report before says. Raises OutputError where the folder
    holds no battles, or some that cannot be read; the files that are there stay.
    """
    rundir = RunDir(root)
    settings = run or recorded(root)
    with rundir.locked():
        before = _before(rundir)
        errors = [error for error in before.errors if error.dataset is None] if before else []
        return write_arena_report(
            rundir,
            settings,
            manifest=read_manifest(rundir),
            models=before.models if before else (),
            usage=before.usage if before else Usage(),
            judge_usage=before.judge_usage if before else None,
            errors=errors,
        )


def write_arena_report(
    rundir: RunDir,
    run: RatingRun,
    *,
    manifest: Manifest | None,
    models: Sequence[ModelInfo],
    usage: Usage,
    judge_usage: Usage | None = None,
    errors: Sequence[ReportError] = (),
) -> Report:
    """``errors`` are those of asking; without a ``dataset``, so that they outlive a later rating."""
    rating = rate_folder(rundir.root, run)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    mark = [] if run.source == "run" else [_imported(run)]
    report = merge(
        [BenchmarkResult(run.dataset, tuple(rating.rows), (), tuple(rating.errors))],
        run_id=manifest.run_id if manifest else _id(rundir),
        name=run.name,
        started_at=manifest.started_at if manifest else now,
        finished_at=now,
        bridge_version=version("evalbridge"),
        spec_sha256=manifest.spec_sha256 if manifest else "",
        argv=manifest.argv if manifest else (),
        host=manifest.host if manifest else {},
        models=models or _on_file([row.model for row in rating.rows]),
        usage=usage,
        judge_usage=judge_usage,
        errors=[*(error for error in errors if error not in mark), *mark],
        datasets=[run.dataset],
    )
    report = write_report(rundir, report.model_copy(update={"arena": rating.arena}))
    write_seal(rundir)
    return report


def with_rating(run: RatingRun, *, style: Sequence[str], ties: str | None) -> RatingRun:
    """The same battles rated in another way. Raises OutputError for a value that the spec does not allow."""
    rating = run.block.rating.model_dump(mode="json")
    rating |= {"ties": ties} if ties else {}
    rating |= {"style": list(style)} if style else {}
    block = ArenaBlock.model_validate({**run.block.model_dump(mode="json"), "rating": rating})
    return RatingRun(run.name, run.dataset, block, run.models, run.judges, run.source)


def _before(rundir: RunDir) -> Report | None:
    try:
        return read_report(rundir.root)
    except OutputError:
        return None


def _id(rundir: RunDir) -> str:
    return f"arena-{hashlib.sha256(str(rundir.root.resolve()).encode()).hexdigest()[:12]}"


def _on_file(names: Sequence[str]) -> list[ModelInfo]:
    return [ModelInfo(name=name, source="battles on file", engine="external") for name in dict.fromkeys(names)]


def _imported(run: RatingRun) -> ReportError:
    message = f"imported: the verdicts come from elsewhere ({run.source}), not from judges that bridge asked"
    return ReportError(kind=ErrorKind.WARNING, message=message)
