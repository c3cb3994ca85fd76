"""``bridge doctor``"""

from __future__ import annotations

import json
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import typer

from bridge.cli.columns import columns
from bridge.cli.ending import ended
from bridge.errors import EnvError

State = Literal["ok", "note", "wrong"]
SPARE_GB = 10.0
"""Room for the environments of two frameworks, and for what they keep."""


@dataclass(frozen=True)
class Finding:
    what: str
    state: State
    said: str
    """What was found; where it is wrong, what to do about it."""


@ended
def command(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> int:
    """Check that this machine has what bridge needs: Python, uv, room on the disk, loopback, environments."""
    looks = (_python, _uv, _cache, _room, _loopback, _sandbox, _environments)
    findings = [finding for look in looks for finding in look()]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        print("\n".join(columns(("CHECK", "", "FOUND"), [(f.what, f.state, f.said) for f in findings])))
    return EnvError.exit_code if any(finding.state == "wrong" for finding in findings) else 0


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} ({sys.executable})")


def _uv() -> Iterator[Finding]:
    from uv import find_uv_bin

    try:
        said = subprocess.run([find_uv_bin(), "--version"], capture_output=True, text=True, check=True, timeout=30)
        yield Finding("uv", "ok", said.stdout.strip())
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("uv", "wrong", f"does not run ({error}); install it again: pip install --force-reinstall uv")


def _cache() -> Iterator[Finding]:
    from bridge.home import home

    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            yield Finding("cache folder", "ok", str(folder))
    except OSError as error:
        said = f"{folder} cannot be written ({error.strerror}); set BRIDGE_HOME to a folder that can"
        yield Finding("cache folder", "wrong", said)


def _room() -> Iterator[Finding]:
    from bridge.home import home

    there = next(folder for folder in (home(), *home().parents) if folder.exists())
    free = shutil.disk_usage(there).free / 1e9
    said = f"{free:,.1f} GB free at {there}"
    enough = free >= SPARE_GB
    yield Finding("disk", "ok" if enough else "note", said if enough else f"{said}; environments need a few GB each")


def _loopback() -> Iterator[Finding]:
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=5),
        ):
            yield Finding("loopback", "ok", "127.0.0.1 can be listened on and reached")
    except OSError as error:
        yield Finding(
            "loopback", "wrong", f"127.0.0.1 cannot be used ({error.strerror or error}); the gateway needs it"
        )


def _sandbox() -> Iterator[Finding]:
    from bridge.sandbox.trial import why_not

    if why := why_not():
        yield Finding("sandbox", "note", f"{why}; needed only where code that a model wrote is run")
    else:
        yield Finding("sandbox", "ok", "a program was confined: no network, nothing to write, processes limited")


def _environments() -> Iterator[Finding]:
    from bridge.cli.env import known_environments
    from bridge.envs import env_path, installed

    for name, spec in known_environments().items():
        if installed(spec):
            yield Finding(f"environment {name}", "ok", f"{spec.version} ({env_path(spec)})")
        else:
            yield Finding(
                f"environment {name}", "note", f"{spec.version}, not built yet; the first run that needs it does"
            )
