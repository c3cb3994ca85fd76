"""The gate's answer as lines of plain text, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.gate.schema import DatasetAnswer, GateAnswer, PerformanceAnswer
from bridge.gate.why import limit_words
from bridge.report.compare_words import change_words, interval_words, p_words
from bridge.report.markdown import escaped
from bridge.report.text import plural, visible

_STATE = {
    "ok": "ok",
    "worse": "WORSE",
    "not shown": "not shown",
    "missing": "MISSING",
    "unclear": "unclear",
    "told": "",
}
_MARK = {"ok": "✓", "worse": "✗", "missing": "✗", "not shown": "?", "unclear": "?", "told": "·"}
_VERDICT = {"GO": "GO", "NO-GO": "NO-GO", "INCONCLUSIVE": "INCONCLUSIVE"}


def answer_text(answer: GateAnswer) -> str:
    return "\n".join(visible(line) for line in _text(answer)) + "\n"


def answer_markdown(answer: GateAnswer) -> str:
    return "\n".join(_markdown(answer)) + "\n"


def _text(answer: GateAnswer) -> Iterator[str]:
    yield f"{answer.verdict}  {_what(answer)}"
    rows = list(_rows(answer))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for one in answer.datasets:
        if one.waived:
            yield f"waived: {one.dataset} {one.waived}"
    for number in answer.performance:
        yield f"{number.name}  {_number(number)}"
    if answer.not_in_policy:
        yield f"not in the policy: {', '.join(answer.not_in_policy)}"
    if answer.expired_waivers:
        yield f"waivers that have ended: {', '.join(answer.expired_waivers)}"
    yield from (f"why: {reason}" for reason in answer.why)
    if answer.verdict == "INCONCLUSIVE" and answer.exit_code == 0:
        yield f"the policy lets this pass (on_inconclusive: {answer.policy.on_inconclusive})"


def _what(answer: GateAnswer) -> str:
    pairs = sum(one.pairs for one in answer.datasets)
    unpaired = sum(one.unpaired for one in answer.datasets)
    sides = f"{answer.candidate.label} against {answer.baseline.label}"
    policy = f"policy {answer.policy.path} (sha256 {answer.policy.sha256[:8]})"
    counts = f"{plural(len(answer.datasets), 'dataset')}, {plural(pairs, 'pair')}, {unpaired:,} unpaired"
    return f"{sides}   {policy}   {counts}"


def _rows(answer: GateAnswer) -> Iterator[tuple[str, ...]]:
    suite = answer.suite
    if suite is not None:
        change, interval = change_words(suite.difference, "fraction"), interval_words(suite.ci95, "fraction")
        limit = f"limit {change_words(-suite.max_drop, 'fraction')}"
        yield "suite", f"mean of {suite.datasets}", change, interval, limit, _STATE[suite.state], _p(suite.p_worse), ""
    for one in answer.datasets:
        yield one.dataset, one.tier, *_numbers(one), _state(one), _p(one.p_worse, "Holm"), _flips(one)


def _numbers(one: DatasetAnswer) -> tuple[str, str, str]:
    if one.difference is None:
        return "–", "–", ""
    limit = limit_words(one)
    change, interval = change_words(one.difference, one.unit), interval_words(one.ci95, one.unit)
    return change, interval, f"limit {limit}" if limit else ""


def _state(one: DatasetAnswer) -> str:
    return "waived" if one.waived else _STATE[one.state]


def _p(p: float | None, how: str = "") -> str:
    return "" if p is None or p > 0.5 else f"p{f'({how})' if how else ''} {p_words(p)}"


def _flips(one: DatasetAnswer) -> str:
    return f"{one.lost:,} lost / {one.gained:,} won" if one.pairs else ""


def _number(number: PerformanceAnswer) -> str:
    values = " → ".join("–" if value is None else f"{value:g}" for value in (number.baseline, number.candidate))
    limits = ", ".join(number.limits)
    return f"{values}  {limits}  {_STATE[number.state]}"


def _markdown(answer: GateAnswer) -> Iterator[str]:
    yield f"## {answer.verdict}: {escaped(answer.candidate.label)} against {escaped(answer.baseline.label)}"
    yield ""
    yield from (f"- {escaped(reason, 500)}" for reason in answer.why)
    yield from ([""] if answer.why else [])
    yield "| | | difference | 95 % interval | limit | p worse | lost / won |"
    yield "|---|---|---:|---|---:|---:|---|"
    suite = answer.suite
    if suite is not None:
        cells = (
            f"{_MARK[suite.state]} **suite**",
            f"mean of {suite.datasets}",
            change_words(suite.difference, "fraction"),
            interval_words(suite.ci95, "fraction"),
            change_words(-suite.max_drop, "fraction"),
            p_words(suite.p_worse),
            "",
        )
        yield f"| {' | '.join(cells)} |"
    for one in answer.datasets:
        change, interval, limit = _numbers(one)
        p_worse = "" if one.p_worse is None else p_words(one.p_worse)
        tier = f"{one.tier}, waived {escaped(one.waived)}" if one.waived else one.tier
        name = f"{_MARK[one.state]} {escaped(one.dataset)}"
        row = (name, tier, change, interval, limit.removeprefix("limit "), p_worse, _flips(one))
        yield f"| {' | '.join(row)} |"
    for number in answer.performance:
        values = " → ".join("–" if value is None else f"{value:g}" for value in (number.baseline, number.candidate))
        limits = escaped(", ".join(number.limits))
        yield f"| {_MARK[number.state]} {escaped(number.name)} | performance | {values} | | {limits} | | |"
    yield ""
    yield escaped(_what(answer), 400)
