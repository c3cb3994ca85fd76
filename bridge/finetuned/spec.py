"""The spec that evaluates chosen checkpoints: a model for each, the base first, all of it explicit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bridge.errors import Problem, SpecError
from bridge.finetuned.choose import Chosen
from bridge.finetuned.training import Checkpoint
from bridge.finetuned.weights import fingerprint
from bridge.rundir import slug
from bridge.runs import problems_beside
from bridge.spec import TaskSpec
from bridge.spec_file import read_spec, spec_from_mapping
from bridge.spec_file.document import parse

BASE = "base"
"""The base's column in the report; a checkpoint's is its folder's name."""


def make_spec(
    chosen: Chosen,
    *,
    spec_file: Path | None,
    datasets: Sequence[str],
    limit: int | None = None,
    backend: str | None = None,
    overrides: Sequence[str] = (),
) -> TaskSpec:
    """The datasets of a spec file, or those that are named. Raises SpecError with all problems.

    The name carries a hash of the weights' files, so that a run directory is gone on with only for the same weights.
    """
    models = models_of(chosen)
    name = f"{slug(chosen.training.folder.name)[:60]}-{fingerprint(chosen.folders)}".lstrip("%_-.+=@")
    if spec_file is None:
        mapping: dict[str, Any] = {"name": name, "models": models, "datasets": list(datasets)}
        mapping |= {key: value for key, value in (("limit", limit), ("backend", backend)) if value is not None}
        return spec_from_mapping(mapping, overrides)
    _refuse_models(spec_file)
    own = [f"models={json.dumps(models)}", f"name={json.dumps(name)}"]
    return read_spec(spec_file, [*own, *overrides], backend, problems_beside).spec


def models_of(chosen: Chosen) -> list[dict[str, Any]]:
    base = [_model(chosen, BASE, chosen.base, ())] if chosen.compared and chosen.base else []
    return base + [_tuned(chosen, one) for one in chosen.checkpoints]


def _tuned(chosen: Chosen, one: Checkpoint) -> dict[str, Any]:
    if one.kind == "full":
        return _model(chosen, one.name, one.path, ())
    return _model(chosen, one.name, chosen.base, (one.path,))


def _model(chosen: Chosen, name: str, path: Path | None, adapters: Sequence[Path]) -> dict[str, Any]:
    """``load_args`` off: ms-swift would take ``args.json`` at its word, and import the plugins that it names.

    What it would rightly take over from there stands here instead; the base gets the same, so that the two are asked
    in the same way.
    """
    arguments = chosen.training.arguments
    deploy: dict[str, Any] = {
        "engine": "swift",
        "path": _plain(path),
        "model_type": arguments.model_type,
        "template": arguments.template,
        "adapters": [_plain(adapter) for adapter in adapters],
        "args": {"load_args": False, **arguments.serving},
    }
    return {"name": name, "deploy": {key: value for key, value in deploy.items() if value not in (None, [])}}


def _plain(path: Path | None) -> str:
    text = str(path)
    if "${" in text:
        raise SpecError([Problem(text, "", "a folder's name must not hold ${", "give the folder another name")])
    return text


def _refuse_models(path: Path) -> None:
    """The models are the training's; those of a spec would be dropped without a word."""
    try:
        value = parse(path.read_bytes(), str(path)).value
    except OSError:
        return  # reading it once more says what is wrong
    there = [key for key in ("model", "models") if isinstance(value, dict) and key in value]
    if there:
        message = "bridge finetuned takes the models from the training"
        raise SpecError([Problem(str(path), there[0], message, "leave the field out of this spec")])
