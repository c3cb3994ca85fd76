"""A row → the messages and tools of a request, in one of two styles; and the reply → ReAct text.

``react``: the tools are in the system text, and the model writes Thought, Action and Action Input. ``tools``: the
server is given the tools and the model calls them natively; its call is then written down as the same text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from bridge.adapters.toolbench.evalscope import Compat
from bridge.adapters.toolbench.react import render, split_action, thought_of
from bridge.adapters.toolbench.rows import StaticRow, Tool
from bridge.spec import JsonObject

Style = Literal["react", "tools"]

CALLING = """\
You solve a user's request with the help of functions. Take one step at a time: call exactly one function, wait for \
its result, and then decide what to do next. Say in a few words why before you call.

A step cannot be taken back. Call functions only by the names that are given to you. When you have all that the user \
needs, call Finish with return_type "give_answer" and put everything that the user is to read into final_answer. Where \
the functions fail or do not lead anywhere, call Finish with return_type "give_up_and_restart"."""

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def request_parts(row: StaticRow, style: Style, compat: Compat | None) -> JsonObject:
    """``messages`` and, natively, ``tools``."""
    if style == "tools":
        tools = [{"type": "function", "function": tool.to_json()} for tool in row.tools]
        return {"messages": _native_messages(row), "tools": tools}
    as_text = _whole_turn if compat == "evalscope_native" else _content
    return {"messages": _joined(_react_message(message, as_text) for message in row.messages)}


def as_react(text: str, calls: Sequence[Mapping[str, Any]]) -> str:
    """A reply of either style as ReAct text; of several calls in one reply the first one is the step."""
    if not calls:
        return text
    function = calls[0].get("function") or {}
    arguments = function.get("arguments")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return render(text.strip(), str(function.get("name") or ""), written.strip() or "{}")


def _react_message(message: JsonObject, as_text: Callable[[JsonObject], str]) -> JsonObject:
    """The result of a call is told by the user: chat templates know no role for it outside of native calls."""
    if message["role"] == "function":
        return {"role": "user", "content": as_text(message)}
    return {"role": message["role"], "content": message["content"]}


def _content(message: JsonObject) -> str:
    return str(message["content"])


def _whole_turn(message: JsonObject) -> str:
    """As EvalScope's own benchmark tells it: the whole message as JSON, without the function's name."""
    return json.dumps({"role": message["role"], "content": message["content"]}, ensure_ascii=False)


def _joined(messages: Iterable[JsonObject]) -> list[JsonObject]:
    """Two texts of the same side one after the other are one: many chat templates refuse them otherwise."""
    joined: list[JsonObject] = []
    for message in messages:
        if joined and message["role"] in ("user", "assistant") and _are_texts_of_one_side(joined[-1], message):
            joined[-1] = {**joined[-1], "content": f"{joined[-1]['content']}\n\n{message['content']}"}
        else:
            joined.append(message)
    return joined


def _are_texts_of_one_side(one: JsonObject, other: JsonObject) -> bool:
    return one["role"] == other["role"] and set(one) == set(other) == {"role", "content"}


def _native_messages(row: StaticRow) -> list[JsonObject]:
    """The server's API wants a result right behind every call: what has none stays text."""
    roles = [*(message["role"] for message in row.messages), ""]
    messages: list[JsonObject] = [{"role": "system", "content": CALLING}]
    open_call = ""
    for at, message in enumerate(row.messages):
        if message["role"] == "function" and open_call:
            messages.append({"role": "tool", "tool_call_id": open_call, "content": message["content"]})
            open_call = ""
        elif message["role"] == "assistant":
            native, open_call = _native_step(message["content"], f"call_{at}" if roles[at + 1] == "function" else "")
            messages.append(native)
        elif message["role"] != "system":
            messages.append({"role": "user", "content": message["content"]})
    return _joined(messages)


def _native_step(text: str, call_id: str) -> tuple[JsonObject, str]:
    """An earlier step of the reference as the native call that it would have been, and its id; or as text."""
    action, arguments = split_action(text)
    if action is None or not call_id:
        return {"role": "assistant", "content": text}, ""
    function = {"name": _NOT_IN_NAMES.sub("_", action)[:64] or "_", "arguments": arguments}
    call = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": thought_of(text), "tool_calls": [call]}, call_id


def react_system(task: str, tools: Sequence[Tool]) -> str:
    """A system text in ReAct form, for rows that are made from ToolBench's own trajectories."""
    listed = json.dumps([tool.to_json() for tool in tools], ensure_ascii=False)
    return f"""{task.strip()}

Write every step in exactly this form, with the arguments as one JSON object, and nothing after it:
Thought: why you take this step
Action: the name of one function
Action Input: {{"argument": "value"}}

These are the functions, with their parameters: {listed}"""
