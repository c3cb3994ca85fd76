"""``RUN``, ``RUN:model``, ``RUN:model@backend``: what is to be compared, and its columns of results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.report.compare_schema import Side
from bridge.report.read import read_report
from bridge.report.schema import Report, ResultRow

IMPORTED = "imported"
"""``ModelInfo.engine`` of results that bridge has not made."""


@dataclass(frozen=True)
class Selected:
    """One side: a run, one of its models, and one of its backends where several are not meant together."""

    root: Path
    report: Report
    model: str
    backend: str | None
    info: Side

    def columns(self, dataset: str) -> dict[str, list[ResultRow]]:
        """Rows of the dataset by backend."""
        found: dict[str, list[ResultRow]] = {}
        for row in self.rows():
            if row.dataset == dataset:
                found.setdefault(row.backend, []).append(row)
        return found

    def datasets(self) -> list[str]:
        return list(dict.fromkeys(row.dataset for row in self.rows()))

    def rows(self) -> Iterator[ResultRow]:
        for row in self.report.results:
            if row.model == self.model and self.backend in (None, row.backend):
                yield row


def samples_path(row: ResultRow, root: Path) -> Path | None:
    """Where the row's samples are; None where there are none. Only what is in the run's own folder is read."""
    if row.samples is None:
        return None
    path = (root / row.samples).resolve()
    return path if path.is_file() and path.is_relative_to(root.resolve()) else None


def select(arguments: Sequence[str]) -> list[Selected]:
    """The sides, the baseline first. One run alone stands for its models, or else for its backends.

    Raises SpecError for a side that is not there, and OutputError for a report that cannot be read.
    """
    wanted = [_parsed(argument) for argument in arguments]
    if not wanted:
        raise _wrong("", "nothing to compare", "give two runs, or one run with several models or backends")
    reports = {root: read_report(root) for root, _, _ in wanted}
    if len(wanted) == 1:
        root, model, backend = wanted[0]
        wanted = list(_sides_of(root, reports[root], model, backend))
    chosen = [_selected(root, reports[root], model, backend) for root, model, backend in wanted]
    return _labelled(chosen)


def select_one(argument: str) -> Selected:
    """A side on its own, labelled by its model."""
    root, model, backend = _parsed(argument)
    return _labelled([_selected(root, read_report(root), model, backend)])[0]


Wanted = tuple[Path, str | None, str | None]


def _parsed(argument: str) -> Wanted:
    """The longest beginning that exists is the run; a model's name may hold colons and at signs."""
    ends = [len(argument), *(at for at in range(len(argument) - 1, 0, -1) if argument[at] == ":")]
    for end in ends:
        root = Path(argument[:end])
        if root.exists():
            before, at, after = argument[end + 1 :].rpartition("@")
            model, backend = (before, after) if at else (after, "")
            return root, model or None, backend or None
    raise _wrong(argument, "there is no such run", "give the folder of a run, and after a colon a model's name")


def _sides_of(root: Path, report: Report, model: str | None, backend: str | None) -> Iterator[Wanted]:
    rows = [row for row in report.results if model in (None, row.model) and backend in (None, row.backend)]
    models = list(dict.fromkeys(row.model for row in rows))
    backends = list(dict.fromkeys(row.backend for row in rows))
    if len(models) > 1:
        yield from ((root, name, backend) for name in models)
    elif len(backends) > 1:
        yield from ((root, model, name) for name in backends)
    else:
        message = "this run has one model and one backend: nothing to compare it with"
        raise _wrong(str(root), message, "give a second run")


def _selected(root: Path, report: Report, model: str | None, backend: str | None) -> Selected:
    models = list(dict.fromkeys([info.name for info in report.models] + [row.model for row in report.results]))
    if model is not None and model not in models:
        hint = did_you_mean(model, models) or f"it has: {', '.join(models)}"
        raise _wrong(f"{root}:{model}", "the run has no such model", hint)
    if model is None and len(models) != 1:
        if not models:
            raise _wrong(str(root), "this run has no results", "'bridge report' makes its report again")
        raise _wrong(
            str(root), f"this run has {len(models)} models: {', '.join(models)}", f"say which: {root}:{models[0]}"
        )
    name = model or models[0]
    backends = list(dict.fromkeys(row.backend for row in report.results if row.model == name))
    if backend is not None and backend not in backends:
        hint = did_you_mean(backend, backends) or f"it has: {', '.join(backends) or 'none'}"
        raise _wrong(f"{root}:{name}@{backend}", "the run has no such backend", hint)
    imported = any(info.name == name and info.engine == IMPORTED for info in report.models)
    info = Side(
        label="",
        run=str(root),
        run_id=report.run.id,
        model=name,
        backend=backend,
        status=report.run.status,
        started_at=report.run.started_at,
        imported=imported,
    )
    return Selected(root if root.is_dir() else root.parent, report, name, backend, info)


def _labelled(chosen: Sequence[Selected]) -> list[Selected]:
    """Each side gets the shortest name that tells it from the others: model, run, or both."""
    candidates = [
        [side.model for side in chosen],
        [side.backend or side.model for side in chosen],
        [side.report.run.name for side in chosen],
        [side.root.resolve().name for side in chosen],
        [f"{side.model} ({side.root.resolve().name})" for side in chosen],
        [f"{side.model}@{side.backend} ({side.root.resolve().name})" for side in chosen],
        [f"{side.model}@{side.backend} ({side.root})" for side in chosen],
        [f"{chr(65 + at)} {side.model}" for at, side in enumerate(chosen)],
    ]
    labels = next(names for names in candidates if len(set(names)) == len(names))
    return [
        Selected(s.root, s.report, s.model, s.backend, s.info.model_copy(update={"label": label}))
        for s, label in zip(chosen, labels, strict=True)
    ]


def _wrong(where: str, message: str, hint: str) -> SpecError:
    return SpecError([Problem(where, "", message, hint)])
