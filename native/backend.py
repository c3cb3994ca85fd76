"""The native engine as a backend: bridge's own environment, its own client, no gateway in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from bridge.backend import (
    FULL,
    BenchmarkResult,
    DatasetInfo,
    Endpoint,
    EnvSpec,
    Feature,
    Gap,
    Job,
    Level,
    Outcome,
    Preview,
    Support,
    Task,
)
from bridge.errors import Problem, Unsupported, did_you_mean
from bridge.native.benchmark import Benchmark, Scoring, scored_by
from bridge.native.benchmarks import benchmark, is_file, known
from bridge.native.hub import PASS_ENV, how_to_get_it, is_installed
from bridge.native.job import (
    API_KEY_ENV,
    BASE_URL_ENV,
    JOB_FILE,
    SAMPLES,
    STATE_FILE,
    DatasetJob,
    HubName,
    NativeJob,
)
from bridge.native.judge_jobs import judge_env, judge_jobs, judging_of, judging_problems
from bridge.native.likelihood_check import likelihood_problems
from bridge.native.locate import find_sources, has_examples
from bridge.native.readers import DataError

if TYPE_CHECKING:
    # Listing needs neither; a spec, and the options in it, are there only where a task is.
    from bridge.native.options import NativeOptions
    from bridge.spec import DatasetSpec, TaskSpec

NAME = "native"
_PREFIX = f"{NAME}:"


class NativeBackend:
    """All of a task's datasets are one job."""

    name = NAME
    env = EnvSpec(NAME, version=version("evalbridge"))
    route: Literal["gateway", "direct"] = "direct"
    on_failed_request: Literal["error", "placeholder"] = "error"
    support: Support = MappingProxyType(
        {
            **dict.fromkeys(Feature, FULL),
            Feature.SUBSETS: Gap(Level.PARTIAL, "where the benchmark has subsets"),
            Feature.NUM_FEWSHOT: Gap(Level.PARTIAL, "as far as there are worked examples"),
            Feature.SPLIT: Gap(Level.PARTIAL, "the splits that the benchmark has"),
            Feature.DEFINITION: Gap(Level.PARTIAL, "Python with a BENCHMARK, or YAML"),
            Feature.SCORING: Gap(Level.PARTIAL, "benchmarks whose papers score by likelihood"),
            Feature.SANDBOX: Gap(Level.NEVER, "it runs each program of a model in a sandbox of its own; the rest asks"),
            Feature.LOCAL: Gap(Level.PARTIAL, "for scoring: loglikelihood; a text model is asked over an API"),
            Feature.JUDGE: Gap(Level.PARTIAL, "for datasets with 'judging'; refused where there is none"),
            Feature.JUDGES: Gap(Level.PARTIAL, "for datasets with 'judging'; refused where there is none"),
            Feature.JUDGE_GENERATION: Gap(Level.PARTIAL, "for datasets with 'judging'"),
            Feature.JUDGING: Gap(Level.PARTIAL, "needs a judge"),
        }
    )

    def datasets(self) -> Mapping[str, DatasetInfo]:
        return {name: info_of(benchmark(name)) for name in known()}

    def resolve(self, name: str) -> DatasetInfo | None:
        bare = name.removeprefix(_PREFIX)
        return info_of(benchmark(bare)) if bare in known() else None

    def check(self, task: Task) -> list[Problem]:
        problems = list(_settings_problems(task))
        for at, dataset, mark in _readable(task):
            problems += _data_problems(task, at, dataset, mark)
        return problems

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        if problems := list(_settings_problems(task)):
            raise Unsupported(problems)
        own_key = None if endpoint.api_key in ("", "EMPTY") else API_KEY_ENV
        key_env = endpoint.api_key_env or own_key
        options = _options(task.spec)
        datasets = dataset_jobs(task)
        judged = any(dataset.judging for dataset in datasets)
        job = NativeJob(
            model=endpoint.model,
            traffic=NAME if len(task.spec.all_models) == 1 else f"{task.model.name}.{NAME}",
            datasets=datasets,
            concurrency=task.concurrency,
            max_retries=task.spec.max_retries,
            request_timeout_s=task.spec.request_timeout_s,
            store=_store(task.spec),
            served_model=endpoint.served_model,
            identity=endpoint.identity,
            shown_url=endpoint.shown_url,
            api_key_env=key_env,
            dialect=endpoint.dialect,
            likelihood=endpoint.likelihood,
            judges=judge_jobs(task, endpoint) if judged else (),
            score_workers=options.score_workers,
            score_timeout_s=options.score_timeout_s,
            version=self.env.version,
        )
        env = {BASE_URL_ENV: endpoint.base_url}
        if key_env == API_KEY_ENV:
            env[API_KEY_ENV] = endpoint.api_key
        judge_variables, judge_keys = judge_env(task, endpoint) if judged else ({}, [])
        fetched = any(dataset.path is None for dataset in job.datasets)
        confines = tuple(dataset.id for _, dataset, mark in _known(task) if mark.runs_code)
        return [
            Job(
                id=NAME,
                backend=NAME,
                datasets=tuple(dataset.id for dataset in task.datasets),
                argv=("python", "-m", "bridge.native", JOB_FILE),
                env_spec=self.env,
                files={JOB_FILE: job.to_json()},
                env=env | judge_variables,
                pass_env=(
                    *filter(None, [endpoint.api_key_env]),
                    *judge_keys,
                    *(PASS_ENV[options.hub] if fetched else ()),
                ),
                timeout_s=task.spec.job_timeout_s,
                runs="model output" if confines else "nothing",
                confines=confines,
                keep=(SAMPLES, STATE_FILE),
            )
        ]

    def preview(self, task: Task) -> Iterator[Preview]:
        from bridge.native.preview import preview

        return preview(task)

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        from bridge.native.collect import collect_dataset

        average = _options(task.spec).average
        return [
            collect_dataset(outcome, task, dataset, mark, average or mark.average) for _, dataset, mark in _known(task)
        ]


def info_of(mark: Benchmark) -> DatasetInfo:
    return DatasetInfo(
        name=mark.name,
        backend=NAME,
        kind="custom" if mark.custom else "generation",
        description=mark.description,
        family=mark.name,
        evaluator=mark.scorer.name,
        data=mark.hub.modelscope if mark.hub else mark.layout.example,
        subsets=mark.subsets,
        num_fewshot=mark.num_fewshot,
        metric=mark.scorer.metrics[0].name,
    )


def settings_of(task: Task, dataset: DatasetSpec, mark: Benchmark) -> dict[str, Any]:
    """The fields of a request besides model and messages."""
    return task.generation(dataset).request_fields(mark.max_tokens)


def scoring_of(dataset: DatasetSpec) -> Scoring:
    return dataset.scoring or "generation"


def num_fewshot_of(dataset: DatasetSpec, mark: Benchmark) -> int:
    if dataset.num_fewshot is None and dataset.prompt is not None and dataset.prompt.fewshot_ids:
        return len(dataset.prompt.fewshot_ids)
    return mark.num_fewshot if dataset.num_fewshot is None else dataset.num_fewshot


def dataset_jobs(task: Task) -> tuple[DatasetJob, ...]:
    """What the engine is told about each dataset."""
    options = _options(task.spec)
    return tuple(_dataset_job(task, dataset, mark, options) for _, dataset, mark in _known(task))


def _dataset_job(task: Task, dataset: DatasetSpec, mark: Benchmark, options: NativeOptions) -> DatasetJob:
    path = _path(task, dataset, mark)
    judging = judging_of(dataset, mark)
    return DatasetJob(
        id=dataset.id,
        benchmark=_expanded(dataset.definition) if dataset.definition else mark.name,
        path=None if path is None else str(path.absolute()),
        subsets=dataset.subsets,
        split=dataset.split or mark.split,
        num_fewshot=num_fewshot_of(dataset, mark),
        limit=task.spec.limit_of(dataset),
        repeats=task.spec.repeats_of(dataset) * mark.orders,
        request=settings_of(task, dataset, mark),
        hub=options.hub,
        thinking=options.thinking,
        scoring=scoring_of(dataset),
        judging=None if judging is None else asdict(judging),
        **({} if dataset.prompt is None else dataset.prompt.model_dump()),
    )


def _path(task: Task, dataset: DatasetSpec, mark: Benchmark) -> Path | None:
    """Where the files are; the sub-folder of ``data`` has the benchmark's bare name."""
    return task.spec.path_of(dataset.model_copy(update={"name": mark.name}))


def _expanded(text: str) -> str:
    from bridge.spec import expanded

    return expanded(text)


def _store(spec: TaskSpec) -> str:
    """The run's cache, seen from the job's folder (``rundir``): a run with several models has a folder for each."""
    return "../" * (2 if len(spec.all_models) == 1 else 3) + "requests.sqlite"


def _options(spec: TaskSpec) -> NativeOptions:
    from bridge.native.options import read_options

    return read_options(spec.options.get(NAME, {}))


def _known(task: Task) -> Iterator[tuple[str, DatasetSpec, Benchmark]]:
    """The datasets that there is a benchmark for, with their place in the spec."""
    for dataset in task.datasets:
        name = dataset.name.removeprefix(_PREFIX)
        if dataset.definition is not None or name in known():
            mark = benchmark(_expanded(dataset.definition) if dataset.definition else name)
            yield f"datasets[{task.spec.datasets.index(dataset)}]", dataset, scored_by(mark, scoring_of(dataset))


def _settings_problems(task: Task) -> Iterator[Problem]:
    """What no data could mend."""
    from bridge.native.options import option_problems

    yield from option_problems(task.spec.options.get(NAME, {}))
    yield from _definition_problems(task)
    for dataset in task.datasets:
        if dataset.definition is None and dataset.name.removeprefix(_PREFIX) not in known():
            at = f"datasets[{task.spec.datasets.index(dataset)}].name"
            hint = did_you_mean(dataset.name, known()) or f"there are: {', '.join(known())}"
            yield Problem("", at, f"native has no benchmark {dataset.name!r}", hint)
    readable = list(_readable(task))
    yield from judging_problems(task, readable)
    for at, dataset, mark in readable:
        yield from likelihood_problems(task, at, dataset, mark)
        if dataset.prompt is not None and dataset.prompt.template is not None:
            yield from _template_problems(f"{at}.prompt.template", dataset.prompt.template)
        named = dataset.prompt.fewshot_ids if dataset.prompt is not None else ()
        if named and num_fewshot_of(dataset, mark) != len(named):
            message = f"is {dataset.num_fewshot}, and prompt.fewshot_ids names {len(named)} examples"
            yield Problem("", f"{at}.num_fewshot", message, "leave it out")
        yield from _unknown_subsets(at, dataset, mark.subsets)
        if dataset.subsets and not mark.subsets and not mark.custom:
            yield Problem("", f"{at}.subsets", f"{mark.name} has no subsets", "leave it out")
        if dataset.split is not None and dataset.split not in mark.layout.splits:
            hint = did_you_mean(dataset.split, mark.layout.splits) or f"there are: {', '.join(mark.layout.splits)}"
            yield Problem("", f"{at}.split", f"{mark.name} has no split {dataset.split!r}", hint)
        if mark.max_fewshot is not None and (dataset.num_fewshot or 0) > mark.max_fewshot:
            message = f"{mark.name} has {mark.max_fewshot} worked examples, not {dataset.num_fewshot}"
            yield Problem("", f"{at}.num_fewshot", message, f"0 to {mark.max_fewshot}")


def _readable(task: Task) -> Iterator[tuple[str, DatasetSpec, Benchmark]]:
    """Those whose definition, where they have one, can be read."""
    bad = {problem.field for problem in _definition_problems(task)}
    good = [d for d in task.datasets if f"datasets[{task.spec.datasets.index(d)}].definition" not in bad]
    return _known(replace(task, datasets=tuple(good)))


def _definition_problems(task: Task) -> Iterator[Problem]:
    for dataset in task.datasets:
        if dataset.definition is None:
            continue
        at = f"datasets[{task.spec.datasets.index(dataset)}].definition"
        path = _expanded(dataset.definition)
        if not is_file(path):
            yield Problem("", at, f"{path}: is to be a .py or .yaml file")
            continue
        try:
            benchmark(path)
        except DataError as error:
            yield Problem("", at, str(error))


def _template_problems(at: str, template: str) -> Iterator[Problem]:
    try:
        fields = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        yield Problem("", at, f"not a template: {error}", "a brace that is meant as such is doubled: {{ }}")
        return
    if not fields:
        hint = "name what changes from sample to sample, such as {question} and {choices}"
        yield Problem("", at, "names no field, so every question would be the same", hint)
    elif not all(name.isidentifier() for name in fields):
        yield Problem("", at, "a field is a plain name in braces", "a brace that is meant as such is doubled: {{ }}")


def _unknown_subsets(at: str, dataset: DatasetSpec, known: tuple[str, ...]) -> Iterator[Problem]:
    for place, subset in enumerate(dataset.subsets):
        if known and subset not in known:
            few = ", ".join(known[:6]) + (", …" if len(known) > 6 else "")
            hint = did_you_mean(subset, known) or f"there are: {few}"
            yield Problem("", f"{at}.subsets[{place}]", f"{dataset.name} has no subset {subset!r}", hint)


def _data_problems(task: Task, at: str, dataset: DatasetSpec, mark: Benchmark) -> Iterator[Problem]:
    """Whether the files are there that the settings need."""
    split = dataset.split or mark.split
    path = _path(task, dataset, mark)
    if mark.rows is not None:
        if dataset.path is not None:
            yield Problem("", f"{at}.path", f"{mark.name} makes its rows itself", "leave it out")
        return
    if path is None:
        yield from _hub_problems(task, at, mark)
        return
    if split not in mark.layout.splits:
        return
    try:
        sources = find_sources(mark, path, split)
    except (DataError, OSError) as error:
        yield Problem("", f"{at}.path", str(error))
        return
    files = tuple(sorted({source.subset for source in sources if source.subset is not None}))
    if not mark.subsets:
        yield from _unknown_subsets(at, dataset, files)
    elif files:
        known = [subset for subset in dataset.subsets if subset in mark.subsets]
        for subset in (name for name in known if name not in files):
            place = dataset.subsets.index(subset)
            yield Problem("", f"{at}.subsets[{place}]", f"{path}: there is no file of {subset!r} in split {split!r}")
    examples = [name for name in mark.fewshot_splits if name != split]
    if num_fewshot_of(dataset, mark) and not any(has_examples(mark, path, name) for name in examples):
        names = " or ".join(map(repr, examples)) or "no split"
        message = f"{path}: there are no files of {names} to take worked examples from"
        yield Problem("", f"{at}.num_fewshot", message, f"add them ({mark.layout.example}), or set num_fewshot: 0")


def _hub_problems(task: Task, at: str, mark: Benchmark) -> Iterator[Problem]:
    wanted = task.spec.options.get(NAME, {}).get("hub")
    hub: HubName = "huggingface" if wanted == "huggingface" else "modelscope"
    if mark.custom:
        yield Problem("", f"{at}.path", f"{mark.name} is made of your own files", how_to_get_it(mark))
    elif not is_installed(hub):
        message = f"there are no files of {mark.name}, and its hub's library is not installed"
        yield Problem("", f"{at}.path", message, f"{how_to_get_it(mark)}; or pip install 'evalbridge[hub]' to fetch it")
