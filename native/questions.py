"""From a dataset's files to the questions that are asked, one at a time: subsets, limit, worked examples, repeats."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.native.benchmark import Benchmark, Message, Prompt, Sample, scored_by
from bridge.native.benchmarks import benchmark
from bridge.native.images import resolved
from bridge.native.job import DatasetJob
from bridge.native.judging import NEEDS_TARGET
from bridge.native.likelihood import context_of
from bridge.native.locate import find_examples, find_sources
from bridge.native.prompt import messages_of
from bridge.native.readers import DataError, Line
from bridge.native.source import Source
from bridge.native.tables import MadeTable, Table, table_of


@dataclass(frozen=True, slots=True)
class Question:
    """One sample, to be asked once."""

    index: int
    """Position of the sample among those of the dataset."""
    repeat: int
    subset: str | None
    sample_id: str
    sample: Sample | None
    """None where the row is broken."""
    messages: list[Message]
    context: str = ""
    """Where likelihoods are scored: the text in front of the answers, instead of ``messages``."""
    problem: str = ""
    """What is wrong with the row: file, line, reason."""

    @property
    def prompts(self) -> list[Message]:
        """What the model reads: the messages, or every text whose likelihood is asked for."""
        if self.sample is None or not self.context:
            return self.messages
        return [{"prompt": self.context + continuation} for continuation in self.sample.continuations]


@dataclass
class Questions:
    """All questions of one dataset, in order; iterate once."""

    dataset: DatasetJob
    benchmark: Benchmark
    tables: list[Table]
    notes: list[str] = field(default_factory=list)
    """What a reader of the report should know about the data."""
    problems: list[str] = field(default_factory=list)
    """Files that could not be read to their end."""
    counts: dict[str | None, int] = field(default_factory=dict)
    """Samples of each subset, so far."""
    ready: Callable[[Sample, Path | None], Sample] = resolved
    """Fetches a sample's images, in the folder of its table. Raises ValueError with what is wrong."""
    _rows: dict[str | None, int] = field(default_factory=dict)
    _demos: dict[str | None, list[Sample]] = field(default_factory=dict)

    @property
    def many_in_a_table(self) -> bool:
        """Whether the rows say their subset."""
        return bool(self.benchmark.subsets) and any(table.subset is None for table in self.tables)

    def __iter__(self) -> Iterator[Question]:
        index = itertools.count()
        for table in self.tables:
            try:
                yield from self._of_table(table, index)
            except DataError as error:
                self.problems.append(str(error))

    def expected(self) -> dict[str | None, int] | None:
        """Samples of each subset, without making them; None where only reading the rows would tell."""
        if self.many_in_a_table and (self.dataset.limit is not None or self.dataset.subsets):
            return None
        counts: dict[str | None, int] = {}
        for table in self.tables:
            rows = _count(table, self.benchmark, self.dataset)
            if rows is None:
                return None
            counts[table.subset] = counts.get(table.subset, 0) + rows
        limit = self.dataset.limit
        return {subset: rows if limit is None else min(rows, limit) for subset, rows in counts.items()}

    @property
    def _needs_target(self) -> bool:
        judging = self.dataset.judging
        return judging is None or judging["method"] in NEEDS_TARGET

    def _of_table(self, table: Table, index: Iterator[int]) -> Iterator[Question]:
        for row, subset, sample, problem in self.taken(table):
            yield from self._asked(next(index), row, subset, sample, problem)

    def taken(self, table: Table) -> Iterator[tuple[int, str | None, Sample | None, str]]:
        """The rows of a table that belong to the dataset: number in the subset, subset, and sample or problem."""
        only_subset = table.subset is not None or not self.benchmark.subsets
        for line in _rows(table, self.benchmark, self.dataset.split):
            if only_subset and self._full(table.subset):
                return
            sample, problem = self._sample(table, line)
            subset = table.subset if sample is None else sample.subset or table.subset
            if sample is not None and self.dataset.subsets and subset not in self.dataset.subsets:
                continue
            row = self._rows[subset] = self._rows.get(subset, -1) + 1
            if not self._full(subset):
                self.counts[subset] = self.counts.get(subset, 0) + 1
                yield row, subset, sample, problem

    def _full(self, subset: str | None) -> bool:
        return self.dataset.limit is not None and self.counts.get(subset, 0) >= self.dataset.limit

    def _sample(self, table: Table, line: Line) -> tuple[Sample | None, str]:
        if line.problem:
            return None, f"{table.name}:{line.number}: {line.problem}"
        try:
            sample = self.benchmark.to_sample(line.row)
            if sample.target is None and self._needs_target:
                raise ValueError("has no reference answer; answers without one need a judge that rates them")
            return self.ready(sample, table.folder), ""
        except KeyError as error:
            there = ", ".join(map(str, list(line.row)[:12]))
            return None, f"{table.name}:{line.number}: has no {error.args[0]}; there are: {there}"
        except (ValueError, TypeError, AttributeError, IndexError) as error:
            return None, f"{table.name}:{line.number}: {error}"

    def _asked(
        self, index: int, row: int, subset: str | None, sample: Sample | None, problem: str
    ) -> Iterator[Question]:
        sample_id = sample.id if sample is not None and sample.id is not None else str(row)
        orders: list[Sample | None] = [sample]
        if sample is not None and self.benchmark.swapped is not None:
            orders.append(self.benchmark.swapped(sample))
        asked = [self._put(one, subset, problem) for one in orders]
        for repeat in range(self.dataset.repeats):
            shown, messages, context, wrong = asked[repeat % len(asked)]
            yield Question(index, repeat, subset, sample_id, shown, messages, context, wrong)

    def _put(
        self, sample: Sample | None, subset: str | None, problem: str
    ) -> tuple[Sample | None, list[Message], str, str]:
        """What is sent for a sample (messages, or a context), or why it cannot be asked."""
        if sample is None:
            return None, [], "", problem
        demos = self._examples(subset)
        try:
            if self.dataset.scoring == "loglikelihood":
                return sample, [], context_of(self.benchmark, sample, demos, subset), ""
            return sample, messages_of(self.benchmark, sample, demos), "", ""
        except KeyError as error:
            there = ", ".join(sample.fields)
            return None, [], "", f"{self.dataset.id}: the prompt names {error}; there are: {there}"

    def _examples(self, subset: str | None) -> list[Sample]:
        """The worked examples of a subset. Raises DataError where there are too few."""
        wanted = self.dataset.num_fewshot
        if not wanted:
            return []
        if subset not in self._demos:
            self._demos[subset] = self._read_examples(subset, wanted)
        return self._demos[subset]

    def _read_examples(self, subset: str | None, wanted: int) -> list[Sample]:
        found = list(self._chosen(self._example_samples(subset), subset, wanted))
        if len(found) < wanted:
            of = f" of {subset}" if subset else ""
            raise DataError(
                f"{self.dataset.id}: num_fewshot is {wanted}, but there are {len(found)} worked examples{of}"
            )
        return found

    def _chosen(self, samples: Iterator[Sample], subset: str | None, wanted: int) -> Iterable[Sample]:
        """The first ones, or as the seed draws them, or those that are named. Raises DataError for a missing one."""
        if self.dataset.fewshot_ids:
            by_id = {str(number) if one.id is None else one.id: one for number, one in enumerate(samples)}
            if missing := [name for name in self.dataset.fewshot_ids if name not in by_id]:
                of = f" of {subset}" if subset else ""
                what = f"there is no worked example{of} with the id {missing[0]!r}"
                raise DataError(f"{self.dataset.id}: {what}; the first are: {', '.join(list(by_id)[:5])}")
            return [by_id[name] for name in self.dataset.fewshot_ids]
        if self.dataset.fewshot_seed is None:
            return itertools.islice(samples, wanted)
        there = list(samples)
        return random.Random(f"{self.dataset.fewshot_seed}:{subset}").sample(there, min(wanted, len(there)))

    def _example_samples(self, subset: str | None) -> Iterator[Sample]:
        split = next((name for name in self.benchmark.fewshot_splits if name != self.dataset.split), "")
        for table in example_tables(self.dataset, self.benchmark):
            if table.subset not in (None, subset):
                continue
            for line in _rows(table, self.benchmark, split):
                sample, problem = self._sample(table, line)
                if sample is None:
                    raise DataError(f"{problem} (a worked example)")
                if sample.subset in (None, subset):
                    yield sample


def _rows(table: Table, mark: Benchmark, split: str) -> Iterator[Line]:
    """The rows of a split; a row that does not say its split is left for ``to_sample`` to refuse."""
    for line in table.lines():
        try:
            if mark.split_of is None or line.problem or mark.split_of(line.row) == split:
                yield line
        except (KeyError, ValueError, TypeError):
            yield line


def _count(table: Table, mark: Benchmark, dataset: DatasetJob) -> int | None:
    if mark.split_of is None:
        return table.count(dataset.limit)
    try:
        return sum(1 for _ in _rows(table, mark, dataset.split))
    except DataError:
        return None


def questions_of(dataset: DatasetJob) -> Questions:
    """Opens a dataset. Raises DataError where its files are not to be had."""
    mark = asked_as(scored_by(benchmark(dataset.benchmark), dataset.scoring), dataset)
    tables = _tables(dataset, mark, dataset.split, find_sources)
    questions = Questions(dataset, mark, _wanted(tables, dataset))
    if mark.subsets and not questions.many_in_a_table and not dataset.subsets:
        there = {table.subset for table in tables}
        if missing := [name for name in mark.subsets if name not in there]:
            names = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
            questions.notes.append(f"{len(missing)} of {len(mark.subsets)} subsets have no file here: {names}")
    return questions


def example_tables(dataset: DatasetJob, mark: Benchmark) -> list[Table]:
    """Where worked examples come from: the first split that is there and is not the one that is scored."""
    tried = [split for split in mark.fewshot_splits if split != dataset.split]
    reason = "the benchmark has no split for them"
    for split in tried:
        try:
            return _tables(dataset, mark, split, find_examples)
        except DataError as error:
            reason = str(error)
    raise DataError(f"{dataset.id}: no worked examples: {reason}; set num_fewshot: 0 to go without")


def _tables(
    dataset: DatasetJob, mark: Benchmark, split: str, find: Callable[[Benchmark, Path, str], list[Source]]
) -> list[Table]:
    if mark.rows is not None:
        return [MadeTable(mark.name, split, mark.rows)]
    if dataset.path is None:
        from bridge.native.hub import hub_tables

        return hub_tables(dataset.hub, mark, split, dataset.subsets)
    return [table_of(source, mark.layout) for source in find(mark, Path(dataset.path), split)]


def asked_as(mark: Benchmark, dataset: DatasetJob) -> Benchmark:
    """The benchmark with the prompt that the job wants."""
    template, system = dataset.template, dataset.system

    def changed(prompt: Prompt) -> Prompt:
        prompt = prompt if template is None else replace(prompt, question=template)
        return prompt if system is None else replace(prompt, system=system)

    return replace(
        mark,
        prompt=changed(mark.prompt),
        prompt_zh=mark.prompt_zh and changed(mark.prompt_zh),
        prompt_several=mark.prompt_several and changed(mark.prompt_several),
        prompt_several_zh=mark.prompt_several_zh and changed(mark.prompt_several_zh),
    )


def _wanted(tables: list[Table], dataset: DatasetJob) -> list[Table]:
    """The tables of the subsets that are asked for. Raises DataError for a subset that there is none of."""
    if not dataset.subsets:
        return tables
    there = {table.subset for table in tables}
    if None not in there and (missing := sorted(set(dataset.subsets) - there)):
        raise DataError(f"{dataset.id}: there is no file of the subset {missing[0]!r}")
    return [table for table in tables if table.subset in (None, *dataset.subsets)]
