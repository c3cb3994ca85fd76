"""What of a spec arrives at the model, and in the framework's own output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import Asked, FaultServer
from opencompass_runs import Ran, make_task, run_task
from server_thread import serving

from bridge.report.schema import Status

pytestmark = pytest.mark.env


class Seen:
    def __init__(self, ran: Ran, journal: list[Asked]) -> None:
        self.ran, self.journal = ran, journal

    def asked(self, part: str) -> list[dict[str, Any]]:
        """Bodies of the requests whose last message holds ``part``."""
        return [asked.body for asked in self.journal if part in asked.prompt]


@pytest.fixture(scope="module")
def seen(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    root = tmp_path_factory.mktemp("requests")
    toys.write_all(root / "data", 9)
    generation = {
        "temperature": 0.7,
        "max_tokens": 33,
        "top_p": 0.9,
        "top_k": 5,
        "seed": 11,
        "stop": ["Q:", "END"],
        "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
    }
    datasets = [
        {"name": "mmlu", "subsets": ["virology"], "num_fewshot": 2, "limit": 4},
        {"name": "ceval", "subsets": ["law"], "num_fewshot": 0, "limit": 3},
        {"name": "gsm8k", "generation": generation, "repeats": 3, "limit": 2},
        {"name": "hellaswag", "repeats": 2},
        {"name": "arc", "subsets": ["ARC-Easy"], "split": "test", "limit": 2},
        {"name": "opencompass:bbh_gen_ee62e9", "alias": "bbh-newer", "subsets": ["snarks"], "limit": 5},
    ]
    more = {"data": str(root / "data"), "generation": {"temperature": 0.0, "seed": 1}, "concurrency": 4}
    with serving(FaultServer(answer=toys.answer, model="tiny")) as thread:
        ran = run_task(make_task(datasets, **more), thread.server.base_url, python, root / "run")
        assert thread.server.peak <= 4
        return Seen(ran, list(thread.server.journal))


def turns(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


def test_fixed_examples_can_be_fewer_or_none(seen: Seen) -> None:
    bodies = seen.asked("virology test question")
    assert len(bodies) == 4
    assert {tuple(turns(body)) for body in bodies} == {("user", "assistant") * 2 + ("user",)}
    bodies = seen.asked("law val")
    assert len(bodies) == 3
    assert {tuple(turns(body)) for body in bodies} == {("user",)}


def test_examples_that_are_written_into_the_prompt_stay(seen: Seen) -> None:
    assert {len(turns(body)) for body in seen.asked("has she now")} == {9}


def test_sampling_settings_arrive(seen: Seen) -> None:
    for body in seen.asked("has she now"):
        assert body["temperature"] == 0.7 and body["top_p"] == 0.9 and body["top_k"] == 5
        assert body["seed"] == 11 and body["stop"] == ["Q:", "END"] and body["max_tokens"] == 33
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        assert body["model"] == "tiny"
    for body in seen.asked("virology test question"):
        assert body["temperature"] == 0.0 and body["seed"] == 1 and body["max_tokens"] == 2048
        assert not {"top_p", "top_k", "stop", "chat_template_kwargs"} & body.keys()


def test_repeats_are_asked_of_the_first_rows_and_averaged(seen: Seen) -> None:
    assert len(seen.asked("has she now")) == 6
    records = list(seen.ran.results["gsm8k"].samples)
    assert [(record.sample_id, record.repeat) for record in records] == [(s, r) for s in "01" for r in range(3)]
    assert len({record.prompt_sha256 for record in records}) == 2
    (row,) = [row for row in seen.ran.results["gsm8k"].rows if row.primary]
    assert (row.n, row.status) == (6, Status.COMPLETE)
    assert row.value == pytest.approx(sum(record.scores["accuracy"] for record in records) / 6)


def test_repeats_give_pass_at_k_as_opencompass_computes_it(seen: Seen) -> None:
    rows = {row.metric: row for row in seen.ran.results["gsm8k"].rows}
    records = list(seen.ran.results["gsm8k"].samples)
    right = [[record.scores["accuracy"] for record in records if record.sample_id == sample] for sample in "01"]
    assert rows["G-Pass@3_0.0"].value == pytest.approx(sum(any(one) for one in right) / 2)
    assert rows["G-Pass@3_1.0"].value == pytest.approx(sum(all(one) for one in right) / 2)
    assert not [name for name in rows if "/" in name]


def test_repeats_of_an_evaluator_that_reports_the_last_one_alone_are_averaged_too(seen: Seen) -> None:
    records = list(seen.ran.results["hellaswag"].samples)
    assert len(records) == 18
    (row,) = [row for row in seen.ran.results["hellaswag"].rows if row.primary]
    assert (row.n, row.status) == (18, Status.COMPLETE)
    assert row.value == pytest.approx(sum(record.scores["accuracy"] for record in records) / 18)


def test_another_split_is_laid_out_where_opencompass_looks(seen: Seen) -> None:
    assert len(seen.asked("EasyTest")) == 2
    (row,) = [row for row in seen.ran.results["arc"].rows if row.primary]
    assert (row.split, row.subset, row.n) == ("test", None, 2)


def test_a_configuration_of_ones_own_choice_runs(seen: Seen) -> None:
    (row,) = [row for row in seen.ran.results["bbh-newer"].rows if row.primary]
    assert (row.status, row.n, row.dataset) == (Status.COMPLETE, 5, "bbh-newer")
    assert row.settings["config"] == "bbh.bbh_gen_ee62e9"


def test_progress_is_told_to_the_end(seen: Seen) -> None:
    told = json.loads((seen.ran.job_folder() / "progress.json").read_text(encoding="utf-8"))
    assert told["done"] == told["total"] == 4 + 3 + 6 + 18 + 2 + 5
    assert told["datasets"]["mmlu"] == {"done": 4, "total": 4}
