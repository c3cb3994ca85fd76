"""What every backend in the registry keeps to.  A new backend adds its case to ``CASES`` and passes.

No environment is needed and no model is asked: this is about what a backend says, not about what its framework does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from bridge.backend import Backend, Endpoint, Feature, Job, Level, Outcome, Task, features_used
from bridge.confine import confinement
from bridge.errors import SpecError, Unsupported
from bridge.plan import make_plan
from bridge.registry import backend, backend_names
from bridge.report.merge import merge
from bridge.report.schema import Status, Usage
from bridge.spec import DatasetSpec, TaskSpec

SECRET = "sk-never-write-me-down"
HEAVY = (
    "numpy",
    "torch",
    "transformers",
    "datasets",
    "opencompass",
    "vlmeval",
    "aiohttp",
    "pandas",
    "jinja2",
    "openai",
)
LISTING_CPU_S = 0.3
ENDPOINT = Endpoint("http://127.0.0.1:9/v1", "tiny", api_key=SECRET, failed_marker="[[failed-7f3a]]")


@dataclass(frozen=True)
class Case:
    """A task that the backend can do, with files that ``write`` puts into a folder."""

    dataset: str
    write: Callable[[Path], None]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Something that ``options.<backend>`` accepts."""


def write_questions(folder: Path) -> None:
    row = {"question": "Which is a colour?", "A": "red", "B": "two", "C": "run", "D": "up", "answer": "A"}
    (folder / "bank_val.jsonl").write_text("".join(f"{json.dumps(row)}\n" for _ in range(3)), encoding="utf-8")


def write_steps(folder: Path) -> None:
    finish = {"name": "Finish", "description": "Ends the task.", "parameters": "{'type': 'object', 'properties': {}}"}
    target = 'Thought: Done.\nAction: Finish\nAction Input: {"return_type": "give_up_and_restart"}'
    row = {"messages": [{"role": "user", "content": "Is it cold?"}], "tools": [finish], "target": target}
    (folder / "in_domain.json").write_text(json.dumps([row] * 3), encoding="utf-8")


def write_writing_tasks(folder: Path) -> None:
    row = {"prompt": "Write 100 words about rain.", "type": "Popular Science", "length": 100}
    (folder / "longbench_write.jsonl").write_text(f"{json.dumps(row)}\n" * 3, encoding="utf-8")


def write_pictures(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / "dot.png").write_bytes(b"a picture, to whoever does not look at it")
    row = {"question": "Which colour?", "options": ["red", "blue"], "answer": "A", "image": "dot.png"}
    lines = [json.dumps({"id": number, **row}) for number in range(3)]
    (folder / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")


CASES = {
    "native": Case("general_mcq", write_questions, {"score_timeout_s": 5.0}),
    "opencompass": Case("general_mcq", write_questions, {"model": {"max_seq_len": 4096}}),
    "toolbench": Case("toolbench_static", write_steps, {"style": "tools"}),
    "longbench_write": Case("longbench_write", write_writing_tasks, {"judge": {"attempts": 2}}),
    "vlmevalkit": Case("custom_mcq", write_pictures, {"image": {"detail": "low"}}),
}

SETTINGS: dict[Feature, dict[str, Any]] = {
    Feature.SUBSETS: {"subsets": ["bank"]},
    Feature.SPLIT: {"split": "test"},
    Feature.NUM_FEWSHOT: {"num_fewshot": 2},
    Feature.LIMIT: {"limit": 1},
    Feature.REPEATS: {"repeats": 2},
    Feature.TEMPERATURE: {"generation": {"temperature": 0.5}},
    Feature.MAX_TOKENS: {"generation": {"max_tokens": 77}},
    Feature.TOP_P: {"generation": {"top_p": 0.5}},
    Feature.TOP_K: {"generation": {"top_k": 7}},
    Feature.SEED: {"generation": {"seed": 99}},
    Feature.STOP: {"generation": {"stop": ["END"]}},
    Feature.EXTRA_BODY: {"generation": {"extra_body": {"reasoning": False}}},
    Feature.PROMPT: {"prompt": {"template": "Well, {question}"}},
    Feature.DEFINITION: {"definition": "/nowhere/own.py"},
    Feature.SCORING: {"scoring": "loglikelihood"},
    Feature.JUDGING: {"judging": {"method": "rating"}},
}
"""What asks for each feature, on the dataset."""


@pytest.fixture(params=backend_names())
def subject(request: pytest.FixtureRequest) -> Backend:
    return backend(request.param)


@pytest.fixture
def case(subject: Backend) -> Case:
    assert subject.name in CASES, f"backend {subject.name!r} has no case here; add one to CASES"
    return CASES[subject.name]


@pytest.fixture
def data(tmp_path: Path, case: Case) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    case.write(folder)
    return folder


def make_spec(
    subject: Backend, case: Case, data: Path, datasets: list[dict[str, Any]] | None = None, **more: Any
) -> TaskSpec:
    fields = {
        "model": {"name": "tiny", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "A_REAL_KEY"}},
        "backend": subject.name,
        "datasets": datasets or [{"name": case.dataset, "path": str(data)}],
        **more,
    }
    return TaskSpec.model_validate(fields)


def make_task(spec: TaskSpec) -> Task:
    assert spec.model is not None
    return Task(spec, spec.model, spec.datasets, spec.concurrency)


def plain_task(subject: Backend, case: Case, data: Path, **settings: Any) -> Task:
    return make_task(make_spec(subject, case, data, [{"name": case.dataset, "path": str(data), **settings}]))


def outcome_of(subject: Backend, job: Job, folder: Path, **more: Any) -> Outcome:
    base = {"job": job.id, "backend": subject.name, "model": "tiny", "dir": folder, "exit_code": 0}
    return Outcome(**{**base, "failed_marker": ENDPOINT.failed_marker, **more})


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_it_has_the_name_it_is_registered_under(subject: Backend) -> None:
    assert subject.name in backend_names()
    assert subject.route in ("gateway", "direct")
    assert subject.on_failed_request in ("error", "placeholder")


def test_it_lists_datasets_that_a_spec_can_name(subject: Backend) -> None:
    listed = subject.datasets()
    assert listed
    for name, info in listed.items():
        assert (info.name, info.backend) == (name, subject.name)
        assert DatasetSpec(name=name).name == name
        assert "\n" not in info.unusable + info.description
    assert any(not info.unusable for info in listed.values())


def test_listing_is_fast_and_imports_nothing_heavy(subject: Backend) -> None:
    program = f"""
import json, sys, time
import bridge.plan
from bridge.registry import backend
start = time.process_time()
listed = backend({subject.name!r}).datasets()
print(json.dumps([len(listed), time.process_time() - start, [name for name in {HEAVY!r} if name in sys.modules]]))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    count, cpu_s, heavy = json.loads(run.stdout)
    assert count == len(subject.datasets())
    assert heavy == []
    assert cpu_s < LISTING_CPU_S


def test_every_listed_name_resolves_to_itself(subject: Backend) -> None:
    for name, info in subject.datasets().items():
        assert subject.resolve(name) == info
    assert subject.resolve("no-such-dataset-anywhere") is None


def test_every_feature_has_a_gap_and_every_gap_a_note(subject: Backend) -> None:
    for feature in Feature:
        gap = subject.support[feature]
        assert gap.level is Level.FULL or gap.note, f"{feature} is {gap.level.value}, and nobody says how far or why"


def test_what_it_cannot_do_is_refused_with_its_place(subject: Backend, case: Case, data: Path) -> None:
    refused = {feature for feature in Feature if subject.support[feature].level in (Level.NOT_YET, Level.NEVER)}
    for feature in refused:
        spec = spec_with(subject, case, data, feature)
        places = features_used(make_task(spec))[feature]
        with pytest.raises(SpecError) as raised:
            make_plan(spec)
        assert set(places) <= {problem.field for problem in raised.value.problems}


@pytest.mark.parametrize("feature", list(Feature))
def test_a_field_changes_the_job_or_is_refused(subject: Backend, case: Case, data: Path, feature: Feature) -> None:
    level = subject.support[feature].level
    if feature is Feature.PATH or level in (Level.NOT_YET, Level.NEVER):
        assert feature is Feature.PATH or level is not Level.FULL
        return
    task = make_task(spec_with(subject, case, data, feature))
    if problems := subject.check(task):
        assert level is Level.PARTIAL, problems
        return
    plain = make_task(make_spec(subject, case, data))
    if feature is Feature.SANDBOX:
        # The pipeline puts a job into its room; what the job does there is the same.
        outside = [confinement(job, plain) for job in subject.translate(plain, ENDPOINT) if job.runs == "nothing"]
        assert set(outside) == {""}
        assert all(confinement(job, task) for job in subject.translate(task, ENDPOINT))
        return
    assert told(subject.translate(task, ENDPOINT)) != told(subject.translate(plain, ENDPOINT))


def spec_with(subject: Backend, case: Case, data: Path, feature: Feature) -> TaskSpec:
    judge = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    if feature is Feature.JUDGE:
        return make_spec(subject, case, data, judge=judge)
    if feature is Feature.JUDGES:
        return make_spec(subject, case, data, judges=[judge, {**judge, "name": "other"}])
    if feature is Feature.JUDGE_GENERATION:
        return make_spec(subject, case, data, judge={**judge, "generation": {"max_tokens": 7}})
    if feature is Feature.OPTIONS:
        return make_spec(subject, case, data, options={subject.name: dict(case.options)})
    if feature is Feature.SANDBOX:
        return make_spec(subject, case, data, sandbox=True)
    if feature is Feature.LOCAL:
        return make_spec(subject, case, data, model={"name": "tiny", "local": {"path": "/nowhere"}})
    settings = {} if feature is Feature.PATH else SETTINGS[feature]
    return make_spec(subject, case, data, [{"name": case.dataset, "path": str(data), **settings}])


def told(jobs: list[Job]) -> list[Any]:
    return [[job.argv, dict(job.files), dict(job.env)] for job in jobs]


def test_a_good_task_has_no_problems_and_checking_writes_nothing(
    subject: Backend, case: Case, data: Path, tmp_path: Path
) -> None:
    before = tree(tmp_path)
    assert subject.check(make_task(make_spec(subject, case, data))) == []
    assert tree(tmp_path) == before


def test_check_finds_every_problem_and_its_place(subject: Backend, case: Case, data: Path) -> None:
    gone = str(data / "not-there")
    datasets = [{"name": case.dataset, "path": gone, "alias": f"copy-{n}"} for n in range(3)]
    options = {subject.name: {"no_such_option": 1}}
    problems = subject.check(make_task(make_spec(subject, case, data, datasets, options=options)))
    fields = {problem.field for problem in problems}
    assert {f"datasets[{n}].path" for n in range(3)} <= fields
    assert f"options.{subject.name}.no_such_option" in fields
    assert all(problem.message and "\n" not in problem.message for problem in problems)


def test_translation_is_pure(subject: Backend, case: Case, data: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    task = make_task(make_spec(subject, case, data))
    first, second = subject.translate(task, ENDPOINT), subject.translate(task, ENDPOINT)
    assert told(first) == told(second)
    assert tree(tmp_path) == before


def test_jobs_are_whole_and_keep_to_their_folder(subject: Backend, case: Case, data: Path) -> None:
    datasets = [{"name": case.dataset, "path": str(data), "alias": f"copy-{n}"} for n in range(3)]
    jobs = subject.translate(make_task(make_spec(subject, case, data, datasets)), ENDPOINT)
    assert sorted(dataset for job in jobs for dataset in job.datasets) == ["copy-0", "copy-1", "copy-2"]
    assert len({job.id for job in jobs}) == len(jobs)
    for job in jobs:
        assert job.backend == subject.name
        assert job.argv[0] == "python"
        assert job.env_spec == subject.env
        for name in (*job.files, *job.keep):
            path = PurePosixPath(name)
            assert not path.is_absolute() and ".." not in path.parts


def test_a_secret_is_in_no_file_and_no_argument(subject: Backend, case: Case, data: Path) -> None:
    for job in subject.translate(make_task(make_spec(subject, case, data)), ENDPOINT):
        assert SECRET not in json.dumps([list(job.argv), dict(job.files)])


def test_jobs_differ_between_runs_in_nothing_but_their_environment(subject: Backend, case: Case, data: Path) -> None:
    """Address and token are new in every run; a job that has ended is known again by its files."""
    task = make_task(make_spec(subject, case, data))
    other = replace(ENDPOINT, base_url="http://127.0.0.1:10/s/x/v1", api_key="another")
    first, second = subject.translate(task, ENDPOINT), subject.translate(task, other)
    assert [(job.argv, dict(job.files)) for job in first] == [(job.argv, dict(job.files)) for job in second]


def test_translation_refuses_what_check_refuses(subject: Backend, case: Case, data: Path) -> None:
    options = {subject.name: {"no_such_option": 1}}
    with pytest.raises(Unsupported):
        subject.translate(make_task(make_spec(subject, case, data, options=options)), ENDPOINT)


@pytest.mark.parametrize("exit_code", [0, 1, None])
def test_an_empty_folder_gives_a_failed_row_with_its_reason(
    subject: Backend, case: Case, data: Path, tmp_path: Path, exit_code: int | None
) -> None:
    task = plain_task(subject, case, data)
    (job,) = subject.translate(task, ENDPOINT)
    reason = "" if exit_code == 0 else "it fell over"
    results = subject.collect(outcome_of(subject, job, tmp_path / "empty", exit_code=exit_code, reason=reason), task)
    assert [result.dataset for result in results] == list(job.datasets)
    for result in results:
        (row,) = [row for row in result.rows if row.primary]
        assert row.status is Status.FAILED
        assert row.value is None and row.n == 0
        assert row.reason
        assert list(result.samples) == []
        assert result.errors


def test_a_folder_of_garbage_is_no_result_either(subject: Backend, case: Case, data: Path, tmp_path: Path) -> None:
    task = plain_task(subject, case, data)
    (job,) = subject.translate(task, ENDPOINT)
    folder = tmp_path / "jobs" / job.id
    names = [*job.files, *job.keep, "progress.json", "ledger.json", "state.json"]
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_dir():
            path.write_bytes(b"\x00\xff{not json")
    (result,) = subject.collect(outcome_of(subject, job, folder), task)
    assert [row.status for row in result.rows if row.primary] == [Status.FAILED]


def test_what_it_collects_can_be_merged(subject: Backend, case: Case, data: Path, tmp_path: Path) -> None:
    task = plain_task(subject, case, data)
    (job,) = subject.translate(task, ENDPOINT)
    results = subject.collect(outcome_of(subject, job, tmp_path / "empty"), task)
    report = merge(
        results,
        run_id="r",
        name="r",
        started_at="2026-01-01T00:00:00+00:00",
        finished_at="2026-01-01T00:00:01+00:00",
        bridge_version="0",
        spec_sha256="0" * 64,
        models=(),
        usage=Usage(),
    )
    assert report.status is Status.FAILED
    assert report.exit_code in (5, 6, 7)
