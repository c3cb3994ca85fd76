"""Bytes with times → what an answer was, whatever pieces the bytes come in."""

from __future__ import annotations

import itertools

import pytest

from bridge.native.perf.sse import Answer, read_stream

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}'


def answer(*pieces: bytes, reads: tuple[float, ...] = (), keep_text: bool = True) -> Answer:
    *_, last = read_stream(pieces, [float(at) for at in range(len(pieces))], reads, keep_text=keep_text)
    return last


def events(*bodies: bytes, end: bytes = b"\n\n") -> bytes:
    return b"".join(body + end for body in bodies)


def test_every_way_of_cutting_the_bytes_gives_the_same_answer() -> None:
    whole = events(EVENT % b"a", b": ping", EVENT % b"b", FINISH, USAGE, b"data: [DONE]", end=b"\r\n\r\n")
    for size in range(1, len(whole) + 1):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        got = answer(*pieces)
        assert ("".join(got.text), got.finish_reason, got.completion_tokens, got.done) == ("ab", "stop", 2, True), size
        assert len(got.times) == 2


def test_an_event_has_the_time_of_the_piece_that_completes_it() -> None:
    first, second = events(EVENT % b"a"), events(EVENT % b"b")
    got = answer(first[:30], first[30:] + second[:5], second[5:])
    assert list(got.times) == [1.0, 2.0]


def test_events_of_one_read_are_told() -> None:
    together = answer(events(EVENT % b"a", EVENT % b"b"))
    assert together.shared == [(0, 1)]
    one_by_one = answer(events(EVENT % b"a"), events(EVENT % b"b"))
    assert one_by_one.shared == []
    one_read = answer(events(EVENT % b"a"), events(EVENT % b"b"), reads=(5.0, 5.0))
    assert one_read.shared == [(1, 1)]


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"choices":[{"index":0,"text":"a","finish_reason":null}]}',
        b'data:{"choices":[{"index":0,"delta":{"content":"a"}}]}',
        b'event: message\ndata: {"choices":[{"index":0,"delta":{"content":"a"}}]}',
        b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"a"}}]}',
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"arguments":"a"}}]}}]}',
    ],
)
def test_what_counts_as_a_token(body: bytes) -> None:
    got = answer(events(body))
    assert len(got.times) == 1
    assert got.first_output == 0.0


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}',
        b'data: {"choices":[{"index":0,"delta":{}}]}',
        b'data: {"choices":[]}',
        b": keep-alive",
        b"data: 5",
        b"retry: 100",
    ],
)
def test_what_does_not(body: bytes) -> None:
    got = answer(events(body))
    assert not got.times
    assert got.error is None


def test_reasoning_is_a_token_and_no_output() -> None:
    for name in (b"reasoning_content", b"reasoning"):
        got = answer(events(b'data: {"choices":[{"delta":{"%s":"hm"}}]}' % name), events(EVENT % b"a"))
        assert list(got.times) == [0.0, 1.0]
        assert got.first_output == 1.0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'data: {"error": {"message": "engine died"}}', "engine died"),
        (b'data: {"error": "no room"}', "no room"),
        (b"data: {oops", "an event that is no JSON: {oops"),
    ],
)
def test_errors_in_the_stream(body: bytes, said: str) -> None:
    assert answer(events(EVENT % b"a", body)).error == said


def test_the_end_of_the_connection_ends_the_last_event() -> None:
    got = answer(events(EVENT % b"a") + FINISH)
    assert got.finish_reason == "stop"


def test_text_is_kept_where_it_is_wanted() -> None:
    assert answer(events(EVENT % b"a"), keep_text=False).text == []


def test_it_stops_in_between() -> None:
    pieces = [events(EVENT % b"a")] * 100
    steps = list(itertools.islice(read_stream(pieces, [0.0] * 100), 10))
    assert len(steps) == 4
