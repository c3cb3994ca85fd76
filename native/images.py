"""Images of a dataset's rows, as OpenAI image parts: from files beside the data, from URLs, or in base64.

A file is one below the folder of the data and nowhere else, whatever the row says (``..``, an absolute path, a link). A
URL is sent as it is: the server fetches it. What is no whole PNG, JPEG, GIF, WebP or BMP is refused, for its row alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.native.benchmark import Message, Sample

LARGEST = 32 << 20
"""Bytes of one image."""
PLACE = re.compile(r"<image (\d+)>")
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
_LONGEST_NAME = 1024


def resolved(sample: Sample, folder: Path | None) -> Sample:
    """The sample with every image at hand, as a URL. Raises ValueError with what is wrong."""
    if not sample.images and all(isinstance(turn.get("content"), str) for turn in sample.messages):
        return sample
    images = {place: image_url(source, folder) for place, source in sample.images.items()}
    if missing := [place[0] for place in PLACE.finditer(sample.fields.get("question", "")) if place[0] not in images]:
        raise ValueError(f"the text names {missing[0]}, and there is no such image")
    return replace(sample, images=images, messages=[_with_own(turn, folder) for turn in sample.messages])


def placed(messages: Sequence[Message], images: Mapping[str, str]) -> list[Message]:
    """The images where the user's last text names them, ``<image 1>``; the others in front of it."""
    if not images:
        return list(messages)
    last = max(at for at, message in enumerate(messages) if message.get("role") == "user")
    content = messages[last]["content"]
    parts = list(_placed(content, images)) if isinstance(content, str) else content
    return [*messages[:last], {**messages[last], "content": parts}, *messages[last + 1 :]]


def shown(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages for people and records: of an image that is sent along its kind, size and hash."""
    if all(isinstance(message.get("content"), str) for message in messages):
        return messages
    return [
        {**message, "content": [_short(part) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def image_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row's ``image_1``, ``image_2`` … by their places in the text; ``image`` is the first."""
    named = {f"image_{number}": f"<image {number}>" for number in range(1, 21)}
    found = {place: row[name] for name, place in named.items() if row.get(name) not in (None, "")}
    return {"<image 1>": row["image"], **found} if row.get("image") not in (None, "") else found


def image_url(source: Any, folder: Path | None) -> str:
    """The URL that is sent for an image as a row gives it. Raises ValueError with what is wrong."""
    if isinstance(source, Mapping):
        raw = source.get("bytes")
        return _data_url(raw) if isinstance(raw, bytes) else image_url(source.get("path"), folder)
    if isinstance(source, bytes):
        return _data_url(source)
    if not isinstance(source, str) or not source.strip():
        raise ValueError(f"an image is to be a path, a URL or base64, not {type(source).__name__}")
    text = source.strip()
    if text.startswith(("http://", "https://")):
        return text
    if found := _DATA_URL.match(text):
        return _data_url(_decoded(text[found.end() :]))
    return _data_url(_read(text, folder) if _is_name(text) else _decoded(text))


def image_files(sample: Sample, folder: Path) -> Iterator[Path]:
    """The files below the folder that the sample's images are read from, whether they are there or not."""
    own = (part for turn in sample.messages if isinstance(turn.get("content"), list) for part in turn["content"])
    for source in (*sample.images.values(), *(_given(part) for part in own)):
        while isinstance(source, Mapping):
            source = None if isinstance(source.get("bytes"), bytes) else source.get("path")
        if isinstance(source, str) and _is_name(source.strip()):
            with suppress(ValueError, OSError):
                yield _below(folder, source.strip())


def _is_name(text: str) -> bool:
    """Whether it names a file: no URL, and no image itself."""
    there = text.startswith(("http://", "https://")) or _DATA_URL.match(text)
    return not there and len(text) <= _LONGEST_NAME and text.lower().endswith(_SUFFIXES)


def _given(part: Any) -> Any:
    """The URL, or what stands for it, in a part of a message."""
    if not isinstance(part, dict) or part.get("type") != "image_url":
        return None
    given = part.get("image_url")
    return given.get("url") if isinstance(given, dict) else given


def _with_own(message: Message, folder: Path | None) -> Message:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_resolved(part, folder) for part in content]}


def _resolved(part: Any, folder: Path | None) -> Any:
    if not isinstance(part, dict):
        raise ValueError("a part of a message is to be an object with a type")
    if part.get("type") != "image_url":
        return part
    more = part["image_url"] if isinstance(part.get("image_url"), dict) else {}
    return {**part, "image_url": {**more, "url": image_url(_given(part), folder)}}


def _placed(text: str, images: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    parts = {place: {"type": "image_url", "image_url": {"url": url}} for place, url in images.items()}
    yield from (part for place, part in parts.items() if place not in text)
    at = 0
    for found in PLACE.finditer(text):
        if found[0] in parts:
            if before := text[at : found.start()]:
                yield {"type": "text", "text": before}
            yield parts[found[0]]
            at = found.end()
    if text[at:]:
        yield {"type": "text", "text": text[at:]}


def _read(name: str, folder: Path | None) -> bytes:
    if folder is None:
        raise ValueError(f"{name}: there is no folder to look for it in")
    path = _below(folder, name)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{name}: more than {LARGEST >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{name}: cannot be read: {error.strerror}") from None


def _below(folder: Path, name: str) -> Path:
    """Raises ValueError where that is somewhere else."""
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"{name}: leads out of the folder of the data")
    return path


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(
            f"{text[:40]!r} is no image: neither a path ({', '.join(_SUFFIXES)}), URL nor base64"
        ) from None


def _data_url(raw: bytes) -> str:
    if len(raw) > LARGEST:
        raise ValueError(f"an image is more than {LARGEST >> 20} MiB")
    return f"data:image/{_kind(raw)};base64,{base64.b64encode(raw).decode()}"


def _kind(raw: bytes) -> str:
    """The format, by its first and last bytes. Raises ValueError where the image is of none, or not whole."""
    starts = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"BM": "bmp"}
    kind = next((kind for start, kind in starts.items() if raw.startswith(start)), "")
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        kind = "webp"
    if not kind:
        raise ValueError("an image is neither PNG, JPEG, GIF, WebP nor BMP")
    whole = {
        "png": b"IEND" in raw[-16:],
        "jpeg": b"\xff\xd9" in raw[-64:],
        "gif": raw.rstrip(b"\0").endswith(b";"),
        "webp": len(raw) >= int.from_bytes(raw[4:8], "little"),
        "bmp": len(raw) >= int.from_bytes(raw[2:6], "little"),
    }
    if not whole[kind]:
        raise ValueError(f"an image ({kind}) is cut off")
    return kind


def _short(part: Any) -> Any:
    given = part.get("image_url") if isinstance(part, dict) else None
    url = given.get("url") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(url, str) or not (found := _DATA_URL.match(url)):
        return part
    raw = base64.b64decode(url[found.end() :])
    short = f"{found[0].split(';')[0]};{len(raw)} bytes;sha256={hashlib.sha256(raw).hexdigest()}"
    return {**part, "image_url": {**given, "url": short}}
