"""``ArenaSpec``: which models meet, on which questions, before which judges.  Pure data; ``spec_file.arena`` reads it.

The field docstrings are the reference: ``bridge schema arena`` and ``docs/arena-spec.md`` are made from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bridge.errors import Problem, did_you_mean
from bridge.spec import DeploySpec, EndpointSpec, GenerationSpec, ModelSpec, Name

_HOW_NOT_WHAT = {"concurrency", "max_retries", "request_timeout_s"}
Mode = Literal["single", "pairwise-baseline", "pairwise-all"]
Order = Literal["both", "random", "as_given"]
Strategy = Literal["all", "balanced", "adaptive"]
Parser = Literal["letter", "five_level", "scores", "rating", "json", "logprob"]
DEFAULT_BASELINE = "default"


def _as_mapping(value: object) -> object:
    return {DEFAULT_BASELINE: value} if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ContestantSpec(_Part):
    """One model of the arena: a server that is there, weights to serve, or answers that it gave before."""

    name: Name
    """The model id that is sent with every request, and the model's name in every table."""
    endpoint: EndpointSpec | None = None
    """A server that is already running. Exactly one of `endpoint`, `deploy` and `answers` is given."""
    deploy: DeploySpec | None = None
    """Weights to serve for as long as the questions are asked."""
    answers: str | None = None
    """A file of answers; FastChat's, arena-hard's, AlpacaEval's, EvalScope's and bridge's own forms are read."""
    generation: GenerationSpec | None = None
    """Replaces the spec's `generation` for this model."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.endpoint, self.deploy, self.answers)) != 1:
            raise ValueError("give exactly one of 'endpoint', 'deploy' and 'answers' (a file)")
        return self

    def model(self) -> ModelSpec | None:
        """The model to ask; None where its answers are on file."""
        if self.answers is not None:
            return None
        return ModelSpec(name=self.name, endpoint=self.endpoint, deploy=self.deploy)


class PriceSpec(_Part):
    """What a judge costs."""

    input: Annotated[float, Field(ge=0)] = 0.0
    """US dollars per million tokens of prompt."""
    output: Annotated[float, Field(ge=0)] = 0.0
    """US dollars per million tokens that the judge writes."""


class ArenaJudgeSpec(_Part):
    """Who decides: a model, or people."""

    name: Name
    """The judge's model id; of people, any name."""
    endpoint: EndpointSpec | None = None
    """A server that is already running. Exactly one of `endpoint`, `deploy` and `human` is given."""
    deploy: DeploySpec | None = None
    """Weights to serve while the battles are judged."""
    human: bool = False
    """People, who vote with `bridge arena review`."""
    votes_per_battle: Annotated[int, Field(ge=1)] = 1
    """How many people are to see each comparison; of human judges only."""
    generation: GenerationSpec | None = None
    """How it writes; default: greedy, at most 2,048 tokens."""
    price: PriceSpec | None = None
    """Default: `arena.pairs.budget.price`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.endpoint is not None) + (self.deploy is not None) + self.human != 1:
            raise ValueError("give exactly one of 'endpoint', 'deploy' and 'human: true'")
        return self

    def model(self) -> ModelSpec | None:
        """The model to ask; None where people judge."""
        if self.human:
            return None
        return ModelSpec(name=self.name, endpoint=self.endpoint, deploy=self.deploy)


class QuestionsSpec(_Part):
    """What is asked."""

    path: str
    """A file of questions, JSON lines or JSON. A relative path is taken from the spec's folder."""
    name: Name | None = None
    """The name in the report; default: the file's name."""
    format: Literal["auto", "fastchat", "arena-hard", "vicuna", "alpaca-eval"] = "auto"
    """The form of its rows; `auto` finds it by their fields."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first so many questions, of those in `categories`."""
    categories: tuple[str, ...] = ()
    """Only these categories; default: all."""
    references: str | None = None
    """A file of reference answers, in any form of answers; references in the questions' own rows are used, too."""


class VerdictSpec(_Part):
    """How a judge is asked, and how its words are read."""

    prompt: str | None = None
    """A prompt of bridge's own (`pair`, `pair_levels`, `pair_scores`, `pair_json`, `pair_letter`, `single`,
    `single_json`), or a file of prompts in FastChat's form. Default: by `mode` and `parser`."""
    parser: Parser | None = None
    """`letter` [[A]], `five_level` [[A>>B]], `scores` "8 9" in the first line, `rating` [[7]], `json`,
    `logprob` the likelihoods of the letters as the one token that is asked for. Default: by the prompt."""


class BudgetSpec(_Part):
    """Where to stop."""

    calls: Annotated[int, Field(ge=1)] | None = None
    """At most so many calls of judges, those of earlier invocations included; verdicts that were set aside, because
    what they are about has changed, do not count."""
    usd: Annotated[float, Field(gt=0)] | None = None
    """At most so many US dollars, by the judges' prices and the tokens they report."""
    price: PriceSpec | None = None
    """Of every judge that has no price of its own."""


class PairsSpec(_Part):
    """Which models meet on which questions."""

    strategy: Strategy = "all"
    """`all`: every pair on every question; `balanced`: the same number of questions, drawn by `seed`, for each pair;
    `adaptive`: pairs whose order is least certain meet more often."""
    per_pair: Annotated[int, Field(ge=1)] | None = None
    """At most so many questions for each pair."""
    budget: BudgetSpec | None = None
    """Limits of calls and money."""
    seed: int = 0
    """Of every draw: questions, pairs, and the order of `order: random`."""


class PanelSpec(_Part):
    """How several judges decide one comparison."""

    rule: Literal["majority", "unanimous"] = "majority"
    """`majority`: the verdict of more than half of those that have one, else a tie; `unanimous`: of all of them, else
    a tie."""
    quorum: Annotated[int, Field(ge=1)] | None = None
    """So many judges must have a verdict, or the comparison is undecided. Default: more than half of the judges."""


class IntervalSpec(_Part):
    """Confidence intervals."""

    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """The share of intervals that hold the true value."""
    method: Literal["auto", "bootstrap", "sandwich"] = "auto"
    """`auto`: bootstrap for few comparisons, the closed form for many."""
    cluster: Literal["question", "none"] = "question"
    """Comparisons on one question are not independent; `none` treats them as if they were."""
    resamples: Annotated[int, Field(ge=10, le=100_000)] = 1000
    """Of the bootstrap."""
    seed: int = 0
    """Of the bootstrap."""


class RatingSpec(_Part):
    """How decisions become ratings."""

    method: Literal["bradley-terry"] = "bradley-terry"
    """Bradley and Terry's model, by maximum likelihood."""
    ties: Literal["half", "davidson"] = "half"
    """A tie is half a win for each, or a third outcome with a parameter of its own."""
    scale: Annotated[float, Field(gt=0)] = 400.0
    """Points by which a model leads that wins ten times out of eleven."""
    anchor: dict[str, float] | None = None
    """Models and their fixed ratings, `{llama2: 1000}`; default: the mean is 1000, with a baseline that one is 1000."""
    style: tuple[Literal["length", "markdown"], ...] = ()
    """A second rating, `rating_style`, as if answers were alike in these respects."""
    ci: IntervalSpec = IntervalSpec()
    """Intervals and standard errors."""
    prior: Literal["auto"] | Annotated[float, Field(ge=0)] = "auto"
    """Pseudo-ties for each pair that met; `auto`: a few where a model never won or never lost, else none."""


class ArenaBlock(_Part):
    """How the models are compared."""

    mode: Mode
    """`single`: a score for each answer; `pairwise-baseline`: all meet one model; `pairwise-all`: each meets each."""
    baseline: Annotated[
        dict[str, str] | None, BeforeValidator(_as_mapping, json_schema_input_type=str | dict[str, str] | None)
    ] = None
    """The model that all others meet, or a mapping of categories to models, with `default` for the rest."""
    order: Order = "both"
    """Who is shown first: `both` asks twice, `random` once by a draw, `as_given` the model that stands first in the
    spec (the baseline before all others)."""
    on_disagreement: Literal["tie", "drop"] = "tie"
    """Where the two orders contradict each other: a tie, or no verdict."""
    verdict: VerdictSpec = VerdictSpec()
    """The judges' prompt, and how their words are read."""
    prompt: str | None = None
    """Short for `verdict.prompt`."""
    rubric: str | None = None
    """What counts, in your own words; told to the judges where the prompt has a place for it."""
    scale: Annotated[tuple[float, float], Field(json_schema_extra={"examples": [[1, 10]]})] = (1.0, 10.0)
    """Lowest and highest score, of `single` and of the parser `scores`."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 1
    """How often each judge is asked the same; above 1 only with a temperature above 0."""
    strong_weight: Annotated[float, Field(gt=0)] = 1.0
    """What "much better" (A>>B) weighs, in plain wins."""
    pairs: PairsSpec = PairsSpec()
    """Which pairs meet, and how often."""
    panel: PanelSpec = PanelSpec()
    """How several judges decide together."""
    missing: Literal["skip", "loss"] = "skip"
    """Where one of two models gave no answer (it is empty, null or no text, or the model's file has none): the battle
    is not played, or it is lost. An answer whose request failed is never a loss: that battle stays open."""
    rating: RatingSpec = RatingSpec()
    """How decisions become ratings."""
    dry_run: bool = False
    """No judge is asked: verdicts are drawn by `pairs.seed`, and whatever is made of them is marked."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.prompt is not None and self.verdict.prompt is not None:
            raise ValueError("give the prompt once: 'prompt' or 'verdict.prompt'")
        if not self.scale[0] < self.scale[1]:
            raise ValueError("scale: the lowest score comes first, [1, 10]")
        if self.mode == "pairwise-baseline" and not self.baseline:
            raise ValueError("baseline: mode pairwise-baseline needs one, the name of one of the models")
        if self.mode != "pairwise-baseline" and self.baseline:
            raise ValueError(f"baseline: mode {self.mode} has none; leave it out or set mode: pairwise-baseline")
        budget = self.pairs.budget
        if self.pairs.strategy == "adaptive" and self.mode == "single":
            raise ValueError("pairs.strategy: mode single has no pairs")
        if self.pairs.strategy == "adaptive" and (budget is None or budget.calls is None):
            raise ValueError("pairs.budget.calls: strategy adaptive needs to know when to stop")
        return self

    @property
    def prompt_name(self) -> str | None:
        return self.verdict.prompt or self.prompt

    def baseline_of(self, category: str | None) -> str | None:
        """The model that the others meet on questions of this category."""
        if not self.baseline:
            return None
        return self.baseline.get(category or "", self.baseline.get(DEFAULT_BASELINE))


class ArenaSpec(_Part):
    """One arena: models × questions × judges, into one table of ratings."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = "arena"
    """Name of the run; part of the default output folder."""
    models: Annotated[tuple[ContestantSpec, ...], Field(min_length=1)]
    """Who meets."""
    questions: Annotated[
        QuestionsSpec,
        BeforeValidator(
            lambda value: {"path": value} if isinstance(value, str) else value,
            json_schema_input_type=str | QuestionsSpec,
        ),
    ]
    """What they are asked; in YAML just a path, or a mapping where more is to be said."""
    generation: GenerationSpec = GenerationSpec()
    """How answers are sampled; without `max_tokens`, at most 1,024 tokens."""
    judge: ArenaJudgeSpec | None = None
    """The judge. Exactly one of `judge` and `judges` is given."""
    judges: tuple[ArenaJudgeSpec, ...] = ()
    """Several judges, which decide together."""
    arena: ArenaBlock
    """Who meets whom, what judges are asked, and what becomes of their verdicts."""
    concurrency: Annotated[int, Field(ge=1, le=4096)] = 32
    """Requests in flight at any model or judge at any time."""
    max_retries: Annotated[int, Field(ge=0)] = 6
    """How often a request is sent again after an error that may pass (429, 5xx, a broken connection)."""
    request_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """How long one answer may take."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.judge is None) == (not self.judges):
            raise ValueError("give exactly one of 'judge' and 'judges'")
        for field, names in (("models", [m.name for m in self.models]), ("judges", [j.name for j in self.all_judges])):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{field}: {', '.join(twice)} is there twice; each needs a name of its own")
        return self

    @property
    def all_judges(self) -> tuple[ArenaJudgeSpec, ...]:
        return (self.judge,) if self.judge is not None else self.judges

    @property
    def questions_name(self) -> str:
        """The name of the questions in the report."""
        return self.questions.name or self.questions.path.rstrip("/").rpartition("/")[2].partition(".")[0]

    def generation_of(self, model: ContestantSpec) -> GenerationSpec:
        return model.generation or self.generation

    def sha256(self) -> str:
        """Hash of what is asked and judged; how fast and how patiently is left out."""
        return hashlib.sha256(self.model_dump_json(exclude=_HOW_NOT_WHAT).encode()).hexdigest()


def check(spec: ArenaSpec) -> Iterator[Problem]:
    """What does not fit together; each part on its own is right."""
    block, names = spec.arena, [model.name for model in spec.models]
    if block.mode != "single" and len(names) < 2:
        yield Problem("", "models", f"mode {block.mode} needs two models", "or set arena.mode: single")
    for category, name in (block.baseline or {}).items():
        if name not in names:
            yield _no_model("arena.baseline", f"{category}: " if category != DEFAULT_BASELINE else "", name, names)
    for name in block.rating.anchor or {}:
        if name not in names:
            yield _no_model("arena.rating.anchor", "", name, names)
    judges, quorum = spec.all_judges, block.panel.quorum
    if quorum is not None and quorum > len(judges):
        message = f"is {quorum}; there are {len(judges)} judges"
        yield Problem("", "arena.panel.quorum", message, "a quorum that is never reached leaves all undecided")
    for index, judge in enumerate(judges):
        if judge.human and block.mode == "single":
            at = "judge" if spec.judge else f"judges[{index}]"
            yield Problem("", f"{at}.human", "people compare two answers; mode single has one", "use a pairwise mode")


def warnings(spec: ArenaSpec) -> Iterator[str]:
    """What is allowed and should be known: a judge that judges itself."""
    for judge in spec.all_judges:
        for model in spec.models:
            same = judge.name == model.name or (judge.deploy is not None and judge.deploy == model.deploy)
            if same and not judge.human:
                yield f"judge {judge.name} is {model.name}, a model of this arena: judges prefer their own answers"


def _no_model(field: str, what: str, name: str, names: list[str]) -> Problem:
    few = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return Problem("", field, f"{what}there is no model {name!r}", did_you_mean(name, names) or f"there are: {few}")
