"""What must hold besides the difference: that the runs are whole and comparable, and floors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.gate.policy import Require, Sameness
from bridge.gate.wanted import Wanted
from bridge.report.compare_schema import Against, DatasetComparison, SettingDifference
from bridge.report.compare_words import unpaired_words
from bridge.report.schema import ResultRow
from bridge.report.text import one_line

_SAMPLING = {
    *("temperature", "max_tokens", "top_p", "top_k", "min_p", "seed", "stop", "repeats", "extra_body"),
    *("chat_template_kwargs", "reasoning_effort", "repetition_penalty", "presence_penalty", "frequency_penalty"),
}
_SAME: Mapping[Sameness, Callable[[str], bool]] = {
    "prompt": lambda name: name.split(".")[-1] in ("prompt", "prompt_template", "system", "chat_template"),
    "generation": lambda name: name.split(".")[0] in _SAMPLING,
    "few_shot": lambda name: name == "num_fewshot",
    "limit": lambda name: name in ("limit", "samples", "subsets"),
    "judge": lambda name: name.split(".")[0].startswith("judge"),
    "dataset_revision": lambda name: name.startswith(("dataset_", "data_")) or name == "split",
    "metric": lambda name: name in ("metric", "scorer", "average"),
    "backend": lambda name: name in ("backend", "backend_version", "env_lock"),
}
Rows = tuple[ResultRow | None, ResultRow | None]


@dataclass(frozen=True)
class Floor:
    """What became of the limits that the candidate's own value has."""

    words: str = ""
    broken: bool = False
    """Shown to be below the floor, or above the ceiling."""
    not_shown: bool = False


@dataclass(frozen=True)
class Faults:
    """What is wrong with one dataset besides its difference."""

    missing: tuple[str, ...] = ()
    """Why the candidate has no value."""
    unclear: tuple[str, ...] = ()
    floor: Floor = field(default_factory=Floor)

    @property
    def told(self) -> tuple[str, ...]:
        floor = (self.floor.words,) if self.floor.broken or self.floor.not_shown else ()
        return (*self.missing, *floor, *self.unclear)


def differing(require: Require, differences: Sequence[SettingDifference]) -> tuple[str, ...]:
    """The settings that are to be the same and are not."""
    return tuple(
        f"{f'{one.dataset} ' if one.dataset else ''}{one.name}: {one.baseline} → {one.candidate}"
        for one in differences
        if any(_SAME[what](one.name) for what in require.same)
    )


def faults_of(
    wanted: Wanted, require: Require, rows: Rows, comparison: DatasetComparison | None, against: Against
) -> Faults:
    before, after = rows
    if after is None or after.value is None:
        why = (
            f"the candidate has no value: {one_line(after.reason or '')}" if after else "the candidate does not have it"
        )
        return Faults(missing=(why,))
    unclear = [*_incomplete(require, before, "baseline"), *_incomplete(require, after, "candidate")]
    if comparison is None:
        unclear += [one.reason for one in against.not_compared if one.dataset == wanted.dataset]
    else:
        unclear += _weak(wanted, require, comparison)
    return Faults(unclear=tuple(unclear), floor=_floor(wanted, after))


def _incomplete(require: Require, row: ResultRow | None, who: str) -> Iterator[str]:
    if row is None or row.value is None:
        yield f"the {who} has no value"
        return
    if not require.allows(row.status):
        yield f"the {who} is {row.status.value}, {require.status} is required"
    total = row.n + row.n_errors
    if total and row.n_errors / total > require.max_error_rate:
        lost = f"{row.n_errors:,} of {total:,} samples of the {who} have no score"
        yield f"{lost}, {require.max_error_rate:.2%} are allowed"


def _weak(wanted: Wanted, require: Require, one: DatasetComparison) -> Iterator[str]:
    unpaired = one.unpaired.total
    if unpaired / (one.n + unpaired) > require.max_unpaired:
        lost = f"{unpaired:,} of {one.n + unpaired:,} samples are no pairs ({unpaired_words(one.unpaired)})"
        yield f"{lost}, {require.max_unpaired:.2%} are allowed"
    if one.unpaired.other_prompt and "prompt" in require.same:
        yield f"{one.unpaired.other_prompt:,} samples were asked with another prompt"
    if one.stderr is None:
        yield f"{one.n:,} pairs say nothing about chance"
    repeats = min(one.noise.repeats_baseline, one.noise.repeats_candidate) if one.noise else 1.0
    if wanted.rule.repeats_at_least is not None and repeats < wanted.rule.repeats_at_least:
        yield f"{repeats:g} answers per sample, {wanted.rule.repeats_at_least} are required"


def _floor(wanted: Wanted, row: ResultRow) -> Floor:
    rule = wanted.rule
    limits = [f"at least {rule.min_value:g}"] if rule.min_value is not None else []
    limits += [f"at most {rule.max_value:g}"] if rule.max_value is not None else []
    words = ", ".join(limits)
    if not limits:
        return Floor()
    if row.ci95 is None:
        return Floor(f"{words}: {row.value:g} has no interval", not_shown=True)
    low, high = row.ci95
    interval = f"{words}: the interval [{low:.4g}, {high:.4g}]"
    if _outside(high, high, rule.min_value, None) or _outside(low, low, None, rule.max_value):
        return Floor(f"{interval} is beyond it", broken=True)
    if _outside(low, high, rule.min_value, rule.max_value):
        return Floor(f"{interval} does not show it", not_shown=True)
    return Floor(f"{words}: holds")


def _outside(low: float, high: float, floor: float | None, ceiling: float | None) -> bool:
    return (floor is not None and low < floor) or (ceiling is not None and high > ceiling)
