"""Benchmarks that a judge rates, through OpenCompass's task for subjective evaluation: here, and by hand."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencompass_subjective as subjective
import pytest
from fault_server import FaultServer
from opencompass_by_hand import by_hand, chosen_by_hand, write_tokenizer
from opencompass_every import dump
from opencompass_runs import Ran, make_task, run_task
from server_thread import serving

from bridge.adapters.opencompass import catalog
from bridge.adapters.opencompass.scales import SCALES
from bridge.report.schema import ResultRow, Status

pytestmark = pytest.mark.env

ALL = (*subjective.RATED, *subjective.COMPARED)
BY_HAND = (
    "SimpleQA.simpleqa_gen_0283c3",
    "subjective.alignbench.alignbench_judgeby_critiquellm_new",
    "subjective.alpaca_eval.alpacav2_judgeby_gpt4_new",
    "subjective.arena_hard.arena_hard_compare_new",
    "subjective.fofo.fofo_bilingual_judge_new",
    "subjective.multiround.mtbench_single_judge_diff_temp_new",
    "subjective.wildbench.wildbench_pair_judge_new",
    "subjective.writingbench.writingbench_judge",
)
"""One of each kind: letters, ratings, wins in random order, battles in both, a dialogue, three models, criteria."""
ROWS = 4
JUDGE = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
OWN = ("samples", "unjudged_kinds")
"""What bridge writes beside OpenCompass's result."""
CHANGES = """
# Inference of dialogues changes the model, for all that come after it in the same process.
all_datasets.sort(key=lambda one: 'Chat' in str(one[1]['infer_cfg']['inferencer']['type']))
"""
PARTITION = """
from opencompass.partitioners.sub_naive import SubjectiveNaivePartitioner
from opencompass.tasks import OpenICLInferTask
from opencompass.tasks.subjective_eval import SubjectiveEvalTask

judge = dict(models[0], abbr='judge', path='judge', openai_api_base={url!r}, max_out_len=16384, max_seq_len=49152)
infer = dict(partitioner=dict(type=NaivePartitioner, n=1000),
             runner=dict(type=LocalRunner, debug=True, task=dict(type=OpenICLInferTask)))
eval = dict(partitioner=dict(type=SubjectiveNaivePartitioner, models=models, judge_models=[judge]),
            runner=dict(type=LocalRunner, debug=True, task=dict(type=SubjectiveEvalTask)))
"""


@dataclass(frozen=True)
class Seen:
    ran: Ran
    hand: Path
    sent: list[str]
    """Every request of bridge's, to the model and to the judge, sorted."""
    sent_by_hand: list[str]

    def primary(self, name: str) -> ResultRow:
        (row,) = [row for row in self.ran.results[name.replace(".", "-")].rows if row.primary]
        return row

    def job(self, name: str) -> Path:
        (at,) = [at for at, job in enumerate(self.ran.jobs) if name.replace(".", "-") in job.datasets]
        return self.ran.job_folder(at)

    def units(self, name: str) -> list[dict[str, Any]]:
        """As the job's ledger has them."""
        ledger = read(self.job(name) / "ledger.json")
        return [unit for unit in ledger["units"] if unit["dataset"] == name.replace(".", "-")]

    def result(self, unit: dict[str, Any], name: str) -> Any:
        return read(self.job(name) / "out" / "results" / unit["results"] / f"{unit['abbr']}.json")

    def result_by_hand(self, unit: dict[str, Any]) -> Any:
        return read(self.hand / "results" / unit["results"].replace("model_", "tiny_") / f"{unit['abbr']}.json")


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def seen(python: Path, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    root = tmp_path_factory.mktemp("subjective")
    subjective.write_all(root, ROWS)
    task = make_task([subjective.asked(name) for name in ALL], data=str(root), judge=JUDGE)
    with (
        serving(FaultServer(answer=subjective.answer, model="tiny")) as model,
        serving(FaultServer(answer=subjective.judgement, model="judge")) as judge,
    ):
        servers = model.server, judge.server
        ran = run_task(task, model.server.base_url, python, root / "run", judge_url=judge.server.base_url)
        sent = _sent(servers)
        config = _config_by_hand(root, model.server.base_url, judge.server.base_url)
        hand = by_hand(reference, config, root / "hand", model.server.base_url, root)
        return Seen(ran, hand, sent, _sent(servers))


def _sent(servers: tuple[FaultServer, FaultServer]) -> list[str]:
    found = sorted(dump([one.body["model"], one.body["messages"]]) for server in servers for one in server.journal)
    for server in servers:
        server.journal.clear()
    return found


def _config_by_hand(root: Path, url: str, judge_url: str) -> str:
    found = [one for one in map(catalog.resolve, BY_HAND) if one is not None]
    return chosen_by_hand(found, CHANGES, url, write_tokenizer(root / "tokenizer"), PARTITION.format(url=judge_url))


def test_the_same_messages_are_sent_to_the_model_and_to_the_judge(seen: Seen) -> None:
    units = [unit for name in BY_HAND for unit in seen.units(name)]
    assert len(seen.sent_by_hand) > 2 * sum(unit["rows"] for unit in units)
    assert Counter(seen.sent_by_hand) - Counter(seen.sent) == Counter()


@pytest.mark.parametrize("name", BY_HAND)
def test_predictions_judgements_and_scores_are_those_by_hand(name: str, seen: Seen) -> None:
    scale = SCALES[seen.units(name)[0]["postprocessor"]]
    values = []
    for unit in seen.units(name):
        mine = read(seen.job(name) / "out" / "predictions" / "model" / f"{unit['abbr']}.json")
        assert mine == read(seen.hand / "predictions" / "tiny" / f"{unit['abbr']}.json")
        by_hand_ = seen.result_by_hand(unit)
        assert renamed({key: value for key, value in seen.result(unit, name).items() if key not in OWN}) == by_hand_
        values.append(by_hand_[scale.quoted])
    assert seen.primary(name).value == pytest.approx(sum(values) / len(values) / scale.divisor, abs=1e-12)


def renamed(result: Any) -> Any:
    """Where two models are compared, their names are in the references."""
    return json.loads(json.dumps(result).replace('"model"', '"tiny"'))


@pytest.mark.parametrize("name", ALL)
def test_every_benchmark_gets_its_quoted_number_on_its_scale(name: str, seen: Seen) -> None:
    row, units = seen.primary(name), seen.units(name)
    scale = SCALES[units[0]["postprocessor"]]
    assert (row.status, row.unit, row.metric, row.n_errors) == (Status.COMPLETE, scale.unit, scale.quoted, 0)
    values = [seen.result(unit, name)[scale.quoted] for unit in units]
    divisor = 1 if scale.quoted == "f1" else scale.divisor
    assert row.value == pytest.approx(sum(values) / len(values) / divisor, abs=1e-12)
    assert row.n == sum(unit["rows"] for unit in units) > 0
    if scale.high is not None:
        assert scale.low is not None and scale.low <= (row.value or 0) <= scale.high


@pytest.mark.parametrize("name", ALL)
def test_every_record_has_what_the_judge_said(name: str, seen: Seen) -> None:
    row, records = seen.primary(name), list(seen.ran.results[name.replace(".", "-")].samples)
    assert len(records) == row.n
    scale = SCALES[seen.units(name)[0]["postprocessor"]]
    for record in records:
        assert record.error is None and record.response and record.target is not None and record.metadata["judge"]
        assert set(record.scores) == ({scale.quoted} if scale.of_samples else set())
        assert all(scale.low is None or scale.low <= score <= (scale.high or 0) for score in record.scores.values())


def test_a_dialogue_is_recorded_with_all_its_turns(seen: Seen) -> None:
    records = list(seen.ran.results["subjective-multiround-mtbench_single_judge_diff_temp_new"].samples)
    assert {record.subset for record in records} == {"0.0", "0.1", "0.7"}
    assert all([turn["role"] for turn in record.input] == ["user", "assistant", "user"] for record in records)  # type: ignore[index, union-attr]


def test_scores_by_kind_of_question_count_their_own_samples(seen: Seen) -> None:
    rows = seen.ran.results["subjective-fofo-fofo_bilingual_judge_new"].rows
    (management,) = [row for row in rows if row.metric == "Management" and row.subset == "prompts"]
    assert (management.n, management.unit) == (2, "fraction")


def test_each_model_that_it_is_compared_with_is_a_subset(seen: Seen) -> None:
    result = seen.ran.results["subjective-wildbench-wildbench_pair_judge_new"]
    overall, *each = [row for row in result.rows if row.metric == "average"]
    assert {row.subset for row in each} == {"gpt4-turbo", "HaiKu", "llama-2-70b-chat-hf"}
    assert (overall.subset, overall.n, {row.n for row in each}) == (None, 3 * ROWS, {ROWS})


def test_counts_beside_a_rate_are_no_rates(seen: Seen) -> None:
    rows = seen.ran.results["gpqa-gpqa_0shot_nocot_llmjudge_gen_772ea0"].rows
    found = {row.metric: row for row in rows}
    assert found["correct_count"].unit == "points" and found["accuracy"].unit == "fraction"
    assert found["correct_count"].value == (found["accuracy"].value or 0) * ROWS


def test_what_evaluates_the_judges_words_is_confined(seen: Seen) -> None:
    runs = {dataset: job.runs for job in seen.ran.jobs for dataset in job.datasets}
    assert runs["subjective-followbench-followbench_llmeval_new"] == "model output"
    assert runs["subjective-alignbench-alignbench_judgeby_critiquellm_new"] == "nothing"
