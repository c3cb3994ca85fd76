"""``model.local``: weights that are loaded with transformers to score texts, in an environment with torch."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.backend import EnvSpec
from bridge.errors import Problem
from bridge.process import clean_env
from bridge.report.schema import ModelInfo
from bridge.serve.weights import check_model, files_of
from bridge.spec import LocalSpec, ModelSpec, expanded

ENV = EnvSpec(
    name="local",
    lock=Path(__file__).with_name("local.lock"),
    python="3.11",
    check=("-c", "from transformers import AutoModelForCausalLM, AutoTokenizer"),
    version="5.19.0",
)
SERVER = Path(__file__).parent / "scoring" / "server.py"
LISTENING = re.compile(r"scores on http://[\d.]+:(\d+)")
STARTUP_TIMEOUT_S = 1800.0
BATCH_SIZE = 8
KEYS = ("HF_TOKEN",)


def describe(model: ModelSpec, local: LocalSpec) -> ModelInfo:
    engine = f"transformers {ENV.version}" if local.name is None else f"vlmevalkit ({local.name})"
    return ModelInfo(name=model.name, source=local.path or local.name or "", engine=engine)


def check(local: LocalSpec, field: str) -> Iterator[Problem]:
    if local.path is not None:
        yield from check_model(expanded(local.path), f"{field}.path")


def command_line(local: LocalSpec, python: Path, *, path: str, port: int, served_name: str) -> tuple[str, ...]:
    return (
        *(str(python), str(SERVER), "--model", path, "--served-name", served_name, "--port", str(port)),
        *("--dtype", local.dtype, "--device", local.device, "--batch-size", str(local.batch_size or BATCH_SIZE)),
        *("--arguments", json.dumps(local.args)),
    )


def environment(*, is_here: bool) -> dict[str, str]:
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if is_here else {}
    threads = os.environ.get("OMP_NUM_THREADS") or str(len(os.sched_getaffinity(0)))
    return clean_env({"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", **offline}, KEYS)


def identity(local: LocalSpec, path: str) -> str:
    """Hash of what decides the figures; the size of a batch does not."""
    what = [ENV.version, path, local.name, local.dtype, local.device, local.args, files_of([path])]
    return f"local:{hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()}"


def hint(lines: Sequence[str]) -> str:
    """What to do, from the last lines of a process that died; empty where nobody knows."""
    text = "\n".join(lines)
    if "out of memory" in text.lower():
        return "lower local.batch_size"
    is_no_model = any(word in text for word in ("Unrecognized", "Can't load", "Unrecognized configuration"))
    return "local.path is to be a language model's folder, as transformers writes it" if is_no_model else ""
