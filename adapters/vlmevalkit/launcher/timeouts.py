"""Time limits of VLMEvalKit's scorers, which fork a process for every comparison of two formulas (0.25 s each)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from threading import Thread
from typing import Any


def install() -> None:
    """Before VLMEvalKit is imported: its limits without signals watch over a thread. One that never ends is left."""
    library: Any = import_module("timeout_decorator")
    original = library.timeout

    def timeout(seconds: float | None = None, use_signals: bool = True, *args: Any, **kwargs: Any) -> Any:
        if use_signals or seconds is None:
            return original(seconds, use_signals, *args, **kwargs)
        return lambda func: _limited(func, seconds)

    library.timeout = timeout


def _limited(func: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    @wraps(func)
    def limited(*args: Any, **kwargs: Any) -> Any:
        ended: list[tuple[Any, BaseException | None]] = []
        thread = Thread(target=lambda: ended.append(_outcome(func, args, kwargs)), daemon=True)
        thread.start()
        thread.join(seconds)
        if not ended:
            raise TimeoutError(f"{func.__name__} took longer than {seconds:g} s")
        value, error = ended[0]
        if error is not None:
            raise error
        return value

    return limited


def _outcome(func: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, BaseException | None]:
    try:
        return func(*args, **kwargs), None
    except BaseException as error:  # noqa: BLE001 - it is raised again where it was called for
        return None, error
