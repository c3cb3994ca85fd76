"""Real OpenCompass in the sandbox: the same answers as outside, and the benchmarks that run what the model wrote."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import FaultServer
from server_thread import serving

import bridge.confine
from bridge.errors import SpecError
from bridge.report.schema import Report, ResultRow, Status
from bridge.runs import prepare, run
from bridge.sandbox.trial import why_not
from bridge.spec import TaskSpec

DATA = Path(os.environ.get("BRIDGE_DATA") or Path(__file__).parents[4] / "shared" / "data")


@pytest.fixture
def sandbox() -> None:
    if why := why_not():
        pytest.skip(why)


def real_rows(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"needs real rows of {name} beside the repository, or in BRIDGE_DATA")
    return DATA / name


def spec(base_url: str, *datasets: dict[str, Any], **more: Any) -> TaskSpec:
    model = {"name": "m", "endpoint": {"base_url": base_url}}
    return TaskSpec.model_validate({"model": model, "backend": "opencompass", "datasets": datasets, **more})


def primaries(report: Report) -> dict[str, ResultRow]:
    return {row.dataset: row for row in report.results if row.primary}


def humaneval_answers() -> dict[str, str]:
    with gzip.open(real_rows("humaneval") / "HumanEval.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return {row["prompt"].strip(): f"```python\n{row['prompt']}{row['canonical_solution']}\n```" for row in rows}


def mbpp_answers() -> dict[str, str]:
    rows = [json.loads(line) for line in (real_rows("mbpp") / "mbpp.jsonl").read_text().splitlines()]
    return {row["test_list"][0]: f"[BEGIN]\n '{row['code']}' \n[DONE]" for row in rows}


def answering(*every: dict[str, str]) -> Callable[[str], str]:
    known = {question: answer for answers in every for question, answer in answers.items()}
    return lambda prompt: next(known[question] for question in known if question in prompt)


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(bridge.confine, "why_not", lambda: "bubblewrap (bwrap) is not installed; install it")
    yield


def test_code_is_refused_without_a_sandbox(no_sandbox: None) -> None:
    paths = {name: str(real_rows(name)) for name in ("humaneval", "mbpp", "gsm8k")}
    given = spec("http://127.0.0.1:9/v1", *({"name": name, "path": path} for name, path in paths.items()))
    with pytest.raises(SpecError) as refused:
        prepare(given)
    assert [problem.field for problem in refused.value.problems] == ["datasets[0]", "datasets[1]"]
    assert all("only in a sandbox" in problem.message for problem in refused.value.problems)
    plan = prepare(given, unsafe=True)
    jobs = {job.datasets: job.runs for planned in plan.tasks for job in planned.jobs()}
    assert jobs == {("humaneval", "mbpp"): "model output", ("gsm8k",): "nothing"}


@pytest.mark.env
def test_the_same_inside_as_outside(sandbox: None, tmp_path: Path) -> None:
    toys.write_gsm8k(tmp_path / "gsm8k", 12)
    reports = {}
    with serving(FaultServer(model="m")) as server:
        for name, inside in (("outside", None), ("inside", True)):
            given = spec(server.server.base_url, {"name": "gsm8k", "path": str(tmp_path / "gsm8k")}, sandbox=inside)
            reports[name] = run(given, output=tmp_path / name)
    rows = {name: primaries(report)["gsm8k"] for name, report in reports.items()}
    assert [report.status for report in reports.values()] == [Status.COMPLETE] * 2
    assert (rows["inside"].value, rows["inside"].n) == (rows["outside"].value, rows["outside"].n)
    samples = [(tmp_path / name / "samples/opencompass/gsm8k.jsonl").read_text() for name in reports]
    read = [[json.loads(line) for line in text.splitlines()] for text in samples]
    told = ("sample_id", "input", "prompt_sha256", "target", "response", "extracted", "scores")
    assert [[one[key] for key in told] for one in read[0]] == [[one[key] for key in told] for one in read[1]]
    assert rows["inside"].settings["sandbox"] == "bubblewrap"
    left = sorted(path.name for path in (tmp_path / "inside/jobs/opencompass").iterdir())
    assert left == sorted(path.name for path in (tmp_path / "outside/jobs/opencompass").iterdir())


@pytest.mark.env
def test_the_canonical_solutions_score_all(sandbox: None, tmp_path: Path) -> None:
    """By OpenCompass's own evaluators: all of HumanEval, and a part of MBPP.

    It makes MBPP's asserts compare types as well, which 16 of the 500 reference solutions do not pass, by hand too.
    """
    with serving(FaultServer(model="m", answer=answering(humaneval_answers(), mbpp_answers()))) as server:
        given = spec(
            server.server.base_url,
            {"name": "humaneval", "path": str(real_rows("humaneval"))},
            {"name": "mbpp", "path": str(real_rows("mbpp")), "limit": 40},
        )
        report = run(given, output=tmp_path / "run")
    rows = primaries(report)
    assert (report.status, report.errors) == (Status.COMPLETE, ())
    assert (rows["humaneval"].value, rows["humaneval"].n) == (1.0, 164)
    assert (rows["mbpp"].value, rows["mbpp"].n) == (pytest.approx(37 / 40), 40)
    lines = (tmp_path / "run" / str(rows["mbpp"].samples)).read_text().splitlines()
    wrong = [11 + int(one["sample_id"]) for one in map(json.loads, lines) if not max(one["scores"].values())]
    assert wrong == [14, 38, 40]
    assert {row.settings["sandbox"] for row in rows.values()} == {"bubblewrap"}


@pytest.mark.env
def test_a_part_of_humaneval_and_wrong_and_evil_code(sandbox: None, tmp_path: Path) -> None:
    answers = list(humaneval_answers().items())
    evil = tmp_path / "evil"
    known = dict(answers)
    known[answers[1][0]] = "    return None"
    known[answers[2][0]] = f"    import os\n    os.system('touch {evil}; rm -rf {tmp_path}/*')\n    return 1"
    (tmp_path / "kept").write_text("kept")
    with serving(FaultServer(model="m", answer=answering(known))) as server:
        given = spec(server.server.base_url, {"name": "humaneval", "path": str(real_rows("humaneval")), "limit": 3})
        report = run(given, output=tmp_path / "run")
    row = primaries(report)["humaneval"]
    assert (row.value, row.n, report.status) == (pytest.approx(1 / 3), 3, Status.COMPLETE)
    samples = [json.loads(line) for line in (tmp_path / "run" / row.samples).read_text().splitlines()]
    assert [next(iter(one["scores"].values())) for one in samples] == [1.0, 0.0, 0.0]
    assert (tmp_path / "kept").exists() and not evil.exists()


def evil_theorem(mark: Path) -> str:
    return f"The answer is __import__('os').system('touch {mark}')"


@pytest.mark.env
def test_an_answer_that_is_evaluated_reaches_nothing(sandbox: None, tmp_path: Path) -> None:
    """TheoremQA hands an answer that is to be a number to ``eval``."""
    rows = [{"Question": f"Give the pair {n}.", "Answer": str(n), "Answer_type": "integer"} for n in range(3)]
    path = tmp_path / "data" / "data" / "TheoremQA" / "theoremqa_test.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(rows), encoding="utf-8")
    written = {}
    with serving(FaultServer(model="m", answer=lambda prompt: evil_theorem(tmp_path / "evil"))) as server:
        given = spec(server.server.base_url, {"name": "TheoremQA"}, data=str(tmp_path / "data"))
        for name, unsafe, confined in (("inside", False, None), ("outside", True, False)):
            chosen = given.model_copy(update={"sandbox": confined})
            report = run(chosen, output=tmp_path / name, unsafe=unsafe)
            assert report.status is Status.COMPLETE
            written[name] = (tmp_path / "evil").exists()
    assert written == {"inside": False, "outside": True}
