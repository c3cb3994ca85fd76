"""ToolEval's two questions to a judge: is the query solved, and which of two answers is better.  Pure.

The rules are ToolEval's, the words are our own. An answer that does not end with Finish, is empty or gives up is
unsolved, and the judge is not asked. Where the judge cannot tell from the final answer, it is shown the calls as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from bridge.adapters.asking.reading import Unreadable, json_object
from bridge.adapters.toolbench.answers import Answer

Status = Literal["solved", "unsure", "unsolved"]
Side = Literal["model", "reference", "tie"]
POINTS: Mapping[Status, float] = {"solved": 1.0, "unsure": 0.5, "unsolved": 0.0}
_STEP_CHARS = 2000

STATUS = """\
An assistant had web services at its disposal and was given a request. Judge whether its final answer solves it.

- "unsolved": it apologises, declines, reports only failures, or does not respond to what was asked.
- "solved": it responds to all that was asked, and what it says is enough for you to be sure of that.
- "unsure": it responds, but you cannot tell from the answer alone whether it solves the request.

Request:
{query}

Final answer:
{answer}

Answer with one JSON object and nothing else: {{"reason": "...", "status": "solved" or "unsolved" or "unsure"}}"""

DETAILED = """\
An assistant had web services at its disposal and was given a request. Below are the calls that it made, with what the \
services returned, and its final answer. Judge whether it has solved the request.

- "unsolved": every call failed, or the final answer says something that the services have not returned.
- "solved": calls succeeded, and what they returned does solve the request.
- "unsure": you cannot verify what the final answer says.

Request:
{query}

Calls and final answer:
{answer}

Answer with one JSON object and nothing else: {{"reason": "...", "status": "solved" or "unsolved" or "unsure"}}"""

BETTER = """\
Two assistants had the same web services at their disposal and were given the same request. Judge which one did better.

Compare their final answers first: does it hold everything that was asked for; is it true to what was done, and does \
it say what failed; where the request is not solved, does it explain why, in detail. If that does not decide it, \
compare their calls: fewer failed or repeated calls are better, fewer steps are better, and so are more parts of the \
request done and more useful services tried. Which one is shown first means nothing.

Request:
{query}

Assistant A:
{first}

Assistant B:
{second}

Answer with one JSON object and nothing else: {{"reason": "...", "better": "A" or "B" or "tie"}}"""


def is_unsolved_at_sight(answer: Answer) -> bool:
    """Nothing that a judge could be asked about."""
    return not answer.finished or not answer.final_answer


def status_prompt(answer: Answer) -> str:
    return STATUS.format(query=answer.query, answer=answer.final_answer)


def detailed_prompt(answer: Answer) -> str:
    return DETAILED.format(query=answer.query, answer=_details(answer))


def better_prompt(model: Answer, reference: Answer, vote: int) -> str:
    """Every other vote has the two in the other order, since judges prefer what they see first."""
    first, second = (model, reference) if is_model_first(vote) else (reference, model)
    return BETTER.format(query=model.query, first=_details(first), second=_details(second))


def is_model_first(vote: int) -> bool:
    return vote % 2 == 1


def read_status(answer: str) -> Status:
    """Raises Unreadable."""
    said = _said(answer, "status")
    for status in POINTS:
        if said == status:
            return status
    raise Unreadable(f"'status' is {said!r}, not one of: solved, unsolved, unsure")


def read_better(answer: str, vote: int) -> Side:
    """Raises Unreadable."""
    said = _said(answer, "better")
    if said == "tie":
        return "tie"
    if said not in ("a", "b"):
        raise Unreadable(f"'better' is {said!r}, not one of: A, B, tie")
    return "model" if (said == "a") == is_model_first(vote) else "reference"


def passed(statuses: Sequence[Status]) -> float:
    """The majority's word: 1 solved, 0 not, a half where the votes balance."""
    mean = solved_share(statuses)
    return 1.0 if mean > 0.5 else 0.0 if mean < 0.5 else 0.5


def solved_share(statuses: Sequence[Status]) -> float:
    """The mean vote; unsure is a half. Averaged over queries this is StableToolBench's solvable pass rate."""
    return sum(POINTS[status] for status in statuses) / len(statuses)


def by_status(model: float, reference: float) -> Side | None:
    """The one that has solved more wins; None where a judge has to compare them."""
    return None if model == reference else "model" if model > reference else "reference"


def majority(sides: Sequence[Side]) -> Side:
    ahead = sides.count("model") - sides.count("reference")
    return "tie" if not ahead else "model" if ahead > 0 else "reference"


def are_the_same(model: Answer, reference: Answer) -> bool:
    return (model.final_answer, model.steps) == (reference.final_answer, reference.steps)


def _said(answer: str, field: str) -> str:
    value = json_object(answer)
    if field not in value:
        raise Unreadable(f"{field!r} is missing")
    return str(value[field]).strip().casefold()


def _details(answer: Answer) -> str:
    steps = [{name: _short(str(text)) for name, text in step.items()} for step in answer.steps]
    shown = {"total_steps": len(steps), "steps": steps, "final_answer": answer.final_answer}
    return json.dumps(shown, ensure_ascii=False, indent=1)


def _short(text: str) -> str:
    return text if len(text) <= _STEP_CHARS else f"{text[:_STEP_CHARS]}… ({len(text) - _STEP_CHARS} characters more)"
