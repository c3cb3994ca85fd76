"""``PerfSpec``: how fast a model's server is to be tested.  Pure data; ``bridge perf SPEC`` reads it.

Times are written with their unit (``500ms``, ``60s``, ``2m``) and read by ``seconds``.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridge.spec import JsonObject, ModelSpec

DURATION = r"^\d+(\.\d+)?(ms|s|m|h)$"
Duration = Annotated[str, Field(pattern=DURATION)]
_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
LIMIT = r"^(<|<=|>|>=) ?\d+(\.\d+)?(ms|s|m|h|%)?$"
Limit = Annotated[str, Field(pattern=LIMIT)]
Metric = str
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
TIMED = ("ttft", "ttft_planned", "ttfo", "gap", "tpot", "e2e", "e2e_planned")
PLAIN = ("req_s", "output_tok_s", "goodput", "goodput_per_s", "error_share")


class SpecPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def seconds(duration: str) -> float:
    """``500ms`` → 0.5."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration)
    assert found is not None
    return float(found[1]) * _UNITS[found[2]]


def limit(text: str) -> tuple[str, float]:
    """``<= 500ms`` → ``("<=", 0.5)``; ``> 95%`` → ``(">", 0.95)``."""
    found = re.fullmatch(r"(<=|>=|<|>) ?(\d+(?:\.\d+)?)(ms|s|m|h|%)?", text)
    assert found is not None
    unit = 0.01 if found[3] == "%" else _UNITS.get(found[3] or "s", 1.0)
    return found[1], float(found[2]) * unit


class TokensSpec(SpecPart):
    """Lengths of prompts, drawn from a normal distribution."""

    mean: Annotated[int, Field(ge=1, le=2_000_000)]
    """Tokens of a prompt."""
    std: Annotated[float, Field(ge=0)] = 0.0
    """Standard deviation; 0: all alike."""


class ImagesSpec(SpecPart):
    """Images that go with every prompt: noise, which no encoder finds easy."""

    count: Annotated[int, Field(ge=1, le=64)] = 1
    """Images of each prompt."""
    size: Annotated[str, Field(pattern=r"^\d{1,5}x\d{1,5}$")] = "512x512"
    """Width and height in pixels."""


class PromptsSpec(SpecPart):
    """What is asked."""

    kind: Literal["synthetic", "jsonl"] = "synthetic"
    """`synthetic`: words of no meaning, as many as are wanted; `jsonl`: the prompts of a file."""
    input_tokens: TokensSpec = TokensSpec(mean=512)
    """How long synthetic prompts are."""
    shared_prefix: Annotated[int, Field(ge=0)] = 0
    """So many tokens at the beginning are the same in every prompt (a system prompt); the rest is different in each."""
    tokenizer: str | None = None
    """Folder with the model's `tokenizer.json`. Without it the server's own counts say how many words make a token."""
    path: str | None = None
    """The file of `jsonl`: a `prompt` or `messages` in each line, and optionally `max_tokens`."""
    images: ImagesSpec | None = None
    """Images beside the text."""
    turns: Annotated[int, Field(ge=1, le=1000)] = 1
    """Requests of one conversation: each sends again all that was said before."""
    think: Duration = "0s"
    """How long a user waits between an answer and the next question."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "jsonl") != (self.path is not None):
            raise ValueError("'path' is for kind jsonl, which needs it")
        if self.shared_prefix >= self.input_tokens.mean and self.shared_prefix:
            raise ValueError("shared_prefix is to be less than input_tokens.mean")
        return self


class OutputSpec(SpecPart):
    """What is to come back."""

    max_tokens: Annotated[int, Field(ge=1)] = 128
    """Limit of each answer in tokens."""
    exact: bool = False
    """Ask for exactly `max_tokens` (`ignore_eos`, `min_tokens`: extras of vLLM and others), and count what is short."""
    extra_body: JsonObject = Field(default_factory=dict)
    """Further fields of the request, verbatim: `{temperature: 0}`."""


class LoadSpec(SpecPart):
    """One kind of load, at one or several strengths: each is a load point."""

    closed: Annotated[tuple[Annotated[int, Field(ge=1, le=65536)], ...], Field(min_length=1)] | None = None
    """So many users at a time: each asks again as soon as it is answered."""
    open: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] | None = None
    """So many requests a second, whether or not the server keeps up."""
    arrivals: Literal["constant", "poisson", "gamma"] = "poisson"
    """How the requests of an open load are spread over time."""
    shape: Annotated[float, Field(gt=0)] = 1.0
    """Of `gamma`: below 1 they come in bursts, above 1 more evenly than Poisson's."""
    max_in_flight: Annotated[int, Field(ge=1, le=65536)] = 1024
    """Of an open load: what would be beyond is not sent, and counted as `unsent`."""
    trace: str | None = None
    """A file of recorded arrivals: `timestamp` (ms) or `t_s`, `input_length`, `output_length`, `hash_ids` in a line."""
    speed: Annotated[float, Field(gt=0)] = 1.0
    """How much faster than recorded a trace is played."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(one is not None for one in (self.closed, self.open, self.trace)) != 1:
            raise ValueError("give exactly one of 'closed', 'open' and 'trace'")
        return self


class StopSpec(SpecPart):
    """When a load point ends: whichever comes first."""

    requests: Annotated[int, Field(ge=1)] | None = 500
    """Requests after the warm-up. 500 are needed for a 99th percentile."""
    duration: Duration | None = "60s"
    """Time after the warm-up."""
    errors: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of failed requests beyond which it makes no sense to go on; from 20 requests on."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.requests is None and self.duration is None:
            raise ValueError("give 'requests' or 'duration': a load point has to end")
        return self


class WarmupSpec(SpecPart):
    """What is sent before anything is measured, at the same load."""

    requests: Annotated[int, Field(ge=0)] | None = None
    """Default: one for each user of a closed load, 10 of an open one."""
    duration: Duration | None = None
    """Time instead of requests."""


class SloSpec(SpecPart):
    """What a request has to keep to be a good one."""

    ttft: Duration | None = None
    """Time to the first token."""
    tpot: Duration | None = None
    """Mean time for each further token."""
    e2e: Duration | None = None
    """Time to the last token."""

    def limits(self) -> dict[str, float]:
        """Seconds by metric."""
        given = {"ttft": self.ttft, "tpot": self.tpot, "e2e": self.e2e}
        return {name: seconds(duration) for name, duration in given.items() if duration is not None}


class SearchSpec(SpecPart):
    """Finds the strongest load that still keeps a promise, by a sweep and then by halving."""

    over: Literal["closed", "open"]
    """What is raised: users at a time, or requests a second."""
    max: Literal["goodput"] | None = None
    """The strongest load at which the share `attain` of all requests keeps `slo`, with 95 % confidence."""
    attain: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """The share for `max: goodput`."""
    until: dict[Metric, Limit] | None = None
    """Or: the strongest load at which metrics keep limits: `{ttft.p99: "<= 500ms"}`."""
    range: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (1, 512)
    """The least and the most that is tried."""
    points: Annotated[int, Field(ge=3, le=50)] = 12
    """At most so many loads are tried."""

    @model_validator(mode="after")
    def _one_aim(self) -> Self:
        if (self.max is None) == (self.until is None):
            raise ValueError("give exactly one of 'max' and 'until'")
        if self.range[0] >= self.range[1]:
            raise ValueError("range is to be [least, most]")
        for name in self.until or {}:
            metric, _, statistic = name.partition(".")
            if name not in PLAIN and not (metric in TIMED and statistic in STATISTICS):
                known = f"{', '.join(PLAIN)}, or one of {', '.join(TIMED)} with .{', .'.join(STATISTICS)}"
                raise ValueError(f"until: there is no metric {name!r}; there are {known}")
        return self


class PerfBlock(SpecPart):
    """The test itself."""

    prompts: PromptsSpec = PromptsSpec()
    """What is asked."""
    output: OutputSpec = OutputSpec()
    """What is to come back."""
    load: tuple[LoadSpec, ...] = ()
    """The load points, in order."""
    stop: StopSpec = StopSpec()
    """When a load point ends."""
    warmup: WarmupSpec = WarmupSpec()
    """What is not measured at the beginning of each."""
    drain: Duration = "30s"
    """How long answers are waited for after the last request."""
    stall: Duration = "60s"
    """A request to which nothing has come for so long is given up."""
    slo: SloSpec = SloSpec()
    """What makes a request a good one; without it there is no goodput."""
    search: SearchSpec | None = None
    """Looks for the strongest load that keeps a promise."""
    seed: int = 42
    """Of prompts and arrivals."""
    workers: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = "auto"
    """Processes that ask. `auto`: one more for the next load point when this client is strained."""

    @model_validator(mode="after")
    def _something_to_do(self) -> Self:
        if not self.load and self.search is None:
            raise ValueError("give 'load' or 'search'")
        if self.search is not None and self.search.max is not None and not self.slo.limits():
            raise ValueError("search.max needs 'slo': what makes a request a good one")
        return self


class PerfSpec(SpecPart):
    """One performance test of one model's server."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)] = "perf"
    """Name of the run; part of the default output folder."""
    model: ModelSpec
    """The model and where it is."""
    perf: PerfBlock
    """What is measured."""

    def sha256(self) -> str:
        """Hash of what is measured; a run directory goes on only under the spec with its hash."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def most_in_flight(self) -> int:
        """What the test may have in flight at once; a server that is started for it is made ready for so many."""
        loads = [n for load in self.perf.load for n in (load.closed or (load.max_in_flight,))]
        if (search := self.perf.search) is not None:
            loads.append(int(search.range[1]) if search.over == "closed" else LoadSpec(open=(1.0,)).max_in_flight)
        return max(loads)
