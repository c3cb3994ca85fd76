"""From the spec to what the engine is told about judges, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from bridge.backend import Endpoint, Task
from bridge.errors import Problem
from bridge.native.benchmark import Benchmark, Metric
from bridge.native.job import JudgeJob
from bridge.native.judging import Judging, metrics_of

if TYPE_CHECKING:
    from bridge.spec import DatasetSpec, JudgeSpec, JudgingSpec

JUDGE_BASE_URL_ENV = "BRIDGE_JUDGE_BASE_URL"
JUDGE_API_KEY_ENV = "BRIDGE_JUDGE_API_KEY"
"""Of the first judge; those of the others end in ``_2``, ``_3`` …"""
MAX_TOKENS = 1024
_SAME = ("method", "scale", "rubric", "choices", "verdict", "swap", "attempts", "panel")


@dataclass(frozen=True)
class Grading:
    """What gives a dataset's samples their scores: its scorer, or the judges."""

    name: str
    metrics: tuple[Metric, ...]


def grading_of(task: Task, dataset: DatasetSpec, mark: Benchmark) -> Grading:
    judging = judging_of(dataset, mark)
    if judging is None:
        return Grading(mark.scorer.name, mark.scorer.metrics)
    return Grading(judging.name, metrics_of(judging, [judge.name for judge in task.spec.all_judges]))


def judging_of(dataset: DatasetSpec, mark: Benchmark) -> Judging | None:
    """How a dataset is judged: as the spec says, else as its definition says. Raises OSError for the prompt's file."""
    if dataset.judging is None:
        return mark.judging if dataset.scoring != "loglikelihood" else None
    return as_judging(dataset.judging)


def as_judging(given: JudgingSpec) -> Judging:
    """With the text of the prompt's file. Raises OSError."""
    same = {name: getattr(given, name) for name in _SAME}
    return Judging(prompt=_prompt(given), system=given.system or "", **same)


def judge_jobs(task: Task, endpoint: Endpoint) -> tuple[JudgeJob, ...]:
    """The task's judges; none where none of its datasets is judged."""
    return tuple(
        JudgeJob(
            model=judge.name,
            request=request_of(judge),
            base_url_env=_nth(JUDGE_BASE_URL_ENV, at),
            dialect=there.dialect,
            served_model=there.served_model,
            identity=there.identity,
            shown_url=there.shown_url,
            api_key_env=there.api_key_env or (_nth(JUDGE_API_KEY_ENV, at) if _own_key(there) else None),
        )
        for at, (judge, there) in enumerate(_with_places(task, endpoint))
    )


def judge_env(task: Task, endpoint: Endpoint) -> tuple[dict[str, str], list[str]]:
    """The variables that the engine needs for its judges, and the user's own that are handed through."""
    env: dict[str, str] = {}
    passed: list[str] = []
    for at, (_, there) in enumerate(_with_places(task, endpoint)):
        env[_nth(JUDGE_BASE_URL_ENV, at)] = there.base_url
        if there.api_key_env:
            passed.append(there.api_key_env)
        elif _own_key(there):
            env[_nth(JUDGE_API_KEY_ENV, at)] = there.api_key
    return env, passed


def request_of(judge: JudgeSpec) -> dict[str, Any]:
    """The fields of a request to the judge besides model and messages."""
    from bridge.spec import GenerationSpec

    return (judge.generation or GenerationSpec()).request_fields(MAX_TOKENS)


def judge_settings(task: Task, dataset: DatasetSpec, mark: Benchmark) -> dict[str, Any]:
    """What of the judges changes a score, for the report's ``settings``; empty where nobody judges."""
    judging = judging_of(dataset, mark)
    if judging is None:
        return {}
    judges = [{"model": judge.name, **request_of(judge)} for judge in task.spec.all_judges]
    told = {name: value for name, value in vars(judging).items() if value not in (None, "", {})}
    return {"judge": {**(judges[0] if len(judges) == 1 else {"models": judges}), **told}}


def judging_problems(task: Task, found: list[tuple[str, DatasetSpec, Benchmark]]) -> Iterator[Problem]:
    """What is wrong with how the task's datasets are judged."""
    judged = [(at, dataset, mark) for at, dataset, mark in found if dataset.judging or mark.judging]
    for at, dataset, mark in judged:
        if not task.spec.all_judges:
            what = f"{at}.judging" if dataset.judging else at
            yield Problem("", what, f"{mark.name} is judged, and there is no judge", "set 'judge'")
        if dataset.judging is not None and dataset.scoring == "loglikelihood":
            yield Problem(
                "", f"{at}.judging", "there is no answer to judge where likelihoods are scored", "give one of both"
            )
        if dataset.judging is not None:
            yield from _prompt_problems(f"{at}.judging", dataset.judging)
    if task.spec.all_judges and not judged and len(task.datasets) == len(task.spec.datasets):
        where = "judge" if task.spec.judge else "judges"
        hint = "give a dataset 'judging', such as {method: rating}; or leave the judge out"
        yield Problem("", where, "no dataset is judged", hint)


def _prompt_problems(at: str, given: JudgingSpec) -> Iterator[Problem]:
    name = "prompt_file" if given.prompt_file else "prompt"
    try:
        prompt = _prompt(given)
        fields = {field for _, field, _, _ in Formatter().parse(prompt) if field is not None}
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        yield Problem("", f"{at}.prompt_file", f"{given.prompt_file}: cannot be read: {reason}")
        return
    except ValueError as error:
        hint = "a brace that is meant as such is doubled: {{ }}"
        yield Problem("", f"{at}.{name}", f"not a template: {error}", hint)
        return
    if not all(field.isidentifier() for field in fields):
        hint = "a brace that is meant as such is doubled: {{ }}"
        yield Problem("", f"{at}.{name}", "a field is a plain name in braces", hint)
    wanted = {"answer_a", "answer_b"} if given.method == "pairwise" else {"response"}
    if prompt and (missing := sorted(wanted - fields)):
        places = " and ".join(f"{{{field}}}" for field in missing)
        yield Problem("", f"{at}.{name}", f"does not name {places}, so the judge would not see the answer")


def _prompt(given: JudgingSpec) -> str:
    from bridge.spec import expanded

    if given.prompt_file is not None:
        return Path(expanded(given.prompt_file)).read_text(encoding="utf-8")
    return given.prompt or ""


def _with_places(task: Task, endpoint: Endpoint) -> list[tuple[JudgeSpec, Endpoint]]:
    judges = task.spec.all_judges
    there = endpoint.judges or ((endpoint.judge,) if endpoint.judge else ())
    return list(zip(judges, there or [Endpoint("", judge.name) for judge in judges], strict=True))


def _own_key(endpoint: Endpoint) -> bool:
    return endpoint.api_key not in ("", "EMPTY")


def _nth(name: str, at: int) -> str:
    return name if at == 0 else f"{name}_{at + 1}"
