"""Both styles of asking, and that a native call and ReAct text are read as the same step."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toolbench_files import TOOLS, Json, react, step_taken

from bridge.adapters.toolbench.prompts import CALLING, as_react, request_parts
from bridge.adapters.toolbench.react import parse_step
from bridge.adapters.toolbench.rows import StaticRow, tool_of


def row(*messages: Json) -> StaticRow:
    return StaticRow("0", "in_domain", messages, tuple(tool_of(tool) for tool in TOOLS), "")


SYSTEM = {"role": "system", "content": "You are AutoGPT."}
USER = {"role": "user", "content": "Is it cold?"}
FUNCTION = {"role": "function", "content": '{"response": "cold"}', "name": "weather_for_skies"}


def test_react_sends_the_row_as_it_stands() -> None:
    call = {"role": "assistant", "content": react("weather_for_skies", {"city": "Oslo"})}
    assert request_parts(row(SYSTEM, USER, call, FUNCTION), "react", None) == {
        "messages": [SYSTEM, USER, call, {"role": "user", "content": '{"response": "cold"}'}]
    }
    assert request_parts(row(SYSTEM, USER, call, FUNCTION), "react", "evalscope")["messages"][-1] == {
        "role": "user",
        "content": '{"response": "cold"}',
    }


def test_as_evalscopes_own_benchmark_tells_a_result() -> None:
    messages = request_parts(row(SYSTEM, USER, *step_taken()), "react", "evalscope_native")["messages"]
    assert messages[-1]["role"] == "user"
    assert json.loads(messages[-1]["content"]) == {
        "role": "function",
        "content": '{"error": "", "response": "cold"}',
    }


def test_turns_of_one_side_are_joined() -> None:
    messages = request_parts(row(SYSTEM, USER, *step_taken(), USER), "react", None)["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[-1]["content"] == '{"error": "", "response": "cold"}\n\nIs it cold?'


def test_native_calls() -> None:
    parts = request_parts(row(SYSTEM, USER, *step_taken(), USER), "tools", None)
    assert parts["messages"] == [
        {"role": "system", "content": CALLING},
        USER,
        {
            "role": "assistant",
            "content": "I need it.",
            "tool_calls": [
                {
                    "id": "call_2",
                    "type": "function",
                    "function": {"name": "weather_for_skies", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_2", "content": '{"error": "", "response": "cold"}'},
        USER,
    ]
    assert [tool["function"]["name"] for tool in parts["tools"]] == ["weather_for_skies", "route_for_roads", "Finish"]
    assert all(
        tool["type"] == "function" and tool["function"]["parameters"]["type"] == "object" for tool in parts["tools"]
    )


TURNS = st.lists(
    st.sampled_from(
        [
            USER,
            FUNCTION,
            SYSTEM,
            {"role": "assistant", "content": react("weather_for_skies", {})},
            {"role": "assistant", "content": "Just words."},
        ]
    ),
    max_size=8,
)


@given(TURNS)
def test_every_native_call_is_followed_by_its_result_and_every_result_has_a_call(turns: list[Json]) -> None:
    messages = request_parts(row(SYSTEM, USER, *turns, USER), "tools", None)["messages"]
    for one, after in pairwise(messages):
        calls = one.get("tool_calls") or []
        assert (after["role"] == "tool") == bool(calls)
        if calls:
            assert after["tool_call_id"] == calls[0]["id"]
        assert not one["role"] == after["role"] == "user"


@given(TURNS)
def test_nothing_that_was_said_is_lost(turns: list[Json]) -> None:
    for style in ("react", "tools"):
        messages = request_parts(row(SYSTEM, USER, *turns, USER), style, None)["messages"]
        sent = json.dumps(messages)
        for turn in turns:
            if turn["role"] in ("user", "function"):
                assert json.dumps(turn["content"])[1:-1] in sent


@pytest.mark.parametrize(
    ("text", "calls", "step"),
    [
        ("", [("f", '{"a": 1}')], ("call", "f", '{"a": 1}')),
        ("I need it.", [("f", "")], ("call", "f", "{}")),
        ("Two at once.", [("f", "{}"), ("g", "{}")], ("call", "f", "{}")),
        ("", [("Finish", '{"return_type": "give_up_and_restart"}')], ("give up", None, "{}")),
        ("It is cold.", [], ("none", None, "{}")),
        ("Action: f\nAction Input: {}", [], ("call", "f", "{}")),
        ("Action: g", [("f", "{}")], ("call", "f", "{}")),
    ],
)
def test_a_reply_is_one_step(text: str, calls: list[tuple[str, str]], step: tuple[str, str | None, str]) -> None:
    native = [{"id": "1", "function": {"name": name, "arguments": arguments}} for name, arguments in calls]
    read = parse_step(as_react(text, native))
    assert (read.plan, read.action, read.arguments) == step


def test_arguments_that_a_server_gives_as_an_object() -> None:
    assert parse_step(as_react("", [{"function": {"name": "f", "arguments": {"a": 1}}}])).arguments == '{"a": 1}'
    assert parse_step(as_react("", [{"function": None}])).action == ""
