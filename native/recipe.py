"""The recipe: what the records of a dataset depend on. Records of another one are set aside, not gone on from."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import orjson

from bridge.native.benchmark import Sample
from bridge.native.benchmarks import NAMES, file_of
from bridge.native.documents import DocumentsTable
from bridge.native.images import LARGEST, image_files
from bridge.native.job import NativeJob
from bridge.native.questions import Questions, example_tables
from bridge.native.readers import DataError
from bridge.native.tables import FileTable, Table

_PLAIN = (".csv", ".tsv", ".json", ".jsonl")


def recipe(job: NativeJob, questions: Questions) -> str:
    """Hash of the job's settings for the dataset, of its files, and of the code by which they are read."""
    dataset = questions.dataset
    judges = [(judge.model, judge.identity, judge.request) for judge in job.judges] if dataset.judging else []
    source = hashlib.sha256(file_of(dataset.benchmark).read_bytes()).hexdigest()
    files = [*data_files(questions), *shown_files(questions)]
    what = [job.version, job.model, job.identity, asdict(dataset), judges, files, source]
    return hashlib.sha256(orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).hexdigest()


def data_files(questions: Questions) -> list[tuple[str, int, int]]:
    """The files that the questions come from, with size and time of change."""
    paths = _paths(questions.tables)
    if questions.dataset.num_fewshot:
        paths += _paths(example_tables(questions.dataset, questions.benchmark))
    stats = [(path, path.stat()) for path in paths]
    return [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def shown_files(questions: Questions) -> list[tuple[str, int, str]]:
    """The images that the questions name, with size and SHA-256: who exchanges a picture may keep its time.

    The data is read for it once more, where there can be any.
    """
    if not _may_show(questions):
        return []
    found: set[Path] = set()

    def noted(sample: Sample, folder: Path | None) -> Sample:
        found.update(image_files(sample, folder) if folder is not None else ())
        return sample

    named = Questions(questions.dataset, questions.benchmark, questions.tables, ready=noted)
    for table in questions.tables:
        with suppress(DataError):  # told when the questions are asked
            deque(named.taken(table), maxlen=0)
    return [(str(path), *_content(path)) for path in sorted(found)]


def _may_show(questions: Questions) -> bool:
    """Not what comes from hubs here, nor what a definition in YAML can say, nor rows without the word (``image_1``)."""
    name = questions.dataset.benchmark
    if name in NAMES:
        return questions.benchmark.custom and any(map(_says_image, _paths(questions.tables)))
    return file_of(name).suffix == ".py"


def _says_image(path: Path) -> bool:
    """Of a packed file nobody can tell without unpacking it."""
    if path.suffix not in _PLAIN:
        return True
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return text.find(b"image") >= 0


def _paths(tables: list[Table]) -> list[Path]:
    return [path for table in tables if isinstance(table, FileTable | DocumentsTable) for path in table.files]


def _content(image: Path) -> tuple[int, str]:
    """Size and hash; no hash of what is not sent, -1 where there is no such file."""
    try:
        size = image.stat().st_size
        if size > LARGEST:
            return size, ""
        with image.open("rb") as file:
            return size, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return -1, ""
