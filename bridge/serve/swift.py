"""ms-swift's own server: ``model.deploy`` in the words of its command line.  Looks at the model's folder, no more."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.backend import EnvSpec
from bridge.errors import Problem, did_you_mean
from bridge.process import clean_env
from bridge.report.schema import ModelInfo
from bridge.serve.hub import HUB_ID
from bridge.spec import DeploySpec, JsonObject, ModelSpec, expanded

VERSION = "4.6.0"
ENV = EnvSpec(
    name="swift",
    lock=Path(__file__).with_name("swift.lock"),
    python="3.11",
    check=("-c", "from swift.pipelines import deploy_main"),
    version=VERSION,
)
HOST = "127.0.0.1"
LISTENING = re.compile(r"Uvicorn running on http://[\d.]+:(\d+)")
"""Where the server really is: it takes another port, without a word, where somebody was faster."""

MAX_BATCH = 64
TRANSFORMERS = ("transformers", "pt")
OF_BRIDGE = {
    "model": "deploy.path",
    "adapters": "deploy.adapters",
    "model_type": "deploy.model_type",
    "template": "deploy.template",
    "host": "",
    "port": "",
    "served_model_name": "",
    "api_key": "",
    "ssl_keyfile": "",
    "ssl_certfile": "",
}
"""Arguments that bridge gives, and the field that stands for them."""
KEYS = ("HF_TOKEN", "MODELSCOPE_API_TOKEN", "MODELSCOPE_ENDPOINT", "USE_HF", "TRITON_CACHE_DIR", "VLLM_CACHE_ROOT")
"""Handed through where set: what fetching weights and an engine's caches need."""

HINTS = (
    (r"match `model_type` .* types found: \[([^\]]*)\]", "set deploy.model_type to one of {0}"),
    (r"match `template_type` .* types found: \[([^\]]*)\]", "set deploy.template to one of {0}"),
    (r"remaining_argv: (\[.*?\])", "ms-swift does not know {0}; correct deploy.args"),
    (
        r"(?i)out of memory|Cannot allocate memory",
        "lower deploy.args.max_batch_size or max_model_len, or use a smaller model",
    ),
    (r"No module named '([^']+)'", "the engine's environment lacks {0}: set deploy.args.infer_backend to transformers"),
)
"""What the server says when it dies, and what to do about it."""


def describe(model: ModelSpec, deploy: DeploySpec) -> ModelInfo:
    return ModelInfo(
        name=model.name,
        source=deploy.path,
        engine=f"swift {VERSION} ({deploy.args.get('infer_backend', 'transformers')})",
        adapters=deploy.adapters,
        revision=deploy.args.get("model_revision"),
    )


# Checks before the run -------------------------------------------------------------------------------------------


def check(deploy: DeploySpec, field: str) -> Iterator[Problem]:
    """What is wrong with it, as far as the files on this machine tell."""
    yield from _check_folder(expanded(deploy.path), f"{field}.path", "config.json", ("*.safetensors", "*.bin"))
    for index, adapter in enumerate(deploy.adapters):
        at = f"{field}.adapters[{index}]"
        yield from _check_folder(expanded(adapter), at, "adapter_config.json", ("adapter_model.*",))
    for name, value in deploy.args.items():
        yield from _check_argument(name, value, f"{field}.args.{name}")


def _check_folder(text: str, field: str, config: str, weights: Sequence[str]) -> Iterator[Problem]:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        if text.startswith((".", "/", "~")) or not HUB_ID.fullmatch(text):
            yield Problem(
                "", field, f"there is no folder {text}", "give a folder with the weights, or a hub's id (org/name)"
            )
        return
    if not (folder / config).is_file():
        yield Problem("", field, f"{text} is no model's folder: it holds no {config}", _what_it_is(folder))
    elif not any(any(folder.glob(pattern)) for pattern in weights):
        yield Problem("", field, f"{text} holds no weights ({' or '.join(weights)})", "is it complete?")


def _what_it_is(folder: Path) -> str:
    """A hint for what users mistake for a model's folder."""
    if (folder / "adapter_config.json").is_file():
        return "it is a LoRA adapter: give its base as deploy.path and this folder in deploy.adapters"
    inside = sorted(path for path in folder.glob("checkpoint-*") if path.is_dir())
    if not inside:
        inside = sorted(folder.glob("v*-*/checkpoint-*"))
    newest = max(inside, key=lambda path: path.stat().st_mtime, default=None)
    return f"did you mean its {newest.relative_to(folder)}?" if newest else ""


def _check_argument(name: str, value: object, field: str) -> Iterator[Problem]:
    plain = _plain(name)
    if plain in OF_BRIDGE:
        instead = OF_BRIDGE[plain]
        yield Problem("", field, "bridge sets this itself", f"use {instead}" if instead else "leave it out")
    elif not re.fullmatch(r"[a-z_][a-z0-9_]*", plain):
        hint = did_you_mean(plain, ["infer_backend", "max_batch_size", "max_model_len", "torch_dtype"])
        yield Problem("", field, "is no name of an argument: letters, digits and _ only", hint)
    elif value is None or value == []:
        yield Problem("", field, "has no value", "leave it out")


# Translation -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Launch:
    """What the server is started with; all of it but the port and the name is the same each time."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def arguments(deploy: DeploySpec, *, path: str, adapters: Sequence[str], concurrency: int) -> JsonObject:
    """The command line's arguments, without those that are another each time.

    ms-swift would take over every setting of the training from a checkpoint's ``args.json``, and import the plugins
    that it names; so it is told not to read it, and gets the two settings that serving needs from here.
    """
    trained = _training_arguments([path, *adapters])
    given = {_plain(name): value for name, value in deploy.args.items()}
    batch = (
        {}
        if given.get("infer_backend", "transformers") not in TRANSFORMERS
        else {"max_batch_size": min(concurrency, MAX_BATCH)}
    )
    chosen: JsonObject = {
        "model": path,
        "model_type": deploy.model_type or trained.get("model_type"),
        "template": deploy.template or trained.get("template"),
        "adapters": list(adapters),
        "load_args": False,
        "log_interval": -1,
        "verbose": False,
        **batch,
        **given,
    }
    return {name: value for name, value in chosen.items() if value not in (None, [])}


def command_line(python: Path, settings: JsonObject, *, port: int, served_name: str) -> tuple[str, ...]:
    """``python -m swift.cli.deploy``: the server itself. ``swift deploy`` only starts it, and leaves it behind."""
    everything = {**settings, "host": HOST, "port": port, "served_model_name": served_name}
    words = (word for name, value in everything.items() for word in (f"--{name}", *_words(value)))
    return (str(python), "-m", "swift.cli.deploy", *words)


def environment(deploy: DeploySpec, *, local: bool) -> dict[str, str]:
    """``local``: everything is on this machine, so that nothing is to be asked of a hub."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if local else {}
    threads = os.environ.get("OMP_NUM_THREADS") or str(len(os.sched_getaffinity(0)))
    own = {name: expanded(value) for name, value in deploy.env.items()}
    return clean_env({"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", **offline, **own}, KEYS)


def identity(settings: JsonObject, env: Mapping[str, str]) -> str:
    """Hash of what decides the answers: the weights' files as they are now, the arguments, the engine's version."""
    folders = [text for text in (settings["model"], *settings.get("adapters", [])) if Path(text).is_dir()]
    files = [
        (folder, file.name, stat.st_size, stat.st_mtime_ns)
        for folder in folders
        for file in sorted(Path(folder).iterdir())
        if (stat := file.stat()) and file.is_file()
    ]
    decides = {
        name: value for name, value in settings.items() if name not in ("max_batch_size", "verbose", "log_interval")
    }
    what = [VERSION, decides, files, sorted(env.items())]
    return f"swift:{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()}"


def hint(lines: Sequence[str]) -> str:
    """What to do, from the last lines of a server that died; empty where nobody knows."""
    text = "\n".join(lines)
    for pattern, advice in HINTS:
        if found := re.search(pattern, text):
            return advice.format(*(group.replace("'", "") for group in found.groups()))
    return ""


def _plain(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _words(value: object) -> list[str]:
    match value:
        case bool():
            return [str(value).lower()]
        case list() | tuple():
            return [word for one in value for word in _words(one)]
        case dict():
            return [json.dumps(value)]
        case _:
            return [str(value)]


def _training_arguments(folders: Sequence[str]) -> dict[str, str]:
    """``model_type`` and ``template`` from the ``args.json`` that ms-swift's training leaves beside the weights."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            said = json.loads((Path(folder) / "args.json").read_bytes())
        except (OSError, ValueError):
            continue
        for name in ("model_type", "template"):
            value = said.get(name) if isinstance(said, dict) else None
            if isinstance(value, str) and re.fullmatch(r"\w[\w.-]*", value):
                found.setdefault(name, value)
    return found
