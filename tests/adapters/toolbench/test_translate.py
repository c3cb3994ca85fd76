"""Task → job: golden files of what is written and run, and every problem told before anything starts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.toolbench import translate
from bridge.adapters.toolbench.backend import ToolBenchBackend
from bridge.backend import Endpoint, Feature, Job, Level, Task
from bridge.errors import Unsupported
from bridge.spec import TaskSpec

GOLDEN = Path(__file__).parents[2] / "golden" / "toolbench"
CASES = sorted(path.name.removesuffix(".spec.json") for path in GOLDEN.glob("*.spec.json"))
MakeTask = Callable[..., Task]


def told(job: Job, data: Path) -> dict[str, Any]:
    """A job as the golden files hold it."""
    return {
        "id": job.id,
        "datasets": list(job.datasets),
        "argv": list(job.argv),
        "env": dict(job.env),
        "pass_env": list(job.pass_env),
        "env_spec": job.env_spec.name,
        "timeout_s": job.timeout_s,
        "keep": list(job.keep),
        "job.json": json.loads(job.files["job.json"].replace(str(data), "DATA")),
    }


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translate, "find_spec", lambda name: object())
    (tmp_path / "static").mkdir()
    (tmp_path / "answers").mkdir()
    spec = TaskSpec.model_validate_json((GOLDEN / f"{case}.spec.json").read_text().replace("DATA", str(tmp_path)))
    judge = Endpoint("http://127.0.0.1:1/s/judge/v1", "the-judge", api_key="TOKEN")
    endpoint = Endpoint("http://127.0.0.1:1/s/job/v1", "tiny", api_key="TOKEN", judge=judge if spec.judge else None)
    backend = ToolBenchBackend()
    task = Task(spec, spec.all_models[0], spec.datasets, 8)
    assert backend.check(task) == []
    jobs = [told(job, tmp_path) for job in backend.translate(task, endpoint)]
    assert jobs == json.loads((GOLDEN / f"{case}.jobs.json").read_text())


def test_there_are_cases() -> None:
    assert {"smallest", "native_calls", "from_the_hub", "judged"} <= set(CASES)


EVAL = {"name": "toolbench_pass_rate", "judge": True}
NOT_THERE = "which is not among the datasets"


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"dataset": {"path": "/no/such"}}, "datasets[0].path", "there is no file or folder /no/such"),
        ({"dataset": {"path": None}}, "datasets[0].path", "needs modelscope (set 'path', or pip install"),
        ({"options": {"style": "tool"}}, "options.toolbench.style", "did you mean 'tools'?"),
        ({"options": {"compat": "evalscop"}}, "options.toolbench.compat", "did you mean 'evalscope'?"),
        (
            {"options": {"compat": "evalscope", "style": "tools"}},
            "options.toolbench.compat",
            "EvalScope's scores are of the style 'react'",
        ),
        ({"options": {"judge": {"vote": 3}}}, "options.toolbench.judge.vote", "did you mean 'judge.votes'?"),
        ({"options": {"judge": {"votes": 3}}}, "options.toolbench.judge", NOT_THERE),
        ({"options": {"reference": "/x"}}, "options.toolbench.reference", NOT_THERE),
        ({**EVAL, "options": {"style": "tools"}}, "options.toolbench.style", NOT_THERE),
        ({"judge": True}, "judge", "toolbench_static asks no judge, and there is no other dataset (leave it out)"),
        ({"name": "toolbench_pass_rate"}, "judge", "toolbench_pass_rate needs a judge, and the spec names none"),
        ({**EVAL, "dataset": {"path": None}}, "datasets[0].path", "judges answer files, and is given none"),
        ({**EVAL, "dataset": {"repeats": 2}}, "datasets[0].repeats", "asks the model nothing that could be repeated"),
        ({**EVAL, "dataset": {"generation": {"seed": 1}}}, "datasets[0].generation", "asks the model nothing"),
        (
            {"name": "toolbench_win_rate", "judge": True},
            "options.toolbench.reference",
            "toolbench_win_rate needs answers to compare with (set it to their folder)",
        ),
        (
            {"name": "toolbench_win_rate", "judge": True, "options": {"reference": "/no/such"}},
            "options.toolbench.reference",
            "there is no folder /no/such",
        ),
    ],
)
def test_problems(
    make_task: MakeTask, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], field: str, said: str
) -> None:
    monkeypatch.setattr(translate, "find_spec", lambda name: None)
    task = make_task(**fields)
    backend = ToolBenchBackend()
    (problem,) = backend.check(task)
    assert problem.field == field
    assert said in str(problem)
    with pytest.raises(Unsupported) as refused:
        backend.translate(task, Endpoint("http://127.0.0.1:1/v1", "tiny"))
    assert refused.value.problems == (problem,)


def test_a_dry_run_knows_no_addresses(make_task: MakeTask) -> None:
    dry = Endpoint("http://127.0.0.1:0/v1", "tiny", api_key="TOKEN")
    (job,) = ToolBenchBackend().translate(make_task("toolbench_pass_rate", judge=True), dry)
    judge = Endpoint("http://127.0.0.1:5/j/v1", "j")
    (real,) = ToolBenchBackend().translate(
        make_task("toolbench_pass_rate", judge=True), Endpoint("http://127.0.0.1:5/v1", "tiny", judge=judge)
    )
    assert job.files == real.files
    assert "TOKEN" not in job.files["job.json"]


def test_datasets_and_support() -> None:
    backend = ToolBenchBackend()
    assert list(backend.datasets()) == ["toolbench_static", "toolbench_pass_rate", "toolbench_win_rate"]
    assert backend.datasets()["toolbench_static"].subsets == ("in_domain", "out_of_domain")
    assert backend.resolve("toolbench") is None
    assert set(backend.support) == set(Feature)
    assert all(gap.note for gap in backend.support.values() if gap.level is not Level.FULL)
