"""Small faults of VLMEvalKit, mended while it runs."""

from __future__ import annotations

import itertools
import os
import random
from importlib import import_module
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from . import kit

SEED = 20240801
_temporary = itertools.count()


def install() -> None:
    _own_temporary_files()
    _no_pool_of_processes()


def seed() -> None:
    """Some prompts are drawn at random: the same in every run, so that answers can be found again in the cache."""
    random.seed(SEED)
    import_module("numpy").random.seed(SEED)


def _own_temporary_files() -> None:
    """Circular scoring writes ``/tmp/<second>.tsv``: two processes in one second would swap their data."""
    module = kit.module("dataset.utils.multiple_choice")
    original = module.dump

    def timestr(*_: Any, **__: Any) -> str:
        return f"evalbridge-{os.getpid()}-{next(_temporary)}"

    def load_once(path: str, *args: Any, **kwargs: Any) -> Any:
        loaded = load(path, *args, **kwargs)
        if path.startswith("/tmp/evalbridge-"):
            Path(path).unlink(missing_ok=True)
        return loaded

    load = module.load
    module.timestr, module.load, module.dump = timestr, load_once, original


def _no_pool_of_processes() -> None:
    """VQA scoring forks sixteen processes that nobody ends; for answers by the thousand two threads are as fast."""
    kit.module("dataset.image_vqa").mp = SimpleNamespace(Pool=lambda *_: ThreadPool(2))
