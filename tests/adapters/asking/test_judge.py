"""A judge is asked until it can be understood, and no longer."""

import json

import pytest
from fault_server import Fault, FaultServer, fault_server

from bridge.adapters.asking.judge import NotUnderstood, asked_anew, failure, judged, rounds_of
from bridge.adapters.asking.model import Model, NotAnswered
from bridge.adapters.asking.reading import Unreadable, json_object

__all__ = ["fault_server"]
REQUEST = {"model": "judge", "temperature": 0.0, "messages": [{"role": "user", "content": "Mark this."}]}


def read(answer: str) -> int:
    mark = json_object(answer).get("mark")
    if not isinstance(mark, int):
        raise Unreadable("'mark' is missing")
    return mark


async def test_understood_at_once(fault_server: FaultServer) -> None:
    fault_server.answer = lambda prompt: '<think>{"mark": 1}</think>{"mark": 4}'
    async with Model(fault_server.base_url, "k") as judge:
        judgment = await judged(judge, REQUEST, read, attempts=3)
    assert (judgment.value, judgment.attempts) == (4, 1)
    assert judgment.response == '<think>{"mark": 1}</think>{"mark": 4}'


async def test_nonsense_is_shown_to_the_judge_and_asked_again(fault_server: FaultServer) -> None:
    said = iter(["I like it.", '{"mark": "good"}', '{"mark": 2}'])
    fault_server.answer = lambda prompt: next(said)
    async with Model(fault_server.base_url, "k") as judge:
        judgment = await judged(judge, REQUEST, read, attempts=3)
    assert (judgment.value, judgment.attempts) == (2, 3)
    bodies = [asked.body for asked in fault_server.journal]
    assert len({json.dumps(body) for body in bodies}) == 3, "no cache can answer one for the other"
    assert [m["content"] for m in bodies[2]["messages"][1:4:2]] == ["I like it.", '{"mark": "good"}']
    assert "there is no JSON object in it" in bodies[1]["messages"][-1]["content"]
    assert "'mark' is missing" in bodies[2]["messages"][-1]["content"]
    assert all(body["temperature"] == 0.0 and body["model"] == "judge" for body in bodies)


async def test_nonsense_for_ever_is_no_score(fault_server: FaultServer) -> None:
    fault_server.answer = lambda prompt: "Fine, thanks."
    async with Model(fault_server.base_url, "k") as judge:
        with pytest.raises(NotAnswered, match=r"could not be read in 3 attempts, last: there is no JSON object in it"):
            await judged(judge, REQUEST, read, attempts=3)
    assert len(fault_server.journal) == 3


async def test_a_judge_that_is_down_is_not_asked_twice(fault_server: FaultServer) -> None:
    fault_server.default = Fault(status=503, message="overloaded")
    async with Model(fault_server.base_url, "k") as judge:
        with pytest.raises(NotAnswered, match="HTTP 503: overloaded"):
            await judged(judge, REQUEST, read, attempts=3)
    assert len(fault_server.journal) == 1


async def test_what_the_caller_holds_is_left_as_it_is(fault_server: FaultServer) -> None:
    fault_server.answer = lambda prompt: "x"
    before = json.dumps(REQUEST)
    async with Model(fault_server.base_url, "k") as judge:
        with pytest.raises(NotAnswered):
            await judged(judge, REQUEST, read, attempts=2)
    assert json.dumps(REQUEST) == before


def test_a_judge_that_was_not_understood_is_asked_something_else_the_next_time() -> None:
    """Or the gateway, which keeps every answer, would give the same nonsense for ever."""
    entry = failure(NotUnderstood("nonsense"), 0)
    assert rounds_of(entry) == 1
    assert asked_anew(REQUEST, 0) == REQUEST
    assert asked_anew(REQUEST, 1) == {**REQUEST, "seed": 1000}
    assert asked_anew({**REQUEST, "seed": 3}, 2)["seed"] == 2003
    assert rounds_of(failure(NotUnderstood("nonsense"), 1)) == 2
    assert rounds_of(failure(NotAnswered("HTTP 503"), 1)) == 1
    assert rounds_of(None) == 0
