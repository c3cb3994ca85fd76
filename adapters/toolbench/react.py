"""ReAct text ⇄ a step: which tool is called with what, or how the task is ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Plan = Literal["call", "finish", "give up", "none"]
FINISH = "Finish"
_ACTION, _INPUT, _THOUGHT = "Action:", "Action Input:", "Thought:"
_EMPTY_ANSWERS = ("", ".", ",")


@dataclass(frozen=True, slots=True)
class Step:
    """What one reply does."""

    plan: Plan
    """``none``: it calls nothing."""
    action: str | None = None
    """Name of the tool that is called; ``Finish`` where the plan is to finish. None: nothing is, or it gives up."""
    arguments: str = "{}"
    """Of a call: as written, which may not be JSON."""
    answer: str | None = None
    """The final answer, where the plan is to finish."""


def parse_step(text: str) -> Step:
    """The step that a reply in ReAct form takes.

    The action is what follows the last ``Action:``, up to the next ``Action Input:``; the arguments are what follows
    the last ``Action Input:``, or ``{}``. A call of ``Finish`` finishes if its arguments are JSON with the return type
    ``give_answer``, and gives up otherwise.
    """
    action, arguments = split_action(text)
    if action is None:
        return Step("none", arguments=arguments)
    return _finish(arguments) if action == FINISH else Step("call", action, arguments)


def split_action(text: str) -> tuple[str | None, str]:
    """Name of the action and its arguments as written; None where there is no ``Action:``."""
    _, found, arguments = text.rpartition(_INPUT)
    arguments = arguments.strip() if found else "{}"
    _, found, action = text.rpartition(_ACTION)
    return (action.partition(_INPUT)[0].strip() if found else None), arguments


def thought_of(text: str) -> str:
    """What is said before the action, without the word ``Thought:``."""
    before = text.rpartition(_ACTION)[0] if _ACTION in text else text
    return before.strip().removeprefix(_THOUGHT).strip()


def render(thought: str, action: str, arguments: str) -> str:
    """A step in the form that ``parse_step`` reads."""
    return f"{_THOUGHT} {thought}\n{_ACTION} {action}\n{_INPUT} {arguments}"


def final_answer(value: dict[str, Any]) -> str:
    """The final answer in the arguments of a ``Finish``; the word None stands for an empty one."""
    answer = str(value.get("final_answer", ""))
    return "None" if answer.strip() in _EMPTY_ANSWERS else answer


def _finish(arguments: str) -> Step:
    try:
        value = json.loads(arguments)
    except ValueError:
        return Step("give up")
    if not isinstance(value, dict) or value.get("return_type") != "give_answer":
        return Step("give up")
    return Step("finish", FINISH, arguments, final_answer(value))
