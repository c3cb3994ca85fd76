"""Every short name, and the variants of mathematics: through bridge in one job, and by hand with the same files.

The table of the documentation is what this test has seen: ``BRIDGE_UPDATE_GOLDEN=1`` writes it anew.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencompass_every as every
import pytest
from fault_server import FaultServer
from opencompass_by_hand import by_hand, chosen_by_hand, write_tokenizer
from opencompass_runs import Ran, make_task, run_task
from server_thread import serving

from bridge.adapters.opencompass import catalog
from bridge.backend import BenchmarkResult
from bridge.registry import backend
from bridge.report.schema import ResultRow, Status

pytestmark = pytest.mark.env

PAGE = Path(__file__).parents[3] / "docs" / "backends" / "opencompass.md"
BEGIN, END = "<!-- names: begin -->", "<!-- names: end -->"
LIMIT = 4
ALL = (*every.NAMES, *every.VARIANTS)
CHANGES = """
JUDGE_TEMPLATE = dict(round=[dict(role='HUMAN', api_role='HUMAN'), dict(role='BOT', api_role='BOT', generate=True)],
                      reserved_roles=[dict(role='SYSTEM', api_role='SYSTEM')])
wanted = {wanted!r}
all_datasets = [(m, d) for m, d in all_datasets if (m, d['abbr']) in wanted]
for m, d in all_datasets:
    d['reader_cfg'] = dict(d['reader_cfg'], test_range='[:{limit}]')
    d['abbr'] = wanted[m, d['abbr']]
    evaluator = d['eval_cfg']['evaluator']
    for e in (evaluator, evaluator.get('llm_evaluator', {{}})):
        if 'judge_cfg' in e:
            e['judge_cfg'] = dict(type=OpenAISDK, path='judge', key='ENV', openai_api_base={url!r},
                                  tokenizer_path={tokenizer!r}, meta_template=JUDGE_TEMPLATE, query_per_second=1000,
                                  temperature=0.0, max_out_len=16384, max_seq_len=49152, batch_size=64, retry=2)
            e['dataset_cfg']['reader_cfg'] = dict(e['dataset_cfg']['reader_cfg'], test_range='[:{limit}]')
del wanted, m, d, e, evaluator
"""


@dataclass(frozen=True)
class Seen:
    ran: Ran
    hand: Path
    sent: list[str]
    """The messages of every request of bridge's, sorted."""
    sent_by_hand: list[str]

    def result(self, name: str) -> BenchmarkResult:
        return self.ran.results[name.replace(".", "-")]

    def primary(self, name: str) -> ResultRow:
        (row,) = [row for row in self.result(name).rows if row.primary]
        return row

    def units(self, name: str) -> list[dict[str, Any]]:
        """As the job's ledger has them."""
        return units_of(self.ran, name)

    def score_by_hand(self, name: str) -> float:
        """The mean over its parts of what ``opencompass`` quotes for each, as a fraction."""
        values = []
        for unit in self.units(name):
            result = read(self.hand / "results" / "tiny" / f"{unit['abbr']}.json")
            quoted = next(key for key, value in result.items() if isinstance(value, int | float))
            values.append(result[quoted])
        return sum(values) / len(values) / 100


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def units_of(ran: Ran, name: str) -> list[dict[str, Any]]:
    ledger = read(folder_of(ran, name) / "ledger.json")
    return [unit for unit in ledger["units"] if unit["dataset"] == name.replace(".", "-")]


def folder_of(ran: Ran, name: str) -> Path:
    (at,) = [at for at, job in enumerate(ran.jobs) if name.replace(".", "-") in job.datasets]
    return ran.job_folder(at)


def wanted_by_hand(ran: Ran) -> dict[tuple[str, str], str]:
    """Module and abbreviation → the abbreviation under which it runs: benchmarks that share one are named apart."""
    wanted = {}
    for name in ALL:
        one = catalog.resolve(name)
        assert one is not None
        for config in one.configs:
            own = config.wanted(every.SUBSETS.get(name, ()))
            wanted |= {(config.module, abbr): unit["abbr"] for abbr, unit in zip(own, units_of(ran, name), strict=True)}
    return wanted


@pytest.fixture(scope="module")
def seen(python: Path, reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    root = tmp_path_factory.mktemp("every")
    every.write_every(root, LIMIT + 1)
    judge = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    task = make_task([every.asked(name) for name in ALL], data=str(root), limit=LIMIT, judge=judge)
    with serving(FaultServer(answer=every.answer, model="tiny")) as thread:
        server = thread.server
        ran = run_task(task, server.base_url, python, root / "run")
        sent = sorted(every.dump(asked.body["messages"]) for asked in server.journal)
        server.journal.clear()
        found = [one for one in map(catalog.resolve, ALL) if one is not None]
        url, tokenizer = server.base_url, write_tokenizer(root / "tokenizer")
        changes = CHANGES.format(wanted=wanted_by_hand(ran), limit=LIMIT, url=url, tokenizer=str(tokenizer))
        config = chosen_by_hand(found, changes, url, tokenizer)
        hand = by_hand(reference, config, root / "hand", server.base_url, root)
        directly = sorted(every.dump(asked.body["messages"]) for asked in server.journal)
    return Seen(ran, hand, sent, directly)


def test_one_job_runs_them_all_but_what_evaluates_the_answers(seen: Seen) -> None:
    assert [len(job.datasets) for job in seen.ran.jobs] == [len(ALL) - 1, 1]
    assert seen.ran.jobs[1].datasets == ("TheoremQA",)
    assert [outcome.exit_code for outcome in seen.ran.outcomes] == [0, 0]
    assert len(seen.ran.results) == len(ALL) == 59


def test_the_same_messages_are_sent(seen: Seen) -> None:
    assert len(seen.sent) > 250
    assert seen.sent == seen.sent_by_hand


@pytest.mark.parametrize("name", ALL)
def test_predictions_results_and_score_are_those_by_hand(name: str, seen: Seen) -> None:
    for unit in seen.units(name):
        for kind in ("predictions", "results"):
            mine = read(folder_of(seen.ran, name) / "out" / kind / "model" / f"{unit['abbr']}.json")
            assert mine == read(seen.hand / kind / "tiny" / f"{unit['abbr']}.json"), unit["abbr"]
    row = seen.primary(name)
    assert row.status is Status.COMPLETE
    assert row.value == pytest.approx(seen.score_by_hand(name), abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_every_sample_has_its_record(name: str, seen: Seen) -> None:
    row, records = seen.primary(name), list(seen.result(name).samples)
    units = seen.units(name)
    assert len(records) == row.n == sum(unit["rows"] for unit in units) > 0
    assert row.n_errors == 0
    sent = set(seen.sent)
    for record in records:
        messages = [{"role": "user", "content": record.input}] if isinstance(record.input, str) else record.input
        assert every.dump(messages) in sent
        assert record.response is not None and record.prompt_sha256 and record.target is not None
    assert {record.subset for record in records} == {unit["subset"] for unit in units}


def test_scores_are_neither_all_right_nor_all_wrong(seen: Seen) -> None:
    values = [seen.primary(name).value for name in ALL]
    assert sum(1 for value in values if value is not None and 0 < value < 1) > 40


@pytest.mark.parametrize("name", ["lcsts", "lambada", "nq", "IFEval", "GaokaoBench", "agieval", "TheoremQA", "siqa"])
def test_what_decides_the_score_is_in_the_settings(name: str, seen: Seen) -> None:
    settings = seen.primary(name).settings
    assert settings["template"] == "chat turns"
    assert settings["config"] and settings["evaluator"] and settings["max_out_len"]
    assert settings["limit"] == LIMIT


def test_the_table_in_the_documentation_is_what_was_seen(seen: Seen) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    made = f"\n{table(seen)}"
    if os.environ.get("BRIDGE_UPDATE_GOLDEN"):
        PAGE.write_text(f"{before}{BEGIN}{made}{END}{after}", encoding="utf-8")
        written = made
    assert written == made


def table(seen: Seen) -> str:
    lines = [
        "| name | configuration | ran | rows | score here | score by hand | equal |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_line(name, seen) for name in ALL]
    listed = backend("opencompass").datasets()
    for name in every.HUB:
        lines.append(f"| {name} | {listed[name].config} | no: {listed[name].unusable} | | | | |")
    for name, seen_there in every.CODE.items():
        lines.append(f"| {name} | {listed[name].config} | {seen_there} |")
    return "\n".join(lines) + "\n"


def _line(name: str, seen: Seen) -> str:
    row, by_hand_ = seen.primary(name), seen.score_by_hand(name)
    assert row.value is not None
    config = row.settings["config"].rpartition(".")[2]
    equal = "yes" if abs(row.value - by_hand_) < 1e-12 else "NO"
    shown = name.rpartition(".")[2]
    return f"| {shown} | {config} | yes | {row.n} | {row.value:.4f} | {by_hand_:.4f} | {equal} |"
