"""Where a dataset's table comes from: laid out, checked, in a folder of its own that VLMEvalKit takes as ``LMUData``.

Its own folder, because VLMEvalKit keeps unpacked images by index and would send yesterday's for today's table.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import folders, kit, tables
from .tables import BadTable


@dataclass
class Source:
    """What is known of a dataset's table; ``asdict`` of it goes into the result."""

    tables: dict[str, str] = field(default_factory=dict)
    """File → its md5, or ``converted`` where bridge made the table of a folder."""
    official: bool = True
    """The md5 is that of VLMEvalKit's own list, for every table."""
    refused: dict[str, str] = field(default_factory=dict)
    """Index → why the row cannot be asked."""
    read_as_missing: int = 0


def lay_out(item: dict[str, Any], family: Any, lmu: Path, shared: Path) -> Source:
    """Fills ``lmu`` with the tables of a dataset; ``family`` is its class in VLMEvalKit. Raises BadTable."""
    lmu.mkdir(parents=True, exist_ok=True)
    source = Source()
    path = Path(item["path"]) if item["path"] else None
    if path is not None and path.is_dir() and not list(path.glob("*.tsv")):
        _place(folders.read(path), lmu / f"{item['name']}.tsv", source)
        source.tables[str(path)] = "converted"
        source.official = False
        return source
    for name in item["parts"] or [item["name"]]:
        found = _find(name, path, shared) or _download(name, family, shared)
        _link(found, name, family, lmu, source)
    return source


def _find(name: str, path: Path | None, shared: Path) -> Path | None:
    """The file that the user named, or the table in the named or shared folder."""
    if path is not None:
        found = path / f"{name}.tsv" if path.is_dir() else path
        if not found.is_file():
            raise BadTable(f"{found}: there is no such file")
        return found
    found = shared / f"{name}.tsv"
    return found if found.is_file() else None


def _download(name: str, family: Any, shared: Path) -> Path:
    url = getattr(family, "DATASET_URL", {}).get(name)
    if not url or not url.startswith("http"):
        raise BadTable(f"{name}.tsv is not in LMUData, and VLMEvalKit knows no address for it; give 'path'")
    target = shared / f"{name}.tsv"
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{name}.{os.getpid()}.part")
    try:
        kit.module("smp").download_file(url, str(aside))
        aside.replace(target)
    except Exception as error:  # VLMEvalKit raises bare Exception here
        raise BadTable(f"{target.name} is not in LMUData ({target.parent}), and {error}; give 'path'") from error
    finally:
        aside.unlink(missing_ok=True)
    return target


def _link(found: Path, name: str, family: Any, lmu: Path, source: Source) -> None:
    checksum = md5(found)
    expected = getattr(family, "DATASET_MD5", {}).get(name)
    source.tables[str(found)] = checksum
    target = lmu / f"{name}.tsv"
    if checksum == expected:
        target.symlink_to(found.resolve())
        _link_pictures(found, lmu)
    else:
        source.official = False
        _place(tables.read(found), target, source)
    url = getattr(family, "DATASET_URL", {}).get(name) or ""
    legacy = lmu / url.rsplit("/", 1)[-1]
    if url and not legacy.exists():
        legacy.symlink_to(target)


def _link_pictures(found: Path, lmu: Path) -> None:
    """A table without a column of images names files that lie beside it."""
    with found.open(encoding="utf-8-sig") as file:
        columns = file.readline().rstrip("\n").replace('"', "").split("\t")
    pictures = found.resolve().parent / "images"
    if "image" not in columns and pictures.is_dir() and not (lmu / "images").exists():
        (lmu / "images").symlink_to(pictures)


def _place(table: tables.Table, target: Path, source: Source) -> None:
    if not table.rows:
        reason = next(iter(table.refused.values()), "it is empty")
        raise BadTable(f"{target.name}: no row can be asked; first: {reason}")
    tables.write(table, target)
    source.refused |= table.refused
    source.read_as_missing += table.read_as_missing


def md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class AnyChecksum(dict[str, Any]):
    """Takes the place of a class's list of md5s: VLMEvalKit downloads over a file whose md5 is another."""

    def __missing__(self, name: str) -> None:
        return None
