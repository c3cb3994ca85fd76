"""The server itself: what it makes of programs, and of its own end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.sandbox import programs as module
from bridge.sandbox.programs import Allowed, Program, Programs, SandboxBroken
from bridge.watchdog import descendants

GOOD = Program("def one():\n    return 1\n", "assert one() == 1\n")


def test_a_server_that_is_killed_is_started_again() -> None:
    with Programs() as programs:
        assert programs.run(GOOD).passed
        assert programs._server is not None
        os.kill(programs._server.pid, signal.SIGKILL)
        assert programs.run(GOOD).passed


def test_a_sandbox_that_breaks_is_no_verdict(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Programs() as programs:
        assert programs.run(GOOD).passed
        assert programs._server is not None
        programs._server.kill()
        broken = tmp_path / "bwrap"
        broken.write_text("#!/bin/sh\necho 'bwrap: no more namespaces' >&2\nexit 1\n")
        broken.chmod(0o755)
        monkeypatch.setattr("bridge.sandbox.room.shutil.which", lambda _: str(broken))
        with pytest.raises(SandboxBroken, match="bwrap: no more namespaces"):
            programs.run(GOOD)


@pytest.fixture
def alter(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Statements for the server, before it starts, on its modules ``serve`` and ``namespaces``."""
    start = module.python

    def altered(statements: str) -> None:
        boot = "import sys, time; sys.path.append(sys.argv[1]); from bridge.sandbox.inner import namespaces, serve\n"

        def python(name: str, *isolated: str) -> list[str]:
            argv = start(name, *isolated)
            argv[argv.index("-c") + 1] = f"{boot}{statements}\nserve.main([])"
            return argv

        monkeypatch.setattr(module, "python", python)

    return altered


NO_NESTING = "serve._can_separate = lambda: False"


def test_without_namespaces_of_its_own_a_program_has_a_server_of_its_own(alter: Callable[[str], None]) -> None:
    """As where user namespaces cannot be nested: slower, and as safe."""
    alter(NO_NESTING)
    with Programs(Allowed(cpu_s=1, wall_s=30)) as programs:
        assert programs.run(GOOD).passed
        assert programs._server is None and not programs._separate
        assert not programs.run(Program("import os, signal\nos.kill(-1, signal.SIGKILL)", "")).passed
        assert programs.run(GOOD).passed
        left = Program("import os\nassert 'left' not in os.listdir('/tmp')\nopen('/tmp/left', 'w')", "")
        assert programs.run(left).passed and programs.run(left).passed


REFUSED = """
def refused(*_):
    raise PermissionError(1, 'not here')
"""


@pytest.mark.parametrize("nested", ["", NO_NESTING])
@pytest.mark.parametrize("part", ["serve.limit", "namespaces.give_up_rights"])
def test_what_cannot_be_set_up_is_no_verdict(alter: Callable[[str], None], part: str, nested: str) -> None:
    alter(f"{nested}\n{REFUSED}\n{part} = refused")
    with Programs() as programs, pytest.raises(SandboxBroken, match="not here"):
        programs.run(GOOD)


def test_what_is_not_set_up_in_time_is_no_verdict(alter: Callable[[str], None]) -> None:
    alter("serve._SET_UP_S = 0.1\nserve.limit = lambda _: time.sleep(60)")
    with Programs() as programs, pytest.raises(SandboxBroken, match="nothing of the program was run: took longer"):
        programs.run(GOOD)


def test_the_time_of_a_program_is_its_own(alter: Callable[[str], None]) -> None:
    """A machine that takes long to set it up makes no right program wrong."""
    alter("serve._SET_UP_S = 60\nserve.limit = lambda _: time.sleep(5)")
    with Programs(Allowed(wall_s=4)) as programs:
        ran = programs.run(GOOD)
        assert ran.passed, ran.reason


@pytest.mark.parametrize("nested", ["", NO_NESTING])
def test_no_exit_code_is_an_excuse(alter: Callable[[str], None], nested: str) -> None:
    alter(nested)
    with Programs() as programs:
        for code in (1, 97, 98, 99, 255):
            ran = programs.run(Program(f"import os\nos._exit({code})", ""))
            assert ran.reason == "ended itself before its tests were through" and not ran.passed


def test_unconfined_there_is_still_a_verdict() -> None:
    with Programs(Allowed(cpu_s=1, wall_s=30), confined=False) as programs:
        assert programs.run(GOOD).passed
        assert not programs.run(Program("import os; os._exit(0)", "")).passed
        assert programs.run(Program("while True: pass", "")).reason == "took more than 1 s of CPU time"


def test_verdicts_do_not_hang_on_the_order_of_sets() -> None:
    source = "import os\nseen = list({'a', 'b', 'c', 'd', 'e'})"
    orders = set()
    for _ in range(2):
        with Programs() as programs:
            orders.add(programs.run(Program(source, "raise ValueError(seen)")).reason)
    assert len(orders) == 1


def test_modules_work_as_they_do_in_a_file() -> None:
    source = (
        "from __future__ import annotations\nimport dataclasses, pickle\n"
        "@dataclasses.dataclass\nclass Pair:\n    a: int\n    b: int\n"
        "if __name__ == '__main__':\n    raise SystemExit('run as a script')\n"
    )
    tests = "assert pickle.loads(pickle.dumps(Pair(1, 2))) == Pair(1, 2)"
    with Programs() as programs:
        ran = programs.run(Program(source, tests))
        assert ran.passed, ran.reason


STARTS = """
from bridge.sandbox.programs import Allowed, Program, Programs
with Programs(Allowed(cpu_s=60, wall_s=120)) as programs:
    programs.warm_up()
    print(programs._server.pid, flush=True)
    programs.run(Program("import os\\nos.fork()\\nwhile True: pass  # outlives", ""))
"""


def test_nothing_outlives_whoever_started_it() -> None:
    """As when bridge, or a process of its scorers, is killed in the middle of a program."""
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        server = int(starter.stdout.readline())
        until = time.monotonic() + 60
        while len(below := descendants(server)) < 4 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(below) >= 4
        starter.kill()
    while any(Path(f"/proc/{pid}").exists() for pid in (server, *below)) and time.monotonic() < until + 60:
        time.sleep(0.05)
    assert [pid for pid in (server, *below) if Path(f"/proc/{pid}").exists()] == []
