"""Run directory → Verification: every check reads, none of them writes or asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.errors import OutputError, SpecError
from bridge.manifest import Manifest, read_manifest
from bridge.pins import PinnedFiles, pinned, read_pins
from bridge.report.read import read_report, samples
from bridge.report.schema import Report, ResultRow
from bridge.rundir import RunDir
from bridge.seal import SEAL, Seal, files_of, read_seal, sealed
from bridge.spec_file import recorded_spec
from bridge.spec_file.arena import is_arena_spec, recorded_arena_spec
from bridge.spec_file.perf import is_perf_spec, recorded_perf_spec
from bridge.verify.schema import Finding, Verification
from bridge.verify.store import damage


def verify(root: Path) -> Verification:
    """Everything that is wrong with the run in this folder. Raises OutputError where there is no run to look at."""
    rundir = RunDir(root.absolute())
    manifest = read_manifest(rundir)
    if manifest is None:
        raise OutputError(f"{root}: no run in this folder (there is no manifest.json); give a run's own folder")
    with rundir.locked():
        seal, findings = read_seal(rundir), list(_spec(rundir, manifest))
        findings += _sealed(rundir, seal)
        n_samples = 0
        try:
            report = read_report(rundir.report_json)
        except OutputError as error:
            findings.append(_wrong("report.json", str(error)))
        else:
            findings += _same_run(manifest, report)
            for path, rows in _by_samples(report).items():
                read, wrong = _records(rundir, path, rows)
                n_samples += read
                findings += wrong
            findings += (_wrong("requests.sqlite", message) for message in damage(rundir.requests, report.usage))
        findings += _data(rundir)
    return Verification(
        run=str(root),
        digest=seal.digest() if seal else None,
        n_files=len(seal.files) if seal else 0,
        n_samples=n_samples,
        findings=tuple(findings),
    )


def _spec(rundir: RunDir, manifest: Manifest) -> Iterator[Finding]:
    try:
        sha256 = _hash_of(rundir.spec)
    except (OutputError, SpecError, OSError) as error:
        yield _wrong("spec.yaml", f"cannot be read: {str(error).splitlines()[0]}")
        return
    if sha256 != manifest.spec_sha256:
        yield _wrong("spec.yaml", "is not the spec that the run was begun with (manifest.json has another hash)")


def _hash_of(spec: Path) -> str:
    """Of the spec of an evaluation, an arena or a performance test."""
    if is_arena_spec(spec):
        return recorded_arena_spec(spec).sha256()
    return (recorded_perf_spec if is_perf_spec(spec) else recorded_spec)(spec).sha256()


def _sealed(rundir: RunDir, seal: Seal | None) -> Iterator[Finding]:
    if seal is None:
        yield _wrong(SEAL, "there is none: the run did not come to its report; run the same command again")
        return
    present = set(files_of(rundir))
    for name, was in seal.files.items():
        if name not in present:
            yield _wrong(name, "is gone")
        elif (now := sealed(rundir.root / name)) != was:
            size = f" ({was.size_bytes} bytes, now {now.size_bytes})" if now.size_bytes != was.size_bytes else ""
            yield _wrong(name, f"was changed since the report was written{size}")
    for name in sorted(present - seal.files.keys()):
        yield _note(name, "was added since the report was written")


def _same_run(manifest: Manifest, report: Report) -> Iterator[Finding]:
    if (report.run.id, report.run.spec_sha256) != (manifest.run_id, manifest.spec_sha256):
        yield _wrong("report.json", f"is of another run ({report.run.id}, not {manifest.run_id})")


def _by_samples(report: Report) -> dict[str, list[ResultRow]]:
    found: dict[str, list[ResultRow]] = {}
    for row in report.results:
        if row.samples is not None:
            found.setdefault(row.samples, []).append(row)
    return found


def _records(rundir: RunDir, path: str, rows: list[ResultRow]) -> tuple[int, list[Finding]]:
    """How many records there are, and whether the rows' counts are theirs."""
    file = (rundir.root / path).resolve()
    if not file.is_relative_to(rundir.root.resolve()):
        return 0, [_wrong("report.json", f"names samples outside of the run: {path}")]
    scored: dict[str, int] = {}
    n = 0
    try:
        for record in samples(file):
            n += 1
            for metric in record.scores:
                scored[metric] = scored.get(metric, 0) + 1
    except OutputError as error:
        return n, [_wrong(path, str(error))]
    overall = [row for row in rows if row.primary and row.metric in scored]
    return n, [
        _wrong(path, f"holds {scored[row.metric]} scores of {row.metric}; the report says n = {row.n}")
        for row in overall
        if scored[row.metric] != row.n
    ]


def _data(rundir: RunDir) -> Iterator[Finding]:
    """Whether the run could be made again from the data and the weights that are there now."""
    pins = read_pins(rundir)
    if pins is None:
        yield _note("pins.json", "there is none: data and weights cannot be compared")
        return
    for name, was in {**pins.datasets, **pins.weights}.items():
        path = Path(was.path)
        if not path.exists():
            yield _note("pins.json", f"{name}: {was.path} is not on this machine any more")
        elif (changed := _changed(path, was)) is not None:
            yield _note("pins.json", f"{name}: {was.path} {changed}")
    for name, why in pins.unread.items():
        yield _note("pins.json", f"{name}: could not be read when the run was made ({why})")


def _changed(path: Path, was: PinnedFiles) -> str | None:
    try:
        return None if pinned(path) == was else "has changed since the run"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


def _wrong(file: str, message: str) -> Finding:
    return Finding(state="wrong", file=file, message=message)


def _note(file: str, message: str) -> Finding:
    return Finding(state="note", file=file, message=message)
