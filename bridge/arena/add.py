"""An arena's spec with one more model."""

from __future__ import annotations

import os
from pathlib import Path

from bridge.arena_spec import ArenaSpec, ContestantSpec
from bridge.errors import OutputError, Problem, SpecError
from bridge.rundir import RunDir
from bridge.spec import DeploySpec, EndpointSpec
from bridge.spec_file.arena import recorded_arena_spec


def with_model(
    run: Path, name: str, *, base_url: str | None, api_key_env: str | None, answers: Path | None, path: str | None
) -> ArenaSpec:
    """The spec of the run with this model, or with the model of this name replaced by it. Raises SpecError."""
    spec = spec_of(run)
    model = ContestantSpec(
        name=name,
        endpoint=EndpointSpec(base_url=base_url, api_key_env=api_key_env) if base_url else None,
        deploy=DeploySpec(path=str(Path(path).absolute()) if Path(path).exists() else path) if path else None,
        answers=os.path.normpath(answers.absolute()) if answers else None,
    )
    others = [other for other in spec.models if other.name != name]
    if base_url is None and api_key_env is not None:
        raise SpecError([Problem("--api-key-env", "", "is for a server", "give --base-url")])
    return spec.model_copy(update={"models": (*others, model)})


def spec_of(run: Path) -> ArenaSpec:
    """What the run's folder records. Raises OutputError where it holds no arena."""
    recorded = RunDir(run).spec
    if not recorded.exists():
        raise OutputError(f"{run}: no run in this folder (there is no spec.yaml); give an arena's own folder")
    try:
        return recorded_arena_spec(recorded)
    except SpecError:
        raise OutputError(f"{run}: its spec.yaml is not that of an arena; give an arena's own folder") from None
