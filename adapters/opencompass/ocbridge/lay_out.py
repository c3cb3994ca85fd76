"""Puts a dataset's files where OpenCompass looks for them: linked where the format is the same, converted where not.

The files of a dataset may be in several places, under several names; the first place that is whole is used.
Everything is checked here, in words: OpenCompass takes a missing file for a reason to download, and breaks at a broken
row without saying which.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .conversions import CONVERSIONS, Convert

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class LayoutError(Exception):
    """One line: which file, what is wrong, what is expected."""


@dataclass(frozen=True)
class File:
    """``source`` is relative to the candidate's root: empty for the root itself, a pattern where it holds ``*``."""

    source: str
    target: str
    """Relative to OpenCompass's data folder. A pattern's ends with a slash, or it is to match one file only."""
    how: str = "link"

    def found(self, root: Path) -> list[Path]:
        if "*" in self.source:
            every = sorted(path for path in root.glob(self.source) if path.is_file()) if root.is_dir() else []
            wanted = [path for path in every if not path.stem.endswith("_dev")]
            return wanted if self.target.endswith("/") or len(wanted) == 1 else []
        path = root if not self.source else Path(os.path.normpath(root / self.source))
        if not self.source and self.how != "link":
            return [path] if path.is_file() else []
        return [path] if path.exists() else []


@dataclass(frozen=True)
class Candidate:
    """One place where all the files may be: a folder, or a file."""

    root: Path
    files: tuple[File, ...]

    def missing(self) -> list[str]:
        """What is not there, relative to the root."""
        return [file.source or file.target for file in self.files if not file.found(self.root)]


@dataclass(frozen=True)
class Source:
    """The same files, to be looked for in several places."""

    roots: tuple[str, ...]
    files: tuple[File, ...]

    def candidates(self) -> Iterator[Candidate]:
        for root in self.roots:
            yield Candidate(Path(root), self.files)

    def to_json(self) -> dict[str, Any]:
        return {"roots": self.roots, "files": [[file.source, file.target, file.how] for file in self.files]}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Source:
        return cls(tuple(said["roots"]), tuple(File(*file) for file in said["files"]))


def choose(sources: Sequence[Source]) -> Candidate:
    """The first candidate that is whole. Raises LayoutError, about the one that is nearest to it."""
    candidate = whole_or_nearest(sources)
    missing = candidate.missing()
    if not missing:
        return candidate
    listed = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    raise LayoutError(f"{candidate.root}: {listed} missing")


def whole_or_nearest(sources: Sequence[Source]) -> Candidate:
    """The first candidate that is whole, or the one that lacks least. Raises LayoutError where there is none at all."""
    candidates = [candidate for source in sources for candidate in source.candidates()]
    if not candidates:
        raise LayoutError("no place is given where its files are")
    return min(candidates, key=lambda candidate: len(candidate.missing()) / max(1, len(candidate.files)))


@dataclass
class Laid:
    """What became of the files, by their target."""

    rows: dict[str, int] = field(default_factory=dict)
    """How many each has, where they were counted."""
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong with those that are not there now."""


def lay_out(candidate: Candidate, into: Path, laid: Laid) -> None:
    """Lays out all files under ``into``; one that is broken is left out and told."""
    for file in candidate.files:
        for source in file.found(candidate.root):
            name = file.target + subset_of(source.name) + ".jsonl" if file.target.endswith("/") else file.target
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                counted = _HOW[file.how](source.absolute(), target)
            except LayoutError as error:
                laid.problems[name] = str(error)
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                laid.problems[name] = f"{source}: cannot be read: {error}"
            else:
                laid.rows |= {} if counted is None else {name: counted}


def subset_of(name: str) -> str:
    """The subset that a file of one's own questions is for."""
    return name.split(".")[0].removesuffix("_val").removesuffix("_test")


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() and target.resolve() == source.resolve():
        return
    target.symlink_to(source)


def _of_rows(convert: Convert) -> Callable[[Path, Path], int]:
    return lambda source, target: _converted(source, target, convert)


def _jsonl(source: Path, target: Path) -> int:
    count = sum(1 for _ in _rows(source))
    _link(source, target)
    return count


def _trivia(source: Path, target: Path) -> int | None:
    """A question and its accepted answers in each line, with a tab between them."""
    if source.suffix != ".jsonl":
        _link(source, target)
        return None
    lines = []
    for number, row in _rows(source):
        try:
            question = str(row["context"]).removeprefix("Question:").removesuffix("Answer:").strip().removesuffix("?")
            lines.append([question, repr([str(name) for name in dict.fromkeys([row["answer"], *row["aliases"]])])])
        except (KeyError, TypeError) as error:
            raise LayoutError(
                f"{source}:{number}: expected context, answer, aliases; it has {', '.join(row)}"
            ) from error
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(lines)
    return len(lines)


def _unpacked(source: Path, target: Path) -> int:
    """A jsonl file that may be packed."""
    if source.suffix != ".gz":
        return _jsonl(source, target)
    with gzip.open(source) as packed:
        target.write_bytes(packed.read())
    return sum(1 for _ in _rows(target))


def _examples(source: Path, target: Path) -> int:
    """A BIG-Bench-Hard task."""
    try:
        rows = json.loads(source.read_text(encoding="utf-8"))["examples"]
    except (ValueError, KeyError, TypeError) as error:
        raise LayoutError(f"{source}: not a JSON object with 'examples' ({error})") from error
    _link(source, target)
    return len(rows)


def _mmlu(source: Path, target: Path) -> int:
    count = _checked_table(source, columns=6, header=False)
    _link(source, target)
    return count


def _ceval(source: Path, target: Path) -> int:
    count = _checked_table(source, columns=None, header=True)
    _link(source, target)
    return count


def _checked_table(source: Path, columns: int | None, header: bool) -> int:
    count = 0
    with source.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            columns = columns or len(row)
            if len(row) != columns:
                raise LayoutError(f"{source}: row {number} has {len(row)} columns, expected {columns}")
            count += 1
    return count - (1 if header else 0)


def _mcq(source: Path, target: Path) -> int:
    expected: list[str] = []

    def convert(row: dict[str, Any]) -> dict[str, Any]:
        letters = [letter for letter in _LETTERS if row.get(letter) not in (None, "")]
        if letters != list(_LETTERS[: len(letters)]) or len(letters) < 2:
            raise LayoutError(f"choices {''.join(letters) or 'none'}; they are to be A, B, … without a gap")
        expected[:] = expected or letters
        if letters != expected:
            raise LayoutError(
                f"{len(letters)} choices where the first row has {len(expected)}; OpenCompass asks all rows alike"
            )
        answer = str(row["answer"]).strip().upper()
        if answer not in letters:
            raise LayoutError(f"answer {answer!r} is none of {', '.join(letters)}")
        return {"question": str(row["question"]), **{key: str(row[key]) for key in letters}, "answer": answer}

    return _converted(source, target, convert)


def _qa(source: Path, target: Path) -> int:
    def convert(row: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted({"system", "messages", "history"} & {key for key in row if row[key]}):
            raise LayoutError(f"field {unknown[0]!r}, which OpenCompass's custom datasets cannot send")
        question = row["question"] if "question" in row else row["query"]
        answer = row["answer"] if "answer" in row else row["response"]
        return {"question": str(question), "answer": str(answer)}

    return _converted(source, target, convert)


def _converted(source: Path, target: Path, convert: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    lines = []
    for number, row in _rows(source):
        try:
            lines.append(json.dumps(convert(row), ensure_ascii=False) + "\n")
        except LayoutError as error:
            raise LayoutError(f"{source}:{number}: {error}") from error
        except KeyError as error:
            raise LayoutError(f"{source}:{number}: field {error} missing; it has {', '.join(row)}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise LayoutError(f"{source}:{number}: a field of another type than expected ({error})") from error
    if not lines:
        raise LayoutError(f"{source}: has no rows")
    target.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def _rows(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a jsonl or (with a header) csv or tsv file, each with the number of its line or row."""
    if source.suffix in (".csv", ".tsv"):
        with source.open(encoding="utf-8-sig", newline="") as file:
            yield from enumerate(csv.DictReader(file, delimiter="\t" if source.suffix == ".tsv" else ","), 2)
        return
    with source.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise LayoutError(f"{source}:{number}: not JSON ({error})") from error
            if not isinstance(row, dict):
                raise LayoutError(f"{source}:{number}: not a JSON object")
            yield number, row


_HOW: dict[str, Callable[[Path, Path], int | None]] = {
    "link": _link,
    "jsonl": _jsonl,
    "unpacked": _unpacked,
    "trivia": _trivia,
    "examples": _examples,
    "mmlu": _mmlu,
    "ceval": _ceval,
    "mcq": _mcq,
    "qa": _qa,
    **{name: _of_rows(convert) for name, convert in CONVERSIONS.items()},
}
