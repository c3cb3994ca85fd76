"""Finds a benchmark's files in a folder: in its original layout, or in the one that hubs use.

Hub layouts are folders of parquet, csv or jsonl files, named by the ``configs`` at the head of a README.md or, without
one, as in ``main/test-00000-of-00001.parquet``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.native.benchmark import Benchmark
from bridge.native.documents import find_documents, find_in_tars, is_tar
from bridge.native.readers import SUFFIXES, DataError, suffix_of
from bridge.native.source import Source, regex_of
from bridge.native.worked_text import SUFFIX as WORKED

_HUB_PATTERNS = ("{config}/{split}-*", "{config}/{split}", "data/{split}-*", "data/{split}", "{split}-*", "{split}")
_SUBSET_PATTERNS = _HUB_PATTERNS[:2]
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


def find_sources(benchmark: Benchmark, root: Path, split: str) -> list[Source]:
    """The split's files, subset by subset. Raises DataError, with the layout that is expected, where there are none.

    ``root`` may be a file: then that is the split, whatever its name.
    """
    if not root.exists():
        raise DataError(f"{root}: no such file or folder; {_expected(benchmark)}")
    if is_tar(root):
        return _some(benchmark, root, split, find_documents(benchmark.layout, root, split))
    if root.is_file():
        return [Source(_readable(root), _subset_of_file(benchmark, root, split))]
    found = _in_folder(benchmark, root, split) or find_documents(benchmark.layout, root, split)
    return _some(benchmark, root, split, found or find_in_tars(benchmark.layout, root, split))


def find_examples(benchmark: Benchmark, root: Path, split: str) -> list[Source]:
    """The files of a split that worked examples are taken from; beside ``root`` where that is a file."""
    if is_tar(root) or not root.is_file():
        return find_sources(benchmark, root, split)
    subset = _subset_of_file(benchmark, root, benchmark.split)
    beside = [
        source for source in _in_folder(benchmark, root.parent, split) if source.path != root or benchmark.split_of
    ]
    fitting = [source for source in beside if source.subset in (None, subset)]
    return _some(benchmark, root.parent, split, fitting)


def has_examples(benchmark: Benchmark, root: Path, split: str) -> bool:
    try:
        return bool(find_examples(benchmark, root, split))
    except DataError:
        return False


def _some(benchmark: Benchmark, root: Path, split: str, found: list[Source]) -> list[Source]:
    if not found:
        raise DataError(f"{root}: has no file of {benchmark.name}'s split {split!r}; {_expected(benchmark)}")
    rank = {name: at for at, name in enumerate(benchmark.subsets)}
    return sorted(found, key=lambda s: (rank.get(s.subset or "", len(rank)), s.subset or "", s.path.name))


def _readable(path: Path) -> Path:
    if not suffix_of(path):
        raise DataError(f"{path}: not a format that can be read; it is to be one of {', '.join(SUFFIXES)}")
    return path


def _expected(benchmark: Benchmark) -> str:
    return f"expected {benchmark.layout.example}, or a copy of its hub repository"


def _subset_of_file(benchmark: Benchmark, path: Path, split: str) -> str | None:
    names = benchmark.layout.splits[split]
    for pattern in (one for several in benchmark.layout.files for one in several.split(" | ")):
        found = regex_of(pattern.rsplit("/", 1)[-1], names, suffix_of(path)).fullmatch(path.name)
        if found and "subset" in found.groupdict():
            return found["subset"]
        tail = "/".join(path.absolute().parts[-pattern.count("/") - 1 :])
        found = regex_of(pattern, names, suffix_of(path)).fullmatch(tail)
        if found and found.groupdict().get("subset") in benchmark.subsets:
            return found["subset"]
    return path.name.removesuffix(suffix_of(path)) if benchmark.custom else None


def _in_folder(benchmark: Benchmark, folder: Path, split: str) -> list[Source]:
    names = benchmark.layout.splits[split]
    for pattern in benchmark.layout.files:
        suffixes = ("",) if pattern.endswith(WORKED) else SUFFIXES
        paths = pattern.split(" | ")
        by_format = [[one for path in paths for one in _matches(folder, path, names, suffix)] for suffix in suffixes]
        if found := _all(by_format) if benchmark.custom else _first(by_format):
            return _unambiguous(folder, found)
    return [] if benchmark.custom else _in_hub_copy(benchmark, folder, (*names, split))


def _first(by_format: list[list[Source]]) -> list[Source]:
    """A benchmark that is there in two formats is there twice."""
    return next(filter(None, by_format), [])


def _all(by_format: list[list[Source]]) -> list[Source]:
    """The user's own files may be in a format each."""
    return [source for sources in by_format for source in sources]


def _unambiguous(folder: Path, found: list[Source]) -> list[Source]:
    """Several files for one subset are the shards of one table, or nobody can tell which is meant."""
    by_subset: dict[str | None, list[Path]] = {}
    for source in found:
        by_subset.setdefault(source.subset, []).append(source.path)
    for paths in by_subset.values():
        if len(paths) > 1 and not all(_SHARD.search(path.name.removesuffix(suffix_of(path))) for path in paths):
            names = ", ".join(sorted(path.name for path in paths)[:4])
            raise DataError(f"{folder}: several files fit ({names}); name the one that is meant as the path")
    return found


def _matches(folder: Path, pattern: str, splits: tuple[str, ...], suffix: str) -> Iterator[Source]:
    regex = regex_of(pattern, splits, suffix)
    depth = "/".join("*" for _ in pattern.split("/"))
    for path in sorted(folder.glob(depth)):
        found = regex.fullmatch(path.relative_to(folder).as_posix())
        if found and path.is_file():
            yield Source(path, found["subset"] if "subset" in regex.groupindex else None)


def _in_hub_copy(benchmark: Benchmark, folder: Path, splits: tuple[str, ...]) -> list[Source]:
    config = benchmark.hub.config if benchmark.hub else "default"
    if declared := _declared(folder):
        return list(_from_readme(folder, declared, config, splits))
    for pattern in _HUB_PATTERNS if config != "{subset}" else _SUBSET_PATTERNS:
        filled = pattern.replace("{config}", config)
        if found := _first([list(_matches(folder, filled, splits, suffix)) for suffix in SUFFIXES]):
            return _unambiguous(folder, found)
    return []


def _declared(folder: Path) -> list[dict[str, Any]]:
    """The ``configs`` of the README's head."""
    readme = folder / "README.md"
    if not readme.is_file():
        return []
    text = readme.read_text(encoding="utf-8", errors="replace")
    head = text.split("\n---", 1)[0].removeprefix("---") if text.startswith("---") else ""
    import yaml

    try:
        card = yaml.safe_load(head)
    except yaml.YAMLError as error:
        raise DataError(f"{readme}: its head is not YAML: {str(error).splitlines()[0]}") from error
    configs = card.get("configs") if isinstance(card, dict) else None
    return [config for config in configs or [] if isinstance(config, dict)]


def _from_readme(
    folder: Path, declared: list[dict[str, Any]], wanted: str, splits: tuple[str, ...]
) -> Iterator[Source]:
    for config in declared:
        name = str(config.get("config_name", "default"))
        if wanted not in (name, "{subset}") and len(declared) > 1:
            continue
        for split, pattern in _data_files(config.get("data_files")):
            if split in splits:
                subset = name if wanted == "{subset}" else None
                yield from (Source(path, subset) for path in sorted(folder.glob(pattern)) if suffix_of(path))


def _data_files(value: Any) -> Iterator[tuple[str, str]]:
    """``data_files`` in any of the shapes that the hubs accept, as (split, pattern)."""
    if isinstance(value, str):
        yield "train", value
    for entry in value if isinstance(value, list) else []:
        paths = entry.get("path", []) if isinstance(entry, dict) else []
        for path in [paths] if isinstance(paths, str) else paths:
            yield str(entry.get("split", "train")), str(path)
