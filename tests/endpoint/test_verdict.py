from __future__ import annotations

import json

import pytest

from bridge.endpoint.verdict import TryFailed, read_answer

CHAT = "/chat/completions"
GOOD = {"choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}]}


def failure(status: int, body: object, path: str = CHAT) -> TryFailed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(TryFailed) as caught:
        read_answer(status, raw, path)
    assert "\n" not in caught.value.message
    return caught.value


def test_answers_are_taken() -> None:
    assert read_answer(200, json.dumps(GOOD).encode(), CHAT) == GOOD
    text = {"choices": [{"text": ""}]}
    assert read_answer(200, json.dumps(text).encode(), "/completions") == text


@pytest.mark.parametrize(
    "message",
    [
        {"content": ""},
        {"content": [{"type": "text"}]},
        {"content": None, "reasoning_content": "Hm."},
        {"content": None, "tool_calls": [{"id": "1"}]},
        {"refusal": "No."},
    ],
)
def test_a_model_may_say_nothing(message: dict[str, object]) -> None:
    assert read_answer(200, json.dumps({"choices": [{"message": message}]}).encode(), CHAT)


@pytest.mark.parametrize(
    ("status", "kind", "passing"),
    [
        (400, "refused-by-server", False),
        (401, "auth", False),
        (403, "auth", False),
        (404, "not-found", False),
        (408, "timeout", True),
        (409, "refused-by-server", True),
        (413, "refused-by-server", False),
        (422, "refused-by-server", False),
        (425, "refused-by-server", True),
        (429, "rate-limit", True),
        (500, "server-error", True),
        (502, "server-error", True),
        (503, "server-error", True),
        (504, "timeout", True),
        (529, "server-error", True),
        (302, "refused-by-server", False),
    ],
)
def test_statuses(status: int, kind: str, passing: bool) -> None:
    failed = failure(status, {"error": {"message": "because"}})
    assert (failed.kind, failed.passing, failed.status) == (kind, passing, status)
    assert failed.message.startswith(f"{status} ") and failed.message.endswith(": because")


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "Input is too long for the model: prompt is too long: 210000 tokens > 200000 maximum",
        "The prompt (total length 9000) is too long to fit into the model (context length 8192)",
        "max_model_len exceeded",
        "Input length exceeds the maximum sequence length",
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_that_is_too_long(said: str, status: int) -> None:
    failed = failure(status, {"error": {"message": said}})
    assert (failed.kind, failed.passing) == ("context-length", False)


def test_the_code_tells_a_long_prompt_too() -> None:
    assert failure(400, {"error": {"message": "no", "code": "context_length_exceeded"}}).kind == "context-length"


def test_quota_that_is_used_up_is_no_rate_limit() -> None:
    failed = failure(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})
    assert (failed.kind, failed.passing) == ("auth", False)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "nothing"),
        (b"<html>oops</html>", "not JSON"),
        (b'{"choices": [', "not JSON"),
        (b'{"choices": [{"message": {"content": "\xff"}}]}', "not JSON"),
        ([], "no object"),
        ({}, "without choices"),
        ({"choices": []}, "without choices"),
        ({"choices": None}, "without choices"),
        ({"choices": ["text"]}, "no text"),
        ({"choices": [{"text": "of the other API"}]}, "no text"),
        ({"choices": [{"message": {"content": 5}}]}, "no text"),
        ({"choices": [{"message": None}]}, "no text"),
        ({"choices": [{"message": {}}]}, "no text"),
        ({"choices": [{"message": {"content": None, "tool_calls": []}}]}, "no text"),
        ({"choices": GOOD["choices"], "error": {"message": "overloaded"}}, "overloaded"),
    ],
)
def test_garbage(body: object, says: str) -> None:
    failed = failure(200, body)
    assert (failed.kind, failed.passing) == ("garbage", True)
    assert says in failed.message


def test_a_completion_needs_its_text() -> None:
    assert failure(200, GOOD, "/completions").kind == "garbage"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": {"message": "a\nb"}}, "a b"),
        ({"error": "plain"}, "plain"),
        ({"message": "of vLLM", "object": "error"}, "of vLLM"),
        ({"detail": "of FastAPI"}, "of FastAPI"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "and more"}]}, "field required; and more"),
        (b"no JSON at all", "no JSON at all"),
        (b"x" * 100_000, "x" * 299 + "…"),
    ],
)
def test_what_the_server_says_is_passed_on(body: object, says: str) -> None:
    assert failure(400, body).message == f"400 Bad Request: {says}"
