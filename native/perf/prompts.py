"""What is asked: requests of a wanted length, each different from all others where it is to be."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import Problem as SpecProblem
from bridge.errors import SpecError
from bridge.perf_spec import OutputSpec, PromptsSpec

_TEXT = """
time year people way day man thing woman life child world school state family student group country problem hand
part place case week company system program question work government number night point home water room mother
area money story fact month lot right study book eye job word business issue side kind head house service friend
father power hour game line end member law car city community name president team minute idea kid body
information back parent face others level office door health person art war history party result change morning
reason research girl guy moment air teacher force education
"""
WORDS = tuple(_TEXT.split())
"""Common enough to be one token each in most vocabularies."""
NONCE = "@@nonce@@"
POOL = 256
POOL_BYTES = 32 * 1024 * 1024
Message = dict[str, Any]


@dataclass(frozen=True)
class Lengths:
    """How many tokens words make, and how many a chat template adds: measured, or 1 and 0."""

    per_word: float = 1.0
    added: float = 0.0
    source: str = "one word taken for one token"

    def words(self, tokens: float) -> int:
        return max(1, round((tokens - self.added) / self.per_word))


@dataclass(frozen=True, slots=True)
class Shot:
    """One request to send."""

    body: bytes
    max_tokens: int


@dataclass
class Prompts:
    """Makes the requests of one load point; the same seed makes the same ones."""

    spec: PromptsSpec
    output: OutputSpec
    model: str
    lengths: Lengths = field(default_factory=Lengths)
    seed: int = 42
    count: Callable[[str], int] | None = None
    """Tokens of a text by the tokenizer, where one is named."""
    _pool: list[tuple[bytes, bytes]] = field(default_factory=list)
    _rows: list[tuple[list[Message], int | None]] = field(default_factory=list)
    _images: list[Message] = field(default_factory=list)

    def prepare(self) -> None:
        """Everything that takes time. Raises SpecError where a file cannot be used."""
        self._images = _images(self.spec, self.seed)
        if self.spec.tokenizer is not None and self.count is None:
            tokenizer = load_tokenizer(Path(self.spec.tokenizer))
            self.count = lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
        if self.spec.path is not None:
            self._rows = read_prompts(Path(self.spec.path))
            return
        rng = random.Random(self.seed)
        shared = self._shared()
        size = 0
        for number in range(POOL):
            user = [{"role": "user", "content": self._content(f"{shared}{NONCE} {self._text(rng)}", number)}]
            before, _, after = self._body(user, self.output.max_tokens).partition(NONCE.encode())
            self._pool.append((before, after))
            size += len(before) + len(after)
            if size > POOL_BYTES:
                break

    def shot(self, number: int) -> Shot:
        if self._rows:
            messages, tokens = self._rows[number % len(self._rows)]
            return Shot(self._body(messages, tokens or self.output.max_tokens), tokens or self.output.max_tokens)
        before, after = self._pool[number % len(self._pool)]
        return Shot(b"%s%08x%s" % (before, number, after), self.output.max_tokens)

    def of_length(self, number: int, tokens: int, answer: int, blocks: Sequence[int] = ()) -> Shot:
        """A request of a trace; equal ``blocks`` at the beginning are equal text."""
        rng = random.Random(f"{self.seed}.{number}")
        prefix = [_words(random.Random(f"block.{block}"), self.lengths.words(BLOCK_TOKENS)) for block in blocks]
        rest = max(1, tokens - BLOCK_TOKENS * len(blocks)) if blocks else tokens
        whole = " ".join([*prefix[: max(0, tokens // BLOCK_TOKENS)], f"{number:08x}"])
        text = f"{whole} {_words(rng, self.lengths.words(rest))}"
        return Shot(self._body([{"role": "user", "content": text}], answer), answer)

    def question(self, number: int, turn: int) -> Message:
        """What a user says in a conversation."""
        rng = random.Random(f"{self.seed}.{number}.{turn}")
        shared = self._shared() if turn == 0 else ""
        text = f"{shared}{number:06x}.{turn} {self._text(rng)}"
        return {"role": "user", "content": self._content(text, number) if turn == 0 else text}

    def conversation(self, messages: Sequence[Message]) -> Shot:
        return Shot(self._body(messages, self.output.max_tokens), self.output.max_tokens)

    def _shared(self) -> str:
        n = self.spec.shared_prefix
        return (
            f"{_words(random.Random(f'{self.seed}.shared'), self.lengths.words(n + self.lengths.added))} " if n else ""
        )

    def _text(self, rng: random.Random) -> str:
        wanted = self.spec.input_tokens
        tokens = rng.gauss(wanted.mean, wanted.std) if wanted.std else wanted.mean
        # The number that makes a prompt unlike all others is some tokens long itself.
        return _words(rng, self.lengths.words(max(1.0, tokens - self.spec.shared_prefix - 4)))

    def _content(self, text: str, number: int) -> Any:
        if not self._images:
            return text
        count = self.spec.images.count if self.spec.images else 0
        chosen = [self._images[(number * count + at) % len(self._images)] for at in range(count)]
        return [{"type": "text", "text": text}, *chosen]

    def _body(self, messages: Sequence[Message], max_tokens: int) -> bytes:
        exact = {"ignore_eos": True, "min_tokens": max_tokens} if self.output.exact else {}
        return orjson.dumps(
            {
                "model": self.model,
                "messages": messages,
                "stream": True,
                "stream_options": {"include_usage": True},
                "max_tokens": max_tokens,
                **exact,
                **self.output.extra_body,
            }
        )


BLOCK_TOKENS = 512
"""Of a trace's ``hash_ids``, as Mooncake's are."""


def _words(rng: random.Random, n: int) -> str:
    return " ".join(rng.choices(WORDS, k=n))


def probe_body(model: str, words: int) -> bytes:
    """A request of so many words that asks for one token, to see how they are counted."""
    text = _words(random.Random(words), words)
    return orjson.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 1,
        }
    )


def measured(few: tuple[int, int | None], many: tuple[int, int | None]) -> Lengths:
    """From two prompts, words and tokens each."""
    if few[1] is None or many[1] is None or many[1] <= few[1]:
        return Lengths()
    per_word = (many[1] - few[1]) / (many[0] - few[0])
    return Lengths(per_word, max(0.0, few[1] - per_word * few[0]), "the server's own counts")


def by_tokenizer(folder: Path) -> Lengths:
    """Raises SpecError where there is no tokenizer, or no library for it."""
    tokenizer = load_tokenizer(folder)
    words = 2000
    return Lengths(len(tokenizer.encode(_words(random.Random(0), words)).ids) / words, 0.0, "the tokenizer")


def load_tokenizer(folder: Path) -> Any:
    """Raises SpecError where there is no tokenizer, or no library for it."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        hint = "pip install 'evalbridge[tokenizer]', or leave the field out: the server's counts are used then"
        raise SpecError([SpecProblem("", "perf.prompts.tokenizer", "needs the package tokenizers", hint)]) from None
    file = folder / "tokenizer.json" if folder.is_dir() else folder
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception
        raise SpecError([SpecProblem("", "perf.prompts.tokenizer", f"{file}: cannot be used: {error}")]) from None


def read_prompts(path: Path) -> list[tuple[list[Message], int | None]]:
    """Messages, and ``max_tokens`` where the line gives it. Raises SpecError naming the first line that is wrong."""
    rows = []
    for number, raw in _json_lines(path, "perf.prompts.path"):
        messages = raw.get("messages") or [{"role": "user", "content": raw.get("prompt")}]
        if not isinstance(messages, list) or not messages or not messages[-1].get("content"):
            message = "is no prompt"
            hint = 'each line is {"prompt": "…"} or {"messages": […]}, and optionally "max_tokens"'
            raise SpecError([SpecProblem(f"{path}:{number}", "", message, hint)])
        tokens = raw.get("max_tokens")
        rows.append((messages, tokens if isinstance(tokens, int) and tokens > 0 else None))
    return rows


@dataclass(frozen=True, slots=True)
class Arrival:
    """One line of a trace."""

    at_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


def read_trace(path: Path, speed: float) -> list[Arrival]:
    """In order of time, which begins at 0. Raises SpecError naming the first line that is wrong."""
    found = []
    for number, raw in _json_lines(path, "perf.load.trace"):
        at = raw["t_s"] if "t_s" in raw else raw.get("timestamp", "") and raw["timestamp"] / 1000
        at = 0.0 if raw.get("timestamp") == 0 else at
        lengths = (raw.get("input_length", raw.get("input_tokens")), raw.get("output_length", raw.get("output_tokens")))
        if not isinstance(at, int | float) or not all(isinstance(n, int) and n > 0 for n in lengths):
            hint = '{"timestamp": milliseconds, "input_length": tokens, "output_length": tokens}'
            raise SpecError([SpecProblem(f"{path}:{number}", "", "is no line of a trace", hint)])
        blocks = tuple(raw.get("hash_ids") or ())
        found.append(Arrival(at / speed, int(lengths[0] or 0), int(lengths[1] or 0), blocks))
    found.sort(key=lambda one: one.at_s)
    first = found[0].at_s
    return [Arrival(one.at_s - first, one.input_tokens, one.output_tokens, one.blocks) for one in found]


def _json_lines(path: Path, field_name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SpecError([SpecProblem("", field_name, f"{path}: {error.strerror or error}")]) from None
    if not any(line.strip() for line in lines):
        raise SpecError([SpecProblem(str(path), "", "holds no line")])
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            raw = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise SpecError([SpecProblem(f"{path}:{number}", "", f"is not JSON: {error}")]) from None
        if not isinstance(raw, dict):
            raise SpecError([SpecProblem(f"{path}:{number}", "", "is no JSON object")])
        yield number, raw


def _images(spec: PromptsSpec, seed: int) -> list[Message]:
    """A few different images, which the prompts take turns to show."""
    if spec.images is None:
        return []
    width, height = (int(side) for side in spec.images.size.split("x"))
    one = max(1, 4 * width * height)
    different = max(spec.images.count, min(16 * spec.images.count, POOL_BYTES // one or 1))
    rng = random.Random(f"{seed}.images")
    urls = (base64.b64encode(png(width, height, rng)).decode() for _ in range(different))
    return [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{url}"}} for url in urls]


def png(width: int, height: int, rng: random.Random) -> bytes:
    """Noise."""
    row = 3 * width
    pixels = b"".join(b"\0" + rng.randbytes(row) for _ in range(height))

    def part(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(pixels, 0)) + part(b"IEND", b"")
