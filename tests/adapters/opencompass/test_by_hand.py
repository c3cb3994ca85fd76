"""The same datasets through bridge and through the ``opencompass`` command with its own model class, side by side."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import FaultServer
from opencompass_runs import Ran, by_hand, make_task, run_task
from server_thread import serving

from bridge.report.schema import ErrorKind, Status

pytestmark = pytest.mark.env

SHARED = Path(__file__).parents[4] / "shared" / "data"
LIMIT = 5
CONFIG = """
from mmengine.config import read_base
from opencompass.models import OpenAISDK
from opencompass.partitioners import NaivePartitioner
from opencompass.runners import LocalRunner
from opencompass.tasks import OpenICLEvalTask
from opencompass.tasks.openicl_infer_concurrent import OpenICLInferConcurrentTask

with read_base():
    from opencompass.configs.datasets.gsm8k.gsm8k_gen_1d7fe4 import gsm8k_datasets
    from opencompass.configs.datasets.mmlu.mmlu_gen_4d595a import mmlu_datasets
    from opencompass.configs.datasets.ARC_c.ARC_c_gen_1e0de5 import ARC_c_datasets
    from opencompass.configs.datasets.ARC_e.ARC_e_gen_1e0de5 import ARC_e_datasets
    from opencompass.configs.datasets.hellaswag.hellaswag_gen_6faab5 import hellaswag_datasets
    from opencompass.configs.datasets.bbh.bbh_gen_4a31fa import bbh_datasets
    from opencompass.configs.datasets.ceval.ceval_gen_5f30c7 import ceval_datasets

datasets = [*gsm8k_datasets, *mmlu_datasets, *ARC_c_datasets, *ARC_e_datasets, *hellaswag_datasets, *bbh_datasets,
            *ceval_datasets]
datasets = [d for d in datasets if d['abbr'] in {abbrs!r}]
for d in datasets:
    d['reader_cfg']['test_range'] = '[:{limit}]'
datasets += [
    dict(abbr=name, path={custom!r} + '/' + name + '.jsonl', data_type=kind, infer_method='gen',
         test_range='[:{limit}]')
    for name, kind in {own!r}
]
models = [dict(
    type=OpenAISDK,
    abbr='tiny',
    path='tiny',
    openai_api_base={base_url!r},
    key='ENV',
    tokenizer_path={tokenizer!r},
    meta_template=dict(round=[dict(role='HUMAN', api_role='HUMAN'), dict(role='BOT', api_role='BOT', generate=True)],
                       reserved_roles=[dict(role='SYSTEM', api_role='SYSTEM')]),
    query_per_second=1000,
    max_workers=8,
    batch_size=64,
    max_seq_len=32768,
    max_out_len=2048,
    temperature=0.0,
    retry=2,
    timeout=60,
    run_cfg=dict(num_gpus=0),
)]
infer = dict(partitioner=dict(type=NaivePartitioner, n=1000),
             runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLInferConcurrentTask)))
eval = dict(partitioner=dict(type=NaivePartitioner, n=1000),
            runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLEvalTask, dump_details=True)))
"""
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
}


@dataclass(frozen=True)
class Both:
    """Through bridge, and by hand."""

    ran: Ran
    hand: Path
    asked: dict[str, list[str]]
    """The messages of every request, sorted, by who sent them."""


def write_tokenizer(folder: Path) -> Path:
    """OpenAISDK insists on a tokenizer, and takes its length of every message."""
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def opencompass_layout(source: Path, cache: Path) -> None:
    """The original files as OpenCompass's documentation has them, converted here a second time."""
    data = cache / "data"
    shutil.copytree(source / "gsm8k", data / "gsm8k")
    shutil.copytree(source / "mmlu", data / "mmlu")
    if (source / "ceval").exists():
        shutil.copytree(source / "ceval", data / "ceval" / "formal_ceval")
    shutil.copytree(source / "bbh" / "bbh", data / "BBH" / "data")
    for part, folder in (("Challenge", "ARC-c"), ("Easy", "ARC-e")):
        if (source / "arc" / f"ARC-{part}-Dev.jsonl").exists():
            (data / "ARC" / folder).mkdir(parents=True)
            shutil.copy(source / "arc" / f"ARC-{part}-Dev.jsonl", data / "ARC" / folder)
    (original,) = (source / "hellaswag").glob("*.jsonl")
    rows = [json.loads(line) for line in original.read_text(encoding="utf-8").splitlines()]
    toys.write_jsonl(data / "hellaswag" / "hellaswag.jsonl", [hellaswag_by_hand(row) for row in rows])


def hellaswag_by_hand(row: dict[str, Any]) -> dict[str, Any]:
    def clean(text: str) -> str:
        text = text.strip().replace(" [title]", ". ")
        while "[" in text and "]" in text[text.index("[") :]:
            head, _, tail = text.partition("[")
            text = head + tail.partition("]")[2]
        return text.replace("  ", " ")

    query = clean(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}")
    return {"query": query, "choices": [clean(ending) for ending in row["endings"]], "gold": row["label"]}


def custom_by_hand(source: Path, folder: Path) -> None:
    for subset in ("bank", "shop"):
        lines = (source / "general_mcq" / f"{subset}_val.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [{key: row[key] for key in ("question", "A", "B", "C", "answer")} for row in map(json.loads, lines)]
        toys.write_jsonl(folder / f"{subset}.jsonl", rows)
    lines = (source / "general_qa" / "sums.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{"question": row["query"], "answer": row["response"]} for row in map(json.loads, lines)]
    toys.write_jsonl(folder / "sums.jsonl", rows)


@pytest.fixture(scope="module")
def both(python: Path, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Both:
    root = tmp_path_factory.mktemp("both")
    toys.write_all(root / "data", count=7)
    opencompass_layout(root / "data", root / "cache")
    custom_by_hand(root / "data", root / "custom")
    tokenizer = write_tokenizer(root / "tokenizer")
    datasets = [
        "gsm8k",
        {"name": "mmlu", "subsets": list(toys.MMLU)},
        "ARC_c",
        "ARC_e",
        "hellaswag",
        {"name": "bbh", "subsets": list(toys.BBH)},
        {"name": "ceval", "subsets": list(toys.CEVAL)},
        "general_mcq",
        "general_qa",
    ]
    abbrs = ["gsm8k", "ARC-c", "ARC-e", "hellaswag", *(f"lukaemon_mmlu_{s}" for s in toys.MMLU)]
    abbrs += [*(f"bbh-{s}" for s in toys.BBH), *(f"ceval-{s}" for s in toys.CEVAL)]
    with serving(FaultServer(answer=toys.answer, model="tiny")) as thread:
        server = thread.server
        task = make_task(datasets, data=str(root / "data"), limit=LIMIT)
        ran = run_task(task, server.base_url, python, root / "run")
        through_bridge = sorted(json.dumps(asked.body["messages"], sort_keys=True) for asked in server.journal)
        server.journal.clear()
        config = CONFIG.format(
            abbrs=abbrs,
            limit=LIMIT,
            custom=str(root / "custom"),
            own=[("bank", "mcq"), ("shop", "mcq"), ("sums", "qa")],
            base_url=server.base_url,
            tokenizer=str(tokenizer),
        )
        hand = by_hand(reference, config, root / "hand", server.base_url, root / "cache")
        directly = sorted(json.dumps(asked.body["messages"], sort_keys=True) for asked in server.journal)
    return Both(ran, hand, {"bridge": through_bridge, "hand": directly})


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_same_messages_are_sent(both: Both) -> None:
    assert both.asked["bridge"] == both.asked["hand"]
    assert len(both.asked["bridge"]) == LIMIT * 14


def test_predictions_and_results_are_the_same_file_by_file(both: Both) -> None:
    out = both.ran.job_folder() / "out"
    for kind, count in (("predictions", 14), ("results", 14)):
        mine = {path.stem: read(path) for path in (out / kind / "model").glob("*.json")}
        theirs = {path.stem: read(path) for path in (both.hand / kind / "tiny").glob("*.json")}
        assert len(mine) == count
        assert mine == theirs


def test_values_are_opencompass_own_to_the_last_digit(both: Both) -> None:
    numbers = {path.stem: read(path) for path in (both.hand / "results" / "tiny").glob("*.json")}
    single = {"gsm8k": "gsm8k", "ARC_c": "ARC-c", "ARC_e": "ARC-e", "hellaswag": "hellaswag", "general_qa": "sums"}
    for dataset, abbr in single.items():
        (row,) = [row for row in both.ran.results[dataset].rows if row.primary]
        assert row.value == numbers[abbr]["accuracy"] / 100
        assert (row.n, row.n_errors, row.status) == (LIMIT, 0, Status.COMPLETE)
    for dataset, prefix, metric in (
        ("mmlu", "lukaemon_mmlu_", "accuracy"),
        ("bbh", "bbh-", "score"),
        ("ceval", "ceval-", "accuracy"),
        ("general_mcq", "", "accuracy"),
    ):
        rows = [row for row in both.ran.results[dataset].rows if row.subset is not None]
        assert rows
        for row in rows:
            assert row.value == numbers[f"{prefix}{row.subset}"][metric] / 100
        (overall,) = [row for row in both.ran.results[dataset].rows if row.primary]
        mean = sum(numbers[f"{prefix}{row.subset}"][metric] for row in rows) / len(rows)
        assert overall.value == mean / 100
        assert (overall.metric, overall.subset, overall.settings["average"]) == (metric, None, "macro")
    scores = {row.value for result in both.ran.results.values() for row in result.rows}
    assert len(scores) > 4, "the model is to be right now and wrong then, or this proves little"


def test_every_sample_has_a_record_that_says_how_it_was_scored(both: Both) -> None:
    sent = set(both.asked["bridge"])
    for name, result in both.ran.results.items():
        records = list(result.samples)
        subsets = {record.subset for record in records}
        assert len(records) == LIMIT * len(subsets), name
        assert list(result.samples) == records
        for record in records:
            assert record.error is None
            assert record.response is not None and record.target is not None
            assert json.dumps(record.input, sort_keys=True) in sent
            assert len(record.scores) == 1
        value = {row.subset: row.value for row in result.rows}
        for subset in subsets:
            mine = [score for record in records if record.subset == subset for score in record.scores.values()]
            assert sum(mine) / len(mine) == pytest.approx(value.get(subset, value[None]))


def test_letters_read_out_of_words_are_reported(both: Both) -> None:
    """C-Eval's post-processor takes the first capital: the T of "The answer is D"."""
    (warning,) = [error for error in both.ran.results["ceval"].errors if "misread" in error.message]
    assert warning.kind is ErrorKind.WARNING
    assert "first_capital_postprocess took 'T' out of 'The answer is" in warning.message
    assert not [error for error in both.ran.results["mmlu"].errors if "misread" in error.message]


def test_what_decides_the_score_is_in_the_settings(both: Both) -> None:
    (row,) = [row for row in both.ran.results["gsm8k"].rows if row.primary]
    assert row.settings["config"] == "gsm8k.gsm8k_gen_1d7fe4"
    assert row.settings["version"] == "1d7fe4"
    assert row.settings["max_out_len"] == 512
    assert row.settings["postprocessor"] == "gsm8k_postprocess"
    assert (row.num_fewshot, row.split, row.backend_version) == (4, "test", "0.5.4")
    summary = next((both.hand / "summary").glob("*.csv")).read_text(encoding="utf-8")
    assert "gsm8k,1d7fe4,accuracy" in summary


def test_nothing_secret_is_on_disk(both: Both) -> None:
    for path in both.ran.folder.rglob("*"):
        if path.is_file() and path.name != "log.txt":
            assert b"token-of-the-run" not in path.read_bytes(), path
