"""ms-swift's own server: ``model.deploy`` in the words of its command line.  Looks at the model's folder, no more."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bridge.backend import EnvSpec
from bridge.errors import Problem, did_you_mean
from bridge.process import clean_env
from bridge.report.schema import ModelInfo
from bridge.serve.weights import check_adapter, check_model, files_of
from bridge.serve.words import check_argument, missing_program, plain, words
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

PARALLEL = {"vllm": "vllm_tensor_parallel_size", "sglang": "sglang_tp_size", "lmdeploy": "lmdeploy_tp"}
"""By ``infer_backend``: its word for ``tensor_parallel``."""
KNOWN = ("infer_backend", "max_batch_size", "max_model_len", "torch_dtype")

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


def infer_backend(deploy: DeploySpec) -> str:
    given = {plain(name): value for name, value in deploy.args.items()}
    return str(given.get("infer_backend", "transformers"))


def describe(model: ModelSpec, deploy: DeploySpec) -> ModelInfo:
    return ModelInfo(
        name=model.name,
        source=deploy.path,
        engine=f"swift {VERSION} ({infer_backend(deploy)})",
        adapters=deploy.adapters,
        revision=deploy.args.get("model_revision"),
    )


# Checks before the run -------------------------------------------------------------------------------------------


def check(deploy: DeploySpec, field: str) -> Iterator[Problem]:
    """What is wrong with it, as far as the files on this machine tell."""
    yield from check_model(expanded(deploy.path), f"{field}.path")
    for index, adapter in enumerate(deploy.adapters):
        yield from check_adapter(expanded(adapter), f"{field}.adapters[{index}]")
    for name, value in deploy.args.items():
        yield from check_argument(name, value, f"{field}.args.{name}", OF_BRIDGE, KNOWN)
    yield from _check_backend(deploy, field)
    if deploy.chat_template is not None:
        yield Problem("", f"{field}.chat_template", "ms-swift has templates of its own", "use deploy.template")


def _check_backend(deploy: DeploySpec, field: str) -> Iterator[Problem]:
    backend, at = infer_backend(deploy), f"{field}.args.infer_backend"
    if backend not in (*TRANSFORMERS, *PARALLEL):
        allowed = (TRANSFORMERS[0], *PARALLEL)
        yield Problem("", at, f"is {backend!r}; allowed: {', '.join(allowed)}", did_you_mean(backend, allowed))
    elif backend in PARALLEL and not deploy.command:
        message = f"bridge's environment for ms-swift has no {backend}"
        hint = f"name yours: deploy.command: [/path/to/python, -m, swift.cli.deploy]; or take engine: {backend}"
        yield Problem("", at, message, hint)
    if deploy.tensor_parallel is not None and backend in TRANSFORMERS:
        message = "ms-swift's transformers backend splits no layers"
        yield Problem("", f"{field}.tensor_parallel", message, f"set args.infer_backend: {' or '.join(PARALLEL)}")
    if deploy.command and (problem := missing_program(deploy.command)):
        yield Problem("", f"{field}.command", problem, "name the Python in which ms-swift is installed")


# Translation -----------------------------------------------------------------------------------------------------


def arguments(deploy: DeploySpec, *, path: str, adapters: Sequence[str], concurrency: int) -> JsonObject:
    """The command line's arguments, without those that are another each time.

    ms-swift would take over every setting of the training from a checkpoint's ``args.json``, and import the plugins
    that it names; so it is told not to read it, and gets the two settings that serving needs from here.
    """
    trained = _training_arguments([path, *adapters])
    given = {plain(name): value for name, value in deploy.args.items()}
    backend = infer_backend(deploy)
    batch = {"max_batch_size": min(concurrency, MAX_BATCH)} if backend in TRANSFORMERS else {}
    parallel = {PARALLEL[backend]: deploy.tensor_parallel} if backend in PARALLEL else {}
    chosen: JsonObject = {
        "model": path,
        "model_type": deploy.model_type or trained.get("model_type"),
        "template": deploy.template or trained.get("template"),
        "adapters": list(adapters),
        "load_args": False,
        "log_interval": -1,
        "verbose": False,
        "torch_dtype": deploy.dtype,
        **batch,
        **parallel,
        **given,
    }
    return {name: value for name, value in chosen.items() if value not in (None, [])}


def program(deploy: DeploySpec, python: Path) -> tuple[str, ...]:
    """``python -m swift.cli.deploy``: the server itself. ``swift deploy`` only starts it, and leaves it behind."""
    return deploy.command or (str(python), "-m", "swift.cli.deploy")


def command_line(program: Sequence[str], settings: JsonObject, *, port: int, served_name: str) -> tuple[str, ...]:
    everything = {**settings, "host": HOST, "port": port, "served_model_name": served_name}
    said = (word for name, value in everything.items() for word in (f"--{name}", *words(value)))
    return (*program, *said)


def environment(deploy: DeploySpec, *, local: bool) -> dict[str, str]:
    """``local``: everything is on this machine, so that nothing is to be asked of a hub."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if local else {}
    threads = os.environ.get("OMP_NUM_THREADS") or str(len(os.sched_getaffinity(0)))
    own = {name: expanded(value) for name, value in deploy.env.items()}
    return clean_env({"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", **offline, **own}, KEYS)


def identity(settings: JsonObject, env: Mapping[str, str]) -> str:
    """Hash of what decides the answers: the weights' files as they are now, the arguments, the engine's version."""
    files = files_of([settings["model"], *settings.get("adapters", [])])
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
