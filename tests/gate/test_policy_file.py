from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.errors import SpecError
from bridge.gate.policy import DatasetRule, PerformanceRule, Policy, Require, SuiteRule, Waiver
from bridge.gate.policy_file import read_policy

EXAMPLE = Path(__file__).parents[2] / "configs" / "gate.yaml"
WHOLE = """\
version: 1
baseline: runs/base
alpha: 0.05
require: {status: complete, max_error_rate: 0.01, max_unpaired: 0.01, same: [prompt, limit]}
suite: {metric: primary, max_drop: 0.01, weights: {gsm8k: 2, mmlu: 1}}
defaults: {tier: supporting, max_drop: 0.03}
datasets:
  gsm8k: {tier: critical, max_drop: 0.02}
  wikitext: {metric: perplexity, max_rise: 0.02, relative: true}
  safety/*: {tier: critical, min_value: 0.95}
performance: {latency_s.p95: {max: 0.5}, output_tokens_per_s: {max_relative_drop: 0.05}}
on_inconclusive: fail
waivers: [{dataset: ceval, reason: "data error", until: 2027-01-01, by: Li}]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "gate.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read_policy(written(folder, text))
    return [str(problem).replace(str(folder) + "/", "") for problem in caught.value.problems]


def test_a_whole_policy(tmp_path: Path) -> None:
    source = read_policy(written(tmp_path, WHOLE))
    assert source.policy.datasets["wikitext"].relative is True
    assert source.policy.waivers[0].until.year == 2027
    assert source.policy.suite.weights == {"gsm8k": 2.0, "mmlu": 1.0}
    assert len(source.sha256) == 64


def test_the_example_is_one() -> None:
    assert read_policy(EXAMPLE).policy.datasets["gsm8k"].tier == "critical"


def test_all_problems_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """\
version: 2
alpha: 0.9
require: {status: done, same: [promt]}
suite: {max_drop: -1, weights: even}
datasets:
  gsm8k: {tier: critcal, maxdrop: 0.1}
  mmlu: {max_drop: 0.1, max_rise: 0.1}
  arc: 5
performance: {x: {}}
waivers: [{dataset: a, reason: "", until: tomorrow}]
on_inconclusive: shrug
extra: 1
"""
    assert problems(tmp_path, text) == [
        "gate.yaml:1: version: is 2; allowed: 1",
        "gate.yaml:2: alpha: is 0.9; allowed: 0.2 or less",
        "gate.yaml:3: require.status: is 'done'; allowed: 'complete' or 'partial'",
        "gate.yaml:3: require.same[0]: is 'promt'; allowed: 'prompt', 'generation', 'few_shot', 'limit', 'judge', "
        "'dataset_revision', 'metric' or 'backend' (did you mean 'prompt'?)",
        "gate.yaml:4: suite.max_drop: is -1; allowed: more than 0",
        "gate.yaml:4: suite.weights: is 'even'; allowed: 'equal' or a mapping",
        "gate.yaml:6: datasets.gsm8k.tier: is 'critcal'; allowed: 'critical', 'supporting' or 'advisory' "
        "(did you mean 'critical'?)",
        "gate.yaml:6: datasets.gsm8k.maxdrop: unknown field (did you mean 'max_drop'?)",
        "gate.yaml:7: datasets.mmlu: give 'max_drop' (higher is better) or 'max_rise' (lower is better), not both",
        "gate.yaml:8: datasets.arc: is 5; a mapping is needed",
        "gate.yaml:9: performance.x: give one of: max, min, max_relative_rise, max_relative_drop",
        "gate.yaml:10: waivers[0].reason: is empty",
        "gate.yaml:10: waivers[0].until: is 'tomorrow'; a day such as 2027-01-31 is needed",
        "gate.yaml:11: on_inconclusive: is 'shrug'; allowed: 'fail', 'warn' or 'pass'",
        "gate.yaml:12: extra: unknown field (one of: alpha, baseline, datasets, defaults, on_inconclusive, "
        "performance, require, suite, version, waivers)",
    ]


def test_kinds_are_not_guessed(tmp_path: Path) -> None:
    assert problems(tmp_path, "version: 1\nalpha: '0.05'\nbaseline: 5\n") == [
        "gate.yaml:2: alpha: is '0.05'; a number is needed (write it without quotes)",
        'gate.yaml:3: baseline: is 5; text is needed (quote it: "5")',
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "gate.yaml: is no policy; a mapping with 'version: 1' is needed"),
        ("- 1\n", "gate.yaml: is no policy; a mapping with 'version: 1' is needed"),
        ("alpha: 0.05\n", "gate.yaml:1: version: is missing (Write `version: 1`)"),
        ("version: 1\nversion: 1\n", "gate.yaml:2: the key 'version' is there twice; it was first given in line 1"),
        (
            "version: 1\ndatasets: {a: {max_drop: .nan}}\n",
            "gate.yaml:2: datasets.a.max_drop: .nan is not a finite number",
        ),
        ("version: 1\ndatasets: {a: {max_drop: 2, relative: true}}\n", "below 1"),
        ("version: [\n", "is not YAML"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    assert any(told in problem for problem in problems(tmp_path, text)), problems(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"--policy: .*: No such file"):
        read_policy(tmp_path / "none.yaml")


def test_the_page_names_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
    for model in (Policy, Require, SuiteRule, DatasetRule, PerformanceRule, Waiver):
        missing = [name for name in model.model_fields if not re.search(rf"`([a-z]+\.)?{name}[`.]", page)]
        assert not missing, (model.__name__, missing)
