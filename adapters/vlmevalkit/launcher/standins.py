"""Stand-ins for packages that VLMEvalKit imports and an evaluation through an API never calls.

While VLMEvalKit is imported a stand-in takes every attribute access, call and subscription. From ``seal`` on a call
raises, and is also written down: scorers catch exceptions and score them as wrong, so raising alone would be silent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

TORCH = ("torch", "torchvision", "transformers", "accelerate", "qwen_vl_utils", "timm", "datasets", "vlmeval.vlm")
"""Not in any environment of ours: what local models need."""
SCORERS = (
    "decord",
    "nltk",
    "scipy",
    "sklearn",
    "sympy",
    "networkx",
    "math_verify",
    "latex2sympy2_extended",
    "jieba",
    "cv2",
    "imageio",
    "joblib",
    "openai",
    "matplotlib",
    "pylatexenc",
    "rouge",
    "huggingface_hub",
)
"""In the full environment only."""


class StandIn(type):
    """The type of stand-ins: each is a class, so that it can be a base class, an annotation or a decorator too."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _make(f"{cls.__qualname__}.{name}")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "_stand_in" not in cls.__dict__:
            return super().__call__(*args, **kwargs)
        if not _state.importing:
            _state.refuse(cls.__qualname__)
        is_decorator = len(args) == 1 and callable(args[0]) and not isinstance(args[0], StandIn)
        return args[0] if is_decorator else cls

    def __or__(cls, other: Any) -> Any:
        return cls

    __ror__ = __or__

    def __getitem__(cls, key: Any) -> Any:
        return cls

    def __iter__(cls) -> Iterator[Any]:
        return iter(())

    def __enter__(cls) -> Any:
        return cls

    def __exit__(cls, *error: object) -> None:
        return None


class _StandInModule(ModuleType):
    __version__ = "0.0.0"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = _make(f"{self.__name__}.{name}")
        setattr(self, name, value)
        return value


class _Finder(MetaPathFinder, Loader):
    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = frozenset(packages)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        parts = fullname.split(".")
        if any(".".join(parts[:end]) in self.packages for end in range(1, len(parts) + 1)):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = _StandInModule(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: ModuleType) -> None:
        return None


class _State:
    def __init__(self) -> None:
        self.importing = True
        self.log: Path | None = None

    def refuse(self, name: str) -> None:
        if self.log is not None:
            handle = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.write(handle, f"{name}\n".encode())
            os.close(handle)
        raise NotImplementedError(f"{name} is called, and is not in this environment")


_state = _State()


def install(packages: Sequence[str]) -> None:
    """From now on an import of these packages, or of anything below them, gives stand-ins.

    ``torchvision?`` is stood in for only where it cannot be imported: PyPI's needs CUDA's torch.
    """
    sys.meta_path.insert(0, _Finder([name.rstrip("?") for name in packages if not _works(name)]))


def _works(name: str) -> bool:
    if not name.endswith("?"):
        return False
    try:
        import_module(name.rstrip("?"))
    except (ImportError, RuntimeError, OSError):
        for module in [loaded for loaded in sys.modules if loaded.split(".")[0] == name.rstrip("?")]:
            del sys.modules[module]
        return False
    return True


def seal() -> None:
    """The import has ended: from now on a call of a stand-in raises NotImplementedError."""
    _state.importing = False


def write_calls_to(log: Path) -> None:
    """Where this process and its children write the names of stand-ins that were called."""
    _state.log = log


def calls(log: Path) -> list[str]:
    """The stand-ins that were called, each once."""
    if not log.exists():
        return []
    return sorted(set(log.read_text(encoding="utf-8").split()))


def is_stand_in(value: object) -> bool:
    return isinstance(value, StandIn | _StandInModule)


def _make(qualified: str) -> Any:
    return StandIn(
        qualified.rsplit(".", 1)[-1],
        (),
        {"_stand_in": True, "__qualname__": qualified, "__module__": qualified.rpartition(".")[0]},
    )
