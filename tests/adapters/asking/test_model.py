"""Every way in which a request can fail is one line, and no answer."""

import pytest
from fault_server import Fault, FaultServer, fault_server

from bridge.adapters.asking.model import Model, NotAnswered
from bridge.adapters.asking.request import of_repeat, prompt_sha256, told
from bridge.backend import Endpoint

__all__ = ["fault_server"]
BODY = {"model": "m", "messages": [{"role": "user", "content": "2+2?"}]}


async def test_a_reply_is_read(fault_server: FaultServer) -> None:
    fault_server.answer = lambda prompt: f"You said: {prompt}"
    async with Model(fault_server.base_url, "secret") as model:
        reply = await model.ask(BODY)
    assert reply.text == "You said: 2+2?"
    assert reply.finish_reason == "stop"
    assert reply.usage == {"prompt_tokens": 4, "completion_tokens": 14}
    assert fault_server.journal[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(status=500, message="it\nbroke"), "HTTP 500: it broke"),
        (Fault(status=400, message="too long"), "HTTP 400: too long"),
        (Fault(mode="garbage"), "not an answer: <html>Bad gateway</html>"),
        (Fault(mode="empty"), "not an answer: "),
        (Fault(mode="wrong-schema"), 'not an answer: {"answer": "42"}'),
        (Fault(mode="error-in-200"), "not an answer: "),
        (Fault(mode="truncated"), "no connection: "),
        (Fault(mode="reset"), "no connection: "),
    ],
)
async def test_a_failure_is_one_line(fault_server: FaultServer, fault: Fault, said: str) -> None:
    fault_server.default = fault
    async with Model(fault_server.base_url, "k") as model:
        with pytest.raises(NotAnswered) as failure:
            await model.ask(BODY)
    assert str(failure.value).startswith(said)
    assert "\n" not in str(failure.value)
    assert len(fault_server.journal) == 1, "the gateway retries, the job does not"


async def test_nobody_there() -> None:
    async with Model("http://127.0.0.1:1/v1", "k") as model:
        with pytest.raises(NotAnswered, match="no connection"):
            await model.ask(BODY)


async def test_an_answer_without_text_is_an_empty_one(fault_server: FaultServer) -> None:
    fault_server.default = Fault(mode="null-content")
    async with Model(fault_server.base_url, "k") as model:
        assert (await model.ask(BODY)).text == ""


async def test_an_answer_of_a_megabyte(fault_server: FaultServer) -> None:
    fault_server.answer = lambda prompt: "字 word " * 150_000
    async with Model(fault_server.base_url, "k") as model:
        assert (await model.ask(BODY)).text == "字 word " * 150_000


def test_a_job_is_told_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = told("X", Endpoint("http://127.0.0.1:5/v1", "m", api_key="token"))
    assert variables == {"X_URL": "http://127.0.0.1:5/v1", "X_KEY": "token"}
    with pytest.raises(SystemExit, match="X_URL is not set"):
        Model.from_environment("X")


def test_a_sampled_repeat_is_a_request_of_its_own_and_a_greedy_one_is_not() -> None:
    assert of_repeat({"temperature": 0.0}, 3) == {"temperature": 0.0}
    assert of_repeat({"temperature": 0.7}, 0) == {"temperature": 0.7}
    assert of_repeat({"temperature": 0.7}, 2) == {"temperature": 0.7, "seed": 2}
    assert of_repeat({"temperature": 0.7, "seed": 40}, 2) == {"temperature": 0.7, "seed": 42}


def test_the_hash_of_a_prompt_is_that_of_native() -> None:
    from bridge.native.prompt import prompt_sha256 as of_native

    messages = [{"role": "user", "content": 'Zwölf "字"\n\u2028\x7f/'}]
    assert prompt_sha256(messages) == of_native(messages)
