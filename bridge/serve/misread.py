"""Settings of a spec that the server of a deployed model takes without a word, and does nothing about."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.errors import Problem
from bridge.serve import swift
from bridge.spec import GenerationSpec, ModelSpec, TaskSpec


def misread(model: ModelSpec, spec: TaskSpec) -> Iterator[Problem]:
    """What would make the answers others than the spec says; what can be put right is (``endpoint.dialect``)."""
    deploy = model.deploy
    if deploy is None or deploy.engine != "swift":
        return
    ignores_seeds = swift.infer_backend(deploy) in swift.TRANSFORMERS
    for field, generation in _generations(spec):
        if ignores_seeds and generation.seed is not None and generation.temperature > 0:
            message = "ms-swift's transformers backend takes a seed and does nothing about it"
            yield Problem("", f"{field}.seed", message, "take it out: answers above temperature 0 differ each time")
        if generation.extra_body.get("response_format") not in (None, {"type": "text"}):
            hint = "take it out, or serve the model with vLLM"
            yield Problem("", f"{field}.extra_body.response_format", "ms-swift ignores it", hint)


def _generations(spec: TaskSpec) -> Iterator[tuple[str, GenerationSpec]]:
    if any(dataset.generation is None for dataset in spec.datasets):
        yield "generation", spec.generation
    for at, dataset in enumerate(spec.datasets):
        if dataset.generation is not None:
            yield f"datasets[{at}].generation", dataset.generation
