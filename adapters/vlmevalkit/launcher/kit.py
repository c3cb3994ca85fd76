"""VLMEvalKit itself: imported once, with stand-ins, and made safe to run: no ``eval``, no downloads by questions."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import version as installed
from pathlib import Path
from types import ModuleType
from typing import Any

from . import arithmetic, standins, timeouts

_source = ""
"""Folder of an upstream checkout, where one is used."""


def load(packages: Sequence[str], source: str | None = None) -> None:
    """Imports everything that an evaluation needs. ``source``: a folder with an upstream ``vlmeval`` in it."""
    global _source
    if source:
        _source = source
        sys.path.insert(0, source)
    sys.meta_path.insert(0, _WithoutEval())
    standins.install(packages)
    warnings.filterwarnings("ignore")
    timeouts.install()
    gc.disable()
    for name in ("dataset", "api", "config", "inference", "inference_mt", "inference_video", "utils"):
        module(name)
    _mend_imports()
    standins.seal()
    gc.enable()
    gc.freeze()


def module(name: str) -> Any:
    """A module of VLMEvalKit by its name below ``vlmeval``."""
    return import_module(f"vlmeval.{name}")


def version() -> str:
    """As its package says; of an upstream checkout, what its ``__init__`` says."""
    package = sys.modules["vlmeval"]
    if _source:
        return f"{getattr(package, '__version__', 'unknown')} from {_source}"
    return installed("ms-vlmeval")


def family_of(name: str) -> Any:
    """The class that evaluates the dataset of that name. Raises LookupError."""
    datasets = module("dataset")
    named = getattr(datasets, name, None)
    if isinstance(named, type):
        return named
    for family in datasets.DATASET_CLASSES:
        if name in family.supported_datasets():
            return family
    raise LookupError(f"VLMEvalKit {version()} has no dataset {name!r}")


def everywhere(name: str, original: Any, replacement: Any) -> None:
    """Replaces a function in every module of VLMEvalKit that has imported it by name."""
    for mod in modules():
        if mod.__dict__.get(name) is original:
            setattr(mod, name, replacement)


def modules() -> Iterator[ModuleType]:
    for name, mod in list(sys.modules.items()):
        if name.split(".")[0] == "vlmeval" and not standins.is_stand_in(mod):
            yield mod


def quiet_environment(data: Path) -> None:
    """What VLMEvalKit reads from the environment: set to what bridge wants, whatever it was."""
    for name in ("MMEVAL_ROOT", "EVAL_FORMAT", "SPLIT_THINK", "VERBOSE", "FWD_API", "BOYUE", "LOCAL_LLM", "EVAL_PROXY"):
        os.environ.pop(name, None)
    os.environ |= {"LMUData": str(data), "PRED_FORMAT": "tsv", "WORLD_SIZE": "1", "RANK": "0"}
    os.environ["VLMEVALKIT_USE_MODELSCOPE"] = "0"


def _mend_imports() -> None:
    """Three scorers of 0.0.20 import names from where they no longer are, and so cannot be imported at all."""
    smp = module("smp")
    for name in ("dump", "load"):
        setattr(sys.modules["vlmeval"], name, getattr(smp, name))
    for name in ("", ".log", ".file", ".misc"):
        sys.modules.setdefault(f"vlmeval.dataset.smp{name}", module(f"smp{name}"))


class _Loader(SourceFileLoader):
    """The name ``eval`` in a module's own namespace goes before the builtin one."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["eval"] = arithmetic.evaluate
        super().exec_module(module)


class _WithoutEval(MetaPathFinder):
    """Finds the modules of VLMEvalKit, also those that its scorers import when they are called."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".")[0] != "vlmeval":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec
