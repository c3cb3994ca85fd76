"""What is not alike on the two sides, before any number is believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from bridge.report.compare_schema import Kind, SettingDifference
from bridge.report.compare_sides import Selected
from bridge.report.schema import ResultRow
from bridge.report.text import one_line, well_formed

RowPair = tuple[ResultRow, ResultRow]
_ABSENT = "–"
_RANK: dict[Kind, int] = {"score": 0, "subject": 1, "origin": 2}


def differences(baseline: Selected, candidate: Selected, rows: Sequence[RowPair]) -> tuple[SettingDifference, ...]:
    """Those that can change scores first. What is the same difference for every dataset is told once."""
    found: dict[tuple[str, str, str, Kind], list[str]] = {}
    for before, after in rows:
        for name, (old, new, kind) in _row_differences(before, after).items():
            found.setdefault((name, old, new, kind), []).append(before.dataset)
    told = [
        SettingDifference(dataset=dataset, name=name, baseline=old, candidate=new, kind=kind)
        for (name, old, new, kind), datasets in found.items()
        for dataset in ([None] if len(datasets) == len(rows) > 1 else datasets)
    ]
    return tuple(sorted([*told, *_run_differences(baseline, candidate)], key=lambda one: _RANK[one.kind]))


def _row_differences(before: ResultRow, after: ResultRow) -> dict[str, tuple[str, str, Kind]]:
    found = {
        **_unlike(_score_fields(before), _score_fields(after), "score"),
        **_unlike(_origin_fields(before), _origin_fields(after), "origin"),
    }
    if before.backend == after.backend:
        return found
    # What only one of two frameworks has a setting for is its own way of working.
    return {
        name: (old, new, "origin" if _ABSENT in (old, new) and name not in _COMMON else kind)
        for name, (old, new, kind) in found.items()
    }


def _unlike(old: Mapping[str, str], new: Mapping[str, str], kind: Kind) -> dict[str, tuple[str, str, Kind]]:
    names = (name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name))
    return {name: (old.get(name, _ABSENT), new.get(name, _ABSENT), kind) for name in names}


_ABOUT = ("imported", "reported_metric")
"""Settings of imported rows that say where they come from."""
_SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "seed", "stop", "repeats")
_COMMON = {"backend", "metric", "split", "num_fewshot", "samples", "limit", "average", "judge", "subsets", *_SAMPLING}
"""What every framework has, whatever it calls it."""
_ALIASES = {"max_out_len": "max_tokens", "max_completion_tokens": "max_tokens", "max_new_tokens": "max_tokens"}


def _score_fields(row: ResultRow) -> dict[str, str]:
    fields: dict[str, Any] = {
        "backend": row.backend,
        "metric": row.metric,
        "split": row.split,
        "num_fewshot": row.num_fewshot,
        "samples": row.n + row.n_errors,
        **dict(_flat(row.settings)),
    }
    told = {name: value for name, value in fields.items() if name not in _ABOUT}
    return {name: _shown(value) for name, value in told.items() if value not in (None, {}, [], "")}


def _origin_fields(row: ResultRow) -> dict[str, str]:
    lock = (row.env_lock_sha256 or "")[:12]
    fields = {"backend_version": row.backend_version, "env_lock": lock, "status": row.status.value}
    about = {name: _shown(row.settings[name]) for name in _ABOUT if name in row.settings}
    return {name: value for name, value in {**fields, **about}.items() if value}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, "" if name == "generation" else f"{prefix}{name}.")
        elif not name.endswith("_value"):  # a framework's own number of the result
            yield _ALIASES.get(f"{prefix}{name}", f"{prefix}{name}"), value


def _run_differences(baseline: Selected, candidate: Selected) -> Iterator[SettingDifference]:
    before, after = baseline.report.run, candidate.report.run
    found = {
        **_unlike(_model_fields(baseline), _model_fields(candidate), "subject"),
        **_unlike({"judge": _judge(baseline)}, {"judge": _judge(candidate)}, "score"),
        **_unlike({"bridge": before.bridge_version}, {"bridge": after.bridge_version}, "origin"),
    }
    for name, (old, new, kind) in found.items():
        yield SettingDifference(dataset=None, name=name, baseline=old, candidate=new, kind=kind)


def _model_fields(side: Selected) -> dict[str, str]:
    info = next((info for info in side.report.models if info.name == side.model), None)
    fields: dict[str, Any] = {"model": side.model}
    if info is not None:
        fields |= {"source": info.source, "engine": info.engine, "adapters": info.adapters, "revision": info.revision}
    return {name: _shown(value) for name, value in fields.items() if value}


def _judge(side: Selected) -> str:
    """Of the run's own spec; results from elsewhere have none."""
    from bridge.errors import BridgeError
    from bridge.rundir import RunDir
    from bridge.spec_file import recorded_spec

    try:
        judges = recorded_spec(RunDir(side.root).spec).all_judges
    except BridgeError:
        return _ABSENT
    return _shown(", ".join(judge.name for judge in judges)) if judges else _ABSENT


def _shown(value: Any) -> str:
    return one_line(value if isinstance(value, str) else orjson.dumps(well_formed(value), default=str).decode(), 200)
