"""What OpenCompass can evaluate, from the files that ``scripts/list_opencompass.py`` makes of the real package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bridge.backend import DatasetInfo

NAME = "opencompass"
HERE = Path(__file__).parent
ALIASES = {"arc": ("ARC_e", "ARC_c")}
"""Names of the native engine that stand for several of OpenCompass's; others are the same in both."""
_ARC_SUBSETS = {"ARC_e": "ARC-Easy", "ARC_c": "ARC-Challenge"}
CUSTOM = {
    "general_mcq": "multiple choice questions of your own, from <subset>_val.jsonl",
    "general_qa": "questions with a short answer of your own, from <subset>.jsonl",
}
_JUDGED = "scored by the spec's judge"
_SUBJECTIVE = "LMEvaluator"
_EVALUATES_ANSWERS = ("TheoremQA", "korbench", "SuperGPQA", "MedCalc", "CMPhysBench", "FollowBench")
"""Parts of the names of evaluators and loaders that hand answers (or the judge's), or parts of them, to ``eval``."""
_EVALUATES_DATA = ("NaturalQuestionDataset", "TriviaQA", "TSP", "TEval")
"""Those that hand fields of the data to it."""
_LIKELIHOOD = "scores likelihoods, which a model behind an API does not give"


@dataclass(frozen=True)
class Config:
    """One of OpenCompass's configuration files."""

    module: str
    """Relative to ``opencompass.configs.datasets``."""
    variables: tuple[str, ...]
    units: Mapping[str, str | None]
    """``abbr`` → subset, None where there is only one; empty where they are too many to be listed."""
    names: Mapping[str, str]
    """``abbr`` → what its loader calls it, which is part of its files' names."""
    data: tuple[str, ...]
    """Paths in OpenCompass's data folder, each beginning with ``data/``."""
    loader: str
    """The class that reads them, where it is one."""
    fix: int | None
    """How many examples a fixed list names; another number can be asked for."""
    shots: int | None
    """How many worked examples are written into the prompt."""
    own_range: bool
    """It limits its rows itself."""
    runs: Literal["nothing", "data", "model output"]
    """What it runs as Python: an answer of the model, or a field of the data."""
    judged: bool
    """Its evaluator asks a judge."""
    subjective: bool
    """OpenCompass's task for subjective evaluation scores it, by the judge's word alone."""

    @property
    def family(self) -> str:
        return self.module.split(".")[0]

    def paths(self, subsets: Sequence[str]) -> tuple[str, ...]:
        """Of the data, what these subsets need."""
        return tuple(dict.fromkeys(path for abbr in self.wanted(subsets) for path in self.paths_of(abbr))) or self.data

    def paths_of(self, abbr: str) -> tuple[str, ...]:
        """All, or where each has a path of its own, that one."""
        own = dict(zip(self.units, self.data, strict=True)) if len(self.data) == len(self.units) else {}
        return (own[abbr],) if abbr in own else self.data

    def wanted(self, subsets: Sequence[str]) -> list[str]:
        """The abbreviations of these subsets; of all, where none is named."""
        return [abbr for abbr, subset in self.units.items() if not subsets or subset in subsets]


@dataclass(frozen=True)
class Chosen:
    """What a name in a spec stands for: configurations of OpenCompass, or its custom type."""

    name: str
    info: DatasetInfo
    configs: tuple[Config, ...] = ()

    @property
    def custom(self) -> bool:
        return self.name in CUSTOM

    @property
    def subsets(self) -> tuple[str, ...]:
        return tuple(subset for config in self.configs for subset in config.units.values() if subset is not None)


def version() -> str:
    return str(_index()["opencompass"])


@cache
def datasets() -> Mapping[str, DatasetInfo]:
    """Short names first, then the names that native shares, the custom types, and families by their folder's name."""
    index = _index()
    listed = {name: _info(name, entry, entry["config"]) for name, entry in index["names"].items()}
    listed |= {alias: _alias_info(alias) for alias in ALIASES}
    listed |= {name: _custom_info(name, text) for name, text in CUSTOM.items()}
    for name, family in index["families"].items():
        if name not in listed:
            listed[name] = _family_info(name, family)
    return listed


@cache
def configurations() -> Mapping[str, DatasetInfo]:
    """Every configuration under its full name."""
    return {module: _info(module, entry, module) for module, entry in _configs().items()}


@cache
def resolve(name: str) -> Chosen | None:
    """A listed name, or a configuration by its file's name: ``mmlu_gen_4d595a``, ``mmlu.mmlu_gen_4d595a``."""
    info = datasets().get(name)
    if info is None:
        return _by_module(name)
    return Chosen(name, info, () if info.unusable else tuple(_configs_of(name)))


def _configs_of(name: str) -> Iterator[Config]:
    names, families = _index()["names"], _index()["families"]
    if name in ALIASES:
        for member in ALIASES[name]:
            yield _config(names[member]["config"], names[member] | {"subset": _ARC_SUBSETS[member]})
    elif name in names:
        yield _config(names[name]["config"], names[name])
    elif module := families.get(name, {}).get("config"):
        yield _config(module, _configs()[module])


def _by_module(name: str) -> Chosen | None:
    wanted = name.replace("/", ".")
    modules = [wanted] if wanted in _configs() else [m for m in _configs() if m.rpartition(".")[2] == wanted]
    if not modules:
        return None
    entry = _configs()[modules[0]]
    if len(modules) > 1:
        entry = {**entry, "unusable": f"several files have this name; name one of them: {', '.join(modules)}"}
    info = _info(name, entry, modules[0])
    return Chosen(name, info, () if info.unusable else (_config(modules[0], entry),))


def _config(module: str, entry: Mapping[str, Any]) -> Config:
    return Config(
        module,
        tuple(entry.get("variables", (f"{module.split('.')[0]}_datasets",))),
        units := dict(_units(entry)),
        dict(zip(units, entry.get("names") or [subset or "" for subset in units.values()], strict=True)),
        tuple(entry.get("data", ())),
        entry.get("loader", ""),
        entry.get("fix"),
        entry.get("shots"),
        entry.get("range", False),
        _runs(entry),
        entry.get("judge", False),
        _SUBJECTIVE in entry.get("evaluator", "").split(", "),
    )


def _runs(entry: Mapping[str, Any]) -> Literal["nothing", "data", "model output"]:
    named = f"{entry.get('evaluator', '')} {entry.get('loader', '')}"
    if entry.get("runs_code") or any(part in named for part in _EVALUATES_ANSWERS):
        return "model output"
    return "data" if any(part in named for part in _EVALUATES_DATA) else "nothing"


def _units(entry: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    if "abbr" in entry:
        yield entry["abbr"], entry.get("subset")
    for subset in entry.get("subsets", ()):
        yield entry.get("prefix", "") + subset, subset


def _info(name: str, entry: Mapping[str, Any], module: str | None) -> DatasetInfo:
    return DatasetInfo(
        name,
        NAME,
        kind="likelihood" if entry.get("kind") == "likelihood" else "generation",
        description=_JUDGED if entry.get("judge") else "",
        family=module.split(".")[0] if module else name,
        config=module.rpartition(".")[2] if module else "",
        evaluator=entry.get("evaluator", ""),
        data=", ".join(entry.get("data", ())),
        subsets=tuple(entry.get("subsets", ())),
        num_fewshot=entry.get("fix", entry.get("shots")),
        unusable=entry.get("unusable", ""),
    )


def _alias_info(alias: str) -> DatasetInfo:
    names = _index()["names"]
    members = [_info(member, names[member], names[member]["config"]) for member in ALIASES[alias]]
    return DatasetInfo(
        alias,
        NAME,
        description=f"the same as {' and '.join(ALIASES[alias])}",
        family=", ".join(member.family for member in members),
        config=", ".join(member.config for member in members),
        evaluator=members[0].evaluator,
        data=", ".join(member.data for member in members),
        subsets=tuple(_ARC_SUBSETS[member] for member in ALIASES[alias]),
        num_fewshot=members[0].num_fewshot,
    )


def _custom_info(name: str, text: str) -> DatasetInfo:
    evaluator = "OptionSimAccEvaluator" if name == "general_mcq" else "AccEvaluator"
    return DatasetInfo(
        name, NAME, kind="custom", description=text, family="custom", evaluator=evaluator, num_fewshot=0, data="path"
    )


def _family_info(name: str, family: Mapping[str, Any]) -> DatasetInfo:
    info = _info(name, family, family.get("config"))
    generation, likelihood = family.get("generation", 0), family.get("likelihood", 0)
    counted = f"{generation} generation and {likelihood} likelihood configurations"
    if "config" in family:
        return DatasetInfo(**{**vars(info), "description": "; ".join(filter(None, [counted, info.description]))})
    why = _LIKELIHOOD if not generation else f"has {generation} configurations and none that stands for all; name one"
    kind = "generation" if generation else "likelihood"
    return DatasetInfo(**{**vars(info), "description": counted, "kind": kind, "unusable": why})


@cache
def _index() -> dict[str, Any]:
    return _read("datasets.json")


@cache
def _configs() -> dict[str, Any]:
    configs: dict[str, Any] = _read("configs.json")["configs"]
    return configs


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / name).read_text(encoding="utf-8"))
    return content
