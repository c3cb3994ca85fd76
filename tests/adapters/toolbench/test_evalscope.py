"""``compat``: EvalScope's numbers to the digit, on rows that its own code has scored."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from bridge.adapters.toolbench.evalscope import Compat, cleaned, score
from bridge.adapters.toolbench.metrics import score as our_score
from bridge.adapters.toolbench.react import parse_step
from bridge.adapters.toolbench.rouge import rouge_l_f

GOLDEN = Path(__file__).parents[2] / "golden" / "toolbench"
THEIRS: dict[str, Any] = json.loads((GOLDEN / "evalscope.json").read_text(encoding="utf-8"))
ROUGE: dict[str, Any] = json.loads((GOLDEN / "rouge.json").read_text(encoding="utf-8"))
THIRD_PARTY = {
    "rouge": "rouge_l",
    "plan_em": "plan_em",
    "action_em": "act_em",
    "easy_f1": "f1_easy",
    "hard_f1": "f1_hard",
    "f1": "f1",
    "hallu_rate": "hallu_rate",
}
NATIVE = {
    "Act.EM": "act_em",
    "Easy_F1": "f1_easy",
    "Hard_F1": "f1_hard",
    "F1": "f1",
    "HalluRate": "hallu_rate",
    "Rouge-L": "rouge_l",
    "plan_em": "plan_em",
}


def scored(compat: Compat) -> list[dict[str, float]]:
    clean = cleaned if compat == "evalscope" else str
    tools = frozenset(THEIRS["tools"])
    return [score(clean(row["prediction"]), row["target"], tools, compat) for row in THEIRS["rows"]]


@pytest.mark.parametrize("theirs", THIRD_PARTY)
def test_the_third_party_tool(theirs: str) -> None:
    ours = THIRD_PARTY[theirs]
    values = [scores[ours] for scores in scored("evalscope") if ours in scores]
    assert fmean(values) == pytest.approx(THEIRS["third_party"][theirs], abs=1e-12)


def test_its_hallucinations_are_over_all_rows() -> None:
    values = scored("evalscope")
    assert all("hallu_rate" in scores for scores in values)
    assert len(values) == 200


@pytest.mark.parametrize("theirs", NATIVE)
def test_its_own_benchmark(theirs: str) -> None:
    ours = NATIVE[theirs]
    values = [scores[ours] for scores in scored("evalscope_native") if ours in scores]
    assert len(values) == THEIRS["native"][theirs]["n"]
    assert fmean(values) == pytest.approx(THEIRS["native"][theirs]["mean"], abs=1e-12)


def test_its_own_benchmark_row_by_row() -> None:
    for ours, theirs in zip(scored("evalscope_native"), THEIRS["native_rows"], strict=True):
        assert ours == pytest.approx({NATIVE[name]: value for name, value in theirs.items()})


def test_rouge_of_the_package() -> None:
    assert len(ROUGE["cases"]) > 100
    for answer, reference, value in ROUGE["cases"]:
        assert rouge_l_f(answer, reference) == pytest.approx(value, abs=1e-15)


def test_rouge_of_very_long_texts_does_not_fall_over() -> None:
    text = " ".join(f"word{at}" for at in range(1500))
    assert rouge_l_f(text, text) == pytest.approx(1.0)
    assert rouge_l_f("...", "word") == 0.0


def test_where_ours_differs() -> None:
    """The faults that ``compat`` keeps and our own definition has not."""
    tools = frozenset({"weather", "Finish"})
    give_up = 'Action: Finish\nAction Input: {"return_type": "give_up_and_restart"}'
    call = "Action: weather\nAction Input: {}"
    plain = "It is cold."

    assert score(call, give_up, tools, "evalscope_native") == {}
    assert our_score(call, parse_step(give_up), tools)["plan_em"] == 0
    assert score(plain, call, tools, "evalscope")["plan_em"] == 1
    assert our_score(plain, parse_step(call), tools)["plan_em"] == 0
    mismatch = score("Action: Finish\nAction Input: {}", call, tools, "evalscope")
    assert (mismatch["f1_easy"], mismatch["f1_hard"]) == (0, 0)
    assert "f1_hard" not in our_score(plain, parse_step(call), tools)


@pytest.mark.parametrize(("given", "clean"), [(": x", "x"), ("", "none"), (" . ", "none"), (",", "none"), ("x", "x")])
def test_cleaning(given: str, clean: str) -> None:
    assert cleaned(given) == clean
