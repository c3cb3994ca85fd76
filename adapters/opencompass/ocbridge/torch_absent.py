"""Stands in for torch, which OpenCompass imports everywhere and needs nowhere when the model is behind an API.

Importing names, deriving from classes and naming types works; anything that would compute raises ``TorchNeeded``, so
that a dataset that does need torch fails with that word instead of scoring something else. What answers truthfully
without torch (no CUDA, no distributed group, no tensors) is listed in ``_TRUE``.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

VERSION = "2.13.0"
"""Version gates take the branch of the torch with which the lock was compared."""


class TorchNeeded(RuntimeError):
    """Something asked torch to compute, and this environment has none."""


def _refuse(what: str) -> NoReturn:
    raise TorchNeeded(f"{what} was called: this dataset needs torch, which bridge's OpenCompass environment leaves out")


class _Type(type):
    """Classes that can be derived from and compared with, but have no instances."""

    def __call__(cls, *args: object, **kwargs: object) -> NoReturn:
        _refuse(f"{cls.__module__}.{cls.__qualname__}")


class _Name:
    """A function, dtype or namespace: can be mentioned, not called."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        _refuse(self._path)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return _named(self._path, name)

    def __repr__(self) -> str:
        return f"<{self._path}, which is not installed>"


class _NoGrad(contextlib.ContextDecorator):
    """There are no gradients to switch off."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...


class _Device(str):
    """Names a device; one module does so while it is imported."""


class _Batches:
    """What OpenCompass takes a loader for: a list in slices, in its order. Anything else would need torch."""

    def __init__(self, rows: Sequence[Any], batch_size: int = 1, collate_fn: Any = None, **more: Any) -> None:
        if more or collate_fn is None:
            _refuse("torch.utils.data.DataLoader")
        self._rows, self._size, self._collate = rows, batch_size, collate_fn

    def __len__(self) -> int:
        return -(-len(self._rows) // self._size)

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self._rows), self._size):
            yield self._collate([self._rows[at] for at in range(start, min(start + self._size, len(self._rows)))])


_TRUE: dict[str, object] = {
    "torch.__version__": VERSION,
    "torch.device": _Device,
    "torch.no_grad": _NoGrad,
    "torch.inference_mode": _NoGrad,
    "torch.cuda.device_count": lambda: 0,
    "torch.utils.data.DataLoader": _Batches,
}
_NO = {"is_available", "is_initialized"}
"""Asked of devices and process groups; the truthful answer is no."""


def _named(parent: str, name: str) -> object:
    path = f"{parent}.{name}"
    if path in _TRUE:
        return _TRUE[path]
    if name in _NO:
        return lambda: False
    if name[:1].isupper():
        return _Type(name, (), {"__module__": parent})
    return _Name(path)


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        path = f"{self.__name__}.{name}"
        if name.startswith("__") and path not in _TRUE:
            raise AttributeError(name)
        value = _named(self.__name__, name)
        setattr(self, name, value)
        return value


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] == "torch" else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


def install() -> None:
    """Makes ``import torch`` succeed from here on. Does nothing where torch has been imported."""
    if "torch" not in sys.modules:
        sys.meta_path.insert(0, _Finder())
