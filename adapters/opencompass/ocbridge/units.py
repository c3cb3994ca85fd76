"""What is to be done: each dataset's configuration file, loaded on its own, as units that run on their own.

A unit is one entry of OpenCompass's ``datasets`` list: one prediction file, one result file, one subset.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from opencompass.utils import dataset_abbr_from_cfg

from .judging import is_subjective, judged, judged_by
from .lay_out import Laid, LayoutError, Source, choose, lay_out

Json = dict[str, Any]


@dataclass
class Unit:
    """One entry, and how far it has come."""

    dataset: str
    """``DatasetSpec.id``."""
    abbr: str
    subset: str | None
    model: int
    config: Json = field(repr=False)
    settings: Json = field(repr=False)
    state: str = "waiting"
    """``waiting``, ``infer``, ``score``, ``done`` or ``failed``."""
    error: str = ""
    done: int = 0
    total: int | None = None
    """Rows that OpenCompass loaded, repeats included."""
    source_rows: int | None = None
    """Rows of the file, where they were counted."""
    tries: int = 0

    def fail(self, stage: str, error: str) -> None:
        self.state, self.error = "failed", f"{stage}: {error}"

    @property
    def open(self) -> bool:
        return self.state not in ("done", "failed")


@dataclass(frozen=True)
class Work:
    models: Sequence[Json]
    units: list[Unit]
    problems: dict[str, str]
    """Datasets of which nothing can run, and why."""


def load(manifest: Mapping[str, Any], isolated: Callable[[Callable[[], list[Unit]]], list[Unit] | str]) -> Work:
    """Lays out the data and loads the configurations. ``isolated`` turns what a foreign file raises into a line."""
    _link_data(Path(manifest["data"]))
    defined = Config.fromfile("models.py", format_python_code=False).to_dict()
    models, judge = defined["models"], defined.get("judge")
    units: list[Unit] = []
    problems: dict[str, str] = {}
    for entry in manifest["datasets"]:
        try:
            laid = _laid_out(entry, Path(manifest["data"]))
        except LayoutError as error:
            problems[entry["id"]] = f"data: {error}"
            continue
        loaded = isolated(lambda entry=entry, laid=laid: list(_units(entry, laid, models, judge)))  # type: ignore[misc]
        if isinstance(loaded, str):
            problems[entry["id"]] = f"config: {loaded}"
        else:
            _name_apart(loaded, units)
            units += loaded
    return Work(models, units, problems)


def _name_apart(units: Sequence[Unit], others: Sequence[Unit]) -> None:
    """Configurations of one benchmark call their parts the same; OpenCompass would write one over the other."""
    taken = {(other.model, other.abbr) for other in others}
    for unit in units:
        if (unit.model, unit.abbr) in taken:
            unit.abbr = f"{unit.abbr}--{re.sub('[^A-Za-z0-9._-]', '-', unit.dataset)}"
            unit.config["abbr"] = unit.abbr


def _link_data(cache: Path) -> None:
    """Some loaders open ``./data`` as it stands, whatever the data folder is set to."""
    if not Path("data").exists():
        (cache / "data").mkdir(parents=True, exist_ok=True)
        Path("data").symlink_to(cache / "data")


def _laid_out(entry: Mapping[str, Any], data: Path) -> Laid:
    laid = Laid()
    for part in entry["sources"]:
        lay_out(choose([Source.from_json(said) for said in part]), data, laid)
    return laid


def _units(entry: Mapping[str, Any], laid: Laid, models: Sequence[Json], judge: Json | None) -> Iterator[Unit]:
    there = {config["abbr"]: judged(config, judge) for config in _configs(entry)}
    wanted = entry["subsets"] or _all(entry, laid, there)
    if not wanted:
        raise LookupError(f"{entry['config']} has no datasets")
    for abbr, subset in wanted.items():
        files = [name.replace("{}", abbr) for name in entry["files"].get(abbr) or entry["files"].get("*", [])]
        problem = next((laid.problems[name] for name in files if name in laid.problems), "")
        if not problem and abbr not in there:
            raise LookupError(f"{entry['config']} has no {abbr}; it has {', '.join(there) or 'nothing'}")
        config = there.get(abbr, {})
        unit = Unit(entry["id"], abbr, subset, entry["model"], config, _settings(config, models[entry["model"]]))
        unit.source_rows = laid.rows.get(files[0]) if files else None
        if problem:
            unit.fail("data", problem)
        yield unit


def _all(entry: Mapping[str, Any], laid: Laid, there: Mapping[str, Json]) -> dict[str, str | None]:
    """Everything that the configuration has, and files that are too broken to get into it."""
    broken = [Path(name).stem for name in laid.problems if "*" in entry["files"]]
    return {abbr: abbr for abbr in sorted({*there, *broken})}


def _configs(entry: Mapping[str, Any]) -> list[Json]:
    """Types are dotted names, as in the configuration that OpenCompass writes down and hands to its tasks."""
    loaded = Config.fromfile(entry["config"], format_python_code=False).to_dict()
    return [_whole(config) for config in loaded[Path(entry["config"]).stem.replace("dataset", "datasets")]]


def _whole(config: Json) -> Json:
    """An entry without a type is a custom dataset, which OpenCompass completes from its first row."""
    if "type" in config:
        return config if "abbr" in config else {**config, "abbr": dataset_abbr_from_cfg(config)}
    from opencompass.datasets.custom import make_custom_dataset_config

    whole: Json = make_custom_dataset_config(config)
    return {**whole, "n": config["n"]} if "n" in config else whole


def described(unit: Unit) -> list[Json]:
    """The unit in the ledger: what became of it, and what of its configuration decides the score.

    Several, each a subset, where it is compared with several models.
    """
    told = {
        "dataset": unit.dataset,
        "abbr": unit.abbr,
        "subset": unit.subset,
        "state": unit.state,
        "error": unit.error,
        "rows": unit.total,
        "source_rows": unit.source_rows,
        **unit.settings,
    }
    results = told.pop("results")
    return [{**told, "subset": unit.subset if of is None else of, "results": folder} for of, folder in results.items()]


def _settings(config: Json, model: Json) -> Json:
    """What of the configuration decides the score."""
    reader, infer, scoring = (config.get(part, {}) for part in ("reader_cfg", "infer_cfg", "eval_cfg"))
    retriever, evaluator = infer.get("retriever", {}), scoring.get("evaluator", {})
    subjective = is_subjective(config)
    postprocessor = evaluator["dict_postprocessor"]["own"] if subjective else scoring.get("pred_postprocessor", {})
    return {
        "model": model["abbr"],
        "results": judged_by(config, model) if subjective else {None: model["abbr"]},
        "repeats": config.get("n", 1),
        "version": _version(config),
        "max_out_len": infer.get("inferencer", {}).get("max_out_len", model.get("max_out_len")),
        "retriever": _last(retriever.get("type")),
        "shots": len(retriever["fix_id_list"]) if "fix_id_list" in retriever else None,
        "evaluator": _last(evaluator.get("type")),
        "postprocessor": _last(postprocessor.get("type")),
        "split": reader.get("test_split"),
        "columns": _columns(reader.get("input_columns")),
    }


def _columns(named: object) -> list[str]:
    return (
        [named] if isinstance(named, str) else [str(name) for name in named] if isinstance(named, list | tuple) else []
    )


def _last(dotted: object) -> str | None:
    return str(dotted).rpartition(".")[2] if dotted else None


def _version(config: Json) -> str | None:
    """The six digits that OpenCompass prints beside a score."""
    from opencompass.utils.prompt import get_prompt_hash

    try:
        return str(get_prompt_hash(ConfigDict(copy.deepcopy(config))))[:6]
    except (AttributeError, KeyError, TypeError):
        return None
