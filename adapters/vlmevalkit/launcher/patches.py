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


class NotWritten(Exception):
    """A table could not be written; VLMEvalKit would pickle it under another name and go on."""


def install() -> None:
    _own_temporary_files()
    _no_pool_of_processes()
    _no_pickle_instead()


def seed() -> None:
    """Some prompts are drawn at random: the same in every run, so that answers can be found again in the cache."""
    random.seed(SEED)
    import_module("numpy").random.seed(SEED)


def _own_temporary_files() -> None:
    """Circular scoring writes ``/tmp/<second>.tsv``: two processes in one second would swap their data."""
    module = kit.module("dataset.utils.multiple_choice")

    def timestr(*_: Any, **__: Any) -> str:
        return f"evalbridge-{os.getpid()}-{next(_temporary)}"

    def load_once(path: str, *args: Any, **kwargs: Any) -> Any:
        loaded = load(path, *args, **kwargs)
        if path.startswith("/tmp/evalbridge-"):
            Path(path).unlink(missing_ok=True)
        return loaded

    load = module.load
    module.timestr, module.load = timestr, load_once


def _no_pickle_instead() -> None:
    original = kit.module("smp").dump

    def dump(data: Any, path: str, **kwargs: Any) -> Any:
        Path(path).unlink(missing_ok=True)
        written = original(data, path, **kwargs)
        if not Path(path).exists():
            raise NotWritten(f"VLMEvalKit could not write {path}")
        return written

    kit.everywhere("dump", original, dump)


def _no_pool_of_processes() -> None:
    """VQA scoring forks sixteen processes that nobody ends; for answers by the thousand two threads are as fast."""
    kit.module("dataset.image_vqa").mp = SimpleNamespace(Pool=lambda *_: ThreadPool(2))
