"""Loads of OpenCompass's datasets and models only what is asked for; the packages themselves load 300 modules.

Which module has which name is in ``modules.json``, made of the real packages. Where something is asked for that is not
in it, or by a registry's bare name, the whole package is loaded after all: ``all_of`` does what ``import`` would.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = ("opencompass.datasets", "opencompass.models")
INDEX = Path(__file__).with_name("modules.json")


def install() -> None:
    """Puts stand-ins in place of the packages. Does nothing where they have been imported."""
    index: Mapping[str, Mapping[str, str]] = json.loads(INDEX.read_text(encoding="utf-8"))
    for package in PACKAGES:
        if package not in sys.modules:
            _stand_in(package, index[package])


def _stand_in(package: str, names: Mapping[str, str]) -> None:
    parent = import_module("opencompass")
    (folder,) = parent.__path__
    path = Path(folder, package.rpartition(".")[2])
    module = ModuleType(package)
    module.__path__ = [str(path)]
    module.__file__ = str(path / "__init__.py")

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(import_module(f"{package}.{names[name]}"), name) if name in names else _of_all(package, name)
        setattr(module, name, found)
        return found

    vars(module)["__getattr__"] = __getattr__
    module.__spec__ = spec_from_file_location(package, module.__file__, submodule_search_locations=[str(path)])
    sys.modules[package] = module
    setattr(parent, package.rpartition(".")[2], module)


def _of_all(package: str, name: str) -> Any:
    """A name that the index has not: a submodule, or something that only the whole package has."""
    if find_spec(f"{package}.{name}") is not None:
        return import_module(f"{package}.{name}")
    everything = all_of(package)
    if name not in everything:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return everything[name]


def all_of(package: str) -> dict[str, Any]:
    """Runs the package's own ``__init__``, in the stand-in, once."""
    module = sys.modules[package]
    if not vars(module).get("is_whole"):
        assert module.__spec__ is not None and module.__spec__.loader is not None
        whole = module_from_spec(module.__spec__)
        vars(module)["is_whole"] = True
        module.__spec__.loader.exec_module(whole)
        vars(module).update({name: value for name, value in vars(whole).items() if not name.startswith("__")})
    return vars(module)


def preload(configs: Iterable[Any]) -> None:
    """Imports, before processes are forked, what the configurations name; all, where one names it in a registry."""
    kinds = dict.fromkeys(kind for config in configs for kind in _types(config))
    if any("." not in kind for kind in kinds):
        for package in PACKAGES:
            all_of(package)
    for kind in kinds:
        module, _, name = kind.rpartition(".")
        if module:
            getattr(import_module(module), name, None)


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for part in value.values():
            yield from _types(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _types(part)
