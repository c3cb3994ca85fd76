"""vLLM, SGLang and LMDeploy by their own commands: ``model.deploy`` in the words of each.

They are not installed by bridge: which build fits depends on the machine's GPU and driver. What the engine's own
installation puts on PATH is started, or what ``deploy.command`` names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bridge.errors import Problem
from bridge.report.schema import ModelInfo
from bridge.serve.weights import check_adapter, check_model, files_of, lora_rank
from bridge.serve.words import check_argument, missing_program, plain, words
from bridge.spec import DeploySpec, JsonObject, ModelSpec, expanded

HOST = "127.0.0.1"
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as ``--max-lora-rank``; its default is 16."""


@dataclass(frozen=True)
class OwnServer:
    """How one engine spells what every engine has."""

    command: tuple[str, ...]
    model: str
    """Empty: the model's path is the first argument."""
    host: str
    port: str
    served_name: str
    dtype: str
    tensor_parallel: str
    chat_template: str
    adapters: str
    """Empty: it has adapters, but a request says in a field of the engine's own which one is meant."""
    lora_switch: str = ""
    has_no_switches: bool = False
    """Whether ``--no-x`` turns off what ``--x`` turns on."""


OWN_SERVERS: Mapping[str, OwnServer] = MappingProxyType(
    {
        "vllm": OwnServer(
            command=("vllm", "serve"),
            model="",
            host="host",
            port="port",
            served_name="served-model-name",
            dtype="dtype",
            tensor_parallel="tensor-parallel-size",
            chat_template="chat-template",
            adapters="lora-modules",
            lora_switch="enable-lora",
            has_no_switches=True,
        ),
        "sglang": OwnServer(
            command=("python", "-m", "sglang.launch_server"),
            model="model-path",
            host="host",
            port="port",
            served_name="served-model-name",
            dtype="dtype",
            tensor_parallel="tp-size",
            chat_template="chat-template",
            adapters="",
        ),
        "lmdeploy": OwnServer(
            command=("lmdeploy", "serve", "api_server"),
            model="",
            host="server-name",
            port="server-port",
            served_name="model-name",
            dtype="dtype",
            tensor_parallel="tp",
            chat_template="chat-template",
            adapters="adapters",
        ),
    }
)


def describe(model: ModelSpec, deploy: DeploySpec) -> ModelInfo:
    revision = deploy.args.get("revision")
    return ModelInfo(
        name=model.name, source=deploy.path, engine=deploy.engine, adapters=deploy.adapters, revision=revision
    )


def check(deploy: DeploySpec, field: str) -> Iterator[Problem]:
    """What is wrong with it, as far as the files on this machine tell."""
    engine = OWN_SERVERS[deploy.engine]
    yield from check_model(expanded(deploy.path), f"{field}.path")
    for index, adapter in enumerate(deploy.adapters):
        yield from check_adapter(expanded(adapter), f"{field}.adapters[{index}]")
    yield from _check_adapters(deploy, engine, field)
    for name in ("model_type", "template"):
        if getattr(deploy, name) is not None:
            yield Problem("", f"{field}.{name}", f"is ms-swift's word; {deploy.engine} has none", "use chat_template")
    of_bridge = _of_bridge(engine)
    for name, value in deploy.args.items():
        at = f"{field}.args.{name}"
        yield from check_argument(name, value, at, of_bridge, ("max_model_len", "gpu_memory_utilization"))
        if value is False and not engine.has_no_switches:
            yield Problem("", at, f"{deploy.engine} has no switch that turns something off", "leave it out")
    if problem := missing_program(deploy.command or engine.command):
        hint = f"install {deploy.engine} in an environment of its own, and name its program: deploy.command"
        yield Problem("", f"{field}.command" if deploy.command else f"{field}.engine", problem, hint)


def _check_adapters(deploy: DeploySpec, engine: OwnServer, field: str) -> Iterator[Problem]:
    if deploy.adapters and not engine.adapters:
        message = f"{deploy.engine} is told by a field of its own which adapter a request means, and none is sent"
        yield Problem("", f"{field}.adapters", message, "merge it: swift export --adapters … --merge_lora true")
    elif len(deploy.adapters) > 1:
        yield Problem("", f"{field}.adapters", f"{deploy.engine} applies one adapter to a request", "merge them")


def _of_bridge(engine: OwnServer) -> dict[str, str]:
    """Arguments that bridge gives, and the field that stands for each."""
    fields = {
        **{name: "" for name in (engine.host, engine.port, engine.served_name, "api-key", engine.lora_switch) if name},
        "model": "deploy.path",
        "model-path": "deploy.path",
        engine.adapters or "lora-paths": "deploy.adapters",
        engine.dtype: "deploy.dtype",
        engine.tensor_parallel: "deploy.tensor_parallel",
        engine.chat_template: "deploy.chat_template",
    }
    return {plain(name): field for name, field in fields.items()}


def settings_of(deploy: DeploySpec, *, path: str, adapters: Mapping[str, str]) -> JsonObject:
    """The command line's arguments, without those that are another each time. ``adapters``: name → folder."""
    engine = OWN_SERVERS[deploy.engine]
    chosen: JsonObject = {
        engine.model: path,
        engine.dtype: deploy.dtype,
        engine.tensor_parallel: deploy.tensor_parallel,
        engine.chat_template: deploy.chat_template,
    }
    if adapters:
        chosen |= {engine.lora_switch: True} if engine.lora_switch else {}
        chosen[engine.adapters] = [f"{name}={folder}" for name, folder in adapters.items()]
        chosen |= _lora_limits(deploy, list(adapters.values()))
    chosen |= {plain(name).replace("_", "-"): value for name, value in deploy.args.items()}
    return {name: value for name, value in chosen.items() if value is not None}


def _lora_limits(deploy: DeploySpec, folders: Sequence[str]) -> JsonObject:
    """vLLM reserves room for rank 16 and one adapter at a time, and refuses more."""
    if deploy.engine != "vllm":
        return {}
    highest = max((rank for folder in folders if (rank := lora_rank(folder))), default=0)
    room = next((rank for rank in LORA_RANKS if rank >= highest), LORA_RANKS[-1])
    return {"max-lora-rank": room, "max-loras": len(folders)}


def command_line(deploy: DeploySpec, settings: JsonObject, *, port: int, served_name: str) -> tuple[str, ...]:
    engine = OWN_SERVERS[deploy.engine]
    given = dict(settings)
    first = [given.pop("")] if "" in given else []
    everything = {**given, engine.host: HOST, engine.port: port, engine.served_name: served_name}
    said = (word for name, value in everything.items() for word in _switch(name, value))
    return (*(deploy.command or engine.command), *first, *said)


def _switch(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", *words(value)]


def identity(deploy: DeploySpec, settings: JsonObject) -> str:
    """Hash of what decides the answers: the weights' files as they are now, the engine, its arguments."""
    engine = OWN_SERVERS[deploy.engine]
    folders = [settings[engine.model], *(text.partition("=")[2] for text in settings.get(engine.adapters, []))]
    decides = {name: value for name, value in settings.items() if name != engine.adapters}
    command = Path((deploy.command or engine.command)[0]).name
    what = [deploy.engine, command, decides, folders[1:], files_of(folders), sorted(deploy.env.items())]
    return f"{deploy.engine}:{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()}"
