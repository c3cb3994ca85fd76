"""bridge: one spec, many evaluation frameworks, one report.

    from bridge import TaskSpec, load_spec, run

    report = run(load_spec(Path("spec.yaml")))

What stands here is imported when it is first used, so that ``import bridge`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.errors import (
        BackendFailed,
        BridgeError,
        EnvError,
        Interrupted,
        OutputError,
        Problem,
        ServeError,
        SpecError,
        Unsupported,
    )
    from bridge.report.schema import Report
    from bridge.runs import run
    from bridge.spec import TaskSpec
    from bridge.spec_file import dump_spec, load_spec, spec_from_mapping

_HOMES = {
    "TaskSpec": "bridge.spec",
    "load_spec": "bridge.spec_file",
    "spec_from_mapping": "bridge.spec_file",
    "dump_spec": "bridge.spec_file",
    "run": "bridge.runs",
    "Report": "bridge.report.schema",
    "BridgeError": "bridge.errors",
    "SpecError": "bridge.errors",
    "Problem": "bridge.errors",
    "Unsupported": "bridge.errors",
    "EnvError": "bridge.errors",
    "ServeError": "bridge.errors",
    "BackendFailed": "bridge.errors",
    "OutputError": "bridge.errors",
    "Interrupted": "bridge.errors",
}

__all__ = [
    "BackendFailed",
    "BridgeError",
    "EnvError",
    "Interrupted",
    "OutputError",
    "Problem",
    "Report",
    "ServeError",
    "SpecError",
    "TaskSpec",
    "Unsupported",
    "dump_spec",
    "load_spec",
    "run",
    "spec_from_mapping",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bridge' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
