"""A canary in place of the API key: used on every path, and afterwards to be found nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_server import Fault, FaultServer
from server_thread import serving

sys.path.insert(0, str(Path(__file__).parent))

from disturbances import luck
from rig import BRIDGE, Rig
from subjects import SUBJECTS

from bridge.envs import home

CANARY = "sk-canary-7f3a91c2e5d84b60"
ECHO = Fault(status=400, message=f"Incorrect API key provided: {CANARY}. You sent Bearer {CANARY}")

OWN = [name for name, subject in SUBJECTS.items() if not subject.in_own_environment]
FRAMEWORKS = [name for name, subject in SUBJECTS.items() if subject.in_own_environment]


@pytest.mark.parametrize("backend", OWN)
def test_the_key_is_nowhere(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(backend, tmp_path, monkeypatch)


@pytest.mark.env
@pytest.mark.parametrize("backend", FRAMEWORKS)
def test_the_key_is_nowhere_in_a_framework(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(backend, tmp_path, monkeypatch)


def hold(backend: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in which the server writes the key into its errors, with ``--debug``, watched from outside."""
    subject, began = SUBJECTS[backend], time.time()
    monkeypatch.setenv("CANARY_KEY", CANARY)
    monkeypatch.setenv("TMPDIR", str(folder))
    with serving(FaultServer(model="m", default=Fault(latency_s=0.02), answer=subject.answer)) as thread:
        thread.server.rule = lambda body: ECHO if luck(body) < 0.3 else Fault(latency_s=0.02)
        rig = Rig(subject, folder, thread)
        endpoint = {"base_url": thread.server.base_url, "api_key_env": "CANARY_KEY"}
        rig.spec = {"model": {"name": "m", "endpoint": endpoint}, "max_retries": 1}
        with command_lines(folder) as seen:
            done = said(rig, "run", "--debug")
        sent = {asked.headers.get("Authorization") for asked in thread.server.journal}
    assert sent == {f"Bearer {CANARY}"}, "the server is to get the key itself"
    assert done.returncode == 7
    for verb in ("report", "verify"):
        done.stderr += subprocess.run([BRIDGE, verb, rig.run], capture_output=True, text=True, check=False).stdout
    assert CANARY not in done.stdout + done.stderr
    assert seen
    assert not [line for line in seen if CANARY in line]
    assert [str(path) for path in written_since(began, folder, home()) if CANARY.encode() in path.read_bytes()] == []


def said(rig: Rig, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [BRIDGE, verb, str(rig._spec_file()), "--output", str(rig.run), *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)


class command_lines:
    """What anybody on the machine can read of the run's processes while it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen, self.over = str(folder), set[str](), threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> set[str]:
        self.thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.over.wait(0.05):
            for process in os.scandir("/proc"):
                try:
                    words = Path(process.path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if self.folder in words or "bridge" in words:
                    self.seen.add(words)


def written_since(moment: float, *folders: Path) -> Iterator[Path]:
    for folder in folders:
        for root, _, names in os.walk(folder):
            for path in (Path(root, name) for name in names):
                if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= moment - 1:
                    yield path


def test_a_bug_in_bridge_does_not_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of a request that fell over, printed and kept."""
    program = (
        "import asyncio, os\n"
        "from bridge.cli.ending import tell\n"
        "from bridge.endpoint.client import Client\n"
        "try:\n"
        "    raise RuntimeError(f'with a key: Bearer {os.environ[\"CANARY_KEY\"]}')\n"
        "except RuntimeError as error:\n"
        "    tell(error)\n"
    )
    env = {**os.environ, "CANARY_KEY": CANARY, "OPENAI_API_KEY": CANARY, "BRIDGE_DEBUG": "1", "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert CANARY not in done.stdout + done.stderr
    assert all(CANARY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
