"""Task → job: golden files of what is written and run, and every problem told before anything starts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.longbench_write.backend import LongBenchWriteBackend
from bridge.backend import Endpoint, Feature, Job, Level, Task
from bridge.errors import Unsupported
from bridge.spec import TaskSpec

GOLDEN = Path(__file__).parents[2] / "golden" / "longbench_write"
CASES = sorted(path.name.removesuffix(".spec.json") for path in GOLDEN.glob("*.spec.json"))
MakeTask = Callable[..., Task]


def told(job: Job, data: Path) -> dict[str, Any]:
    """A job as the golden files hold it."""
    text = job.files["job.json"].replace(str(data), "DATA")
    return {
        "id": job.id,
        "datasets": list(job.datasets),
        "argv": list(job.argv),
        "env": dict(job.env),
        "env_spec": job.env_spec.name,
        "timeout_s": job.timeout_s,
        "keep": list(job.keep),
        "job.json": json.loads(text),
    }


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, tmp_path: Path) -> None:
    for name in ("longbench_write", "longbench_write_en", "longwrite_ruler"):
        (tmp_path / f"{name}.jsonl").touch()
    (tmp_path / "mine.txt").touch()
    spec = TaskSpec.model_validate_json((GOLDEN / f"{case}.spec.json").read_text().replace("DATA", str(tmp_path)))
    judge = Endpoint("http://127.0.0.1:1/s/judge/v1", "the-judge", api_key="TOKEN")
    endpoint = Endpoint("http://127.0.0.1:1/s/job/v1", "tiny", api_key="TOKEN", judge=judge if spec.judge else None)
    backend = LongBenchWriteBackend()
    task = Task(spec, spec.all_models[0], spec.datasets, 8)
    assert backend.check(task) == []
    jobs = [told(job, tmp_path) for job in backend.translate(task, endpoint)]
    assert jobs == json.loads((GOLDEN / f"{case}.jobs.json").read_text())
    assert backend.translate(task, endpoint) == backend.translate(task, endpoint)


def test_there_are_cases() -> None:
    assert {"everything", "length_only", "smallest"} <= set(CASES)


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        (
            {"dataset": {"path": None}},
            "datasets[0].path",
            "is read from a file, and no hub has it (set 'path'; the files",
        ),
        ({"dataset": {"path": "/no/such"}}, "datasets[0].path", "there is no file /no/such"),
        ({"options": {"longbench_write": {"stages": ["infer"]}}}, "options.longbench_write.stages", "scores nothing"),
        (
            {"judge": False, "options": {"longbench_write": {"stages": ["quality"]}}},
            "options.longbench_write.stages",
            "'quality' needs a judge, and the spec names none (set 'judge')",
        ),
        (
            {"options": {"longbench_write": {"judge_prompt": "/no/such.txt"}}},
            "options.longbench_write.judge_prompt",
            "there is no file /no/such.txt",
        ),
        (
            {"options": {"longbench_write": {"stages": ["lenght"]}}},
            "options.longbench_write.stages.0",
            "allowed: 'infer', 'length' or 'quality' (did you mean 'length'?)",
        ),
        ({"options": {"longbench_write": {"judge": {"attempts": 0}}}}, "options.longbench_write.judge.attempts", "1"),
        ({"options": {"longbench_write": {"juge": {}}}}, "options.longbench_write.juge", "no such option"),
        (
            {"judge": False, "options": {"longbench_write": {"judge": {"attempts": 2}}}},
            "options.longbench_write.judge",
            "is about the stage 'quality', which is not done (set 'judge')",
        ),
        (
            {"options": {"longbench_write": {"judge": {"attempts": 2}, "stages": ["length"]}}},
            "options.longbench_write.judge",
            "is about the stage 'quality', which is not done (add it to 'stages')",
        ),
    ],
)
def test_problems(make_task: MakeTask, fields: dict[str, Any], field: str, said: str) -> None:
    task = make_task(**fields)
    backend = LongBenchWriteBackend()
    (problem,) = backend.check(task)
    assert problem.field == field
    assert said in str(problem)
    with pytest.raises(Unsupported) as refused:
        backend.translate(task, Endpoint("http://127.0.0.1:1/v1", "tiny"))
    assert refused.value.problems == (problem,)


def test_all_problems_at_once(make_task: MakeTask) -> None:
    task = make_task(dataset={"path": "/no/such"}, options={"longbench_write": {"judge_prompt": "/no/such.txt"}})
    assert len(LongBenchWriteBackend().check(task)) == 2


def test_a_dry_run_knows_no_addresses(make_task: MakeTask) -> None:
    (job,) = LongBenchWriteBackend().translate(make_task(), Endpoint("http://127.0.0.1:0/v1", "tiny", api_key="TOKEN"))
    (real,) = LongBenchWriteBackend().translate(
        make_task(), Endpoint("http://127.0.0.1:5/v1", "tiny", judge=Endpoint("http://127.0.0.1:5/j/v1", "j"))
    )
    assert job.files == real.files
    assert "TOKEN" not in job.files["job.json"]


def test_datasets_and_support() -> None:
    backend = LongBenchWriteBackend()
    assert list(backend.datasets()) == ["longbench_write", "longbench_write_en", "longwrite_ruler"]
    assert backend.resolve("longbench_write") is not None
    assert backend.resolve("longbench") is None
    assert set(backend.support) == set(Feature)
    assert all(gap.note for gap in backend.support.values() if gap.level is not Level.FULL)
