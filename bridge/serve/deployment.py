"""Weights that are served for the time of a ``with`` block: one process, for one model or a base with its adapters."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.report.schema import ModelInfo
from bridge.serve import hub, local, own_servers, swift
from bridge.serve.probe import free_port
from bridge.serve.served import Served
from bridge.serve.server import Start, running
from bridge.serve.words import words
from bridge.spec import DeploySpec, LocalSpec, ModelSpec, expanded

Say = Callable[[str], None]
ADAPTERS_PLUGIN = Path(__file__).with_name("swift_adapters.py")


@dataclass(frozen=True)
class Located:
    """A deployed model with everything that it names found on this machine, or at the hub."""

    model: ModelSpec
    deploy: DeploySpec
    path: str
    adapters: tuple[str, ...]

    @property
    def is_here(self) -> bool:
        return all(Path(folder).is_dir() for folder in (self.path, *self.adapters))


@dataclass(frozen=True)
class Engine:
    """How one process serves the models, and under which name each."""

    what: str
    argv: tuple[str, ...]
    names: Mapping[str, str]
    """The spec's name of a model → its one-time name at the server."""
    identities: Mapping[str, str]


@asynccontextmanager
async def deployed(
    models: Sequence[ModelSpec], *, python: Path, concurrency: int, log: Path, progress: Say
) -> AsyncIterator[dict[str, Served]]:
    """The models by name. Several are one base with an adapter each, or none (see ``together``). Raises ServeError."""
    located = [await _locate(model) for model in models]
    first, port, base = located[0], free_port(), one_time_name(models[0].name)
    make = _by_swift if first.deploy.engine == "swift" else _by_itself
    engine = make(located, python, concurrency, port, base)
    start = Start(
        what=f"{engine.what} with {' and '.join(model.name for model in models)}",
        argv=engine.argv,
        env=swift.environment(first.deploy, local=all(one.is_here for one in located)),
        log=log,
        host=swift.HOST,
        port=port,
        served_names=tuple(engine.names.values()),
        listening=swift.LISTENING,
        timeout_s=first.deploy.startup_timeout_s,
        hint=swift.hint,
    )
    async with running(start, progress) as server:
        yield {
            one.model.name: Served(
                base_url=server.base_url,
                model=engine.names[one.model.name],
                identity=engine.identities[one.model.name],
                info=describe(one.model, one.deploy).model_copy(update={"start_s": server.start_s}),
                dialect="swift" if first.deploy.engine == "swift" else "",
                died=server.died,
                reason=server.reason,
            )
            for one in located
        }


def describe(model: ModelSpec, deploy: DeploySpec) -> ModelInfo:
    return swift.describe(model, deploy) if deploy.engine == "swift" else own_servers.describe(model, deploy)


async def _locate(model: ModelSpec) -> Located:
    assert model.deploy is not None
    deploy = model.deploy
    environ = swift.environment(deploy, local=False)
    path = await hub.locate(expanded(deploy.path), f"model {model.name}", environ)
    adapters = [await hub.locate(expanded(one), f"adapter of {model.name}", environ) for one in deploy.adapters]
    return Located(model, deploy, path, tuple(adapters))


def _by_swift(located: Sequence[Located], python: Path, concurrency: int, port: int, base: str) -> Engine:
    """One model's adapters are applied in order under its own name; of several models each adapter has a name."""
    first = located[0]
    identities = {
        one.model.name: swift.identity(
            swift.arguments(one.deploy, path=one.path, adapters=one.adapters, concurrency=concurrency), one.deploy.env
        )
        for one in located
    }
    names = _names(located, base) if len(located) > 1 else {first.model.name: base}
    adapters = _named_adapters(located, names) if len(located) > 1 else list(first.adapters)
    settings = swift.arguments(first.deploy, path=first.path, adapters=adapters, concurrency=concurrency)
    if len(located) > 1:
        settings["external_plugins"] = [*words(settings.get("external_plugins", [])), str(ADAPTERS_PLUGIN)]
    program = swift.program(first.deploy, python)
    argv = swift.command_line(program, settings, port=port, served_name=base)
    return Engine("ms-swift", argv, names, identities)


def _by_itself(located: Sequence[Located], python: Path, concurrency: int, port: int, base: str) -> Engine:
    first, names = located[0], _names(located, base)
    folders = {names[one.model.name]: one.adapters[0] for one in located if one.adapters}
    settings = own_servers.settings_of(first.deploy, path=first.path, adapters=folders)
    identities = {}
    for one in located:
        alone = {one.model.name: one.adapters[0]} if one.adapters else {}
        own = own_servers.settings_of(one.deploy, path=one.path, adapters=alone)
        identities[one.model.name] = own_servers.identity(one.deploy, own)
    argv = own_servers.command_line(first.deploy, settings, port=port, served_name=base)
    return Engine(first.deploy.engine, argv, names, identities)


def _names(located: Sequence[Located], base: str) -> dict[str, str]:
    """The weights as they are have the served name, each adapter one of its own."""
    return {
        one.model.name: base if not one.adapters else f"{base}-{at}-{_safe(one.model.name)}"
        for at, one in enumerate(located)
    }


def _named_adapters(located: Sequence[Located], names: Mapping[str, str]) -> list[str]:
    return [f"{names[one.model.name]}={one.adapters[0]}" for one in located if one.adapters]


@asynccontextmanager
async def loaded(
    model: ModelSpec, weights: LocalSpec, *, python: Path, log: Path, progress: Say
) -> AsyncIterator[Served]:
    """The process that scores texts with the model's weights. Raises ServeError."""
    assert weights.path is not None, "who scores texts has refused a model without weights"
    environ = {**local.environment(is_here=False), "USE_HF": "1"}
    path = await hub.locate(expanded(weights.path), f"model {model.name}", environ)
    port, name = free_port(), one_time_name(model.name)
    start = Start(
        what=f"transformers with {model.name}",
        argv=local.command_line(weights, python, path=path, port=port, served_name=name),
        env=local.environment(is_here=Path(path).is_dir()),
        log=log,
        host=swift.HOST,
        port=port,
        served_names=(name,),
        listening=local.LISTENING,
        timeout_s=local.STARTUP_TIMEOUT_S,
        hint=local.hint,
    )
    async with running(start, progress) as server:
        yield Served(
            base_url=server.base_url,
            model=name,
            identity=local.identity(weights, path),
            info=local.describe(model, weights).model_copy(update={"start_s": server.start_s}),
            died=server.died,
            reason=server.reason,
        )


def one_time_name(name: str) -> str:
    return f"{_safe(name)}-{secrets.token_hex(6)}"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)
