"""What a reply does: the parsing rules, and that what we render is what we read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.toolbench.react import Step, parse_step, render, split_action, thought_of

GAVE = '{"return_type": "give_answer", "final_answer": "42"}'


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("Thought: x\nAction: f\nAction Input: {}", Step("call", "f", "{}")),
        ("Action: f\nAction Input:\n {\n 'a': 1 \n}\n", Step("call", "f", "{\n 'a': 1 \n}")),
        ("Action: f", Step("call", "f", "{}")),
        ("Action:f\nAction Input:{}", Step("call", "f", "{}")),
        ("Action Input: {}\nAction: f", Step("call", "f", "{}\nAction: f")),
        ("Action: f\nAction Input: {}\nObservation: ok\nAction: g\nAction Input: []", Step("call", "g", "[]")),
        ("I would look it up.", Step("none")),
        ("", Step("none")),
        ('Action Input: {"a": 1}', Step("none", None, '{"a": 1}')),
        (f"Action: Finish\nAction Input: {GAVE}", Step("finish", "Finish", GAVE, "42")),
        ('Action: Finish\nAction Input: {"return_type": "give_up_and_restart"}', Step("give up")),
        ('Action: Finish\nAction Input: {"return_type": "stop"}', Step("give up")),
        ("Action: Finish\nAction Input: {broken", Step("give up")),
        ("Action: Finish\nAction Input: [1]", Step("give up")),
        ("Action: Finish", Step("give up")),
    ],
)
def test_steps(text: str, step: Step) -> None:
    assert parse_step(text) == step


@pytest.mark.parametrize(
    ("given", "answer"),
    [("", "None"), (" . ", "None"), (",", "None"), (7, "7"), (None, "None"), ("yes", "yes"), (["a"], "['a']")],
)
def test_final_answers(given: object, answer: str) -> None:
    arguments = json.dumps({"return_type": "give_answer", "final_answer": given})
    assert parse_step(render("", "Finish", arguments)).answer == answer


def test_a_finish_without_an_answer_has_the_answer_none() -> None:
    assert parse_step(render("", "Finish", '{"return_type": "give_answer"}')).answer == "None"


PLAIN = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: "Action" not in text and "Thought" not in text
)


@given(PLAIN, PLAIN, st.dictionaries(st.text(), st.integers() | st.text()))
def test_what_is_rendered_is_read(thought: str, action: str, arguments: dict[str, object]) -> None:
    written = json.dumps(arguments)
    if "Action" in written:
        return
    text = render(thought.strip(), action.strip(), written)
    assert split_action(text) == (action.strip(), written)
    assert thought_of(text) == thought.strip()


@given(st.text())
def test_any_text_has_a_step(text: str) -> None:
    assert parse_step(text).plan in ("call", "finish", "give up", "none")
