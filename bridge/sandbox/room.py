"""What a program sees of the machine, what it may use of it, and the command line that runs it there.

Every room has no network but a loopback of its own, no processes but its own, a ``/tmp`` and a ``/dev`` of its own, and
a root that cannot be written. It ends with all that is in it when its program ends, or when whoever started it is gone.
The environment is handed on as it is: start it with a clean one.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import bridge

PROGRAM = "bwrap"
NOBODY = 65534
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime")
"""Of ``/etc``, what programs need to be started at all."""
MASKED = ("/tmp", "/var/tmp", "/run", "/dev/shm")
"""Empty in every room: other programs' files, and sockets that lead out of it."""
SECRETS = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud"),
    *(".netrc", ".pypirc", ".git-credentials", ".config/gh"),
    *(".cache/huggingface/token", ".huggingface/token", ".modelscope", ".cache/modelscope/credentials"),
    *(".local/share/keyrings", ".password-store", ".mozilla", ".config/google-chrome", ".bash_history"),
)
"""Below the user's home, hidden in a room that shows the whole machine."""
_BOOT = "import sys; sys.path.append(sys.argv[1]); from bridge.sandbox.inner.{0} import main; main(sys.argv[2:])"


@dataclass(frozen=True)
class Limits:
    """Of each process in a room, but for ``processes``; None: not limited. Wall clock is for whoever waits."""

    memory_bytes: int | None = None
    """Address space."""
    cpu_s: int | None = None
    processes: int | None = None
    """In the whole room, threads included. Without effect in a room whose program stays root's."""
    file_bytes: int | None = None
    """Size of any file that is written."""
    open_files: int | None = None


@dataclass(frozen=True)
class Door:
    """A server outside, which listens on a Unix socket; inside it is found at a port of loopback."""

    socket: Path
    port: int


@dataclass(frozen=True)
class Room:
    shows: Literal["system", "everything"]
    """``system``: programs and libraries only; ``everything``: also all other files, but for usual places of keys."""
    readable: tuple[Path, ...] = ()
    """Shown as well, wherever they are."""
    writable: tuple[Path, ...] = ()
    cwd: Path = Path("/tmp")
    limits: Limits = Limits()
    doors: tuple[Door, ...] = ()
    nobody: bool = False
    """Where root starts it, the program is to have no rights of root's, and its processes are to be counted."""


def command(room: Room, argv: Sequence[str], program: str | None = None) -> list[str]:
    """The command line that runs ``argv`` in the room; ``program`` is bubblewrap where it is not on the PATH."""
    return [program or shutil.which(PROGRAM) or PROGRAM, *_options(room), "--", *_start(room), *argv]


def python(module: str, *isolated: str) -> list[str]:
    """Python, without anything installed, running ``main`` of that module of ``inner``; ``isolated``: how else."""
    return [interpreter(), *(isolated or ("-I",)), "-S", "-c", _BOOT.format(module), str(_root())]


def interpreter() -> str:
    """The Python that bridge's environment was made of: it needs no more than its own standard library."""
    return str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())


def _root() -> Path:
    return Path(bridge.__file__).resolve().parent.parent


def _start(room: Room) -> list[str]:
    orders = {
        "uid": NOBODY if room.nobody and os.geteuid() == 0 else None,
        "limits": asdict(room.limits),
        "doors": [[str(door.socket), door.port] for door in room.doors],
    }
    return [*python("start"), json.dumps(orders)]


def _options(room: Room) -> Iterator[str]:
    yield from ("--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-net")
    yield from ("--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox", "--cap-drop", "ALL")
    if os.geteuid() == 0 and room.nobody:
        # Root makes the room without a user namespace, so that it can become somebody whose processes are counted.
        yield from ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    else:
        yield "--unshare-user"
    yield from _system() if room.shows == "system" else _everything()
    for path in _needed(room):
        yield from (*_passable(path, room), "--ro-bind", str(path), str(path))
    for path in room.writable:
        yield from ("--bind", str(path), str(path))
    for door in room.doors:
        yield from ("--ro-bind", str(door.socket.parent), str(door.socket.parent))
    yield from ("--remount-ro", "/", "--remount-ro", "/dev")
    yield from ("--chdir", str(room.cwd))


def _system() -> Iterator[str]:
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    for name in SETTINGS:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--proc", "/proc", "--dev", "/dev", *_empty("/dev/shm"), *_empty("/tmp"))


def _empty(name: str) -> tuple[str, ...]:
    return ("--perms", "1777", "--tmpfs", name)


def _everything() -> Iterator[str]:
    yield from ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    for name in MASKED:
        if Path(name).is_dir() and not Path(name).is_symlink():
            yield from _empty(name)
    for name in SECRETS:
        yield from _hidden(Path.home() / name)


def _hidden(secret: Path) -> tuple[str, ...]:
    """Where it really is, as bubblewrap follows no link. What the user may not look into is closed to the room."""
    try:
        place = secret.resolve(strict=True)
        if place.is_dir():
            return ("--tmpfs", str(place))
        return ("--ro-bind", "/dev/null", str(place)) if place.is_file() else ()
    except (OSError, RuntimeError):  # RuntimeError: links that lead to themselves, before Python 3.13
        return ()


def _passable(path: Path, room: Room) -> Iterator[str]:
    """The folders above a path, which bubblewrap would let nobody but root go through."""
    for parent in list(reversed(path.parents))[1:]:
        if not _is_shown(parent, room):
            yield from ("--perms", "0755", "--dir", str(parent))


def _needed(room: Room) -> Iterator[Path]:
    """What is to be shown, as far as it is not there already."""
    own = _root() / "bridge"
    paths = [Path(sys.base_prefix), Path(sys.base_exec_prefix), Path(interpreter()).parent, own / "sandbox"]
    missing = [path for path in [*paths, own / "__init__.py", *room.readable] if not _is_shown(path, room)]
    for path in dict.fromkeys(missing):
        if not any(path.is_relative_to(other) for other in missing if other != path):
            yield path


def _is_shown(path: Path, room: Room) -> bool:
    below = SYSTEM if room.shows == "system" else ("/",)
    hidden = room.shows == "everything" and any(path.is_relative_to(name) for name in MASKED)
    return not hidden and any(path.is_relative_to(name) for name in below)
