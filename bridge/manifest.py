"""``manifest.json``: what made a run, so that it can be gone on with and made again."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from bridge.errors import OutputError, Problem, SpecError
from bridge.rundir import RunDir, write_atomic
from bridge.spec import TaskSpec

if TYPE_CHECKING:
    from bridge.plan import Plan


class BackendUsed(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: str
    env_lock_sha256: str | None


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True)

    manifest_version: Literal[1] = 1
    run_id: str
    spec_sha256: str
    started_at: str
    """UTC, ISO 8601; of the first invocation."""
    bridge_version: str
    argv: tuple[str, ...]
    """The command line of the first invocation."""
    host: dict[str, str]
    failed_marker: str
    """Stands in an answer's place where a request finally failed. One for the whole life of the run directory, so
    that whatever job wrote it, and whenever, it is known for what it is."""
    backends: dict[str, BackendUsed]


def bridge_version() -> str:
    return version("evalbridge")


def begin(rundir: RunDir, plan: Plan, spec_yaml: str, argv: Sequence[str]) -> Manifest:
    """Opens the run directory for this spec: a new one, or one that the same spec has used before."""
    earlier = read_manifest(rundir)
    if earlier is not None:
        _same_spec(rundir, earlier, plan.spec)
        return earlier
    if rundir.root.is_dir() and any(entry.name != ".lock" for entry in rundir.root.iterdir()):
        message = f"{rundir.root} holds files but no run"
        raise SpecError([Problem("--output", "", message, "give an empty or a new folder")])
    manifest = _new(plan, argv)
    write_atomic(rundir.spec, spec_yaml)
    write_atomic(rundir.manifest, manifest.model_dump_json(indent=2))
    return manifest


def read_manifest(rundir: RunDir) -> Manifest | None:
    """The manifest, or None where the folder holds no run."""
    try:
        return Manifest.model_validate_json(rundir.manifest.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        message = f"{rundir.manifest}: cannot be read ({error.__class__.__name__}); give another --output"
        raise OutputError(message) from error


def _same_spec(rundir: RunDir, earlier: Manifest, spec: TaskSpec) -> None:
    if earlier.spec_sha256 != spec.sha256():
        message = f"{rundir.root} holds the run of another spec (its spec.yaml differs from this one)"
        raise SpecError([Problem("--output", "", message, "give another folder, or the same spec to go on")])


def _new(plan: Plan, argv: Sequence[str]) -> Manifest:
    # Here, and not above: who only reads manifests needs no environments.
    from bridge.envs import lock_sha256

    backends = {
        planned.backend.name: BackendUsed(
            version=planned.backend.env.version or bridge_version(),
            env_lock_sha256=lock_sha256(planned.backend.env),
        )
        for planned in plan.tasks
    }
    return new_manifest(plan.spec.name, plan.spec.sha256(), argv, backends)


def new_manifest(
    name: str, spec_sha256: str, argv: Sequence[str], backends: Mapping[str, BackendUsed] = MappingProxyType({})
) -> Manifest:
    """Of a run that begins now."""
    now = datetime.now(UTC)
    return Manifest(
        run_id=f"{name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        spec_sha256=spec_sha256,
        started_at=now.isoformat(timespec="seconds"),
        bridge_version=bridge_version(),
        argv=tuple(argv),
        host={
            "system": f"{platform.system()} {platform.release()}",
            "machine": platform.machine(),
            "python": platform.python_version(),
            "cpus": str(os.cpu_count() or 0),
        },
        # Unlike anything that a model says.
        failed_marker=f"[[unanswered-{secrets.token_hex(16)}]]",
        backends=dict(backends),
    )
