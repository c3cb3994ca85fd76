"""``pins.json``: what a run was made of, beyond its spec: packages, data, weights, hardware.

Taken beside the run, and again where the run is gone on with. Nothing here decides a score; it is what somebody needs
to make the run again, or to find out why a second one differs.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bridge.backend import EnvSpec
from bridge.envs import env_path, installed, lock_sha256
from bridge.errors import EnvError
from bridge.plan import Plan
from bridge.rundir import RunDir, write_atomic
from bridge.serve import environment_of
from bridge.spec import ModelSpec, expanded

PINS = "pins.json"
_WHOLE_BYTES = 256 * 1024 * 1024
_END_BYTES = 4 * 1024 * 1024
_GPUS = Path("/proc/driver/nvidia/gpus")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PinnedEnvironment(_Part):
    lock_sha256: str | None
    """Null for bridge's own environment, which has no lock."""
    packages: tuple[str, ...]
    """``name==version`` of all that is installed in it."""


class PinnedFiles(_Part):
    """A file, or a folder with all that is under it."""

    path: str
    sha256: str
    """Over the names, sizes and contents of all files; of a file above 256 MiB, over its first and last 4 MiB."""
    n_files: int
    size_bytes: int


class Pins(_Part):
    pins_version: Literal[1] = 1
    bridge_version: str
    environments: dict[str, PinnedEnvironment]
    datasets: dict[str, PinnedFiles]
    """By ``DatasetSpec.id``; only datasets whose files the spec or ``data`` names."""
    weights: dict[str, PinnedFiles]
    """By model and by adapter (``model``, ``model:adapters[0]``); only weights in folders of this machine."""
    hardware: dict[str, str]
    unread: dict[str, str] = {}
    """Datasets and weights that could not be read, and why: such as a checkpoint that was removed meanwhile."""


def take_pins(plan: Plan, bridge_version: str) -> Pins:
    """Reads the files of the data and the weights once."""
    unread: dict[str, str] = {}
    return Pins(
        bridge_version=bridge_version,
        environments={spec.name: _environment(spec) for spec in _environments(plan)},
        datasets=dict(_pinned(_datasets(plan), unread)),
        weights=dict(_pinned(_weights(plan.spec.all_models), unread)),
        hardware=hardware(),
        unread=unread,
    )


def write_pins(rundir: RunDir, pins: Pins) -> None:
    write_atomic(rundir.root / PINS, pins.model_dump_json(indent=1))


def read_pins(rundir: RunDir) -> Pins | None:
    """None where there are none that can be read."""
    try:
        return Pins.model_validate_json((rundir.root / PINS).read_bytes())
    except (OSError, ValueError):
        return None


def pinned(path: Path) -> PinnedFiles:
    """Raises OSError where a file cannot be read."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    whole, size = hashlib.sha256(), 0
    for file in files:
        length = file.stat().st_size
        whole.update(f"{_content(file, length)}  {length}  {file.relative_to(path).as_posix()}\n".encode())
        size += length
    return PinnedFiles(path=str(path), sha256=whole.hexdigest(), n_files=len(files), size_bytes=size)


def _content(file: Path, size_bytes: int) -> str:
    """Weights of a hundred gigabytes are not read twice for a note; other weights have other ends."""
    with file.open("rb") as opened:
        if size_bytes <= _WHOLE_BYTES:
            return hashlib.file_digest(opened, "sha256").hexdigest()
        ends = hashlib.sha256(opened.read(_END_BYTES))
        opened.seek(-_END_BYTES, os.SEEK_END)
        ends.update(opened.read())
        return ends.hexdigest()


def hardware() -> dict[str, str]:
    """Processor, memory and NVIDIA cards, as the kernel tells them."""
    found = {"cpus": str(len(os.sched_getaffinity(0)))}
    if model := re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE):
        found["cpu"] = model[1]
    if memory := re.search(r"^MemTotal:\s*(\d+) kB", _text("/proc/meminfo"), re.MULTILINE):
        found["memory_mb"] = str(int(memory[1]) // 1024)
    cards = [re.search(r"^Model:\s*(.+)$", _text(card / "information"), re.MULTILINE) for card in _cards()]
    if names := [card[1].strip() for card in cards if card]:
        found["gpus"] = ", ".join(names)
    return found


def _cards() -> list[Path]:
    return sorted(_GPUS.iterdir()) if _GPUS.is_dir() else []


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _environments(plan: Plan) -> Iterable[EnvSpec]:
    models = (*plan.spec.all_models, plan.spec.judge)
    engines = [environment_of(model) for model in models if model is not None and model.endpoint is None]
    jobs = [job.env_spec for planned in plan.tasks for job in planned.jobs()]
    return {spec.name: spec for spec in (*engines, *jobs)}.values()


def _environment(spec: EnvSpec) -> PinnedEnvironment:
    try:
        folder = env_path(spec) if installed(spec) else None
    except EnvError:
        folder = None
    return PinnedEnvironment(lock_sha256=lock_sha256(spec), packages=tuple(sorted(_packages(folder))) if folder else ())


def _packages(environment: Path) -> Iterator[str]:
    """By the names of their metadata folders, which is what an installer reads; importing nothing."""
    for folder in environment.glob("lib/python*/site-packages/*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        yield f"{name.replace('_', '-').lower()}=={version}"


def _pinned(paths: Iterable[tuple[str, Path]], unread: dict[str, str]) -> Iterator[tuple[str, PinnedFiles]]:
    for name, path in paths:
        try:
            yield name, pinned(path)
        except OSError as error:
            unread[name] = f"{error.filename or path}: {error.strerror or error}"


def _datasets(plan: Plan) -> Iterator[tuple[str, Path]]:
    for dataset in plan.spec.datasets:
        path = plan.spec.path_of(dataset)
        if path is not None and path.exists():
            yield dataset.id, path


def _weights(models: Iterable[ModelSpec]) -> Iterator[tuple[str, Path]]:
    for model in models:
        for name, folder in _folders(model):
            if (path := Path(expanded(folder))).is_dir():
                yield name, path


def _folders(model: ModelSpec) -> Iterator[tuple[str, str]]:
    if model.local is not None and model.local.path is not None:
        yield model.name, model.local.path
    if model.deploy is not None:
        yield model.name, model.deploy.path
        yield from ((f"{model.name}:adapters[{at}]", path) for at, path in enumerate(model.deploy.adapters))
