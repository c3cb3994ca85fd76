"""The pages about samples: a dataset's totals, lists of samples, one sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bridge.report.html import colours, dataset_sections
from bridge.report.numbers import NO_VALUE
from bridge.report.overview import is_overall
from bridge.report.sample_index import STATES
from bridge.report.schema import ErrorKind, Report
from bridge.report.templating import charts
from bridge.report.text import visible
from bridge.view.library import Column, Run
from bridge.view.records import MAX_LINE, Record, beginning, ending, read_record
from bridge.view.rendering import Visit, render
from bridge.view.samples import FLAGS, PAGE, Entry, File, Filter, Part, SampleIndex
from bridge.view.search import search

MOST_ELSEWHERE = 8


@dataclass(frozen=True)
class Opened:
    """A column of a run, with its samples."""

    run: Run
    report: Report
    column: Column
    index: SampleIndex
    file: File

    def record(self, entry: Entry) -> Record:
        """Raises OSError or ValueError."""
        return read_record(self.run.sources[self.file.number].path, entry.offset, entry.length)

    def number(self, entry: Entry) -> int:
        """In its file, from 1: what addresses hold."""
        return entry.id - self.file.first + 1


@dataclass(frozen=True)
class SampleLine:
    """A sample in a list."""

    link: str
    subset: str | None
    sample_id: str
    repeat: int
    state: str
    score: str
    truncated: bool
    prompt: str = ""
    response: str = ""
    target: str = ""
    extracted: str = ""
    error: str | None = None
    unread: str = ""


# A dataset ---------------------------------------------------------------------------------------------------------


def dataset_page(run: Run, report: Report, column: Column, opened: Opened | None, visit: Visit) -> str:
    """``opened`` is None where there are no samples."""
    row = column.row
    own = [
        one for one in report.results if (one.model, one.backend, one.dataset) == (row.model, row.backend, row.dataset)
    ]
    only = report.model_copy(update={"results": tuple(own)})
    about = [e for e in report.errors if e.dataset in (None, row.dataset) and e.backend in (None, row.backend)]
    context: dict[str, Any] = {
        "charts": charts([one for one in own if is_overall(one)]),
        "faults": [error for error in about if error.kind is not ErrorKind.WARNING],
        "warnings": [error for error in about if error.kind is ErrorKind.WARNING],
        "report": only.model_copy(update={"errors": tuple(about)}),
        "datasets": dataset_sections(only, run.root),
        "many_models": False,
        "colours": colours(only),
        "problem": "" if opened else _no_samples(column, visit),
        "file": None,
    }
    if opened is not None:
        context |= _totals(opened)
    return render(visit, "dataset.html", run=run, column=column, filter=Filter, states=STATES, **context)


def _no_samples(column: Column, visit: Visit) -> str:
    _ = visit.translate
    if column.row.samples is None:
        return f"{_('there are no records of samples')}: {column.row.reason or _('the backend wrote none')}"
    return _("{path} is not there").format(path=column.row.samples)


def _totals(opened: Opened) -> dict[str, Any]:
    index, file, fraction = opened.index, opened.file, opened.column.row.unit == "fraction"
    parts = index.parts(file)
    scored = sum(part.n - part.errors for part in parts)
    whole = sum((part.mean or 0.0) * (part.n - part.errors) for part in parts) / scored if scored else None

    def number(value: float | None) -> str:
        return NO_VALUE if value is None else f"{100 * value:.2f} %" if fraction else f"{value:,.4g}"

    def distance(value: float | None) -> str:
        if value is None or whole is None:
            return NO_VALUE
        return f"{100 * (value - whole):+.2f} pp" if fraction else f"{value - whole:+,.4g}"

    return {
        "file": file,
        "counts": index.counts(file, Filter()),
        "parts": sorted(parts, key=lambda part: -_far(part, whole)),
        "lengths": index.lengths(file),
        "finishes": index.finishes(file),
        "number": number,
        "distance": distance,
    }


def _far(part: Part, whole: float | None) -> float:
    return abs(part.mean - whole) if part.mean is not None and whole is not None else 0.0


# Lists -------------------------------------------------------------------------------------------------------------


def samples_page(opened: Opened, chosen: Filter, after: int, visit: Visit) -> str:
    """The samples behind the ``after``-th record that the choices leave."""
    run, column, file, index = opened.run, opened.column, opened.file, opened.index
    before = file.first + after - 1
    if chosen.text:
        found = search(index, file, run.sources[file.number].path, chosen, before)
        entries, last, ended = list(found.entries), found.last, found.ended
        told = _searched(found.looked_at, last - file.first + 1, len(entries), opened, visit)
    else:
        entries = index.page(file, chosen, before)
        last, ended = (entries[-1].id, len(entries) < PAGE) if entries else (before, True)
        told = _listed(index.total(file, chosen), opened, visit)
    behind = last - file.first + 1
    return render(
        visit,
        "samples.html",
        run=run,
        column=column,
        chosen=chosen,
        states=STATES,
        flags=FLAGS if file.extracts else FLAGS[:1],
        counts=index.counts(file, chosen),
        parts=index.parts(file),
        told=told,
        lines=[_line(opened, entry, chosen, visit) for entry in entries],
        more=None if ended else visit.links.samples(run, column, chosen, behind),
        more_told=visit.translate("search on behind the {n}th").format(n=behind) if chosen.text else "…",
    )


def _searched(looked_at: int, until: int, found: int, opened: Opened, visit: Visit) -> str:
    _ = visit.translate
    return _(
        "{found} found among {looked:,} looked at, up to number {until:,} of {n:,}; looked at: prompt, answer, target, "
        "what was read out, error and id"
    ).format(found=found, looked=looked_at, until=until, n=opened.file.n)


def _listed(total: int, opened: Opened, visit: Visit) -> str:
    _ = visit.translate
    text = _("{total:,} of {n:,} samples").format(total=total, n=opened.file.n)
    if opened.file.unreadable:
        text += "; " + _("{n:,} lines cannot be read").format(n=opened.file.unreadable)
    return text


def _line(opened: Opened, entry: Entry, chosen: Filter, visit: Visit) -> SampleLine:
    link = visit.links.sample(opened.run, opened.column, opened.number(entry), chosen)
    bare = SampleLine(
        link,
        entry.subset,
        entry.sample_id,
        entry.repeat,
        STATES[entry.state],
        _score(opened, entry),
        bool(entry.truncated),
    )
    if entry.length > MAX_LINE:
        return replaced(bare, unread=visit.translate("too long for this list: {n:,} bytes").format(n=entry.length))
    try:
        record = opened.record(entry)
    except (OSError, ValueError):
        return replaced(bare, unread=visit.translate("the file is not as it was when its index was made"))
    return replaced(
        bare,
        prompt=ending(record.prompt),
        response=ending(record.response),
        target=beginning(record.target),
        extracted=beginning(record.extracted),
        error=None if record.error is None else beginning(record.error),
    )


def replaced(line: SampleLine, **fields: str | None) -> SampleLine:
    from dataclasses import replace

    return replace(line, **fields)  # type: ignore[arg-type]


def _score(opened: Opened, entry: Entry) -> str:
    """Empty where the state says it all."""
    if entry.score is None or STATES[entry.state] in ("right", "wrong", "error"):
        return ""
    return f"{100 * entry.score:.1f} %" if opened.column.row.unit == "fraction" else f"{entry.score:.4g}"


# One sample --------------------------------------------------------------------------------------------------------


def sample_page(opened: Opened, number: int, chosen: Filter, others: list[Opened], visit: Visit) -> str | None:
    """None where the file has no such record. ``others``: the dataset's other columns in this run."""
    entry = opened.index.entry(opened.file, number)
    if entry is None:
        return None
    record, problem = None, ""
    try:
        record = opened.record(entry)
    except (OSError, ValueError) as error:
        problem = f"{opened.file.path}: {error}"
    # A text is not searched for here: next and previous go by the other choices.
    near = Filter(chosen.state, chosen.flag, chosen.subset)
    after = next(iter(opened.index.page(opened.file, near, entry.id, 1)), None)
    return render(
        visit,
        "sample.html",
        run=opened.run,
        column=opened.column,
        file=opened.file,
        entry=entry,
        state=STATES[entry.state],
        record=record,
        problem=problem,
        facts=list(_facts(opened, entry, record, visit)),
        up=visit.links.samples(opened.run, opened.column, chosen),
        before=_near(opened, opened.index.before(opened.file, near, entry.id), chosen, visit),
        after=_near(opened, after, chosen, visit),
        repeats=list(_repeats(opened, entry, chosen, visit)),
        elsewhere=list(_elsewhere(entry, others, visit)),
    )


def _near(opened: Opened, entry: Entry | None, chosen: Filter, visit: Visit) -> str | None:
    return visit.links.sample(opened.run, opened.column, opened.number(entry), chosen) if entry else None


def _facts(opened: Opened, entry: Entry, record: Record | None, visit: Visit) -> Iterator[str]:
    _ = visit.translate
    row = opened.column.row
    yield f"{visible(row.model)}, {visible(row.backend)}"
    if entry.score is not None:
        yield f"{visible(row.metric)} {entry.score:.4g}"
    if entry.latency_s is not None:
        yield f"{entry.latency_s:.2f} s"
    if entry.tokens is not None:
        yield _("{n:,.0f} tokens").format(n=entry.tokens)
    if record is not None and record.finish_reason:
        yield _("ended: {how}").format(how=visible(record.finish_reason))
    yield _("number {n:,} of {path}").format(n=opened.number(entry), path=visible(opened.file.path))


def _repeats(opened: Opened, entry: Entry, chosen: Filter, visit: Visit) -> Iterator[tuple[str, str]]:
    same = opened.index.same(opened.file, entry)
    for one in same if len(same) > 1 else ():
        told = visit.translate("repeat {n}: {state}").format(n=one.repeat + 1, state=visit.translate(STATES[one.state]))
        yield told, visit.links.sample(opened.run, opened.column, opened.number(one), chosen)


def _elsewhere(entry: Entry, others: list[Opened], visit: Visit) -> Iterator[tuple[str, str]]:
    for other in others[:MOST_ELSEWHERE]:
        for one in other.index.same(other.file, entry)[:1]:
            told = f"{other.column.row.model}, {other.column.row.backend}: {visit.translate(STATES[one.state])}"
            yield told, visit.links.sample(other.run, other.column, other.number(one))
