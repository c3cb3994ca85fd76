"""A judge's agreement with people: the definition on real pairs, and the authors' own figures from their verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import bridge
from fault_server import FaultServer
from server_thread import serving

from bridge.native.benchmarks import benchmark
from bridge.native.scorers.preference import Agreement, kappa


def measured(answer: Callable[[str], str], data: Path, out: Path, *options: str) -> dict[str, Any]:
    """One command."""
    with serving(FaultServer(answer=answer, model="judge")) as there:
        done = bridge(
            *("run", "--base-url", there.server.base_url, "--model", "judge", "--datasets", "llmbar", "--set"),
            *(f"datasets[0].path={data}", "--set", "concurrency=64", "--output", out, "--quiet", *options),
        )
        assert done.exit_code == 0, done.stderr
    return {
        (row["subset"] or row["category"], row["metric"]): row
        for row in json.loads((out / "report.json").read_bytes())["results"]
    }


def value(rows: dict[Any, Any], metric: str, subset: str | None = None) -> float:
    return float(rows[subset, metric]["value"])


def test_the_authors_verdicts_give_the_authors_figures(rows: Callable[[str], Path], tmp_path: Path) -> None:
    folder = rows("llmbar") / "Natural"
    kept = json.loads((folder / "evaluators" / "GPT-4" / "Vanilla" / "result.json").read_bytes())
    published = json.loads((folder / "evaluators" / "GPT-4" / "Vanilla" / "statistics.json").read_bytes())
    verdicts = {}
    for row in kept:
        (said,) = row["results"]
        for swap, (first, second) in (("False", ("output_1", "output_2")), ("True", ("output_2", "output_1"))):
            winner = said[f"swap = {swap}"]["winner"]
            letter = "A" if (winner == "1") == (swap == "False") else "B"
            verdicts[row["input"], row[first], row[second]] = letter

    def gpt4(prompt: str) -> str:
        body = prompt.partition("# Instruction\n")[2].rpartition("\n\n# Verdict\n")[0]
        question, _, outputs = body.partition("\n\n# Output A\n")
        first, _, second = outputs.partition("\n\n# Output B\n")
        return f"Because. [[{verdicts[question, first, second]}]]"

    found = measured(gpt4, rows("llmbar"), tmp_path / "run", "--set", "datasets[0].subsets=[Natural]")
    assert value(found, "accuracy") == pytest.approx(0.955)
    assert (value(found, "both_right"), value(found, "consistency")) == (0.93, 0.95)
    assert value(found, "kappa_orders", "Natural") == pytest.approx(published["kappa_agreement"], abs=1e-12)
    assert found[None, "accuracy"]["n"] == 200
    assert found[None, "consistency"]["n"] == 100


def test_a_judge_that_takes_what_stands_first_is_at_chance(rows: Callable[[str], Path], tmp_path: Path) -> None:
    found = measured(lambda prompt: "[[A]]", rows("llmbar"), tmp_path / "run")
    assert (found[None, "accuracy"]["n"], value(found, "accuracy")) == (838, 0.5)
    assert (value(found, "consistency"), value(found, "first_position_share")) == (0.0, 1.0)
    assert value(found, "kappa") == pytest.approx(0.0)
    assert value(found, "accuracy", "Adversarial") == 0.5
    sizes = {subset: row["n"] for (subset, metric), row in found.items() if metric == "consistency" and subset}
    assert sizes == {"Natural": 100, "Neighbor": 134, "GPTInst": 92, "GPTOut": 47, "Manual": 46}


def test_both_orders_are_asked_and_show_the_same_pair() -> None:
    mark = benchmark("llmbar")
    sample = mark.to_sample({"input": "Sort.", "output_1": "one", "output_2": "two", "label": 2})
    assert mark.swapped is not None
    other = mark.swapped(sample)
    assert (sample.target, other.target) == ("B", "A")
    assert (other.fields["answer_a"], other.fields["answer_b"]) == ("two", "one")
    assert mark.swapped(other) == sample
    with pytest.raises(ValueError, match="1 or 2"):
        mark.to_sample({"input": "Sort.", "output_1": "one", "output_2": "two", "label": 3})


def test_verdicts_that_cannot_be_read_are_wrong_and_in_no_pair() -> None:
    mark = benchmark("llmbar")
    sample = mark.to_sample({"input": "Sort.", "output_1": "one", "output_2": "two", "label": 1})
    for said in ("", "A", "Output (a)", "[[C]]", "[[A]] or [[B]], both are fine"):
        verdict = mark.scorer.at_once(said, sample)
        assert verdict is not None
        assert (verdict.extracted, verdict.scores) == (None, {"accuracy": 0.0}), said
    agreement = Agreement()
    agreement.add("x", "A", ["A", None])
    agreement.add("x", "A", ["A", "B", "A", "A"])
    found = {(subset, whole.metric): whole for subset, whole in agreement.wholes()}
    assert found["x", "consistency"][1:3] == (0.5, 2)
    assert found[None, "first_position_share"][1:3] == (4 / 5, 5)
    assert found[None, "kappa"].value == 0.0, "people said the same of every pair: agreement by chance"


def test_kappa() -> None:
    assert kappa([("A", "A"), ("B", "B")]) == 1.0
    assert kappa([("A", "B"), ("B", "A")]) == -1.0
    assert kappa([("A", "A"), ("A", "B"), ("B", "A"), ("B", "B")]) == 0.0
    assert kappa([]) is None
