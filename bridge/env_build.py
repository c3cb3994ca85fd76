"""Builds one virtual environment with uv: venv, the lock's packages, check, rename."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bridge.backend import EnvSpec
from bridge.env_errors import explain
from bridge.errors import EnvError
from bridge.pip_settings import no_index, uv_variables
from bridge.process import ProcessExit, clean_env, run_process

RECORD = "bridge-env.json"
CHECK_TIMEOUT_S = 900.0
TAIL_LINES = 12
SPARE_MB = 200
"""What is to be left on the disk beyond the environment's own size."""
WORTH_SAYING = re.compile(r"^\s*(Downloading|Building|Resolved|Prepared|Installed)\b")
UV_SETTINGS = (
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_FIND_LINKS"),
    *("UV_INSECURE_HOST", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS", "NETRC"),
    *("UV_SYSTEM_CERTS", "UV_CACHE_DIR", "UV_NO_CACHE", "UV_OFFLINE", "UV_LINK_MODE", "UV_CONFIG_FILE", "UV_NO_CONFIG"),
    *("UV_TORCH_BACKEND", "UV_PYTHON_DOWNLOADS", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_PREFERENCE", "XDG_CONFIG_HOME"),
    *("XDG_DATA_HOME", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_BUILDS", "UV_CONCURRENT_INSTALLS"),
)
"""Where packages come from and how; nothing that changes which ones."""

Progress = Callable[[str], None]


class Environment(BaseModel):
    """An environment on disk; it holds this record of itself."""

    model_config = ConfigDict(frozen=True)

    name: str
    path: Path
    lock_sha256: str
    python: str
    version: str
    """Of the framework in it."""
    built_at: str
    build_s: float
    size_bytes: int

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """None where there is no environment, or none that was finished."""
        try:
            return cls.model_validate_json((path / RECORD).read_bytes()).model_copy(update={"path": path})
        except (OSError, ValidationError):
            return None


@dataclass(frozen=True)
class LockFile:
    """Pinned requirements, installed as they are, without what they say they depend on.

    Comments may say more: ``# disk: 1400 MB`` (the size of the environment); ``# resolve: torch`` (packages whose own
    dependencies are installed too, since they differ with where the wheel comes from: on PyPI torch brings CUDA, a CPU
    wheel does not); ``# constraint: name==version`` (pins of such dependencies).
    """

    path: Path
    pins: tuple[str, ...]
    disk_mb: int
    resolve: tuple[str, ...]
    constraints: tuple[str, ...]

    @property
    def packages(self) -> int:
        return len(self.pins)

    @classmethod
    def read(cls, path: Path) -> Self:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]

        def said(what: str) -> list[str]:
            return [line.partition(":")[2].strip() for line in lines if line.startswith(f"# {what}:")]

        return cls(
            path=path,
            pins=tuple(line for line in lines if line and not line.startswith(("#", "-"))),
            disk_mb=next((int(text.split()[0]) for text in said("disk")), 0),
            resolve=tuple(name for text in said("resolve") for name in text.split()),
            constraints=tuple(said("constraint")),
        )


async def build(spec: EnvSpec, path: Path, progress: Progress) -> None:
    """Makes the environment at ``path``, where there is none. Raises EnvError; then nothing is left but the log."""
    assert spec.lock is not None
    began = time.monotonic()
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    log = path.with_name(f"{path.name}.log")
    try:
        log.unlink(missing_ok=True)
        lock = LockFile.read(spec.lock)
        _refuse_full_disk(spec, lock, path.parent)
        await _make(spec, lock, aside, log, progress)
        size = await asyncio.to_thread(_size_bytes, aside)
        _record(spec, aside, path, time.monotonic() - began, size)
        aside.rename(path)
    except (OSError, UnicodeDecodeError) as error:
        raise EnvError(f"environment {spec.name}: {getattr(error, 'filename', '') or path}: {error}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)
    progress(f"ready: {size / 1e6:.0f} MB in {time.monotonic() - began:.0f} s")


async def _make(spec: EnvSpec, lock: LockFile, aside: Path, log: Path, progress: Progress) -> None:
    python = aside / "bin" / "python"
    uv = _Uv(spec, log, progress)
    progress(f"making a Python {spec.python} environment for {lock.packages} packages")
    # Relocatable: its scripts find the interpreter also after the environment was renamed.
    await uv("venv", "--relocatable", "--no-project", "--python", _python_for(spec), str(aside))
    if lock.packages:
        await uv("pip", "install", "--python", str(python), "--no-deps", "-r", str(lock.path), *_index_options())
    if lock.resolve:
        pins = aside / "constraints.txt"
        pins.write_text("\n".join([*lock.pins, *lock.constraints]), encoding="utf-8")
        await uv("pip", "install", "--python", str(python), "-c", str(pins), *lock.resolve, *_index_options())
    progress("checking it")
    await run_check(spec, python, log)


async def run_check(spec: EnvSpec, python: Path, log: Path) -> None:
    """Raises EnvError where the environment's check command does not succeed."""
    if not spec.check:
        return
    argv = [str(python), *spec.check]
    ended = await run_process(argv, cwd=Path("/"), env=clean_env({}), log=log, timeout_s=CHECK_TIMEOUT_S)
    if not ended.ok:
        what = f"it was made but does not work: its check {ended}"
        raise EnvError(_message(spec, what, "see the last lines; report it with the log", ended, log))


@dataclass(frozen=True)
class _Uv:
    spec: EnvSpec
    log: Path
    progress: Progress

    async def __call__(self, *args: str) -> None:
        # In the root folder: uv takes settings from any pyproject.toml in the working directory or above.
        argv = [_uv_binary(), *args]
        ended = await run_process(argv, cwd=Path("/"), env=_uv_env(), log=self.log, on_line=self._say)
        if not ended.ok:
            what, hint = explain(ended.log_tail)
            raise EnvError(_message(self.spec, what, hint, ended, self.log))

    def _say(self, line: str) -> None:
        if WORTH_SAYING.match(line):
            self.progress(line.strip())


def _uv_binary() -> str:
    import uv

    with contextlib.suppress(FileNotFoundError):
        return uv.find_uv_bin()
    if found := shutil.which("uv"):
        return found
    raise EnvError("environments are made with uv, whose program is not there; `pip install --force-reinstall uv`")


def _uv_env() -> dict[str, str]:
    credentials = [name for name in os.environ if re.fullmatch(r"UV_INDEX_\w+_(USERNAME|PASSWORD)", name)]
    downloads = {"UV_PYTHON_DOWNLOADS": os.environ.get("UV_PYTHON_DOWNLOADS", "never")}
    return clean_env({**uv_variables(os.environ), **downloads}, [*UV_SETTINGS, *credentials])


def _index_options() -> list[str]:
    return ["--no-index"] if no_index(os.environ) else []


def _python_for(spec: EnvSpec) -> str:
    """The Python that runs bridge, where it is of the right version: it is there for certain, and it works."""
    return sys.executable if spec.python == f"{sys.version_info[0]}.{sys.version_info[1]}" else spec.python


def _message(spec: EnvSpec, what: str, hint: str, ended: ProcessExit, log: Path) -> str:
    first = f"environment {spec.name} could not be made: {what}" + (f"; {hint}" if hint else "")
    return "\n".join([first, "last lines:", *(f"  {line}" for line in ended.log_tail[-TAIL_LINES:]), f"log: {log}"])


def _refuse_full_disk(spec: EnvSpec, lock: LockFile, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(folder).free / 1e6
    if lock.disk_mb and free_mb < lock.disk_mb + SPARE_MB:
        raise EnvError(
            f"environment {spec.name} needs {lock.disk_mb + SPARE_MB} MB in {folder}, where {free_mb:.0f} MB are free; "
            "make room, or set BRIDGE_HOME (and UV_CACHE_DIR) to another disk"
        )


def _size_bytes(folder: Path) -> int:
    return sum(entry.lstat().st_size for entry in folder.rglob("*") if not entry.is_dir() or entry.is_symlink())


def _record(spec: EnvSpec, aside: Path, path: Path, build_s: float, size_bytes: int) -> None:
    assert spec.lock is not None
    record = Environment(
        name=spec.name,
        path=path,
        lock_sha256=hashlib.sha256(spec.lock.read_bytes()).hexdigest(),
        python=spec.python,
        version=spec.version,
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        build_s=round(build_s, 1),
        size_bytes=size_bytes,
    )
    (aside / RECORD).write_text(record.model_dump_json(indent=2), encoding="utf-8")
