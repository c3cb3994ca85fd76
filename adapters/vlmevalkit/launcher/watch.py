"""What VLMEvalKit does while it works, sample by sample: it keeps most of it to itself, or in a log line.

Its one way of working through samples is ``track_progress_rich``; the one here does the same, and knows at every moment
which sample a thread is at. What is noted of a sample, by whoever, is noted under that.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from . import kit

_here = threading.local()
UNKNOWN = ""
"""Stands for the sample where nothing says which one it is."""


@dataclass
class Notes:
    """Of one pass over the samples, by index as text."""

    extracted: dict[str, Any] = field(default_factory=dict)
    """What a scorer read out of the answer."""
    hits: dict[str, float] = field(default_factory=dict)
    """What a scorer decided, where it does not write that down."""
    borrowed: int = 0
    """Answers ``a`` or ``b`` that were taken for the right number: so its ``eval`` calls its own variables."""
    drawn: dict[str, str] = field(default_factory=dict)
    """Samples whose score was drawn by lot, with the reason."""
    silent: dict[tuple[str, str], str] = field(default_factory=dict)
    """Sample and prompt → why the judge did not answer; a later answer to the same prompt takes it back."""

    @property
    def flaws(self) -> dict[str, str]:
        """Sample → why its score is none."""
        return {key: reason for (key, _), reason in reversed(self.silent.items())} | self.drawn


notes = Notes()
on_done: Callable[[], None] = lambda: None  # noqa: E731
"""Called after each sample of a pass."""


def current() -> str:
    """The sample that this thread is at."""
    return getattr(_here, "key", UNKNOWN)


def now_at(key: str) -> None:
    """This thread goes on to this sample."""
    _here.key = key


def judged(prompt: str, error: str) -> None:
    """The judge was asked about the current sample; ``error``: why it did not answer."""
    if error:
        notes.silent[current(), prompt] = f"the judge did not answer: {error}"
    else:
        notes.silent.pop((current(), prompt), None)


def fresh() -> Notes:
    """Starts a pass; returns its notes."""
    global notes
    notes = Notes()
    return notes


def install() -> None:
    """Puts the watchers into VLMEvalKit, wherever it has imported what they watch."""
    utils = kit.module("utils")
    original = utils.track_progress_rich
    kit.everywhere("track_progress_rich", original, _tracker(original))
    for module in ("multiple_choice", "mathvista", "mathv", "ocr_reasoning", "lens", "qspatial"):
        _install_in(kit.module(f"dataset.utils.{module}"))
    random.choice = _choice(random.choice)


def _install_in(module: Any) -> None:
    for name, watcher in (
        ("extract_answer_from_item", _extraction),
        ("prefetch_answer", _prefetch),
        ("post_check", _post_check),
    ):
        original = module.__dict__.get(name)
        if original is not None and original.__module__ == module.__name__:
            kit.everywhere(name, original, watcher(original))


def _tracker(original: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Without VLMEvalKit's own habit of rewriting the file of results after every sample."""
    from_file, to_file = kit.module("smp").load, kit.module("smp").dump

    def track_progress_rich(
        func: Callable[..., Any],
        tasks: Iterable[Any] = (),
        nproc: int | None = 1,
        save: str | None = None,
        keys: list[Any] | None = None,
        use_process: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        tasks = list(tasks)
        if use_process:
            return list(original(func, tasks, nproc, save, keys, use_process, **kwargs))
        results = _run(func, tasks, nproc or os.cpu_count() or 1, keys)
        if save is not None:
            known = from_file(save) if os.path.exists(save) else {}  # noqa: PTH110
            to_file(known | dict(zip(keys or (), results, strict=False)), save)
        return results

    return track_progress_rich


def _run(func: Callable[..., Any], tasks: list[Any], threads: int, keys: list[Any] | None) -> list[Any]:
    results: list[Any] = [None] * len(tasks)
    with ThreadPoolExecutor(max(1, min(threads, len(tasks) or 1))) as pool:
        futures = {pool.submit(_one, func, task, keys[at] if keys else None): at for at, task in enumerate(tasks)}
        for future in as_completed(futures):
            results[futures[future]] = future.result()
            on_done()
    return results


def _one(func: Callable[..., Any], task: Any, key: Any) -> Any:
    key = UNKNOWN if key is None else str(key)
    if isinstance(task, dict):
        return at(key, lambda: func(**task))
    return at(key, func, *(task if isinstance(task, tuple | list) else (task,)))


def at(key: str, func: Callable[..., Any], *args: Any) -> Any:
    """Calls ``func`` as work on this sample."""
    _here.key = key
    try:
        return func(*args)
    finally:
        _here.key = UNKNOWN


def _extraction(original: Callable[..., Any]) -> Callable[..., Any]:
    def extract_answer_from_item(model: Any, item: Any, *args: Any, **kwargs: Any) -> Any:
        found = original(model, item, *args, **kwargs)
        unread = "exact_matching" in str(found.get("log", "")) and found.get("opt") == "Z"
        notes.extracted[str(item["index"])] = None if unread else found.get("opt")
        return found

    return extract_answer_from_item


def _prefetch(original: Callable[..., Any]) -> Callable[..., Any]:
    def prefetch_answer(item: Any) -> Any:
        found = original(item)
        notes.extracted[str(item["index"])] = found or None
        return found

    return prefetch_answer


def _post_check(original: Callable[..., Any]) -> Callable[..., Any]:
    """MathVista and its kin decide here whether an answer is right, and write down only what they extracted."""

    def post_check(line: Any, prefetch: bool = False) -> Any:
        found = original(line, prefetch)
        if not prefetch:
            notes.hits[str(line["index"])] = float(bool(found))
            read = str(line.get("res")).strip().lower()
            notes.borrowed += bool(found) and read in ("a", "b") and read != str(line["answer"]).strip().lower()
        return found

    return post_check


def _choice(original: Callable[..., Any]) -> Callable[..., Any]:
    """A scorer that draws lots gives no score."""

    def choice(options: Any) -> Any:
        frame = sys._getframe(1)
        if _here_is_scoring() and str(frame.f_globals.get("__name__", "")).startswith("vlmeval."):
            notes.drawn[current() or _row_in(frame)] = "the scorer could not read the answer and chose at random"
        return original(options)

    return choice


_scoring = False


def scoring(now: bool) -> None:
    """From now on a random choice is a score's; before, it may be a prompt's."""
    global _scoring
    _scoring = now


def _here_is_scoring() -> bool:
    return _scoring


def _row_in(frame: Any) -> str:
    """The index of the row that some caller is at, by the names that VLMEvalKit's loops use."""
    for _ in range(8):
        if frame is None:
            break
        for name in ("item", "line", "row", "x"):
            row = frame.f_locals.get(name)
            try:
                return str(row["index"])
            except (TypeError, KeyError, IndexError):
                continue
        frame = frame.f_back
    return UNKNOWN
