"""``TaskSpec``: what to evaluate, on what, and how.  Pure data; ``spec_file`` reads it from YAML, JSON and ``--set``.

The field docstrings are the spec's reference: ``bridge schema spec`` and ``docs/spec.md`` are made from them.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bridge.errors import Problem, SpecError

JsonObject = dict[str, Any]
Name = Annotated[str, Field(min_length=1, max_length=200)]
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]*")
_PLAIN = re.compile(r"\w[\w ./-]{0,59}")
_NATIVE_SAMPLING = frozenset(
    {"temperature", "top_p", "top_k", "max_tokens", "seed", "stop", "n", "model", "messages", "stream"}
)

_HOW_NOT_WHAT = {"concurrency", "max_retries", "request_timeout_s", "job_timeout_s", "sandbox", "measure_traffic"}


REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""``${NAME}``: an environment variable, in URLs, paths and ``deploy.env``."""


def expanded(text: str) -> str:
    """``text`` with the value of each ``${NAME}``. For use in memory: what is written to disk keeps the reference.

    Raises SpecError where a variable is not set.
    """

    def value(reference: re.Match[str]) -> str:
        if (found := os.environ.get(reference[1])) is None:
            raise SpecError([Problem(reference[0], "", "this environment variable is not set")])
        return found

    return REFERENCE.sub(value, text)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class EndpointSpec(_Part):
    """A model server that is already there."""

    base_url: Annotated[str, Field(pattern=r"^(https?://|\$\{)\S+$")]
    """The URL up to and including `/v1`, as an OpenAI client wants it; `${NAME}` stands for an environment variable."""
    api_key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """Name of the environment variable that holds the API key. The key itself is never written down."""
    probe: bool = True
    """Ask `/v1/models` before the run whether the server is there and knows the model's name."""


class DeploySpec(_Part):
    """A model that bridge serves for the time of the run."""

    engine: Literal["swift", "vllm", "sglang", "lmdeploy"] = "swift"
    """What serves it: `swift` is ms-swift's own server, in an environment that bridge makes; the others are their own
    servers, as you have installed them (see `command`)."""
    path: str
    """Folder of the weights, or a ModelScope or Hugging Face id. A relative folder is taken from the spec's folder."""
    command: tuple[str, ...] = ()
    """Of vllm, sglang and lmdeploy: the program that starts the server, `[/opt/vllm/bin/vllm, serve]`. Default: what
    the engine installs, where it is found on PATH."""
    model_type: str | None = None
    """ms-swift's name of the architecture; needed where it cannot tell from the folder (`qwen2`)."""
    template: str | None = None
    """ms-swift's name of the chat template (`qwen`)."""
    chat_template: str | None = None
    """Of vllm, sglang and lmdeploy: file or name of the chat template, where the tokenizer's own is not to be used."""
    dtype: str | None = None
    """Type of the weights in memory, in the engine's words (`bfloat16`); default: the engine's choice."""
    tensor_parallel: Annotated[int, Field(ge=1)] | None = None
    """Over how many GPUs each layer is split."""
    adapters: tuple[str, ...] = ()
    """LoRA folders, applied in order; vllm, sglang and lmdeploy take one."""
    args: JsonObject = Field(default_factory=dict)
    """Further arguments of the engine's command line, verbatim: `{infer_backend: transformers}`."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the engine. Values are written to the run directory: no secrets here."""
    startup_timeout_s: Annotated[float, Field(gt=0)] = 900.0
    """How long the server may take until it answers; a server that dies is noticed at once."""


class LocalSpec(_Part):
    """Weights that are loaded where the evaluation runs; nobody is asked over an API."""

    path: str | None = None
    """Folder of the weights, or a Hugging Face id. A relative folder is taken from the spec's folder."""
    name: str | None = None
    """VLMEvalKit's name of the model (`Qwen2-VL-2B-Instruct`); `path` then stands in for the weights it would fetch."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of the weights in memory; `auto` is the one they are stored in."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """`cpu`, `cuda`, `cuda:1`; `auto`: a GPU where there is one."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Texts that are scored at a time; default: 8."""
    args: JsonObject = Field(default_factory=dict)
    """Further arguments with which the model is loaded, verbatim."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.path is None and self.name is None:
            raise ValueError("give 'path' (a folder of weights), or 'name' (a model of VLMEvalKit's)")
        return self


class ModelSpec(_Part):
    """One model: its name and where it is."""

    name: Name
    """The model id that is sent with every request; for a deployed model, its column in the report."""
    endpoint: EndpointSpec | None = None
    """A server that is already running. Exactly one of `endpoint`, `deploy` and `local` is given."""
    deploy: DeploySpec | None = None
    """Weights to serve for this run."""
    local: LocalSpec | None = None
    """Weights to load without a server: for `scoring: loglikelihood`, and for VLMEvalKit's own models."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.endpoint, self.deploy, self.local].count(None) != 2:
            what = "'endpoint' (a running server), 'deploy' (weights to serve) and 'local' (weights to load)"
            raise ValueError(f"give exactly one of {what}")
        return self


class GenerationSpec(_Part):
    """How answers are sampled. What is not given is left to the benchmark's own default."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """0 is greedy. Above 0 every repeat is asked for on its own."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Limit of the answer in tokens; without it the benchmark's own."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus sampling."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Sampling from the k most likely tokens; not part of the OpenAI API, sent as an extra field."""
    seed: int | None = None
    """Seed sent to the server, which may or may not honour it."""
    stop: tuple[str, ...] = ()
    """Strings at which the answer ends."""
    extra_body: JsonObject = Field(default_factory=dict)
    """Further fields of the request, verbatim: `{chat_template_kwargs: {enable_thinking: false}}`."""

    @model_validator(mode="after")
    def _extra_is_extra(self) -> Self:
        if twice := sorted(_NATIVE_SAMPLING & self.extra_body.keys()):
            raise ValueError(f"extra_body: {', '.join(twice)} has a field of its own; set it there")
        return self

    def request_fields(self, default_max_tokens: int) -> JsonObject:
        """The fields of a request that say how it is answered; ``default_max_tokens`` is the benchmark's own."""
        limited = "max_completion_tokens" in self.extra_body
        fields = {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens or (None if limited else default_max_tokens),
            "top_p": self.top_p,
            "top_k": self.top_k,
            "seed": self.seed,
            "stop": list(self.stop) or None,
        }
        return {name: value for name, value in fields.items() if value is not None} | self.extra_body


class JudgeSpec(ModelSpec):
    """A model that scores answers."""

    generation: GenerationSpec | None = None
    """How the judge is sampled; without it greedily, up to 1024 tokens."""


class JudgingSpec(_Part):
    """How the judge scores a dataset's answers, in place of the dataset's own scorer."""

    method: Literal["correctness", "rating", "rubric", "pairwise"]
    """`correctness`: against the reference; `rating`: one number on the scale; `rubric`: a number for each criterion;
    `pairwise`: better or worse than the reference, asked in both orders."""
    prompt: str | None = None
    """What the judge is asked, in place of bridge's own words; names `{question}`, `{response}`, `{target}` and the
    sample's other fields in braces (`pairwise`: `{answer_a}`, `{answer_b}`), and doubles other braces. `{nonce}` is a
    mark that no answer can hold, for fences; `{format}` says how the verdict is to be given."""
    prompt_file: str | None = None
    """A file that holds the prompt. A relative path is taken from the spec's folder."""
    system: str | None = None
    """The judge's system prompt; default: none."""
    scale: tuple[float, float] = (1.0, 10.0)
    """Lowest and highest number of `rating` and `rubric`."""
    rubric: dict[str, str] = Field(default_factory=dict)
    """Criterion → what it means; each becomes a metric, and their mean is the score."""
    choices: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    """Verdicts of `correctness` and what each is worth; default: `{correct: 1, incorrect: 0}`."""
    verdict: Literal["json", "brackets"] = "json"
    """How the judge gives its verdict: as a JSON object, or as `[[7]]`, `[[correct]]`, `[[A]]`."""
    swap: bool = True
    """`pairwise`: ask in both orders; a preference that does not survive the swap counts half."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    """How often a judge whose verdict cannot be read is shown its reply and asked again, the first time included."""
    panel: Literal["mean", "majority"] | None = None
    """How several judges become one score; default: the majority for `correctness`, else the mean."""

    @model_validator(mode="after")
    def _fits_method(self) -> Self:
        if self.prompt is not None and self.prompt_file is not None:
            raise ValueError("give one of 'prompt' and 'prompt_file'")
        if self.scale[0] >= self.scale[1]:
            raise ValueError("scale: the first number is the lowest, the second the highest")
        if (self.method == "rubric") != bool(self.rubric):
            raise ValueError(
                "rubric: method 'rubric' needs criteria with their meaning, and no other method takes them"
            )
        if self.choices and self.method != "correctness":
            raise ValueError("choices: only method 'correctness' takes them; 'rating' has a 'scale'")
        if self.choices and len({name.casefold() for name in self.choices}) < max(2, len(self.choices)):
            raise ValueError("choices: two or more are needed, with names that differ in more than case")
        if odd := [name for name in (*self.rubric, *self.choices) if not _PLAIN.fullmatch(name)]:
            raise ValueError(f"{odd[0]!r} is to be letters, digits, blanks, and _ - . / only, up to 60 of them")
        if self.method in self.rubric:
            raise ValueError(f"rubric: {self.method!r} is the name of the mean; call the criterion something else")
        if self.method == "rubric" and self.verdict == "brackets":
            raise ValueError("verdict: several numbers need 'json'")
        return self


class PromptSpec(_Part):
    """How questions are asked, where that is not to be the benchmark's own way."""

    template: str | None = None
    """What is asked; names the sample's fields in braces (`{question}`, `{choices}`), and doubles other braces."""
    system: str | None = None
    """The system prompt; an empty one sends none."""
    fewshot_seed: int | None = None
    """Draws the worked examples with this seed, for each subset anew; without it the first ones are shown."""
    fewshot_ids: tuple[str, ...] = ()
    """The worked examples by their ids (without ids: by their numbers in the subset, from 0), shown in this order."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.fewshot_seed is not None and self.fewshot_ids:
            raise ValueError("give one of 'fewshot_seed' and 'fewshot_ids'")
        if len(set(self.fewshot_ids)) < len(self.fewshot_ids):
            raise ValueError("fewshot_ids: an example is there twice")
        return self


def _from_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class DatasetSpec(_Part):
    """One dataset; in YAML just its name, or a mapping where more is to be said."""

    name: Name
    """As `bridge datasets` lists it; `opencompass:mmlu_gen_4d595a` names a framework's own configuration."""
    alias: str | None = None
    """The name in the report and on disk, where one dataset is used twice. Default: `name`."""
    backend: str | None = None
    """The backend for this dataset; default: the spec's."""
    path: str | None = None
    """File or folder in the benchmark's original layout. A relative path is taken from the spec's folder."""
    subsets: tuple[str, ...] = ()
    """Only these subsets (mmlu: subjects; general_mcq: file names); default: all."""
    split: str | None = None
    """The split that is scored; default: the benchmark's own."""
    num_fewshot: Annotated[int, Field(ge=0)] | None = None
    """Number of worked examples in the prompt; default: the benchmark's own."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first so many samples (of each subset, where there are subsets); default: the spec's `limit`."""
    repeats: Annotated[int, Field(ge=1)] | None = None
    """How often each sample is asked; default: the spec's `repeats`."""
    generation: GenerationSpec | None = None
    """Replaces the spec's `generation` for this dataset."""
    scoring: Literal["generation", "loglikelihood"] | None = None
    """What is scored: text that the model writes (the default), or the likelihood that it gives to each of the answers,
    as the papers of hellaswag, arc, mmlu and truthful_qa do. The latter writes nothing, so `generation` has no part in
    it; it needs a server that tells the log-probabilities of a prompt, or `model.local`."""
    prompt: PromptSpec | None = None
    """Parts of the prompt that replace the benchmark's own; `bridge preview` shows what is sent."""
    judging: JudgingSpec | None = None
    """How the spec's judge scores this dataset; default: the dataset's own scorer."""
    definition: str | None = None
    """A file (.py or .yaml) that defines the dataset; relative to the spec's folder. A Python file is executed."""

    @property
    def id(self) -> str:
        """The name in the report and on disk."""
        return self.alias or self.name

    @model_validator(mode="after")
    def _printable_id(self) -> Self:
        if not _ALIAS.fullmatch(self.id):
            what = "alias" if self.alias else "name"
            raise ValueError(f"{what} {self.id!r} is to be letters, digits and . _ : + - only; set 'alias'")
        return self


Dataset = Annotated[DatasetSpec, BeforeValidator(_from_name, json_schema_input_type=str | DatasetSpec)]


class TaskSpec(_Part):
    """One evaluation: models × datasets, each through a backend, into one report."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = "run"
    """Name of the run; part of the default output folder."""
    model: ModelSpec | None = None
    """The model. Exactly one of `model` and `models` is given."""
    models: tuple[ModelSpec, ...] = ()
    """Several models, each a column of the report."""
    backend: str = "auto"
    """Backend of every dataset that names none; `auto`: native where it knows the dataset, else OpenCompass."""
    datasets: Annotated[tuple[Dataset, ...], Field(min_length=1)]
    """What to evaluate on."""
    generation: GenerationSpec = GenerationSpec()
    """Sampling settings of all datasets."""
    judge: JudgeSpec | None = None
    """The model that scores where a dataset needs a judge. At most one of `judge` and `judges` is given."""
    judges: tuple[JudgeSpec, ...] = ()
    """Several judges: each one's score is a metric of its own, and the panel's is the one that is quoted."""
    data: str | None = None
    """Folder with one sub-folder per dataset, for datasets that give no `path`; default: `BRIDGE_DATA`."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first so many samples of each dataset (of each subset, where there are subsets)."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """How often each sample is asked."""
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 32
    """Requests in flight at the endpoint at any time, over all jobs of the run."""
    max_retries: Annotated[int, Field(ge=0)] = 6
    """How often a request is sent again after an error that may pass (429, 5xx, a broken connection)."""
    request_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """How long one answer may take."""
    job_timeout_s: Annotated[float, Field(gt=0)] | None = None
    """Wall-clock limit of each job; default: none."""
    sandbox: bool | None = None
    """`true`: every job runs in a sandbox; without it, those that run code which a model wrote or a dataset brings.

    With `false` such code is refused; `--unsafe` on the command line allows it. See `docs/sandbox.md`.
    """
    measure_traffic: bool = False
    """Also report how fast the run's own requests were answered, as dataset `perf`; `bridge perf` measures better."""
    options: dict[str, JsonObject] = Field(default_factory=dict)
    """Settings of one backend by its name, passed on verbatim and recorded: `{opencompass: {…}}`."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.model is None) == (not self.models):
            raise ValueError("give exactly one of 'model' and 'models'")
        if self.judge is not None and self.judges:
            raise ValueError("give one of 'judge' and 'judges'")
        for field, models in (("models", self.all_models), ("judges", self.all_judges)):
            names = [m.name for m in models]
            if twice := sorted({n for n in names if names.count(n) > 1}):
                raise ValueError(f"{field}: {', '.join(twice)} is there twice; each model needs a name of its own")
        return self

    @property
    def all_models(self) -> tuple[ModelSpec, ...]:
        return (self.model,) if self.model is not None else self.models

    @property
    def all_judges(self) -> tuple[JudgeSpec, ...]:
        return (self.judge,) if self.judge is not None else self.judges

    def generation_of(self, dataset: DatasetSpec) -> GenerationSpec:
        return dataset.generation or self.generation

    def limit_of(self, dataset: DatasetSpec) -> int | None:
        return dataset.limit if dataset.limit is not None else self.limit

    def repeats_of(self, dataset: DatasetSpec) -> int:
        return dataset.repeats if dataset.repeats is not None else self.repeats

    def path_of(self, dataset: DatasetSpec) -> Path | None:
        """Where the dataset's files are: its ``path``, or its sub-folder of ``data`` where that exists."""
        if dataset.path is not None:
            return Path(expanded(dataset.path))
        if self.data is not None and (folder := Path(expanded(self.data)) / dataset.name).exists():
            return folder
        return None

    def sha256(self) -> str:
        """Hash of what is asked and scored: a run directory goes on only under the spec with its hash.

        How fast and how patiently it is asked (`concurrency`, `max_retries`, time limits) is left out.
        """
        return hashlib.sha256(self.model_dump_json(exclude=_HOW_NOT_WHAT).encode()).hexdigest()
