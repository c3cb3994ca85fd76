"""Which models one process can serve: a base, and LoRA adapters of that base."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.serve import swift
from bridge.spec import ModelSpec

SEVERAL_ADAPTERS = ("vllm", "lmdeploy")
"""Of the engines' own servers: a request's model name says which adapter is meant."""
SWIFT_BACKENDS = (*swift.TRANSFORMERS, "vllm")
"""Of ms-swift's: those to which it passes an adapter with each request."""


def together(models: Iterable[ModelSpec]) -> list[tuple[ModelSpec, ...]]:
    """The models in groups, each of one start; in the order of their first members."""
    groups: dict[str, list[ModelSpec]] = {}
    for model in models:
        groups.setdefault(_key(model), []).append(model)
    return [tuple(group) for group in groups.values()]


def _key(model: ModelSpec) -> str:
    """Equal for models that differ in nothing but one adapter; of a model that is to be alone, its own name."""
    deploy = model.deploy
    if deploy is None or len(deploy.adapters) > 1:
        return f"alone:{model.name}"
    by_swift = deploy.engine == "swift" and swift.infer_backend(deploy) in SWIFT_BACKENDS
    if not by_swift and deploy.engine not in SEVERAL_ADAPTERS:
        return f"alone:{model.name}"
    return deploy.model_copy(update={"adapters": ()}).model_dump_json()
