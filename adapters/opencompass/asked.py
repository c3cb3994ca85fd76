"""One dataset as the task asks for it: a view of the spec that knows what the name stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.adapters.opencompass import layout
from bridge.adapters.opencompass.catalog import NAME, Chosen, Config, datasets, resolve
from bridge.adapters.opencompass.ocbridge.lay_out import Source
from bridge.backend import Task
from bridge.spec import DatasetSpec, GenerationSpec, expanded

OPTIONS = ("data", "model")
_FOLDERS = {"ARC_c": "arc", "ARC_e": "arc", "obqa": "openbookqa"}
"""Names under which a benchmark's files are usually kept, where it is not the dataset's own."""


@dataclass(frozen=True)
class Asked:
    task: Task
    dataset: DatasetSpec
    chosen: Chosen

    @property
    def at(self) -> str:
        """Its path in the spec."""
        return f"datasets[{self.task.spec.datasets.index(self.dataset)}]"

    @property
    def limit(self) -> int | None:
        return self.task.spec.limit_of(self.dataset)

    @property
    def repeats(self) -> int:
        return self.task.spec.repeats_of(self.dataset)

    @property
    def generation(self) -> GenerationSpec:
        return self.task.generation(self.dataset)

    @property
    def folder(self) -> str:
        """Where its converted files go, in OpenCompass's data."""
        return f"data/custom/{self.dataset.id}"

    @property
    def subsets(self) -> dict[str, str | None]:
        """``abbr`` → subset of all that are asked for; empty where only the files say."""
        wanted = self.dataset.subsets
        if self.chosen.custom:
            return {subset: subset for subset in wanted}
        return {abbr: config.units[abbr] for config in self.configs() for abbr in config.wanted(wanted)}

    def configs(self) -> list[Config]:
        """The configurations that hold what is asked for."""
        wanted = self.dataset.subsets
        return [config for config in self.chosen.configs if not wanted or config.wanted(wanted)]

    @property
    def judged(self) -> bool:
        """A judge scores it, or a part of it."""
        return any(config.judged for config in self.configs())

    @property
    def subjective(self) -> bool:
        """OpenCompass's task for subjective evaluation scores it."""
        return any(config.subjective for config in self.configs())

    @property
    def part(self) -> str:
        """What its parts' abbreviations end with: to that task, a limit makes a dataset the first part of itself."""
        return "_0" if self.subjective and self.limit is not None else ""

    def roots(self) -> list[str]:
        """Folders, or one file, in which its files may be."""
        return [str(Path(root).absolute()) for root in self._roots()]

    def parts(self, subset: str | None = None) -> list[list[Source]]:
        """Its files, as ``layout.parts``; those of one subset, or of all that are asked for."""
        subsets = (subset,) if subset is not None else self.dataset.subsets
        return layout.parts(self.chosen, subsets, self.dataset.split, self.roots(), self.folder)

    def _roots(self) -> Iterator[str]:
        if self.dataset.path is not None:
            yield expanded(self.dataset.path)
            return
        if data := options(self.task).get("data"):
            yield str(data)
        if self.task.spec.data is not None:
            families = [config.family for config in self.chosen.configs]
            own = [*([self.chosen.name] if self.chosen.name in datasets() else []), *families]
            for name in dict.fromkeys([*own, *(_FOLDERS.get(name, name.lower()) for name in own)]):
                yield f"{expanded(self.task.spec.data)}/{name}"
            yield expanded(self.task.spec.data)


def options(task: Task) -> Mapping[str, Any]:
    return task.spec.options.get(NAME, {})


def asked(task: Task) -> list[Asked]:
    """All datasets of the task whose names are known."""
    found = [(dataset, resolve(own_name(dataset))) for dataset in task.datasets]
    return [Asked(task, dataset, chosen) for dataset, chosen in found if chosen is not None]


def own_name(dataset: DatasetSpec) -> str:
    return dataset.name.removeprefix(f"{NAME}:")
