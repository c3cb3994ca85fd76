"""Benchmarks that a judge rates, before anything starts: what goes together, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import opencompass_subjective as subjective
import pytest
from opencompass_runs import MARKER, make_task

from bridge.backend import Endpoint, Job
from bridge.registry import backend

OC = backend("opencompass")
ALIGNBENCH = "opencompass:alignbench_judgeby_critiquellm_new"
ALPACA = "opencompass:alpacav2_judgeby_gpt4_new"
SIMPLEQA = "opencompass:simpleqa_gen_0283c3"
JUDGE = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    subjective.write_all(tmp_path, 1)
    return tmp_path


def jobs_of(datasets: list[Any], data: Path, **more: Any) -> list[Job]:
    judge = Endpoint("http://127.0.0.1:2/v1", "judge")
    endpoint = replace(Endpoint("http://127.0.0.1:1/v1", "tiny", failed_marker=MARKER), judge=judge)
    return OC.translate(make_task(datasets, data=str(data), judge=JUDGE, **more), endpoint)


@pytest.mark.parametrize("name", [*subjective.RATED, *subjective.COMPARED, *subjective.RAW_PROMPTS])
def test_all_are_found_and_ask_the_judge(name: str, data: Path) -> None:
    (problem,) = OC.check(make_task([subjective.asked(name)], data=str(data)))
    assert "scored by a judge model, and the spec has none" in str(problem)
    assert OC.check(make_task([subjective.asked(name)], data=str(data), judge=JUDGE)) == []


def test_they_have_jobs_of_their_own(data: Path) -> None:
    (data / "data" / "gsm8k").mkdir()
    other = {"name": ALIGNBENCH, "alias": "warm", "generation": {"temperature": 1.0}}
    jobs = jobs_of(["gsm8k", {"name": ALIGNBENCH, "alias": "cold"}, {"name": SIMPLEQA, "alias": "facts"}, other], data)
    assert [job.datasets for job in jobs] == [("gsm8k",), ("cold", "facts"), ("warm",)]
    assert ["SubjectiveEvalTask" in job.files["config.py"] for job in jobs] == [False, True, True]


def test_a_limit_makes_the_first_part_of_them(data: Path) -> None:
    (job,) = jobs_of([{"name": ALIGNBENCH, "alias": "one", "limit": 3}], data)
    assert (
        "dataset['abbr'] += '_0'" in job.files["dataset_0.py"]
        and '"alignment_bench_0": null' in job.files["manifest.json"]
    )
    (whole,) = jobs_of([{"name": ALIGNBENCH, "alias": "one"}], data)
    assert "_0'" not in whole.files["dataset_0.py"] and '"alignment_bench": null' in whole.files["manifest.json"]


def test_repeats_are_refused(data: Path) -> None:
    asked = [{"name": ALIGNBENCH, "alias": "one", "repeats": 2}]
    (problem,) = OC.check(make_task(asked, data=str(data), judge=JUDGE))
    assert "judges one answer each" in str(problem) and problem.field == "datasets[0].repeats"


def test_the_other_models_answers_are_looked_for(data: Path) -> None:
    (data / "data/subjective/alpaca_eval/gpt4-turbo/alpaca_eval.json").unlink()
    (problem,) = OC.check(make_task([{"name": ALPACA, "alias": "alpaca"}], data=str(data), judge=JUDGE))
    assert "gpt4-turbo/alpaca_eval.json missing" in str(problem)
