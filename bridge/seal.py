"""``seal.json``: the SHA-256 of every file of a run, taken when its report was written.

A file that is changed, lost or cut short afterwards is found by comparing. Whoever can change a file can also make a
new seal; the seal's own digest, kept somewhere else, shows that too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bridge.errors import OutputError
from bridge.rundir import RunDir, write_atomic

SEAL = "seal.json"
_LIVING = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".tmp")
"""Files that change while they are read, or are only on their way; the store has checks of its own."""


class SealedFile(BaseModel):
    model_config = ConfigDict(frozen=True)

    sha256: str
    size_bytes: int


class Seal(BaseModel):
    model_config = ConfigDict(frozen=True)

    seal_version: Literal[1] = 1
    files: dict[str, SealedFile]
    """By path relative to the run directory."""

    def digest(self) -> str:
        """One hash for the whole run; noted elsewhere, it proves that nothing was changed since."""
        lines = (f"{file.sha256}  {name}\n" for name, file in sorted(self.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_seal(rundir: RunDir) -> Seal:
    """Seals the run directory as it is now."""
    seal = Seal(files={name: sealed(rundir.root / name) for name in files_of(rundir)})
    write_atomic(rundir.root / SEAL, seal.model_dump_json(indent=1))
    return seal


def read_seal(rundir: RunDir) -> Seal | None:
    """None where the run was never sealed: its report was not written yet, or by an older bridge."""
    path = rundir.root / SEAL
    try:
        return Seal.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise OutputError(f"{path}: is no seal ({error.__class__.__name__})") from error


def files_of(rundir: RunDir) -> Iterator[str]:
    """Every regular file that a seal covers, in order. Links are not followed."""
    for path in sorted(rundir.root.rglob("*")):
        own = path.parent == rundir.root and path.name in (SEAL, ".lock")
        if not own and not path.name.endswith(_LIVING) and path.is_file() and not path.is_symlink():
            yield path.relative_to(rundir.root).as_posix()


def sealed(path: Path) -> SealedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return SealedFile(sha256=digest, size_bytes=file.tell())
