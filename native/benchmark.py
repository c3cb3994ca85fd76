"""What a benchmark is, seen from the engine.  One short file each in ``benchmarks/`` holds a ``Benchmark``.

    row of the file --to_sample--> Sample --Prompt--> messages --model--> answer --Scorer--> Verdict

Nothing here is heavy to import: libraries that a scorer needs are loaded in the process that scores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from bridge.native.judging import Judging

Row = Mapping[str, Any]
Message = dict[str, Any]
Unit = Literal["fraction", "rating", "count", "seconds", "tokens", "points"]
Scoring = Literal["generation", "loglikelihood"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One question with the answer that is right."""

    target: Any
    """What the scorer compares with: a letter, a number as text, a reference text or several."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What the prompt's templates may name."""
    id: str | None = None
    """The dataset's own id; None: the row's number in its subset."""
    subset: str | None = None
    """Where the row itself says it; None: what its file stands for."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Letter → text of a multiple-choice question, in the order shown."""
    messages: Sequence[Message] = ()
    """A conversation that the row brings along, sent in place of a prompt."""
    images: Mapping[str, Any] = field(default_factory=dict)
    """Place in the text (``<image 1>``) → path, URL or base64; see ``images``."""
    continuations: Sequence[str] = ()
    """Where likelihoods are scored: the answers as they follow the context, one for each of ``choices``."""
    cluster: str | None = None
    """What it shares with other samples, whose luck it then shares: ``cluster_of`` the passage they ask about."""


def cluster_of(text: str) -> str:
    """A short name for a passage: the same for the same one, so that comparisons know which samples go together."""
    return hashlib.sha256(text.strip().encode("utf-8", "replace")).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a scorer made of one answer."""

    extracted: str | None
    """What it read out of the answer; None where it found nothing, which scores as wrong."""
    scores: Mapping[str, float]
    """Metric → score; all metrics of the scorer."""
    method: str
    """How it was read: ``marker``, ``boxed``, ``last_number`` …; ``none`` where nothing was found."""
    remark: str = ""
    """Why the score is what it is, where there is more to say."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a scorer gives to every answer; the first of a scorer's metrics is the primary one."""

    name: str
    unit: Unit = "fraction"
    min_value: float | None = 0.0
    max_value: float | None = 1.0
    higher_is_better: bool = True


class Scorer(Protocol):
    """Compares an answer, already without its thinking, with a sample's target."""

    @property
    def name(self) -> str: ...

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    def at_once(self, answer: str, sample: Sample) -> Verdict | None:
        """The verdict where finding it takes microseconds; None: ``at_length`` is to find it, in another process."""
        ...

    def prepare(self) -> None:
        """Imports what ``at_length`` needs, so that a sample's time limit does not pay for it."""
        ...

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        """The verdict, however long it takes."""
        ...


class Whole(NamedTuple):
    """A number about many samples together."""

    metric: str
    value: float | None
    """None where there is nothing to say."""
    n: int
    min_value: float = 0.0
    max_value: float = 1.0


class Summary(Protocol):
    """Metrics of a dataset that are no means over its samples."""

    def add(self, subset: str | None, target: Any, extracted: Sequence[str | None]) -> None:
        """One sample, and what was read out of the answer to each of its repeats."""
        ...

    def wholes(self) -> Iterator[tuple[str | None, Whole]]:
        """Each with its subset; None: over all."""
        ...


@dataclass(frozen=True)
class Prompt:
    """Templates in the style of ``str.format``; they may name the sample's fields."""

    question: str
    """What is asked, with the form of the answer that is wanted."""
    demo: str = ""
    """A worked example with its answer."""
    demos_intro: str = ""
    """A line before the worked examples; may name the fields of the first of them."""
    question_intro: str = ""
    """A line between the worked examples and the question."""
    system: str = ""


@dataclass(frozen=True)
class Layout:
    """Where a benchmark's files are inside its folder."""

    files: tuple[str, ...]
    """Paths without suffix (but ``.txt``: worked examples in text), tried in this order; ``a | b``: both together.

    ``{split}`` and ``{subset}`` stand for names, ``*`` for anything.
    """
    splits: Mapping[str, tuple[str, ...]]
    """Split → what files call it."""
    example: str
    """The usual layout in words, for error messages."""
    columns: tuple[str, ...] = ()
    """Names of the columns of csv and tsv files that have no header line."""
    documents: tuple[str, ...] = ()
    """Paths in the form of ``files``, with suffix, where the authors' archive has a JSON file for each document."""
    rows_of: Callable[[Row], Iterable[Row]] | None = None
    """Takes a document apart; None: it is a row."""
    labels: str = ""
    """What stands in place of the suffix in the name of a file with a label per line, where rows have none."""


@dataclass(frozen=True)
class Hub:
    """The benchmark on the model hubs."""

    modelscope: str
    huggingface: str
    config: str = "default"
    """``{subset}`` where each subset is a configuration of its own."""


@dataclass(frozen=True)
class Likelihood:
    """How a benchmark is scored by the likelihood of its answers, as its paper does."""

    to_sample: Callable[[Row], Sample]
    """As ``Benchmark.to_sample``, with ``continuations``."""
    prompt: Prompt
    """Makes the text in front of the answer; its ``demos_intro`` stands there with or without worked examples."""
    scorer: Scorer
    num_fewshot: int = 0


@dataclass(frozen=True)
class Benchmark:
    """A dataset, how it is asked and how it is scored."""

    name: str
    description: str
    paper: str
    """Link to where the benchmark is defined."""
    licence: str
    layout: Layout
    to_sample: Callable[[Row], Sample]
    """Raises KeyError, TypeError or ValueError where the row is not in the benchmark's format."""
    prompt: Prompt
    scorer: Scorer
    prompt_zh: Prompt | None = None
    """The prompt for questions in Chinese; None: the same as for all."""
    prompt_several: Prompt | None = None
    """The prompt for questions with several right options; None: the same as for all."""
    prompt_several_zh: Prompt | None = None
    split: str = "test"
    """The split that is scored."""
    hub: Hub | None = None
    subsets: tuple[str, ...] = ()
    """In the order of the report; empty: there is only one, or the files' names say it."""
    categories: Mapping[str, str] = field(default_factory=dict)
    """Subset → group of subsets."""
    num_fewshot: int = 0
    fewshot_splits: tuple[str, ...] = ()
    """Where worked examples are taken from: the first of these that there are files for."""
    max_fewshot: int | None = None
    """How many worked examples the files have; None: not known beforehand."""
    max_tokens: int = 2048
    likelihood: Likelihood | None = None
    """None: it is scored by what the model writes, and in no other way."""
    rows: Callable[[str], Iterable[Row]] | None = None
    """Makes the rows of a split, where there are no files: a generator, which is asked for one row at a time."""
    split_of: Callable[[Row], str] | None = None
    """Which split a row is in, where one file holds several; raises as ``to_sample`` does."""
    runs_code: bool = False
    """Its scorer runs what the model wrote."""
    judging: Judging | None = None
    """Scored by the spec's judge in place of ``scorer``; None: by the judge only where the spec says so."""
    swapped: Callable[[Sample], Sample] | None = None
    """The same sample with its two answers in the other order: every sample is asked in both, as repeats."""
    summary: Callable[[], Summary] | None = None
    """Gathers metrics of the whole."""
    average: Literal["micro", "macro"] = "micro"
    """Which mean over subsets is quoted; the other is reported as well."""

    @property
    def orders(self) -> int:
        """In how many orders each sample is asked."""
        return 1 if self.swapped is None else 2

    @property
    def custom(self) -> bool:
        """The data is the user's own."""
        return self.hub is None


def scored_by(benchmark: Benchmark, scoring: Scoring) -> Benchmark:
    """The benchmark as it is asked and scored in that way."""
    other = benchmark.likelihood
    if scoring == "generation" or other is None:
        return benchmark
    return replace(
        benchmark,
        to_sample=other.to_sample,
        prompt=other.prompt,
        prompt_zh=None,
        prompt_several=None,
        prompt_several_zh=None,
        scorer=other.scorer,
        num_fewshot=other.num_fewshot,
    )


def needed(row: Row, *names: str) -> Any:
    """The value of the first of these columns that the row has. Raises KeyError with what is missing."""
    for name in names:
        if name in row and row[name] is not None:
            return row[name]
    raise KeyError(" or ".join(names))
