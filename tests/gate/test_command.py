"""``bridge gate`` on the command line: what it prints, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from command import Done, bridge
from fakes import HOSTILE
from runs import marks, write_run

from bridge.gate.schema import GateAnswer

SAME = "1" * 800 + "0" * 200
POLICY = "version: 1\nbaseline: base\ndatasets: {gsm8k: {tier: critical, max_drop: 0.02}, mmlu: {}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_run(tmp_path / "base", {"gsm8k": marks(SAME), "mmlu": marks(SAME)})
    write_run(tmp_path / "same", {"gsm8k": marks(SAME), "mmlu": marks(SAME)}, model="same")
    worse = "0" * 80 + SAME[80:]
    write_run(tmp_path / "worse", {"gsm8k": marks(worse), "mmlu": marks(SAME), "arc": marks("1")}, model="worse")
    (tmp_path / "gate.yaml").write_text(POLICY)
    return tmp_path


def gate(folder: Path, *arguments: object) -> Done:
    return bridge("gate", *arguments, "--policy", folder / "gate.yaml")


def test_go(folder: Path) -> None:
    done = gate(folder, folder / "base", folder / "same")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("GO  same against qwen   policy ")
    assert lines[0].endswith("2 datasets, 2,000 pairs, 0 unpaired")
    assert lines[1].split()[:4] == ["suite", "mean", "of", "2"]
    assert lines[2].split()[:4] == ["gsm8k", "critical", "+0.00", "pp"]


def test_no_go_with_the_baseline_from_the_policy(folder: Path) -> None:
    done = gate(folder, folder / "worse")
    assert done.exit_code == 10
    assert done.stdout.startswith("NO-GO  worse against qwen")
    assert "gsm8k  critical    -8.00 pp  [-9.68, -6.28]  limit -2.00 pp  WORSE" in done.stdout
    assert "why: gsm8k is worse than allowed: -8.00 pp [-9.68, -6.28], limit -2.00 pp" in done.stdout
    assert "not in the policy: arc" in done.stdout


def test_inconclusive(folder: Path) -> None:
    (folder / "gate.yaml").write_text(POLICY.replace("0.02", "0.001"))
    assert gate(folder, folder / "same").exit_code == 11
    (folder / "gate.yaml").write_text(POLICY.replace("0.02", "0.001") + "on_inconclusive: warn\n")
    done = gate(folder, folder / "same")
    assert (done.exit_code, done.stdout.split()[0]) == (0, "INCONCLUSIVE")
    assert "the policy lets this pass (on_inconclusive: warn)" in done.stdout


def test_json_and_markdown(folder: Path) -> None:
    answer = GateAnswer.model_validate_json(gate(folder, folder / "worse", "--json").stdout)
    assert (answer.verdict, answer.exit_code, answer.datasets[0].lost) == ("NO-GO", 10, 80)
    text = gate(folder, folder / "worse", "--markdown").stdout
    assert text.startswith("## NO-GO: worse against qwen\n")
    assert "| ✗ gsm8k | critical | -8.00 pp | [-9.68, -6.28] | -2.00 pp | <0.0001 | 80 lost / 0 won |" in text


def test_junit_fails_where_the_gate_does(folder: Path) -> None:
    path = folder / "out" / "gate.xml"
    for run, failures in (("same", "0"), ("worse", "3")):
        gate(folder, folder / run, "--junit", path)
        suite = Xml.parse(path).getroot()
        assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "4", failures)
    failed = {case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None}
    assert failed == {"verdict", "suite", "gsm8k"}


def test_a_plan_needs_no_candidate(folder: Path) -> None:
    done = gate(folder, "--plan", "--churn", "0.05")
    assert done.exit_code == 0
    assert "assumed: 5 % of the answers flip" in done.stdout
    assert "gsm8k  critical" in done.stdout and "enough alone" in done.stdout
    planned = json.loads(gate(folder, "--plan", "--json").stdout)
    by_name = {one["dataset"]: one for one in planned["datasets"]}
    assert by_name["gsm8k"]["n"] == 1000
    # (1.645 + 0.842)² · 0.1 / 0.02² pairs
    assert by_name["gsm8k"]["n_needed"] == 1546
    chances = {one["when"]: one for one in planned["chances"]}
    assert chances["nothing has changed"]["go"] > chances["every dataset fell by 1 pp"]["go"]
    assert chances["every dataset fell by 1 pp"]["go"] < 0.07


def test_a_plan_from_an_earlier_candidate(folder: Path) -> None:
    done = gate(folder, "--plan", folder / "base", folder / "worse")
    assert done.stdout.startswith("spread taken from the comparison of the two runs\n")
    assert gate(folder, "--plan", folder / "base", folder / "worse", "--churn", "0.1").exit_code == 2


@pytest.mark.parametrize("runs", [(), ("a", "b", "c")])
def test_the_wrong_number_of_runs(folder: Path, runs: tuple[str, ...]) -> None:
    done = gate(folder, *runs)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "two runs are needed" in done.stderr


def test_wrong_policies_and_wrong_names_end_with_two(folder: Path) -> None:
    (folder / "gate.yaml").write_text(POLICY.replace("mmlu", "mmul"))
    done = gate(folder, folder / "same")
    assert done.exit_code == 2 and "datasets.mmul: no run has such a dataset (did you mean 'mmlu'?)" in done.stderr
    (folder / "gate.yaml").write_text("version: 1\ndefaults: {tier: advisory}\n")
    done = gate(folder, folder / "base", folder / "same")
    assert done.exit_code == 2 and "no dataset is gated (all are advisory)" in done.stderr
    (folder / "gate.yaml").write_text("version: 1\nsuit: {}\n")
    assert "unknown field (did you mean 'suite'?)" in gate(folder, folder / "base", folder / "same").stderr
    assert bridge("gate", "a", "b", "--policy", folder / "none.yaml").exit_code == 2
    assert gate(folder, folder / "base", folder / "same", "--churn", "0.1").exit_code == 2


def test_hostile_text_does_nothing(folder: Path) -> None:
    every = " ".join(HOSTILE)
    write_run(folder / "base", {"d": marks(SAME)}, model=every, settings={"note": "x", "limit": every})
    write_run(folder / "same", {"d": marks("e" * 900 + "0" * 100)}, model=f"{every}2", settings={"limit": f"{every}2"})
    (folder / "gate.yaml").write_text("version: 1\nbaseline: base\n")
    text = gate(folder, folder / "same", "--junit", folder / "j.xml").stdout
    markdown = gate(folder, folder / "same", "--markdown").stdout
    for shown in (text, markdown, (folder / "j.xml").read_text()):
        assert not [char for char in shown if not char.isprintable() and char != "\n"]
    assert "<script" not in markdown
    assert Xml.parse(folder / "j.xml").getroot().tag == "testsuite"
