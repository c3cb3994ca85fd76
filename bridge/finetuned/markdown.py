"""``finetuned.md``: for a pull request, or a note beside the training."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.finetuned.schema import Curve, Finetuned, Point
from bridge.report.compare_markdown import comparison_markdown
from bridge.report.compare_schema import Against, Answer, Flip
from bridge.report.compare_words import value_words
from bridge.report.markdown import escaped

TESTS = {
    "mcnemar-exact": "McNemar's exact test, two-sided",
    "sign-flip": "sign-flip permutation test, two-sided, for scores that are not just right or wrong",
}


def finetuned_markdown(result: Finetuned) -> str:
    lines = ["# Base against tuned", "", *_about(result), *_values(result)]
    text = "\n".join(lines) + "\n"
    if result.comparison is None:
        return text + "".join(f"- not compared: {escaped(reason, 500)}\n" for reason in result.not_compared)
    compared = comparison_markdown(result.comparison).replace("# ", "## ", 1)
    return text + compared + "\n".join(_flips(result)) + "\n"


def _about(result: Finetuned) -> Iterator[str]:
    yield f"- training: `{escaped(result.training, 500)}`"
    if result.base:
        yield f"- base: `{escaped(result.base, 500)}`"
    for one in result.checkpoints:
        best = ", the training's best" if one.name == result.best else ""
        yield f"- {escaped(one.name)}: {one.kind}, step {one.step}{best}"
    if result.status != "complete":
        yield f"- the run is **{result.status}**: see report.md"
    yield from (f"- {escaped(note, 500)}" for note in result.notes)
    yield ""


def _values(result: Finetuned) -> Iterator[str]:
    for curve in result.curves:
        yield from (f"**{escaped(curve.dataset)}** ({escaped(curve.backend)}), {escaped(curve.metric)}:", "")
        yield from ("| step | model | value | 95 % interval | n | errors |", "|---:|---|---:|---|---:|---:|")
        yield from (f"| {' | '.join(_cells(point, curve))} |" for point in curve.points)
        yield ""


def _cells(point: Point, curve: Curve) -> Iterator[str]:
    yield str(point.step)
    yield escaped(point.model)
    yield "–" if point.value is None else value_words(point.value, curve.unit)
    yield "–" if point.ci95 is None else " to ".join(value_words(end, curve.unit) for end in point.ci95)
    yield f"{point.n:,}"
    yield f"{point.n_errors:,}"


def _flips(result: Finetuned) -> Iterator[str]:
    assert result.comparison is not None
    for against in result.comparison.against:
        yield from _flips_of(against)


def _flips_of(against: Against) -> Iterator[str]:
    for one in against.datasets:
        yield from (f"p of {escaped(against.candidate.label)} on {escaped(one.dataset)}: {TESTS[one.test]}", "")
        for word, flips, total in (("Won", one.flips_gained, one.gained), ("Lost", one.flips_lost, one.lost)):
            if not flips:
                continue
            where = f"{escaped(against.candidate.label)} on {escaped(one.dataset)}"
            yield from (f"### {word} by {where}: {len(flips)} of {total:,}", "")
            yield from ("| sample | target | base | tuned |", "|---|---|---|---|")
            yield from (_flip(flip) for flip in flips)
            yield ""


def _flip(flip: Flip) -> str:
    name = f"{flip.subset}/{flip.sample_id}" if flip.subset else flip.sample_id
    cells = (name, flip.target or "", _answer(flip.baseline), _answer(flip.candidate))
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def _answer(answer: Answer) -> str:
    return answer.extracted if answer.extracted is not None else answer.response or "–"
