"""The same datasets through bridge and through the ``opencompass`` command with its own model class, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import FaultServer
from opencompass_by_hand import by_hand, config_by_hand, custom_by_hand, opencompass_layout, write_tokenizer
from opencompass_runs import Ran, make_task, run_task
from server_thread import serving

from bridge.report.schema import ErrorKind, Status

pytestmark = pytest.mark.env

SHARED = Path(__file__).parents[4] / "shared" / "data"
LIMIT = 5


@dataclass(frozen=True)
class Both:
    """Through bridge, and by hand."""

    name: str
    ran: Ran
    hand: Path
    asked: dict[str, list[str]]
    """The messages of every request, sorted, by who sent them."""


TOYS = [
    "gsm8k",
    {"name": "mmlu", "subsets": list(toys.MMLU)},
    *("ARC_c", "ARC_e", "hellaswag"),
    {"name": "bbh", "subsets": list(toys.BBH)},
    {"name": "ceval", "subsets": list(toys.CEVAL)},
    *("general_mcq", "general_qa"),
]
REAL = [
    "gsm8k",
    {"name": "mmlu", "subsets": ["abstract_algebra", "marketing", "virology"]},
    *("ARC_c", "hellaswag"),
    {"name": "bbh", "subsets": ["dyck_languages", "geometric_shapes"]},
    {"name": "obqa", "subsets": ["openbookqa"]},
    *("winogrande", "piqa", "triviaqa", "lambada", "BoolQ"),
]
ABBRS = {
    "obqa": "openbookqa",
    "gsm8k": "gsm8k",
    "ARC_c": "ARC-c",
    "ARC_e": "ARC-e",
    "hellaswag": "hellaswag",
    "general_qa": "sums",
} | {name: name for name in ("winogrande", "piqa", "triviaqa", "lambada", "BoolQ")}
PREFIXES = {"mmlu": "lukaemon_mmlu_", "bbh": "bbh-", "ceval": "ceval-", "general_mcq": ""}


@pytest.fixture(scope="module", params=["toys", "real"])
def both(
    request: pytest.FixtureRequest, python: Path, reference: Path, tmp_path_factory: pytest.TempPathFactory
) -> Both:
    root = tmp_path_factory.mktemp("both")
    data, datasets, limit = root / "data", TOYS, 5
    if request.param == "toys":
        toys.write_all(data, count=7)
        custom_by_hand(data, root / "custom")
    elif SHARED.exists():
        data, datasets, limit = SHARED, REAL, 30
    else:
        pytest.skip(f"{SHARED} is not there: real rows are not part of the repository")
    opencompass_layout(data, root / "cache")
    tokenizer = write_tokenizer(root / "tokenizer")
    with serving(FaultServer(answer=toys.answer, model="tiny")) as thread:
        server = thread.server
        task = make_task(datasets, data=str(data), limit=limit)
        ran = run_task(task, server.base_url, python, root / "run")
        through_bridge = sorted(json.dumps(asked.body["messages"], sort_keys=True) for asked in server.journal)
        server.journal.clear()
        units = json.loads((ran.job_folder() / "ledger.json").read_text(encoding="utf-8"))["units"]
        own = [("bank", "mcq"), ("shop", "mcq"), ("sums", "qa")] if request.param == "toys" else []
        config = config_by_hand(
            abbrs=[unit["abbr"] for unit in units],
            limit=limit,
            custom=root / "custom",
            own=own,
            base_url=server.base_url,
            tokenizer=tokenizer,
        )
        hand = by_hand(reference, config, root / "hand", server.base_url, root / "cache")
        directly = sorted(json.dumps(asked.body["messages"], sort_keys=True) for asked in server.journal)
    return Both(request.param, ran, hand, {"bridge": through_bridge, "hand": directly})


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def of(kind: str, both: Both) -> dict[str, Any]:
    return {path.stem: read(path) for path in (both.hand / kind / "tiny").glob("*.json")}


def test_the_same_messages_are_sent(both: Both) -> None:
    assert both.asked["bridge"] == both.asked["hand"]
    assert len(both.asked["bridge"]) == {"toys": 14 * 5, "real": 3 * 30 + 3 * 20 + 2 * 30 + 6 * 30}[both.name]


def test_predictions_and_results_are_the_same_file_by_file(both: Both) -> None:
    out = both.ran.job_folder() / "out"
    for kind in ("predictions", "results"):
        mine = {path.stem: read(path) for path in (out / kind / "model").glob("*.json")}
        assert len(mine) == {"toys": 14, "real": 14}[both.name]
        assert mine == of(kind, both)


def test_values_are_opencompass_own_to_the_last_digit(both: Both) -> None:
    numbers = of("results", both)
    for dataset, result in both.ran.results.items():
        (row,) = [row for row in result.rows if row.primary]
        assert (row.n_errors, row.status, row.subset) == (0, Status.COMPLETE, None)
        if dataset in ABBRS:
            assert row.value == numbers[ABBRS[dataset]][row.metric] / 100
            continue
        subsets = [one for one in result.rows if one.subset is not None]
        assert len(subsets) >= 2
        for one in subsets:
            assert one.value == numbers[f"{PREFIXES[dataset]}{one.subset}"][row.metric] / 100
        mean = sum(numbers[f"{PREFIXES[dataset]}{one.subset}"][row.metric] for one in subsets) / len(subsets)
        assert row.value == mean / 100
        assert row.settings["average"] == "macro"
    scores = {row.value for result in both.ran.results.values() for row in result.rows}
    assert len(scores) > 4, "the model is to be right now and wrong then, or this proves little"


def test_every_sample_has_a_record_that_says_how_it_was_scored(both: Both) -> None:
    sent = set(both.asked["bridge"])
    for result in both.ran.results.values():
        records = list(result.samples)
        (row,) = [row for row in result.rows if row.primary]
        assert len(records) == row.n
        assert list(result.samples) == records
        for record in records:
            assert record.error is None
            assert record.response is not None and record.target is not None
            assert json.dumps(record.input, sort_keys=True) in sent
            assert len(record.scores) == 1 or result.dataset == "lambada"
        value = {row.subset: row.value for row in result.rows if row.subset or row.primary}
        for subset in {record.subset for record in records}:
            mine = [score for record in records if record.subset == subset for score in record.scores.values()]
            if not mine:
                continue
            assert sum(mine) / len(mine) == pytest.approx(value.get(subset, value[None]))


def test_letters_read_out_of_words_are_reported(both: Both) -> None:
    """C-Eval's post-processor takes the first capital: the T of "The answer is D"."""
    if both.name == "real":
        pytest.skip("there are no rows of C-Eval")
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
