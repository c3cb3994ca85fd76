"""``job.json``: what the engine is told, as plain data; and the names of the files that it keeps beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from bridge.native.benchmark import Scoring

JOB_FILE = "job.json"
STATE_FILE = "state.json"
PROGRESS_FILE = "progress.json"
SAMPLES = "samples"
BASE_URL_ENV = "BRIDGE_BASE_URL"
"""Variable with the server's URL. It is in no file: it may hold a password, and changes with every server."""
API_KEY_ENV = "BRIDGE_API_KEY"
"""Variable for a key that has no name of the user's: that of a server which bridge has started."""
HubName = Literal["modelscope", "huggingface"]
Thinking = Literal["cut", "keep"]
"""Whether ``<think>…</think>`` is cut off before an answer is read, or is read as part of it."""


@dataclass(frozen=True)
class DatasetJob:
    """One dataset of a job."""

    id: str
    """Its name in the report; also names its file of samples."""
    benchmark: str
    """Its name, or the file that defines it."""
    path: str | None
    """Absolute; None: it is fetched from the hub."""
    subsets: tuple[str, ...]
    """Empty: all that there are."""
    split: str
    num_fewshot: int
    limit: int | None
    """Of each subset."""
    repeats: int
    request: dict[str, Any]
    """The request's fields besides model and messages."""
    hub: HubName = "modelscope"
    template: str | None = None
    """What is asked in place of the benchmark's own question."""
    system: str | None = None
    fewshot_seed: int | None = None
    """Draws the worked examples; None: the first ones."""
    fewshot_ids: tuple[str, ...] = ()
    """Names the worked examples."""
    thinking: Thinking = "cut"
    scoring: Scoring = "generation"
    judging: dict[str, Any] | None = None
    """``judging.Judging`` as plain data; None: the benchmark's own scorer."""


@dataclass(frozen=True)
class JudgeJob:
    """One judge; its URL and key are in variables, as the model's are."""

    model: str
    request: dict[str, Any]
    """The request's fields besides model and messages."""
    base_url_env: str
    dialect: str = ""
    served_model: str = ""
    identity: str = ""
    shown_url: str = ""
    api_key_env: str | None = None


@dataclass(frozen=True)
class NativeJob:
    """All that one process of the engine is to do."""

    model: str
    """The name that is recorded, and asked for unless ``served_model`` is another."""
    traffic: str
    """The name under which its requests are recorded."""
    datasets: tuple[DatasetJob, ...]
    concurrency: int
    max_retries: int
    request_timeout_s: float
    store: str
    """Path of the cache of requests, relative to the job's folder."""
    served_model: str = ""
    identity: str = ""
    """What the answers depend on (server and weights); empty: the URL."""
    shown_url: str = ""
    """The URL in messages; empty: as it is."""
    api_key_env: str | None = None
    """The environment variable that holds the key; None: the server wants none."""
    dialect: str = ""
    """What the server misreads of the API, by name (``endpoint.dialect``)."""
    likelihood: Literal["prompt_logprobs", "echo", ""] = ""
    """How the server tells the log-probabilities of a prompt; empty where nobody needs them."""
    judges: tuple[JudgeJob, ...] = ()
    score_workers: int | None = None
    """None: one for each core but the engine's own."""
    score_timeout_s: float = 20.0
    version: str = ""
    """Of bridge."""

    def to_json(self) -> str:
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2).decode()


def read_job(path: Path) -> NativeJob:
    raw = orjson.loads(path.read_bytes())
    datasets = tuple(
        DatasetJob(**{**entry, **{name: tuple(entry[name]) for name in ("subsets", "fewshot_ids")}})
        for entry in raw.pop("datasets")
    )
    judges = tuple(JudgeJob(**entry) for entry in raw.pop("judges"))
    return NativeJob(datasets=datasets, judges=judges, **raw)


def samples_file(folder: Path, dataset: str) -> Path:
    """Where the records of a dataset are; ``dataset`` is made safe as a file name."""
    safe = "".join(char if char.isalnum() or char in "._+=@-" else f"%{ord(char):02X}" for char in dataset)
    return folder / SAMPLES / f"{safe}.jsonl"
