"""Programs that mean harm: none of them passes, and none of them changes the verdict on the next one."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.sandbox.inner import seccomp
from bridge.sandbox.programs import Allowed, Program, Programs, Ran
from bridge.watchdog import descendants

MIB = 1 << 20
ALLOWED = Allowed(cpu_s=1, wall_s=30.0, memory_bytes=256 * MIB, processes=24, scratch_bytes=8 * MIB)
BRIEF = replace(ALLOWED, wall_s=4.0)
"""For what uses up its time on the clock."""
GOOD = Program("def double(n):\n    return 2 * n\n", "assert double(21) == 42\n")
BAD = Program("def double(n):\n    return 2 * n\n", "assert double(21) == 43\n")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[Allowed, Programs]]:
    with Programs(ALLOWED) as patient, Programs(BRIEF) as brief:
        yield {ALLOWED: patient, BRIEF: brief}


@pytest.fixture
def programs(servers: dict[Allowed, Programs]) -> Iterator[Programs]:
    yield from unharmed(servers[ALLOWED])


@pytest.fixture
def brief(servers: dict[Allowed, Programs]) -> Iterator[Programs]:
    yield from unharmed(servers[BRIEF])


def unharmed(server: Programs) -> Iterator[Programs]:
    """After each test, a right program passes and a wrong one fails, as ever, and in the server that was there."""
    server.warm_up()
    before = server._server
    yield server
    assert server.run(GOOD).passed
    assert server.run(BAD).reason == "AssertionError (tests.py, line 1)"
    assert server._server is before


def run(programs: Programs, source: str, tests: str = "") -> Ran:
    return programs.run(Program(source, tests))


def refused(programs: Programs, source: str, tests: str = "") -> str:
    ran = run(programs, source, tests)
    assert not ran.passed and ran.reason
    return ran.reason


def test_a_fork_bomb(brief: Programs) -> None:
    refused(brief, "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass")


def test_a_bomb_of_threads(programs: Programs) -> None:
    bomb = (
        "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    assert "can't start new thread" in refused(programs, bomb)


def test_a_memory_hog(programs: Programs) -> None:
    assert "MemoryError" in refused(programs, "x = bytearray(10**10)")


def test_a_herd_of_memory_hogs(programs: Programs) -> None:
    """Each is within its limit, all together are not."""
    herd = "import os, time\nall(os.fork() for _ in range(8))\nx = b'x' * (60 << 20)\ntime.sleep(60)"
    assert refused(programs, herd) == "used more than 256 MiB of memory"


def test_memory_by_way_of_files(programs: Programs) -> None:
    many = "for n in range(100):\n    open(f'/tmp/{n}', 'wb').write(b'x' * (1 << 20))"
    assert "No space left" in refused(programs, many)
    assert "File too large" in refused(
        programs,
        "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nopen('/tmp/x', 'wb').write(b'x' * (9 << 20))",
    )


def test_an_endless_loop(programs: Programs) -> None:
    assert refused(programs, "while True: pass") == "took more than 1 s of CPU time"


def test_an_endless_sleep(brief: Programs) -> None:
    assert refused(brief, "import time\ntime.sleep(1000)") == "took longer than 4 s"


def test_an_endless_loop_in_the_tests(programs: Programs) -> None:
    assert refused(programs, "def f():\n    while True: pass", "f()") == "took more than 1 s of CPU time"


def test_catching_the_timeout(programs: Programs) -> None:
    deaf = """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, lambda *_: None)
    except (OSError, ValueError):
        pass
while True:
    try:
        while True: pass
    except BaseException:
        continue
"""
    assert refused(programs, deaf) == "took more than 1 s of CPU time"


def test_deleting_and_writing_files(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    delete = f"""
import os, shutil
for place in ('/usr/games', '/etc', '/tmp', {str(tmp_path)!r}, {str(Path.home())!r}, {str(Path(__file__).parent)!r}):
    shutil.rmtree(place, ignore_errors=True)
written = []
for place in ('/', '/usr', '/etc', '/dev', '/proc', {str(tmp_path)!r}, {str(Path(__file__).parent)!r}):
    try:
        open(os.path.join(place, 'written'), 'w')
        written.append(place)
    except OSError:
        pass
assert not written, written
"""
    assert run(programs, delete).passed
    assert (tmp_path / "kept").read_text() == "kept" and Path("/usr/bin/env").exists() and Path(__file__).exists()


def test_what_is_left_in_tmp_is_gone(programs: Programs) -> None:
    for folder in ("/tmp", "/dev/shm"):
        assert run(programs, f"open('{folder}/left', 'w').write('for the next one')").passed
        assert run(programs, f"import os\nassert os.listdir('{folder}') == []").passed


def test_keys_in_the_environment(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with Programs(ALLOWED) as fresh:
        look = """
import os
seen = [repr(os.environ)]
for name in os.listdir('/proc'):
    for file in ('environ', 'cmdline'):
        try:
            seen.append(open(f'/proc/{name}/{file}').read())
        except OSError:
            pass
assert 'secret' not in ''.join(seen)
assert os.listdir('/proc') == []
"""
        assert fresh.run(Program(look, "")).passed


def test_other_files_are_not_there(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for path in (tmp_path / "mine", Path(__file__), Path("/etc/passwd"), Path("/var/log"), Path("/sys/kernel")):
        assert path.exists() and run(programs, f"import os\nassert not os.path.exists({str(path)!r})").passed


def test_the_network(programs: Programs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reached: list[object] = []
        threading.Thread(target=lambda: reached.append(_accepted(server)), daemon=True).start()
        for target in (f"('127.0.0.1', {port})", "('192.0.2.1', 80)", "('169.254.169.254', 80)"):
            reason = refused(programs, f"import socket\nsocket.create_connection({target}, timeout=1)")
            assert "Error" in reason
        assert reached == []


def _accepted(server: socket.socket) -> object:
    try:
        return server.accept()
    except OSError:
        return None


TRACE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
traced = [pid for pid in [*range(1, 200), os.getppid()] if pid != os.getpid() and libc.ptrace(16, pid, 0, 0) == 0]
assert not traced, traced
"""


def test_ptrace_of_the_parent(programs: Programs) -> None:
    assert run(programs, TRACE).passed


DEEP = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def refused(name, *arguments):
    ctypes.set_errno(0)
    return getattr(libc, name)(*arguments) == -1 and ctypes.get_errno() == errno.EPERM
assert refused('unshare', 0x10000000) and refused('setns', 0, 0) and refused('chroot', b'/tmp')
assert refused('mount', b'x', b'/tmp', b'tmpfs', 0, None) and refused('ptrace', 0, 0, 0, 0)
assert refused('syscall', 425, 8, 0) and refused('process_vm_readv', os.getpid(), None, 0, None, 0, 0)
"""


def test_deep_system_calls(programs: Programs) -> None:
    if os.uname().machine not in seccomp.MACHINES:
        pytest.skip(f"on {os.uname().machine} none is refused, as docs/sandbox.md says")
    assert run(programs, DEEP).passed, run(programs, DEEP).reason


def test_what_programs_do_need(programs: Programs) -> None:
    for source in (
        "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
        "import subprocess\nassert subprocess.check_output(['/bin/echo', 'x']) == b'x\\n'",
        "import concurrent.futures as c\nwith c.ProcessPoolExecutor(2) as e:\n    assert list(e.map(abs, [-1])) == [1]",
        "import tempfile\nwith tempfile.TemporaryFile() as f:\n    f.write(b'x')",
        "import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\nasyncio.run(f())",
        "import sys\nsys.setrecursionlimit(10000)\ndef f(n):\n    return n and f(n - 1)\nf(5000)",
    ):
        ran = run(programs, source)
        assert ran.passed, ran.reason


def test_killing_the_server(programs: Programs) -> None:
    kill = """
import os, signal
for pid in [-1, 0, *range(1, 1000)]:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
"""
    assert "killed by signal 9" in refused(programs, kill)


STAYS = """
import os
read, told = os.pipe()
if not os.fork():
    os.setsid()
    os.execv('/bin/sleep', ['sleep', '1000'])
os.close(told)
"""


def test_children_do_not_outlive_it(programs: Programs) -> None:
    assert programs._server is not None
    before = descendants(programs._server.pid)
    ran = run(programs, STAYS, "assert os.read(read, 1) == b'', 'until the child is another program'")
    assert ran.passed, ran.reason
    assert descendants(programs._server.pid) == before and before


def test_huge_output(programs: Programs) -> None:
    loud = "import sys\nwhile True:\n    sys.stdout.write('x' * 100000)\n    sys.stderr.write('x' * 100000)"
    assert refused(programs, loud) == "took more than 1 s of CPU time"
    assert run(programs, "print('x' * 10_000_000)").passed


def test_a_huge_reason(programs: Programs) -> None:
    assert len(refused(programs, "raise ValueError('x' * 10_000_000)")) < 3000


@pytest.mark.parametrize(
    "leave",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "raise SystemExit",
        "raise KeyboardInterrupt",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes; ctypes.string_at(0)",
        "import os; os.execv('/bin/true', ['true'])",
        "raise type('Own', (BaseException,), {'__str__': lambda self: 1 / 0})()",
    ],
)
def test_leaving_before_the_tests(programs: Programs, leave: str) -> None:
    refused(programs, leave, "assert False")
    refused(programs, f"def f():\n    {leave}", "f()")


def test_ending_in_an_at_exit_handler(programs: Programs) -> None:
    refused(programs, "import atexit, os\natexit.register(os._exit, 0)", "assert False")


PATCHES = """
import builtins, os, sys, types
for module in (builtins, os, sys):
    for name in ('exec', 'compile', 'write', '_exit', 'read', 'settrace'):
        if hasattr(module, name):
            setattr(module, name, lambda *a, **k: True)
builtins.AssertionError = KeyError
def check(*a): return True
class Quiet(dict):
    def __setitem__(self, name, value): pass
sys.modules['bridge.sandbox.inner.program'] = types.ModuleType('program')
"""


def test_patching_the_checker(programs: Programs) -> None:
    refused(programs, PATCHES, "def check(f):\n    assert f() == 1\ncheck(lambda: 2)")


def test_tracing_the_checker(programs: Programs) -> None:
    skip = """
import sys
def over(frame, event, arg):
    frame.f_locals.clear()
    return over
sys.settrace(over)
sys.setprofile(over)
"""
    refused(programs, skip, "assert 1 == 2")


def test_a_false_verdict(programs: Programs) -> None:
    claims = """
import os
for fd in range(0, 1024):
    for claim in (b'P', b'P' + b'0' * 32, b'R', b'{"passed": true}\\n'):
        try:
            os.write(fd, claim)
        except OSError:
            pass
os._exit(0)
"""
    reason = refused(programs, claims, "assert False")
    assert "before its tests were through" in reason


def test_the_word_is_not_there_before_the_tests(programs: Programs) -> None:
    """All that a program finds in its memory does not tell it what the server wants to hear."""
    search = """
import gc, os
found = {value for thing in gc.get_objects() if isinstance(thing, dict) for value in list(thing.values())
         if isinstance(value, bytes) and len(value) == 32}
for word in found:
    os.write(4, b'P' + word)
os._exit(0)
"""
    refused(programs, search, "assert False")


FORGED = """
import os
os.write(4, b"R")
d = b""
while c := os.read(3, 65536):
    d += c
os.write(4, b"P" + d[:32])
os._exit(0)
"""
STOLEN = """
import os, threading
def steal():
    d = os.read(3, 65536)
    os.write(4, b"P" + d[:32])
threading.Thread(target=steal, daemon=True).start()
"""
EXCHANGED = """
import os
mine = os.pipe()
os.write(mine[1], b"0" * 32 + b"pass")
os.close(mine[1])
os.dup2(mine[0], 3)
"""
RENAMED = """
import sys
frame = sys._getframe()
while frame := frame.f_back:
    for name, value in list(frame.f_locals.items()):
        if callable(value):
            frame.f_locals[name] = lambda *_, **__: None
"""
JUMPED = """
import sys
def over(frame, event, arg):
    if event == 'line' and frame.f_code.co_filename.endswith('inner/program.py'):
        frame.f_lineno = max(line for _, _, line in frame.f_code.co_lines() if line)
    return over
frame = sys._getframe()
while frame := frame.f_back:
    frame.f_trace = over
sys.settrace(over)
"""
PROFILED = """
import sys
def change(frame, event, arg):
    for name, value in list(frame.f_locals.items()):
        if isinstance(value, (str, bytes)):
            frame.f_locals[name] = type(value)()
sys.setprofile(change)
"""
EMPTIED = """
import sys
for name in ('_reason', '_line_of', '_through', '_tests'):
    getattr(sys.modules['bridge.sandbox.inner.program'], name).__code__ = (lambda *_: b'').__code__
"""
CLIMBED = """
import gc, re, sys
found, frame = gc.get_objects(), sys._getframe()
while frame:
    found += [frame, *frame.f_locals.values()]
    frame = frame.f_back
found += [below for thing in found for below in gc.get_referents(thing)]
words = [thing for thing in found if isinstance(thing, bytes) and re.fullmatch(b'P?[0-9a-f]{32}', thing)]
assert not words, words
told = ' '.join(('they', 'are'))
tests = [thing for thing in found if thing is not told and isinstance(thing, (str, bytes)) and told in str(thing)]
assert not tests, tests
"""


@pytest.mark.parametrize(
    "source",
    [FORGED, STOLEN, EXCHANGED, RENAMED, JUMPED, PROFILED, EMPTIED],
    ids=["forged", "stolen", "exchanged", "renamed", "jumped", "profiled", "emptied"],
)
def test_getting_between_the_tests_and_the_verdict(programs: Programs, source: str) -> None:
    refused(programs, source, "assert 1 == 2")


def test_neither_word_nor_tests_are_in_a_frame_or_an_object(programs: Programs) -> None:
    ran = run(programs, CLIMBED, "assert 'here ' 'they are'")
    assert ran.passed, ran.reason


def test_a_test_that_is_larger_than_a_pipe(programs: Programs) -> None:
    text = "x" * 3_000_000
    assert run(programs, "def f(): return 1", f"text = '{text}'\nassert f() == 1 and len(text) == 3_000_000").passed
    refused(programs, "import time\ntime.sleep(0.1)\nimport os\nos._exit(0)", f"text = '{text}'")


def test_text_that_is_no_program(programs: Programs) -> None:
    for source in ("def", "\0", "\ud800", "(" * 5000, "x = " + "9" * 5000):
        refused(programs, source, "assert False")
