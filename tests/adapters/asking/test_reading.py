"""A judge's answer: what is around the JSON does not matter, what is in it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.asking.reading import Unreadable, json_object
from bridge.adapters.asking.thinking import without_thinking


@pytest.mark.parametrize(
    "answer",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```',
        'Well. Here you are:\n```JSON\n{"a": 1}\n```\nAnything else?',
        'I think {so}. {"a": 1}',
        '  {"a":\n 1}  that is all',
        'The form was {"a": 0}, and mine is {"a": 1}',
    ],
)
def test_the_object_is_found(answer: str) -> None:
    assert json_object(answer) == {"a": 1}


def test_line_breaks_inside_a_text_are_let_pass() -> None:
    assert json_object('{"a": "one\ntwo"}') == {"a": "one\ntwo"}


def test_an_object_inside_an_object_is_not_taken_for_the_answer() -> None:
    assert json_object('{"a": {"b": 1}}') == {"a": {"b": 1}}


@pytest.mark.parametrize("answer", ["", "no", "[1]", "{", '{"a": ', "```json\n\n```", "{'a': 1}", "{" * 50_000])
def test_no_object_is_said(answer: str) -> None:
    with pytest.raises(Unreadable, match="no JSON object"):
        json_object(answer)


@given(st.text(), st.dictionaries(st.text(), st.integers(), min_size=1))
def test_prose_in_front_changes_nothing(prose: str, value: dict[str, int]) -> None:
    import json

    assert json_object(prose.replace("{", "(").replace("`", "'") + json.dumps(value)) == value


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("plain", "plain"),
        ("<think>let me see</think>\n\nplain", "plain"),
        ("let me see</think>plain", "plain"),
        ("\n<Thinking>x</thinking>plain", "plain"),
        ("<think>never closed", ""),
        ("Use <think> and </think> as tags.", "Use <think> and </think> as tags."),
        ("  spaces stay  ", "  spaces stay  "),
        ("", ""),
    ],
)
def test_thinking_is_cut_off_the_front_only(response: str, answer: str) -> None:
    assert without_thinking(response) == answer
