"""ToolEval against a judge: votes, retries, failures, and going on after a kill."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fault_server import Fault, FaultServer
from job_runner import outcome_of, prepare, run_job, started
from toolbench_files import converted_answer, raw_answer

from bridge.adapters.asking.model import Model
from bridge.adapters.toolbench import eval_stages
from bridge.adapters.toolbench.backend import ToolBenchBackend
from bridge.adapters.toolbench.settings import AnyJob, EvalJob
from bridge.backend import BenchmarkResult, Job, Outcome, Task
from bridge.report.schema import ResultRow, SampleRecord, Status

MakeTask = Callable[..., Task]
JobOf = Callable[..., Job]
RunHere = Callable[[Job, Path], Awaitable[Outcome]]
SHARED = Path(__file__).parents[4] / "shared" / "data" / "toolbench" / "data_example" / "answer"


def status(said: str) -> str:
    return json.dumps({"reason": "r", "status": said})


def better(said: str) -> str:
    return json.dumps({"reason": "r", "better": said})


@pytest.fixture
def judge(server: FaultServer) -> FaultServer:
    """Finds every answer solved that has "yes" in it, and A always better."""
    server.answer = lambda prompt: (
        better("A") if "Assistant A" in prompt else status("solved" if "yes" in prompt else "unsolved")
    )
    return server


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Two test sets: solved, unsolved, given up and not finished."""
    folder = tmp_path / "answers"
    first = {"1": ("Is it cold?", "yes"), "2": ("Is it warm?", "perhaps"), "3": ("Is it dry?", "")}
    for query_id, (query, final) in first.items():
        write(folder / "G1_instruction" / f"{query_id}_CoT@1.json", raw_answer(query, final))
    write(folder / "G2_category" / "4_CoT@1.json", raw_answer("Is it far?", None))
    write(folder / "G2_category" / "5_CoT@1.json", raw_answer("Is it near?", "yes"))
    return folder


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """Converted answers to the same queries, but for the last."""
    folder = tmp_path / "reference"
    first = {"1": ("Is it cold?", "oh yes"), "2": ("Is it warm?", "yes"), "3": ("Is it dry?", "no")}
    converted = {query_id: converted_answer(query, final) for query_id, (query, final) in first.items()}
    write(folder / "G1_instruction.json", converted)
    write(folder / "G2_category.json", {"4": converted_answer("Is it far?", "")})
    return folder


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> RunHere:
    async def run(job: Job, folder: Path) -> Outcome:
        prepare(job, folder)
        monkeypatch.chdir(folder)
        described = AnyJob.model_validate_json(job.files["job.json"]).job
        assert isinstance(described, EvalJob)
        cases = eval_stages.prepared(described)
        async with Model(job.env["BRIDGE_JUDGE_URL"], job.env["BRIDGE_JUDGE_KEY"]) as model:
            await eval_stages.run(described, cases, model)
        return outcome_of(job, folder, 0)

    return run


@pytest.fixture
def pass_task(make_task: MakeTask, answers: Path) -> Task:
    return make_task("toolbench_pass_rate", judge=True, dataset={"path": str(answers)})


@pytest.fixture
def win_task(make_task: MakeTask, answers: Path, reference: Path) -> Task:
    options = {"reference": str(reference), "judge": {"votes": 2}}
    return make_task("toolbench_win_rate", judge=True, dataset={"path": str(answers)}, options=options)


def collected(outcome: Outcome, task: Task) -> BenchmarkResult:
    (result,) = ToolBenchBackend().collect(outcome, task)
    return result


def row(result: BenchmarkResult, metric: str, subset: str | None = None) -> ResultRow:
    (found,) = [row for row in result.rows if (row.metric, row.subset) == (metric, subset)]
    return found


def records(result: BenchmarkResult) -> list[SampleRecord]:
    return list(result.samples)


async def test_pass_rate(judge: FaultServer, pass_task: Task, job_of: JobOf, run_here: RunHere, tmp_path: Path) -> None:
    outcome = await run_here(job_of(pass_task, judge_url=judge.base_url), tmp_path / "job")
    result = collected(outcome, pass_task)
    assert (row(result, "pass_rate").value, row(result, "pass_rate").n) == (2 / 5, 5)
    assert row(result, "pass_rate").primary
    assert row(result, "pass_rate", "G1_instruction").value == pytest.approx(1 / 3)
    assert row(result, "pass_rate", "G2_category").value == 1 / 2
    assert row(result, "solved_votes").value == 2 / 5
    assert row(result, "pass_rate").settings["judge"]["votes"] == 4
    assert len(judge.journal) == 3 * 4, "what is unsolved at sight is not asked about"
    assert Counter(asked.body.get("seed") for asked in judge.journal) == {None: 3, 1: 3, 2: 3, 3: 3}
    assert {asked.body["model"] for asked in judge.journal} == {"judge-model"}
    first = records(result)[0]
    assert (first.input, first.response, first.sample_id) == ("Is it cold?", "yes", "1")
    assert [vote["status"] for vote in first.metadata["votes"]] == ["solved"] * 4
    assert all(record.error is None for record in records(result))


async def test_the_majority_decides(
    judge: FaultServer, make_task: MakeTask, answers: Path, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    said = iter(["solved", "unsolved", "solved", "unsolved", "unsolved", "solved"])
    judge.answer = lambda prompt: status(next(said))
    task = make_task(
        "toolbench_pass_rate",
        judge=True,
        concurrency=1,
        dataset={"path": str(answers), "subsets": ["G1_instruction"]},
        options={"judge": {"votes": 3}},
    )
    result = collected(await run_here(job_of(task, judge_url=judge.base_url), tmp_path / "job"), task)
    assert [record.scores["pass_rate"] for record in records(result)] == [1, 0, 0]
    assert [record.scores["solved_votes"] for record in records(result)] == pytest.approx([2 / 3, 1 / 3, 0])


async def test_a_judge_that_cannot_tell_is_shown_the_calls(
    judge: FaultServer, pass_task: Task, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    judge.answer = lambda prompt: status("solved" if "weather_for_skies" in prompt else "unsure")
    result = collected(await run_here(job_of(pass_task, judge_url=judge.base_url), tmp_path / "job"), pass_task)
    assert len(judge.journal) == 3 * 4 * 2
    assert row(result, "pass_rate").value == 3 / 5
    assert len(records(result)[0].metadata["votes"][0]["responses"]) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Fault(status=503, message="busy"), "HTTP 503: busy"), (Fault(), "could not be read in 3 attempts")],
)
async def test_a_judge_that_fails_is_no_zero(
    judge: FaultServer, pass_task: Task, job_of: JobOf, run_here: RunHere, tmp_path: Path, fault: Fault, said: str
) -> None:
    good = judge.answer
    judge.answer = lambda prompt: good(prompt) if "Is it cold?" in prompt else "Hm!"
    judge.rule = lambda body: Fault() if "Is it cold?" in str(body) else fault
    job = job_of(pass_task, judge_url=judge.base_url)
    result = collected(await run_here(job, tmp_path / "job"), pass_task)
    found = row(result, "pass_rate")
    assert (found.n, found.n_errors, found.status) == (3, 2, Status.PARTIAL)
    assert found.value == pytest.approx(1 / 3)
    assert said in (found.reason or "")
    lost = [record for record in records(result) if record.error]
    assert [record.sample_id for record in lost] == ["2", "5"]
    assert all(record.scores == {} for record in lost)

    judge.rule, judge.answer = None, good
    asked = len(judge.journal)
    healed = collected(await run_here(job, tmp_path / "job"), pass_task)
    assert (row(healed, "pass_rate").n, row(healed, "pass_rate").n_errors) == (5, 0)
    assert len(judge.journal) - asked == 2 * 4, "votes that were given are not asked for again"


async def test_killed_in_the_middle_and_run_again(
    judge: FaultServer, pass_task: Task, job_of: JobOf, tmp_path: Path
) -> None:
    import asyncio

    judge.default = Fault(latency_s=0.1)
    job, folder = job_of(pass_task, judge_url=judge.base_url), tmp_path / "job"
    async with started(job, folder), asyncio.timeout(30):
        while len(judge.journal) < 6:
            await asyncio.sleep(0.005)
    result = collected(await run_job(job, folder), pass_task)
    assert 12 <= len(judge.journal) <= 16, "only what was in flight is asked again"
    assert (row(result, "pass_rate").value, row(result, "pass_rate").n) == (2 / 5, 5)


async def test_a_query_without_an_answer_file_is_an_error(
    judge: FaultServer, pass_task: Task, answers: Path, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    write(answers / "test_query_ids" / "G1_instruction.json", {"1": 0, "2": 0, "9": 0})
    result = collected(await run_here(job_of(pass_task, judge_url=judge.base_url), tmp_path / "job"), pass_task)
    found = row(result, "pass_rate", "G1_instruction")
    assert (found.value, found.n, found.n_errors) == (0.5, 2, 1)
    assert "there is no answer to this query among the model's files" in (found.reason or "")


async def test_win_rate(judge: FaultServer, win_task: Task, job_of: JobOf, run_here: RunHere, tmp_path: Path) -> None:
    result = collected(await run_here(job_of(win_task, judge_url=judge.base_url), tmp_path / "job"), win_task)
    by_id = {record.sample_id: record for record in records(result)}
    # 1: both solved, so they are compared; A is always better, and each is A once. 2: the reference alone solved it.
    # 3: neither did, so they are compared. 4: likewise. 5: the reference has no answer.
    assert by_id["1"].scores == {
        "pass_rate": 1,
        "solved_votes": 1,
        "reference_pass_rate": 1,
        "win_rate": 0,
        "tie_rate": 1,
        "loss_rate": 0,
    }
    assert by_id["2"].scores["loss_rate"] == 1
    assert by_id["3"].scores["tie_rate"] == by_id["4"].scores["tie_rate"] == 1
    assert "reference's files" in (by_id["5"].error or "")
    assert (by_id["1"].response, by_id["1"].target) == ("yes", "oh yes")
    found = row(result, "win_rate")
    assert (found.value, found.n, found.n_errors, found.primary) == (0, 4, 1, True)
    assert (row(result, "tie_rate").value, row(result, "loss_rate").value) == (3 / 4, 1 / 4)
    assert (row(result, "reference_pass_rate").value, row(result, "reference_pass_rate").n) == (2 / 4, 4)
    assert row(result, "pass_rate").n == 5
    assert found.settings["reference"] == "reference"
    comparisons = [asked for asked in judge.journal if "Assistant A" in asked.prompt]
    assert len(comparisons) == 3 * 2


async def test_the_better_answer_wins_whichever_is_shown_first(
    judge: FaultServer, win_task: Task, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    def prefer(prompt: str) -> str:
        if "Assistant A" not in prompt:
            return status("solved")
        a, b = prompt.split("Assistant B:")
        return better("A" if '"final_answer": "oh yes"' in a else "B" if '"final_answer": "oh yes"' in b else "tie")

    judge.answer = prefer
    result = collected(await run_here(job_of(win_task, judge_url=judge.base_url), tmp_path / "job"), win_task)
    assert {record.sample_id: record.scores.get("loss_rate") for record in records(result)}["1"] == 1


async def test_answers_compared_with_themselves_tie_without_being_asked_about(
    judge: FaultServer, make_task: MakeTask, answers: Path, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    options = {"reference": str(answers)}
    task = make_task("toolbench_win_rate", judge=True, dataset={"path": str(answers)}, options=options)
    result = collected(await run_here(job_of(task, judge_url=judge.base_url), tmp_path / "job"), task)
    assert (row(result, "tie_rate").value, row(result, "tie_rate").n) == (1, 5)
    assert not any("Assistant A" in asked.prompt for asked in judge.journal)


async def test_a_reference_that_lacks_a_test_set_is_told(
    win_task: Task, reference: Path, job_of: JobOf, tmp_path: Path
) -> None:
    (reference / "G2_category.json").unlink()
    outcome = await run_job(job_of(win_task, judge_url="http://127.0.0.1:9/v1"), tmp_path / "job")
    result = collected(outcome, win_task)
    (only,) = result.rows
    assert (only.metric, only.value) == ("win_rate", None)
    assert "has no answers of G2_category" in (only.reason or "")


@pytest.mark.skipif(not SHARED.is_dir(), reason="ToolBench's example data is not here")
async def test_the_real_answers(
    judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    judge.answer = lambda prompt: status("unsolved" if "I'm sorry" in prompt else "solved")
    task = make_task("toolbench_pass_rate", judge=True, dataset={"path": str(SHARED)}, options={"judge": {"votes": 1}})
    result = collected(await run_here(job_of(task, judge_url=judge.base_url), tmp_path / "job"), task)
    assert (row(result, "pass_rate").n, row(result, "pass_rate").n_errors) == (12, 0)
    assert len(judge.journal) == 7
    assert 0 < (row(result, "pass_rate").value or 0) < 7 / 12
