"""What an endpoint can do, found out by asking it: a request for each ability, and what came back."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bridge.errors import ServeError

if TYPE_CHECKING:
    import aiohttp

Way = Literal["prompt_logprobs", "echo"]
"""How a server tells the log-probabilities of a prompt."""
Verdict = Literal["yes", "ignored", "no"]
MAX_TOKENS = 16
SHOWN_CHARS = 160
_QUESTION = "Count from one to five."
_SHORT, _SHORT_TOKENS = "A B", 5
"""Two to four tokens, and one for the beginning of a text; a chat template adds more than that."""
_PIXELS = 56
_RED, _BLUE = (220, 20, 20), (20, 20, 220)
_TOOL = {
    "type": "function",
    "function": {
        "name": "count",
        "description": "Counts up to a number.",
        "parameters": {"type": "object", "properties": {"to": {"type": "integer"}}, "required": ["to"]},
    },
}


@dataclass(frozen=True)
class Ability:
    name: str
    verdict: Verdict
    """``ignored``: the server takes the field and does nothing about it, without a word."""
    detail: str = ""


_KNOWS_NO_SUCH_THING = frozenset({400, 404, 405, 415, 422, 501})
_PAUSES_S = (0.2, 1.0, 3.0)


class _Failed(Exception):
    """The request was refused or not answered; one line that says how. ``status`` 0: there was no response."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        return self.status in (0, 408, 429) or self.status >= 500


Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]


async def abilities(base_url: str, model: str, *, api_key: str | None, timeout_s: float) -> AsyncIterator[Ability]:
    """One after the other, so that they can be shown as they come. Temperature is 0 and answers are short."""
    import aiohttp

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    limit = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:

        async def ask(path: str, fields: dict[str, Any]) -> Any:
            body = {"model": model, "max_tokens": MAX_TOKENS, "temperature": 0, **fields}
            return await _post(session, f"{base_url.rstrip('/')}/{path}", body)

        for name, check in _CHECKS.items():
            try:
                verdict, detail = await check(ask)
            except _Failed as error:
                verdict, detail = "no", str(error)
            yield Ability(name, verdict, detail)


async def likelihood_way(base_url: str, model: str, *, api_key: str | None, timeout_s: float) -> Way:
    """How the server tells the log-probabilities of a prompt. Raises ServeError where it does not."""
    import aiohttp

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    limit = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(headers=headers, timeout=limit) as session:

        async def ask(path: str, fields: dict[str, Any]) -> Any:
            return await _post(session, f"{base_url.rstrip('/')}/{path}", {"model": model, "temperature": 0, **fields})

        try:
            way = await _way(ask)
        except _Failed as error:
            raise ServeError(f"asked for the log-probabilities of a prompt, the server failed: {error}") from error
    if way is None:
        what = "the server tells no log-probabilities of a prompt (neither prompt_logprobs nor echo)"
        raise ServeError(f"{what}, which scoring: loglikelihood needs; serve it with vLLM, or give model.local")
    return way


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> Any:
    """The answer's JSON; of a stream, the list of its events."""
    import aiohttp

    try:
        async with session.post(url, json=body) as response:
            text = (await response.read()).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _Failed(f"no answer: {type(error).__name__}") from None
    if response.status != 200:
        raise _Failed(f"HTTP {response.status}: {' '.join(text.split())[:SHOWN_CHARS]}", response.status)
    lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    try:
        return [json.loads(line) for line in lines if line != "[DONE]"] if lines else json.loads(text)
    except ValueError:
        raise _Failed(f"no JSON: {' '.join(text.split())[:SHOWN_CHARS]}") from None


# A check each ---------------------------------------------------------------------------------------------------

Found = tuple[Verdict, str]


async def _chat(ask: Ask) -> Found:
    answer = await ask("chat/completions", _said())
    return ("yes", _shown(_text(answer))) if _choices(answer) else ("no", "no choices in the answer")


async def _completions(ask: Ask) -> Found:
    """Raw text is as many tokens as it has; a chat template adds its own."""
    chat, raw = await ask("chat/completions", _said()), await ask("completions", {"prompt": _QUESTION})
    if not _choices(raw):
        return "no", "no choices in the answer"
    as_chat, as_raw = _prompt_tokens(chat), _prompt_tokens(raw)
    if as_chat is not None and as_chat == as_raw:
        return "ignored", f"the chat template is applied to it too: {as_raw} tokens as in chat"
    return "yes", ""


async def _stream(ask: Ask) -> Found:
    answer = await ask("chat/completions", {**_said(), "stream": True})
    return ("yes", f"{len(answer)} events") if isinstance(answer, list) else ("ignored", "one answer in one piece")


async def _logprobs(ask: Ask) -> Found:
    answer = await ask("chat/completions", {**_said(), "logprobs": True, "top_logprobs": 2})
    given = _first(answer).get("logprobs")
    return ("yes", "") if isinstance(given, dict) and given.get("content") else ("ignored", "none in the answer")


async def _prompt_logprobs(ask: Ask) -> Found:
    way = await _way(ask)
    return ("yes", way) if way else ("ignored", "only of what was generated, if at all")


async def _way(ask: Ask) -> Way | None:
    """Both ways, one after the other: vLLM's own field, and ``echo`` as OpenAI had it.

    A server that puts the prompt into a chat template tells more tokens than the text has, and not how likely it is.
    """
    plain = {"prompt": _SHORT, "max_tokens": 1}
    told = _first(await _or_nothing(ask, {**plain, "prompt_logprobs": 0})).get("prompt_logprobs")
    if isinstance(told, list) and 1 < len(told) <= _SHORT_TOKENS and told[0] is None and all(told[1:]):
        return "prompt_logprobs"
    echoed = _first(await _or_nothing(ask, {**plain, "echo": True, "logprobs": 1}))
    given = echoed.get("logprobs")
    values = given.get("token_logprobs") if isinstance(given, dict) else None
    is_echo = str(echoed.get("text", "")).startswith(_SHORT)
    return "echo" if is_echo and isinstance(values, list) and len(values) > 1 else None


async def _or_nothing(ask: Ask, fields: dict[str, Any]) -> Any:
    """A server may refuse one way and know the other; one that is busy or out of order has told nothing yet."""
    for pause_s in _PAUSES_S:
        try:
            return await ask("completions", fields)
        except _Failed as error:
            if error.status in _KNOWS_NO_SUCH_THING:
                return {}
            if not error.passing:
                raise
        await asyncio.sleep(pause_s)
    return await ask("completions", fields)


async def _several(ask: Ask) -> Found:
    found = len(_choices(await ask("chat/completions", {**_said(), "n": 2, "temperature": 1})))
    return ("yes", "") if found == 2 else ("ignored", f"{found} answer instead of 2")


async def _seed(ask: Ask) -> Found:
    """Equal answers can be chance; different ones prove that the seed does nothing."""
    fields = {**_said(), "temperature": 1.5, "seed": 7, "max_tokens": 32}
    texts = {_text(await ask("chat/completions", fields)) for _ in range(3)}
    return ("yes", "three equal answers") if len(texts) == 1 else ("ignored", f"{len(texts)} different answers of 3")


async def _stop(ask: Ask) -> Found:
    whole = _text(await ask("chat/completions", _said()))
    at = len(whole) // 2
    word = whole[at : at + 1]
    if not word.strip():
        return "no", "could not be told: the answer is empty"
    text = _text(await ask("chat/completions", {**_said(), "stop": [word]}))
    if text == whole[: whole.index(word)]:
        return "yes", ""
    if text == whole[: whole.index(word) + 1]:
        return "ignored", "the stop string is left in the text"
    return "ignored", "the answer goes on after it" if len(text) > whole.index(word) else "the answer ends elsewhere"


async def _max_completion_tokens(ask: Ask) -> Found:
    answer = await ask("chat/completions", {**_said(), "max_completion_tokens": 1})
    used = (answer.get("usage") or {}).get("completion_tokens") if isinstance(answer, dict) else None
    return ("yes", "") if isinstance(used, int) and used <= 1 else ("ignored", f"{used} tokens instead of 1")


async def _tools(ask: Ask) -> Found:
    fields = {**_said("Use the tool to count to five."), "tools": [_TOOL], "tool_choice": "required", "max_tokens": 64}
    called = _first(await ask("chat/completions", fields)).get("message", {}).get("tool_calls")
    return ("yes", "") if called else ("ignored", "taken, and no call came back; the model may not know how")


async def _json_format(ask: Ask) -> Found:
    fields = {**_said("Say anything."), "response_format": {"type": "json_object"}, "max_tokens": 64}
    text = _text(await ask("chat/completions", fields)).strip()
    return ("yes", "") if text.startswith(("{", "[")) else ("ignored", f"the answer is text: {_shown(text)}")


async def _images(ask: Ask) -> Found:
    """A model without eyes may get the image as a few tokens of text, and then says the same of any."""
    red, blue = [_text(await ask("chat/completions", _shown_image(colour))) for colour in (_RED, _BLUE)]
    if red != blue:
        return "yes", f"a red one: {_shown(red)}, a blue one: {_shown(blue)}"
    return "ignored", f"of a red and of a blue one it says the same: {_shown(red)}"


def _shown_image(colour: tuple[int, int, int]) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(_png(colour)).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What colour is this?"}]
    return {"messages": [{"role": "user", "content": parts}]}


def _png(colour: tuple[int, int, int]) -> bytes:
    """A square of one colour."""
    rows = (b"\0" + bytes(colour) * _PIXELS) * _PIXELS
    head = struct.pack(">IIBBBBB", _PIXELS, _PIXELS, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


_CHECKS: dict[str, Callable[[Ask], Awaitable[Found]]] = {
    "chat": _chat,
    "completions": _completions,
    "streaming": _stream,
    "logprobs": _logprobs,
    "prompt logprobs": _prompt_logprobs,
    "n": _several,
    "seed": _seed,
    "stop": _stop,
    "max_completion_tokens": _max_completion_tokens,
    "response_format": _json_format,
    "tools": _tools,
    "images": _images,
}


# Reading answers ------------------------------------------------------------------------------------------------


def _said(text: str = _QUESTION) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def _choices(answer: Any) -> list[Any]:
    found = answer.get("choices") if isinstance(answer, dict) else None
    return found if isinstance(found, list) else []


def _first(answer: Any) -> dict[str, Any]:
    found = next(iter(_choices(answer)), None)
    return found if isinstance(found, dict) else {}


def _text(answer: Any) -> str:
    message = _first(answer).get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def _prompt_tokens(answer: Any) -> int | None:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    found = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return found if isinstance(found, int) else None


def _shown(text: str) -> str:
    return repr(" ".join(text.split())[:40])
