"""Backends by name.  Nothing is imported before it is asked for; installed packages add theirs by entry point."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from bridge.backend import Backend
from bridge.errors import Problem, SpecError, did_you_mean

BUILT_IN = {
    "native": "bridge.native.backend:NativeBackend",
    "opencompass": "bridge.adapters.opencompass.backend:OpenCompassBackend",
    "toolbench": "bridge.adapters.toolbench.backend:ToolBenchBackend",
    "longbench_write": "bridge.adapters.longbench_write.backend:LongBenchWriteBackend",
    "vlmevalkit": "bridge.adapters.vlmevalkit.backend:VLMEvalKitBackend",
}
ENTRY_POINTS = "bridge.backends"


@cache
def backend_names() -> tuple[str, ...]:
    """Every backend, in the order in which ``auto`` asks them."""
    installed = {point.name for point in entry_points(group=ENTRY_POINTS)}
    return (*BUILT_IN, *sorted(installed - BUILT_IN.keys()))


@cache
def backend(name: str) -> Backend:
    """The backend of that name. Raises SpecError, with the nearest name, where there is none."""
    target = BUILT_IN.get(name) or _entry_point(name)
    if target is None:
        hint = did_you_mean(name, backend_names()) or f"one of: {', '.join(backend_names())}"
        raise SpecError([Problem("", "backend", f"there is no backend {name!r}", hint)])
    module, _, attribute = target.partition(":")
    return cast(Backend, getattr(import_module(module), attribute)())


def _entry_point(name: str) -> str | None:
    return next((point.value for point in entry_points(group=ENTRY_POINTS) if point.name == name), None)
