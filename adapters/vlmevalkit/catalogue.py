"""The datasets: VLMEvalKit's own, as ``datasets.json`` lists them, and forms of the user's own tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bridge.adapters.vlmevalkit.names import BACKEND
from bridge.backend import DatasetInfo

DATA = Path(__file__).parent / "datasets.json"
Need = Literal["none", "optional", "required"]


@dataclass(frozen=True)
class Entry:
    """What it takes to evaluate one dataset; but for ``name``, ``kwargs`` and ``custom`` as ``datasets.json`` says."""

    name: str
    family: str
    """Its class in VLMEvalKit."""
    evaluator: str
    """The class whose ``evaluate`` scores it."""
    type: str
    modality: str
    env: Literal["lean", "full", ""]
    judge: Need
    answers: Literal["public", "withheld"] = "public"
    layout: Literal["tsv", "own"] = "tsv"
    circular: bool = False
    pred_format: str = "tsv"
    parts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Packages that are in neither environment."""
    runs_code: bool = False
    own_judge: bool = False
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Of a video preset."""
    custom: bool = False
    """A form of the user's own table, not a dataset."""

    @property
    def group(self) -> str | None:
        """Which rows are scored as one (see ``launcher.rows``)."""
        if self.circular:
            return "circular"
        return {"MME": "image", "HallusionBench": "set", "MMVP": "pair"}.get(self.name)

    @property
    def unusable(self) -> str:
        if self.runs_code:
            return "its scorer runs programs that the model writes"
        if self.own_judge:
            return "its scorer asks a judge at an address of its own, past bridge"
        if gone := [name for name in self.missing if name.startswith("vlmeval")]:
            return f"VLMEvalKit {version()} itself lacks {gone[0]}, which its scorer imports"
        return f"its scorer or its files need {', '.join(self.missing)}" if self.missing else ""


def _custom(name: str, family: str, evaluator: str, kind: str, judge: Need, modality: str = "image") -> Entry:
    return Entry(name, family, evaluator, kind, modality, "lean", judge, circular="circular" in name, custom=True)


CUSTOM = {
    entry.name: entry
    for entry in (
        _custom("custom_mcq", "CustomMCQDataset", "ImageMCQDataset", "MCQ", "optional"),
        _custom("custom_mcq_circular", "CustomMCQDataset", "ImageMCQDataset", "MCQ", "optional"),
        _custom("custom_text_mcq", "CustomTextMCQDataset", "TextMCQDataset", "MCQ", "optional", "text"),
        _custom("custom_yn", "ImageYORNDataset", "ImageYORNDataset", "Y/N", "optional"),
        _custom("custom_vqa", "CustomVQADataset", "CustomVQADataset", "VQA", "none"),
    )
}
_ABOUT_CUSTOM = {
    "custom_mcq": "Your own multiple-choice questions about images: a table or a folder, by 'path'",
    "custom_mcq_circular": "The same, each question asked with its options rotated, right if all are (MMBench's way)",
    "custom_text_mcq": "Your own multiple-choice questions without images, by 'path'",
    "custom_yn": "Your own yes/no questions about images, by 'path'",
    "custom_vqa": "Your own questions about images with short answers, by 'path'; scored by bridge",
}


@cache
def _listed() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DATA.read_bytes())
    return loaded


@cache
def version() -> str:
    """Of the VLMEvalKit that the locks hold."""
    return str(_listed()["version"])


@cache
def entry(name: str) -> Entry | None:
    """The dataset of that name, one of the user's own forms, or a preset of a video dataset."""
    if name in CUSTOM:
        return CUSTOM[name]
    kwargs: dict[str, Any] = {}
    if name not in _listed()["datasets"] and name in _listed()["presets"]:
        name, kwargs = _listed()["presets"][name]
    found = _listed()["datasets"].get(name)
    if found is None:
        return None
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return Entry(name=name, kwargs=kwargs, **{"family" if key == "class" else key: v for key, v in fields.items()})


@cache
def infos() -> Mapping[str, DatasetInfo]:
    return {name: info for name in (*_listed()["datasets"], *CUSTOM) if (info := info_of(name))}


def info_of(name: str) -> DatasetInfo | None:
    found = entry(name)
    if found is None:
        return None
    return DatasetInfo(
        name,
        BACKEND,
        kind="custom" if found.custom else "generation",
        description=_ABOUT_CUSTOM.get(name) or _described(found),
        family=found.type,
        config=found.family,
        evaluator=found.evaluator,
        data="path" if found.custom else f"LMUData/{found.name}.tsv" if found.layout == "tsv" else "",
        unusable=found.unusable,
    )


def _described(found: Entry) -> str:
    """Type, modality, environment, judge, and whether the answers are public."""
    judge = {"none": "no judge", "optional": "judge optional", "required": "needs a judge"}[found.judge]
    parts = [f"{found.type} on {found.modality}", judge, f"environment {found.env}" if found.env else ""]
    if found.answers == "withheld":
        parts.append("answers not public: needs a table with answers")
    if found.modality == "video":
        parts.append("needs its files, by 'path'")
    return "; ".join(filter(None, parts))
