"""The environments: a lean one, one with what some scorers need, and one with torch for models of VLMEvalKit's own."""

from __future__ import annotations

from pathlib import Path

from bridge.adapters.vlmevalkit.catalogue import version
from bridge.adapters.vlmevalkit.launcher.standins import SCORERS, TORCH
from bridge.backend import EnvSpec

HERE = Path(__file__).parent
INSIDE = HERE / "inside.py"


def _env(name: str, lock: str, stand_ins: tuple[str, ...]) -> EnvSpec:
    return EnvSpec(name, HERE / lock, check=(str(INSIDE), "--check", *stand_ins), version=version())


LEAN = _env("vlmevalkit", "lean.lock", TORCH + SCORERS)
FULL = _env("vlmevalkit-full", "full.lock", TORCH)
WITH_TORCH = _env("vlmevalkit-torch", "torch.lock", ("datasets", "torchvision?"))
