"""What a backend is: it translates a task into jobs, and reads what the jobs left behind.  Pure types, no action.

A backend never starts a process and never talks to a model: ``launch`` writes a job's files and runs its argv.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from bridge.errors import Problem

if TYPE_CHECKING:
    # Listing datasets needs a backend, but neither a spec nor a report, whose models take a while to make.
    from bridge.report.schema import ReportError, ResultRow, SampleRecord
    from bridge.spec import DatasetSpec, GenerationSpec, ModelSpec, TaskSpec


class Feature(StrEnum):
    """A field of the spec that a backend may or may not be able to honour."""

    PATH = "path"
    SUBSETS = "subsets"
    SPLIT = "split"
    NUM_FEWSHOT = "num_fewshot"
    LIMIT = "limit"
    REPEATS = "repeats"
    TEMPERATURE = "generation.temperature"
    MAX_TOKENS = "generation.max_tokens"
    TOP_P = "generation.top_p"
    TOP_K = "generation.top_k"
    SEED = "generation.seed"
    STOP = "generation.stop"
    EXTRA_BODY = "generation.extra_body"
    JUDGE = "judge"
    JUDGES = "judges"
    JUDGE_GENERATION = "judge.generation"
    JUDGING = "judging"
    OPTIONS = "options"
    PROMPT = "prompt"
    DEFINITION = "definition"
    SCORING = "scoring"
    """By likelihood."""
    LOCAL = "model.local"
    SANDBOX = "sandbox"


class Level(StrEnum):
    FULL = "full"
    PARTIAL = "partial"
    """For some datasets or values; ``Backend.check`` refuses the others."""
    NOT_YET = "not yet"
    NEVER = "never"


@dataclass(frozen=True)
class Gap:
    """How far a backend honours one feature, and what a user should know about it."""

    level: Level
    note: str = ""


FULL = Gap(Level.FULL)
Support = Mapping[Feature, Gap]


@dataclass(frozen=True)
class EnvSpec:
    """A locked Python environment; ``lock`` None stands for bridge's own."""

    name: str
    lock: Path | None = None
    python: str = "3.11"
    check: tuple[str, ...] = ()
    """Arguments for the environment's Python that succeed only if it works: ``("-c", "import opencompass")``."""
    version: str = ""
    """Version of the framework that the lock holds."""


@dataclass(frozen=True)
class DatasetInfo:
    """One dataset that a backend lists."""

    name: str
    backend: str
    kind: Literal["generation", "likelihood", "custom"] = "generation"
    description: str = ""
    family: str = ""
    config: str = ""
    """The framework's own name of what is run."""
    evaluator: str = ""
    data: str = ""
    """Where its files are: hub id, or path in the framework's layout."""
    subsets: tuple[str, ...] = ()
    num_fewshot: int | None = None
    metric: str = ""
    unusable: str = ""
    """Why it cannot be run here; empty where it can."""


@dataclass(frozen=True)
class Endpoint:
    """Where a job finds the model.

    ``api_key`` is a token of this run alone (the gateway's); a real key is only ever named, by ``api_key_env``.
    """

    base_url: str
    model: str
    """The model's name in the spec, which jobs send."""
    api_key: str = field(default="EMPTY", repr=False)
    api_key_env: str | None = None
    served_model: str = ""
    """The name under which the server knows the model, where that is another; only for jobs that go there directly."""
    identity: str = ""
    """What the answers depend on (server and weights); stable over restarts, part of the cache's keys. Default: URL."""
    shown_url: str = ""
    """The URL in messages: as the spec writes it, where that is not ``base_url`` (``${NAME}``)."""
    failed_marker: str = ""
    """Text that stands in an answer's place where a request finally failed; samples that carry it have no score."""
    dialect: str = ""
    """What the server misreads of the API, by name (``endpoint.dialect``); for jobs that go there directly."""
    likelihood: Literal["prompt_logprobs", "echo", ""] = ""
    """How the server tells the log-probabilities of a prompt; empty where it does not, or was not asked."""
    judge: Endpoint | None = None
    """Where the spec's judge is, by the same kind of route; its traffic is counted as the job's own judge's. None
    where there is none, or several."""
    judges: tuple[Endpoint, ...] = ()
    """Where all the spec's judges are, in its order: also where there is only one."""


@dataclass(frozen=True)
class Task:
    """What one backend has to do for one model: a view of the spec."""

    spec: TaskSpec
    model: ModelSpec
    datasets: tuple[DatasetSpec, ...]
    concurrency: int
    """This task's share of ``spec.concurrency``."""

    def generation(self, dataset: DatasetSpec) -> GenerationSpec:
        return self.spec.generation_of(dataset)


@dataclass(frozen=True)
class Job:
    """One subprocess: what to write, what to run, in which environment.

    Relative paths are under the job's own folder, which is also its working directory. ``argv[0] == "python"`` stands
    for the environment's interpreter. A job may report on itself in ``progress.json``: ``{"done": 3, "total": 10}``,
    replaced atomically, with ``"stage"`` and ``"datasets": {name: {"done":…, "total":…}}`` where it knows.
    """

    id: str
    """Unique among the jobs of one model; the name of its folder."""
    backend: str
    datasets: tuple[str, ...]
    """``DatasetSpec.id`` of each."""
    argv: tuple[str, ...]
    env_spec: EnvSpec
    files: Mapping[str, str] = field(default_factory=dict)
    """Relative path → text."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables, in addition to a minimal clean set."""
    pass_env: tuple[str, ...] = ()
    """Variables handed through from bridge's own environment (those that hold keys)."""
    timeout_s: float | None = None
    runs: Literal["nothing", "data", "model output"] = "nothing"
    """What it runs as code that nobody has read: then it is started in a sandbox (``confine``)."""
    confines: tuple[str, ...] = ()
    """Datasets whose code it runs in sandboxes of its own; the job itself needs none."""
    keep: tuple[str, ...] = ()
    """Files and folders that a job started again goes on from; everything else in its folder is cleared first."""


class Outcome(BaseModel):
    """How a job ended; written to ``outcome.json`` in the job's folder. An exit code of 0 proves nothing."""

    model_config = ConfigDict(frozen=True)

    job: str
    backend: str
    model: str
    dir: Path
    """The job's folder, absolute."""
    exit_code: int | None
    """None where the job was never started or was stopped by bridge."""
    stopped: Literal["timeout", "interrupted", "endpoint"] | None = None
    """Why bridge stopped it; ``endpoint``: the model could not be reached any more."""
    reason: str = ""
    """One line for the user where the job did not end by itself with exit code 0."""
    started_at: str = ""
    duration_s: float = 0.0
    failed_marker: str = ""
    sandbox: Literal["", "bubblewrap", "none"] = ""
    """What it ran in; ``none``: it ran foreign code without one; empty: it needed none."""
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True)
class BenchmarkResult:
    """What one dataset came to: rows of the report, and a record per sample."""

    dataset: str
    rows: tuple[ResultRow, ...]
    samples: Iterable[SampleRecord] = ()
    """Can be iterated more than once, in the dataset's order; need not fit into memory."""
    errors: tuple[ReportError, ...] = ()


class Backend(Protocol):
    """A framework, seen from the pipeline. ``tests/adapters/conformance.py`` is the suite that each passes."""

    name: str
    """Registry key, value of ``--backend``, name of the folder."""
    env: EnvSpec
    support: Support
    route: Literal["gateway", "direct"]
    """``direct``: uses bridge's own client and cache, needs no gateway."""
    on_failed_request: Literal["error", "placeholder"]
    """What the gateway answers for a request that finally failed: an HTTP error, or ``Endpoint.failed_marker``."""

    def datasets(self) -> Mapping[str, DatasetInfo]:
        """All it can evaluate, by name. Offline, needs no environment, fast."""
        ...

    def resolve(self, name: str) -> DatasetInfo | None:
        """The dataset of that name; also a framework's own configurations, which ``datasets`` does not list."""
        ...

    def check(self, task: Task) -> list[Problem]:
        """All that is wrong with the task, ``field`` as a path in the spec. Reads no more than whether files exist."""
        ...

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        """The jobs. Pure. Raises ``Unsupported`` for what ``check`` would refuse; never drops a field."""
        ...

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        """Judges a job by the files it left, one result for each of its datasets, whatever became of it."""
        ...


@dataclass(frozen=True)
class Preview:
    """What would be sent for one sample."""

    sample_id: str
    subset: str | None
    request: Mapping[str, Any]
    """The request's body, as it would go over the wire."""
    prompt_sha256: str
    target: Any
    problem: str = ""
    """Why it cannot be asked; then there is no request."""
    to_judge: tuple[Sequence[Mapping[str, Any]], ...] = ()
    """The messages that each judge would get, with a stand-in for the answer; one for each order."""


@runtime_checkable
class ShowsPrompts(Protocol):
    """A backend that makes its requests itself, and so can show them without sending them."""

    def preview(self, task: Task) -> Iterator[Preview]:
        """Every request of the task, in order. Raises BridgeError where the data cannot be read."""
        ...


@runtime_checkable
class ListsConfigurations(Protocol):
    """A backend whose framework has configurations of its own; ``resolve`` finds each by its name."""

    def configurations(self) -> Mapping[str, DatasetInfo]:
        """All of them, by full name. Offline, needs no environment, fast."""
        ...


@runtime_checkable
class LoadsModels(Protocol):
    """A backend that has models of its own, which it loads by name (``model.local.name``)."""

    def models(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Name, and its class and the weights that it would fetch. Offline, fast."""
        ...


def place_of(task: Task) -> str:
    """Where the spec has the task's model: ``model``, or ``models[1]``."""
    return "model" if task.spec.model is not None else f"models[{task.spec.models.index(task.model)}]"


def features_used(task: Task) -> dict[Feature, list[str]]:
    """The features that the task asks for, each with the paths in the spec that ask for it."""
    used: dict[Feature, list[str]] = {}

    def use(feature: Feature, where: str, value: object) -> None:
        if value not in (None, (), {}, ""):
            used.setdefault(feature, []).append(where)

    spec = task.spec
    use(Feature.SANDBOX, "sandbox", spec.sandbox or None)
    use(Feature.JUDGE, "judge", spec.judge)
    use(Feature.JUDGE_GENERATION, "judge.generation", spec.judge and spec.judge.generation)
    use(Feature.JUDGES, "judges", spec.judges)
    use(Feature.LIMIT, "limit", spec.limit)
    use(Feature.REPEATS, "repeats", spec.repeats if spec.repeats > 1 else None)
    use(Feature.LOCAL, f"{place_of(task)}.local", task.model.local)
    for dataset in task.datasets:
        at = f"datasets[{spec.datasets.index(dataset)}]"
        for feature in (Feature.PATH, Feature.SUBSETS, Feature.SPLIT, Feature.NUM_FEWSHOT, Feature.LIMIT):
            use(feature, f"{at}.{feature}", getattr(dataset, feature.value))
        use(Feature.REPEATS, f"{at}.repeats", dataset.repeats if (dataset.repeats or 1) > 1 else None)
        use(Feature.PROMPT, f"{at}.prompt", dataset.prompt)
        use(Feature.JUDGING, f"{at}.judging", dataset.judging)
        use(Feature.DEFINITION, f"{at}.definition", dataset.definition)
        use(Feature.SCORING, f"{at}.scoring", dataset.scoring if dataset.scoring == "loglikelihood" else None)
        own = f"{at}." if dataset.generation else ""
        generation = task.generation(dataset)
        for name in type(generation).model_fields:
            use(Feature(f"generation.{name}"), f"{own}generation.{name}", getattr(generation, name))
    return {feature: sorted(set(places)) for feature, places in used.items()}
