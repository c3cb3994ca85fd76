"""A judge that refuses, talks nonsense or is down, and a model that fails: errors, never a score."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencompass_subjective as subjective
import pytest
from command import bridge
from fault_server import OK, Asked, Fault, FaultServer, prompt_of
from opencompass_runs import MARKER, Ran, make_task, run_task
from server_thread import serving

from bridge.report.schema import ErrorKind, ResultRow, SampleRecord, Status

pytestmark = pytest.mark.env

ROWS = 8
ALIGNBENCH = "subjective.alignbench.alignbench_judgeby_critiquellm_new"
ALIGNBENCH_1_1 = "subjective.alignbench.alignbench_v1_1_judgeby_critiquellm_new"
ARENA_HARD = "subjective.arena_hard.arena_hard_compare_new"
FACTS = "SimpleQA.simpleqa_gen_0283c3"
FOLLOWBENCH = "subjective.followbench.followbench_llmeval_new"
FORMATS = "subjective.fofo.fofo_judge_new"
NONSENSE = "chinese_simpleqa.chinese_simpleqa_gen"
WRITING = "subjective.writingbench.writingbench_judge"
SOME_FAIL = (FACTS, FORMATS, WRITING, ARENA_HARD)
"""Of eight rows the judge refuses one, talks nonsense about one, and the model refuses one."""
WORDS = "I would rather not say."


def model_refuses(body: dict[str, Any]) -> Fault:
    return Fault(status=400, message="too long for the model") if "bridge" in prompt_of(body) else OK


def judge_refuses(body: dict[str, Any]) -> Fault:
    asked = prompt_of(body)
    unlucky = (
        ("lamp" in asked and "FOLLOW" not in asked)
        or "数学计算（0）" in asked
        or re.search("v1_1：请说说逻辑推理", asked)
    )
    return Fault(status=400, message="[[A>B]] is too long for the judge") if unlucky else OK


def judgement(prompt: str) -> str:
    nonsense = (
        "stone" in prompt or "正确答案" in prompt or "逻辑推理（1）" in prompt or "FOLLOW level 2, en 0" in prompt
    )
    return WORDS if nonsense else subjective.judgement(prompt)


@dataclass(frozen=True)
class Seen:
    ran: Ran
    judge: list[Asked]

    def rows(self, name: str) -> list[ResultRow]:
        return list(self.ran.results[name.replace(".", "-")].rows)

    def records(self, name: str) -> list[SampleRecord]:
        return list(self.ran.results[name.replace(".", "-")].samples)

    def errors(self, name: str, kind: ErrorKind = ErrorKind.UNANSWERED) -> list[str]:
        return [one.message for one in self.ran.results[name.replace(".", "-")].errors if one.kind is kind]

    def said(self, name: str) -> list[str]:
        """What the judge said of the samples that have a score."""
        return [record.metadata["judge"] for record in self.records(name) if not record.error]


@pytest.fixture(scope="module")
def seen(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    root = tmp_path_factory.mktemp("faults")
    subjective.write_all(root, ROWS)
    names = (*SOME_FAIL, ALIGNBENCH, ALIGNBENCH_1_1, FOLLOWBENCH, NONSENSE)
    judge_spec = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    datasets = [{**subjective.asked(name), **({"limit": 6} if name == ALIGNBENCH_1_1 else {})} for name in names]
    task = make_task(datasets, data=str(root), judge=judge_spec)
    with (
        serving(FaultServer(answer=subjective.answer, model="tiny", rule=model_refuses)) as model,
        serving(FaultServer(answer=judgement, model="judge", rule=judge_refuses)) as judge,
    ):
        ran = run_task(task, model.server.base_url, python, root / "run", judge_url=judge.server.base_url)
        yield Seen(ran, list(judge.server.journal))


@pytest.mark.parametrize("name", SOME_FAIL)
def test_what_was_not_judged_is_an_error_and_no_score(name: str, seen: Seen) -> None:
    row, records = seen.rows(name)[0], seen.records(name)
    assert (row.status, row.n, row.n_errors) == (Status.PARTIAL, ROWS - 3, 3)
    errors = {record.sample_id: record.error or "" for record in records}
    assert "the judge gave no verdict" in errors["1"] and "too long for the judge" in errors["1"]
    assert "nothing in it is a verdict" in errors["2"] and WORDS in errors["2"]
    assert errors["3"].startswith("the request finally failed") and "too long for the model" in errors["3"]
    assert [record.scores for record in records if record.error] == [{}, {}, {}]
    assert records[2].metadata["judge"].startswith(WORDS) and records[2].response
    assert records[3].response is None and "judge" not in records[3].metadata
    unanswered, unjudged, unread = seen.errors(name)
    assert "samples were not answered" in unanswered and "got no verdict of the judge" in unjudged
    assert "got a judgement without a verdict" in unread and WORDS in unread


def test_the_score_is_over_those_that_were_judged(seen: Seen) -> None:
    letters = [word == "A" for word in seen.said(FACTS)]
    assert seen.rows(FACTS)[0].value == pytest.approx(sum(letters) / 5)
    formats = ["'format_correctness': 1" in said for said in seen.said(FORMATS)]
    assert seen.rows(FORMATS)[0].value == pytest.approx(sum(formats) / 5)
    points = [int(score) for said in seen.said(WRITING) for score in re.findall(r'"score": (\d+)', said)]
    assert (len(points), seen.rows(WRITING)[0].value) == (25, pytest.approx(sum(points) / 25))
    assert seen.rows(ARENA_HARD)[0].value is not None and len(seen.said(ARENA_HARD)) == 5


def test_the_judge_is_not_asked_about_answers_that_are_not_there(seen: Seen) -> None:
    assert not any(MARKER in asked.prompt or "the bridge" in asked.prompt for asked in seen.judge)
    of_facts = [asked for asked in seen.judge if "What stood by" in asked.prompt and "Then?" not in asked.prompt]
    assert len(of_facts) == ROWS - 1


def test_a_kind_of_question_that_is_judged_in_part_counts_with_that_part(seen: Seen) -> None:
    row = seen.rows(ALIGNBENCH)[0]
    assert (row.metric, row.status, row.n, row.n_errors) == ("总分", Status.PARTIAL, 14, 2)
    (part,) = [row for row in seen.rows(ALIGNBENCH) if row.metric == "数学计算"]
    (left,) = [record for record in seen.records(ALIGNBENCH) if "数学计算（1）" in str(record.input)]
    assert (part.n, part.n_errors, part.value) == (1, 1, left.scores["总分"])


def test_a_score_over_all_kinds_is_none_where_a_kind_was_not_judged(seen: Seen) -> None:
    row = seen.rows(ALIGNBENCH_1_1)[0]
    assert (row.metric, row.value, row.status) == ("总分", None, Status.FAILED)
    assert "none of 数学计算, 逻辑推理 has been judged, and 总分 is over all kinds" in (row.reason or "")
    values = {row.metric: row.value for row in seen.rows(ALIGNBENCH_1_1)}
    assert values["逻辑推理"] is None and values["中文推理总分"] is None and values["基本任务"] is not None


def test_a_limit_that_leaves_kinds_of_questions_out_is_told(seen: Seen) -> None:
    assert len(seen.records(ALIGNBENCH_1_1)) == 6
    (warning,) = seen.errors(ALIGNBENCH_1_1, ErrorKind.WARNING)
    assert "OpenCompass's 总分 is a mean over every capability it knows, 8 of them" in warning
    assert "what is not there counts as 0" in warning and "专业能力" not in warning
    assert not seen.errors(ALIGNBENCH, ErrorKind.WARNING)


def test_opencompass_divides_by_those_that_it_could_read(seen: Seen) -> None:
    """FollowBench expects as many judgements of each level, and takes off the unreadable ones itself."""
    english = [record for record in seen.records(FOLLOWBENCH) if record.subset == "en"]
    assert [record.sample_id for record in english if record.error] == ["1"]
    by_level: dict[int, list[float]] = {}
    for record in english:
        by_level.setdefault(record.target["level"], []).extend(record.scores.values())
    means = [sum(scores) / len(scores) for scores in by_level.values()]
    (row,) = [row for row in seen.rows(FOLLOWBENCH) if row.metric == "HSR_AVG" and row.subset == "en"]
    assert row.value == pytest.approx(sum(means) / 5) and (row.n, row.n_errors) == (9, 1)


def test_nothing_but_nonsense_is_no_score(seen: Seen) -> None:
    row = seen.rows(NONSENSE)[0]
    assert (row.metric, row.value, row.status, row.n, row.n_errors) == ("correct", None, Status.FAILED, 0, ROWS)
    assert seen.errors(NONSENSE) == [seen.errors(NONSENSE)[0]] and WORDS in seen.errors(NONSENSE)[0]
    assert seen.errors(NONSENSE, ErrorKind.BACKEND) == seen.errors(NONSENSE, ErrorKind.OUTPUT) == []


def test_a_judge_that_is_down_leaves_a_failed_run_with_all_answers(tmp_path: Path) -> None:
    subjective.write_all(tmp_path, 2)
    down = FaultServer(model="judge", default=Fault(status=500, message="[[A>B]] out of memory"))
    with serving(FaultServer(answer=subjective.answer, model="tiny")) as model, serving(down) as judge:
        spec = {
            "model": {"name": "tiny", "endpoint": {"base_url": model.server.base_url}},
            "backend": "opencompass",
            "data": str(tmp_path),
            "datasets": [subjective.asked(FACTS), subjective.asked(WRITING)],
            "judge": {"name": "judge", "endpoint": {"base_url": judge.server.base_url}},
            "max_retries": 0,
        }
        (tmp_path / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        done = bridge("run", tmp_path / "spec.json", "--output", tmp_path / "run")
    assert done.exit_code == 7, done.stdout + done.stderr
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    quoted = [row for row in report["results"] if row["primary"]]
    assert [(row["metric"], row["value"], row["n_errors"]) for row in quoted] == [
        ("accuracy", None, 2),
        ("overall", None, 2),
    ]
    lines = (tmp_path / "run" / quoted[0]["samples"]).read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["response"] for line in lines)
