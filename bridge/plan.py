"""TaskSpec → Plan: which backend does what for which model, with every problem found before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bridge.backend import Backend, DatasetInfo, Endpoint, Job, Level, Task, features_used
from bridge.errors import Problem, SpecError, did_you_mean
from bridge.registry import backend, backend_names
from bridge.spec import DatasetSpec, ModelSpec, TaskSpec
from bridge.spec_file.rest import Rest

DRY_RUN = "http://127.0.0.1:0/v1"
"""Stands for the address of the gateway, which is known only when it runs."""


@dataclass(frozen=True)
class PlannedTask:
    backend: Backend
    task: Task

    def jobs(self, endpoint: Endpoint | None = None) -> list[Job]:
        """The jobs as they will run; without an endpoint, as ``bridge plan`` shows them."""
        return self.backend.translate(self.task, endpoint or self.dry_endpoint())

    def dry_endpoint(self) -> Endpoint:
        judges = tuple(map(self._dry, self.task.spec.all_judges))
        return replace(self._dry(self.task.model), judges=judges)

    def _dry(self, model: ModelSpec) -> Endpoint:
        if self.backend.route == "direct" and model.endpoint is not None:
            return Endpoint(model.endpoint.base_url, model.name, api_key_env=model.endpoint.api_key_env)
        return Endpoint(DRY_RUN, model.name, api_key="TOKEN-OF-THE-RUN", failed_marker="MARKER-OF-THE-RUN")


@dataclass(frozen=True)
class Plan:
    spec: TaskSpec
    tasks: tuple[PlannedTask, ...]
    """Model by model; the tasks of one model run side by side."""

    def of_model(self, model: ModelSpec) -> tuple[PlannedTask, ...]:
        return tuple(planned for planned in self.tasks if planned.task.model is model)


def make_plan(spec: TaskSpec) -> Plan:
    """The plan, or SpecError with all that is wrong with the spec."""
    problems: list[Problem] = []
    plan = _assign(spec, problems)
    for planned in _one_of_each_kind(plan):
        problems += _refused(planned)
    if problems:
        raise SpecError(sorted(set(problems), key=lambda problem: problem.field))
    return plan


def problems_in_rest(rest: Rest) -> list[Problem]:
    """What is wrong with a broken spec besides; names of datasets, and the datasets in which nothing is broken."""
    problems: list[Problem] = []
    for planned in _one_of_each_kind(_assign(rest.spec, problems)):
        if whole := rest.whole(planned.task.datasets):
            problems += _refused(replace(planned, task=replace(planned.task, datasets=whole)))
    return sorted(set(problems), key=lambda problem: problem.field)


def _refused(planned: PlannedTask) -> list[Problem]:
    return [*_gaps(planned), *planned.backend.check(planned.task)]


def _one_of_each_kind(plan: Plan) -> Iterator[PlannedTask]:
    """The tasks of the first model that is served; each local model is another case."""
    served = [model for model in plan.spec.all_models if model.local is None][:1]
    for model in (*served, *(model for model in plan.spec.all_models if model.local is not None)):
        yield from plan.of_model(model)


def recorded_plan(spec: TaskSpec) -> Plan:
    """The plan of a run that has been made: nothing is checked that may have changed since, such as its data."""
    problems: list[Problem] = []
    plan = _assign(spec, problems)
    if problems:
        raise SpecError(problems)
    return plan


def _assign(spec: TaskSpec, problems: list[Problem]) -> Plan:
    """Datasets → backends → tasks; what cannot be assigned is added to ``problems``."""
    problems += _unknown_options(spec)
    grouped: dict[str, list[DatasetSpec]] = {}
    for index, dataset in enumerate(spec.datasets):
        at = f"datasets[{index}]"
        chosen = _choose(spec, dataset, at)
        if isinstance(chosen, Problem):
            problems.append(chosen)
        elif any(other.id == dataset.id for other in grouped.get(chosen, [])):
            message = f"{dataset.id!r} goes through {chosen} twice"
            problems.append(Problem("", at, message, "give one of them an 'alias'"))
        else:
            grouped.setdefault(chosen, []).append(dataset)
    return Plan(
        spec,
        tuple(
            PlannedTask(backend(name), Task(spec, model, tuple(datasets), share))
            for model in spec.all_models
            for (name, datasets), share in zip(grouped.items(), shares(spec.concurrency, len(grouped)), strict=True)
        ),
    )


def shares(concurrency: int, tasks: int) -> list[int]:
    """The run's limit, shared out between tasks that run at the same time; at least one each."""
    if not tasks:
        return []
    each, rest = divmod(concurrency, tasks)
    return [max(1, each + (1 if index < rest else 0)) for index in range(tasks)]


def split_name(dataset: DatasetSpec) -> tuple[str | None, str]:
    """``opencompass:mmlu_gen`` → the backend that the name itself gives, and the name in that backend."""
    head, colon, rest = dataset.name.partition(":")
    return (head, rest) if colon and head in backend_names() else (None, dataset.name)


def _choose(spec: TaskSpec, dataset: DatasetSpec, at: str) -> str | Problem:
    wanted = dataset.backend or split_name(dataset)[0] or spec.backend
    if dataset.definition is not None and wanted in ("auto", "native"):
        return "native"
    if wanted == "auto":
        return _first_that_knows(dataset, at)
    if wanted not in backend_names():
        field = f"{at}.backend" if dataset.backend else "backend"
        hint = did_you_mean(wanted, backend_names()) or f"one of: auto, {', '.join(backend_names())}"
        return Problem("", field, f"there is no backend {wanted!r}", hint)
    found = backend(wanted).resolve(split_name(dataset)[1])
    if found is None:
        return _unknown(dataset, at, (wanted,))
    return wanted if not found.unusable else _unusable(found, at)


def _first_that_knows(dataset: DatasetSpec, at: str) -> str | Problem:
    unusable: DatasetInfo | None = None
    for name in backend_names():
        found = backend(name).resolve(dataset.name)
        if found is not None and not found.unusable:
            return name
        unusable = unusable or found
    return _unusable(unusable, at) if unusable else _unknown(dataset, at, backend_names())


def _unusable(found: DatasetInfo, at: str) -> Problem:
    return Problem("", f"{at}.name", f"{found.backend} cannot run {found.name!r} here: {found.unusable}")


def _unknown(dataset: DatasetSpec, at: str, asked: tuple[str, ...]) -> Problem:
    known = [name for asked_one in asked for name in backend(asked_one).datasets()]
    whom = asked[0] if len(asked) == 1 else "any backend"
    listing = f"bridge datasets{f' --backend {asked[0]}' if len(asked) == 1 else ''}"
    hint = "; ".join(filter(None, [did_you_mean(split_name(dataset)[1], known), f"'{listing}' lists them"]))
    return Problem("", f"{at}.name", f"dataset {dataset.name!r} is not known to {whom}", hint)


def _gaps(planned: PlannedTask) -> Iterator[Problem]:
    """A field that the backend does not honour is refused, never dropped."""
    for feature, places in features_used(planned.task).items():
        gap = planned.backend.support.get(feature)
        if gap is None or gap.level in (Level.NOT_YET, Level.NEVER):
            level = gap.level if gap else Level.NOT_YET
            word = "does not support this yet" if level is Level.NOT_YET else "cannot support this"
            for place in places:
                yield Problem("", place, f"{planned.backend.name} {word}", gap.note if gap else "")


def _unknown_options(spec: TaskSpec) -> Iterator[Problem]:
    for name in spec.options:
        if name not in backend_names():
            hint = did_you_mean(name, backend_names()) or f"one of: {', '.join(backend_names())}"
            yield Problem("", f"options.{name}", f"there is no backend {name!r}", hint)
