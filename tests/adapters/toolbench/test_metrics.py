"""ToolBench-Static's metrics: the vectors of their definition, and that no prediction decides what is scored."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.adapters.toolbench.metrics import applicable, f1, rouge_l, same, score, why_left_out, words_of
from bridge.adapters.toolbench.react import parse_step, render

TOOLS = frozenset({"weather", "route", "Finish"})


def call(tool: str, **arguments: object) -> str:
    return render("I need it.", tool, json.dumps(arguments))


def finish(answer: object) -> str:
    return call("Finish", return_type="give_answer", final_answer=answer)


GIVE_UP = call("Finish", return_type="give_up_and_restart")
WEATHER = call("weather", city="Oslo", day="today")


def scored(prediction: str, target: str) -> dict[str, float]:
    return score(prediction, parse_step(target), TOOLS)


@pytest.mark.parametrize(
    ("prediction", "target", "expected"),
    [
        (WEATHER, WEATHER, {"plan_em": 1, "act_em": 1, "act_em_args": 1, "f1": 1, "f1_hard": 1, "hallu_rate": 0}),
        (call("weather", city="Rome", day="today"), WEATHER, {"act_em": 1, "act_em_args": 0, "f1": 0.75}),
        (call("weather", town="Oslo", when="today"), WEATHER, {"act_em": 1, "act_em_args": 0, "f1": 0}),
        (call("weather"), WEATHER, {"act_em": 1, "act_em_args": 0, "f1": 0}),
        (call("weather", city="Oslo"), WEATHER, {"act_em": 1, "f1": 2 / 3}),
        (call("no_such_tool", city="Oslo"), WEATHER, {"hallu_rate": 1, "plan_em": 1, "act_em": 0, "f1": 0}),
        (call("route"), call("route"), {"act_em": 1, "act_em_args": 1, "f1": 1, "f1_easy": 1}),
        (call("route", x=1), call("route"), {"act_em": 1, "act_em_args": 0, "f1": 0, "f1_easy": 0}),
        (finish("It is cold."), finish("It is cold."), {"plan_em": 1, "rouge_l": 1, "hallu_rate": 0}),
        (finish("It is warm."), finish("It is cold."), {"plan_em": 1, "rouge_l": 2 / 3}),
        (WEATHER, GIVE_UP, {"plan_em": 0, "hallu_rate": 0}),
        (GIVE_UP, WEATHER, {"plan_em": 0, "act_em": 0, "act_em_args": 0, "f1": 0, "hallu_rate": 0}),
        (GIVE_UP, GIVE_UP, {"plan_em": 1, "hallu_rate": 0}),
        (WEATHER, finish("It is cold."), {"plan_em": 0, "rouge_l": 0}),
        (GIVE_UP, finish("It is cold."), {"plan_em": 0, "rouge_l": 0}),
        ("It is cold in Oslo.", WEATHER, {"plan_em": 0, "act_em": 0, "f1": 0, "hallu_rate": 0}),
        (render("", "weather", "{broken"), WEATHER, {"act_em": 1, "act_em_args": 0, "f1": 0}),
        (render("", "weather", '["Oslo"]'), WEATHER, {"act_em": 1, "act_em_args": 0, "f1": 0}),
        (finish("x"), call("route"), {"plan_em": 0, "act_em": 0, "f1": 0, "hallu_rate": 0}),
        ("", WEATHER, {"plan_em": 0, "act_em": 0}),
    ],
)
def test_vectors(prediction: str, target: str, expected: dict[str, float]) -> None:
    scores = scored(prediction, target)
    assert {name: scores[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (WEATHER, ""),
        (GIVE_UP, ""),
        (finish("x"), ""),
        (call("Finish", final_answer="x"), ""),
        (call("invalid_hallucination_function_name"), "the reference calls an invalid name"),
        (call("spott"), "the reference calls a tool that is not offered"),
        ("Nothing to do.", "the reference calls nothing"),
        ("", "the reference calls nothing"),
    ],
)
def test_the_reference_alone_decides_what_is_left_out(target: str, why: str) -> None:
    assert why_left_out(parse_step(target), TOOLS) == why


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (WEATHER, {"plan_em", "hallu_rate", "act_em", "act_em_args", "f1", "f1_hard"}),
        (call("weather"), {"plan_em", "hallu_rate", "act_em", "act_em_args", "f1", "f1_easy"}),
        (render("", "weather", "{broken"), {"plan_em", "hallu_rate", "act_em", "act_em_args"}),
        (finish("x"), {"plan_em", "hallu_rate", "rouge_l"}),
        (GIVE_UP, {"plan_em", "hallu_rate"}),
    ],
)
def test_the_reference_alone_decides_the_metrics(target: str, names: set[str]) -> None:
    assert set(applicable(parse_step(target))) == names
    for prediction in (target, WEATHER, GIVE_UP, finish("x"), "no form", call("no_such_tool")):
        assert set(scored(prediction, target)) == names


def test_arguments_of_a_reference_that_is_no_json_are_compared_letter_by_letter() -> None:
    target = render("", "weather", "city=Oslo")
    assert scored(target, target)["act_em_args"] == 1
    assert scored(WEATHER, target)["act_em_args"] == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(), VALUES, max_size=5)


@settings(max_examples=40)
@given(ARGUMENTS, ARGUMENTS)
def test_f1_is_a_fraction_and_1_only_for_the_same(one: dict[str, object], other: dict[str, object]) -> None:
    value = f1(json.dumps(one), other)
    assert 0 <= value <= 1
    assert (value == pytest.approx(1)) == same(one, other)
    assert f1(json.dumps(other), one) == pytest.approx(value), "recall and precision change places"


@given(st.text(), st.text())
def test_rouge_l_is_a_fraction_and_1_for_the_same_words(one: str, other: str) -> None:
    assert 0 <= rouge_l(one, other) <= 1
    assert rouge_l(one, one) == 1
    if words_of(one) == words_of(other):
        assert rouge_l(one, other) == 1


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ("the cat sat", "The cat sat!", 1.0),
        ("the cat sat", "the dog sat", 2 / 3),
        ("今天很冷", "今天很热", 0.75),
        ("今天 is cold", "今天 is cold", 1.0),
        ("x", "y", 0.0),
        ("", "y", 0.0),
        ("...", "!!!", 1.0),
        ("naïve café", "Naïve café", 1.0),
    ],
)
def test_rouge_l(answer: str, reference: str, value: float) -> None:
    assert rouge_l(answer, reference) == pytest.approx(value)


def test_equality_is_that_of_json() -> None:
    assert same({"a": 1}, {"a": 1.0})
    assert not same({"a": 1}, {"a": True})
    assert not same({"a": [0]}, {"a": [False]})
    assert not same("1", 1)
