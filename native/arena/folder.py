"""The stages of an arena on disk; each can be made again from those before it.

questions.jsonl          what was asked, as it was read
answers/<model>.jsonl    a sample record for each question and turn
judges.json              by judge, the hash of how it was asked
battles.jsonl            a row per call of a judge, appended as it comes
battles.stale.jsonl      rows that no longer count: the answer, the question or the judge has changed since
votes/<name>.jsonl       people's battles, a file for each of them
decisions.jsonl          a row per comparison; ratings are made from these alone
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from bridge.errors import OutputError
from bridge.native.arena.battle import Battle, line, read_battles, rows
from bridge.report.text import well_formed

if TYPE_CHECKING:
    from bridge.native.arena.questions import Question


@dataclass(frozen=True)
class ArenaFolder:
    root: Path

    @property
    def questions(self) -> Path:
        return self.root / "questions.jsonl"

    @property
    def battles(self) -> Path:
        return self.root / "battles.jsonl"

    @property
    def stale(self) -> Path:
        return self.root / "battles.stale.jsonl"

    @property
    def decisions(self) -> Path:
        return self.root / "decisions.jsonl"

    @property
    def judges(self) -> Path:
        return self.root / "judges.json"

    @property
    def votes(self) -> Path:
        return self.root / "votes"

    def answers(self, model: str) -> Path:
        return self.root / "answers" / f"{file_name(model)}.jsonl"

    def votes_of(self, annotator: str) -> Path:
        return self.votes / f"{file_name(annotator)}.jsonl"

    def vote_files(self) -> list[Path]:
        return sorted(self.votes.glob("*.jsonl")) if self.votes.is_dir() else []

    def all_battles(self) -> Iterator[Battle]:
        """Calls of judges and votes of people; of rows with one id the last."""
        found: dict[str, Battle] = {}
        for path in (*([self.battles] if self.battles.exists() else []), *self.vote_files()):
            found |= {row.battle_id: row for row in read_battles(path)}
        yield from found.values()


def file_name(name: str) -> str:
    """``name`` as a file's name, the same for the same name and different for different ones."""
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "._+=@-") else _escaped(char) for char in name)
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


def _escaped(char: str) -> str:
    return f"%{ord(char):02X}"


class Appender:
    """Appends rows, each with one write: a kill costs at most the row that is being written. A context manager."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        whole = path.read_bytes().rfind(b"\n") + 1 if os.fstat(self._file).st_size else 0
        os.ftruncate(self._file, whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """The whole file anew, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with aside.open("wb") as file:
        file.writelines(lines)
    aside.replace(path)


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    write_lines(path, (json_line(asdict(question)) for question in questions))


def recorded_questions(path: Path) -> list[Question]:
    """What ``write_questions`` wrote; nothing where there is no such file. Raises OutputError."""
    if not path.exists():
        return []
    from bridge.native.arena.questions import Question

    found = []
    for number, row in rows(path):
        try:
            turns, references = tuple(row["turns"]), tuple(row["references"])
            found.append(Question(str(row["question_id"]), row["category"], turns, references))
        except (KeyError, TypeError) as error:
            raise OutputError(f"{path}:{number}: not a question of an arena ({error})") from None
    return found


def json_line(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return orjson.dumps(well_formed(value), option=orjson.OPT_APPEND_NEWLINE)


def set_aside(folder: ArenaFolder, keep: Iterable[Battle], stale: Iterable[Battle]) -> None:
    """Leaves in ``battles.jsonl`` what is to be kept; what is stale is kept apart, and not lost."""
    old = list(stale)
    if old:
        with Appender(folder.stale) as file:
            file.write(b"".join(map(line, old)))
    write_lines(folder.battles, map(line, keep))
