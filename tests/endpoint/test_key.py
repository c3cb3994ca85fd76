from __future__ import annotations

import pytest

from bridge.endpoint.key import digest, is_sampling, nth, request_key

BODY = {"model": "m", "temperature": 0, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
CHAT = "/chat/completions"


def test_the_order_of_fields_does_not_matter() -> None:
    turned = dict(reversed(BODY.items()))
    turned["messages"] = [{"content": "hi", "role": "user"}]
    assert request_key("u", CHAT, BODY, 0) == request_key("u", CHAT, turned, 0)


def test_how_the_answer_is_delivered_does_not_matter() -> None:
    streamed = {**BODY, "stream": True, "stream_options": {"include_usage": True}}
    assert request_key("u", CHAT, BODY, 0) == request_key("u", CHAT, streamed, 0)
    assert "stream" in streamed


@pytest.mark.parametrize(
    "other",
    [
        {"model": "n"},
        {"max_tokens": 6},
        {"temperature": 0.5},
        {"seed": 1},
        {"stop": ["x"]},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"messages": [{"role": "user", "content": "hi "}]},
        {"messages": [{"role": "system", "content": "hi"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}]}]},
    ],
)
def test_every_field_of_the_request_counts(other: dict[str, object]) -> None:
    assert request_key("u", CHAT, BODY, 0) != request_key("u", CHAT, {**BODY, **other}, 0)


def test_server_and_path_count() -> None:
    keys = {request_key(u, p, BODY, 0) for u in ("u", "v") for p in (CHAT, "/completions")}
    assert len(keys) == 4


@pytest.mark.parametrize("body", [{"temperature": 0.7}, {"temperature": 0, "n": 2}, {}, {"temperature": None}])
def test_each_repeat_of_a_sampling_request_is_its_own(body: dict[str, object]) -> None:
    assert is_sampling(body)
    keys = [request_key("u", CHAT, body, repeat) for repeat in range(12)]
    assert len(set(keys)) == 12
    assert keys == [nth(digest("u", CHAT, body), repeat) for repeat in range(12)]


@pytest.mark.parametrize("body", [{"temperature": 0}, {"temperature": 0.0, "n": 1}, {"temperature": 0, "n": None}])
def test_a_greedy_request_has_one_answer(body: dict[str, object]) -> None:
    assert not is_sampling(body)
    assert request_key("u", CHAT, body, 0) == request_key("u", CHAT, body, 7)
