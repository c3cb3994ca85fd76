"""Programs are started for real; what is counted is what is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bridge import watchdog
from bridge.process import ProcessExit, clean_env, run_process

LEAVES_CHILDREN = """
    import os, subprocess, sys, time
    mark = sys.argv[1]
    sleeper = [sys.executable, "-c", "import time; time.sleep(300)", mark]
    stubborn = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(300)", mark]
    away = [sys.executable, "-c", "import os, subprocess, sys; os.fork() and os._exit(0); os.setsid(); "
            "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)', sys.argv[1]])", mark]
    subprocess.Popen(sleeper), subprocess.Popen(stubborn, start_new_session=True), subprocess.run(away)
    time.sleep(0.3)
    print("ready", flush=True)
"""
"""A child, a child that ignores TERM in a session of its own, and a grandchild that a daemon left behind."""


BRIDGE = """
    import asyncio, sys
    from pathlib import Path
    from bridge.process import clean_env, run_process
    folder, (code, mark) = Path(sys.argv[1]), sys.argv[2:]
    argv = [sys.executable, "-c", code, mark]
    asyncio.run(run_process(argv, cwd=folder, env=clean_env({}), log=folder / "log.txt", grace_s=0.3))
"""


def alive(mark: str) -> list[int]:
    """Processes with ``mark`` on their command line, zombies not counted."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def all_gone(mark: str, within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while alive(mark) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    return not alive(mark)


@pytest.fixture
def mark(tmp_path: Path) -> str:
    return f"mark-{os.getpid()}-{tmp_path.name}"


async def python(code: str, tmp_path: Path, *args: str, **options: object) -> ProcessExit:
    argv = [sys.executable, "-c", textwrap.dedent(code), *args]
    return await run_process(argv, cwd=tmp_path, env=clean_env({}), log=tmp_path / "log.txt", **options)  # type: ignore[arg-type]


async def test_exit_code_output_and_cpu_time(tmp_path: Path) -> None:
    ended = await python(
        "import sys; sum(range(3_000_000)); print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path
    )
    assert (ended.exit_code, ended.signal, ended.timed_out, ended.stopped, ended.ok) == (3, None, False, False, False)
    assert sorted(ended.log_tail) == ["err", "out"]
    assert 0 < ended.cpu_s < 10
    assert 0 < ended.duration_s < 30
    assert str(ended) == "ended with exit code 3"


async def test_the_log_is_added_to_and_the_tail_is_this_programs(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("from before\n", encoding="utf-8")
    ended = await python("print('new')", tmp_path)
    assert ended.ok
    assert ended.log_tail == ("new",)
    assert (tmp_path / "log.txt").read_text(encoding="utf-8") == "from before\nnew\n"


async def test_a_million_lines_do_not_block_and_the_tail_is_short(tmp_path: Path) -> None:
    ended = await python("print('\\n'.join(map(str, range(300_000))))", tmp_path)
    assert ended.ok
    assert ended.log_tail == tuple(map(str, range(300_000 - 40, 300_000)))


async def test_lines_come_while_it_runs(tmp_path: Path) -> None:
    lines: list[str] = []
    stop = asyncio.Event()

    def seen(line: str) -> None:
        lines.append(line)
        if line == "two":
            stop.set()

    code = "import sys, time\nprint('one'); sys.stdout.write('50%\\r100%\\r'); print('two'); time.sleep(60)"
    ended = await python(code, tmp_path, on_line=seen, stop=stop)
    assert lines == ["one", "50%", "100%", "two"]
    assert ended.stopped
    assert ended.signal == signal.SIGTERM


async def test_a_last_line_without_an_end_comes_too(tmp_path: Path) -> None:
    lines: list[str] = []
    await python("print('a'); print('b', end='')", tmp_path, on_line=lines.append)
    assert lines == ["a", "b"]


async def test_killed_by_a_signal(tmp_path: Path) -> None:
    ended = await python("import os; os.kill(os.getpid(), 9)", tmp_path)
    assert (ended.exit_code, ended.signal) == (None, 9)
    assert str(ended) == "was ended by signal 9 (SIGKILL)"


@pytest.mark.parametrize(("argv", "code"), [(["no-such-program"], 127), (["/etc/passwd"], 126)])
async def test_cannot_be_started(tmp_path: Path, argv: list[str], code: int) -> None:
    ended = await run_process(argv, cwd=tmp_path, env=clean_env({}), log=tmp_path / "log.txt")
    assert ended.exit_code == code
    assert ended.log_tail[0].startswith(f"cannot start {argv[0]}: ")


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await run_process(["true"], cwd=tmp_path / "no", env={}, log=tmp_path / "log.txt")


async def test_timeout(tmp_path: Path) -> None:
    ended = await python("import time; time.sleep(60)", tmp_path, timeout_s=0.3)
    assert ended.timed_out
    assert not ended.stopped
    assert ended.duration_s < 10


async def test_a_program_may_end_itself_when_told_to(tmp_path: Path) -> None:
    code = """
        import signal, sys, time
        def bye(*_): print("saved"); sys.exit(0)
        signal.signal(signal.SIGTERM, bye)
        print("ready", flush=True); time.sleep(60)
    """
    stop = asyncio.Event()
    ended = await python(code, tmp_path, stop=stop, on_line=lambda _: stop.set())
    assert ended.exit_code == 0
    assert ended.stopped
    assert not ended.ok
    assert ended.log_tail[-1] == "saved"


async def test_a_program_that_ignores_term_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    stop = asyncio.Event()
    ended = await python(code, tmp_path, stop=stop, on_line=lambda _: stop.set(), grace_s=0.3)
    assert ended.signal == signal.SIGKILL
    assert 0.3 < ended.duration_s < 10


async def test_nothing_that_it_started_outlives_a_program_that_ends(tmp_path: Path, mark: str) -> None:
    ended = await python(LEAVES_CHILDREN, tmp_path, mark, grace_s=0.3)
    assert ended.ok
    assert ended.log_tail == ("ready",)
    assert alive(mark) == []


@pytest.mark.parametrize("how", ["stop", "timeout", "cancel"])
async def test_nothing_that_it_started_outlives_a_program_that_is_ended(tmp_path: Path, mark: str, how: str) -> None:
    ready, stop = asyncio.Event(), asyncio.Event()
    code = f"{textwrap.dedent(LEAVES_CHILDREN)}\ntime.sleep(300)"
    timeout_s = 2.0 if how == "timeout" else None
    task = asyncio.create_task(
        python(code, tmp_path, mark, stop=stop, timeout_s=timeout_s, grace_s=0.3, on_line=lambda _: ready.set())
    )
    await asyncio.wait_for(ready.wait(), 20)
    assert len(alive(mark)) >= (4 if how != "timeout" else 0)
    if how == "stop":
        stop.set()
    if how == "cancel":
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        assert getattr(await task, {"stop": "stopped", "timeout": "timed_out"}[how])
    assert alive(mark) == []


async def test_nothing_outlives_a_bridge_that_is_killed(tmp_path: Path, mark: str) -> None:
    code = f"{textwrap.dedent(LEAVES_CHILDREN)}\ntime.sleep(300)"
    argv = [sys.executable, "-c", textwrap.dedent(BRIDGE), str(tmp_path), code, mark]
    bridge = subprocess.Popen(argv, cwd=Path(__file__).parents[1])
    try:
        log = tmp_path / "log.txt"
        while not (log.exists() and "ready" in log.read_text(encoding="utf-8")):
            assert bridge.poll() is None
            await asyncio.sleep(0.05)
        assert len(alive(mark)) >= 5
    finally:
        bridge.kill()
        bridge.wait()
    assert await all_gone(mark)


async def test_also_where_a_child_that_bridge_forked_lives_on(tmp_path: Path, mark: str) -> None:
    """It holds bridge's end of the socket open, so that this never closes."""
    bridge = """
        import asyncio, os, sys, time
        from pathlib import Path
        from bridge.process import clean_env, run_process

        def forks(line):
            if os.fork() == 0:
                time.sleep(300)
            print("forked", flush=True)

        folder, mark = Path(sys.argv[1]), sys.argv[2]
        argv = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(300)", mark]
        log = folder / "log.txt"
        asyncio.run(run_process(argv, cwd=folder, env=clean_env({}), log=log, grace_s=0.3, on_line=forks))
    """
    argv = [sys.executable, "-c", textwrap.dedent(bridge), str(tmp_path), mark]
    process = subprocess.Popen(argv, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE)
    assert process.stdout is not None
    await asyncio.to_thread(process.stdout.readline)
    below = watchdog.descendants(process.pid)
    [forked] = [
        pid for pid in alive(mark) if pid in below and b"asyncio.run" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    process.kill()
    process.wait()
    process.stdout.close()
    try:
        until = time.monotonic() + 10
        while alive(mark) != [forked] and time.monotonic() < until:
            await asyncio.sleep(0.05)
        assert alive(mark) == [forked]
    finally:
        os.kill(forked, signal.SIGKILL)


async def test_a_killed_watchdog_takes_the_program_along(tmp_path: Path, mark: str) -> None:
    code = "import os, time; print(os.getppid(), flush=True); time.sleep(300)"
    ended = await python(code, tmp_path, mark, on_line=lambda line: os.kill(int(line), signal.SIGKILL))
    assert ended.signal == signal.SIGKILL
    assert await all_gone(mark)


async def test_many_at_the_same_time(tmp_path: Path) -> None:
    codes = [f"import sys; print({n}); sys.exit({n})" for n in range(12)]
    logs = [tmp_path / f"{n}.txt" for n in range(12)]
    ended = await asyncio.gather(
        *(
            run_process([sys.executable, "-c", code], cwd=tmp_path, env=clean_env({}), log=log)
            for code, log in zip(codes, logs, strict=True)
        )
    )
    assert [one.exit_code for one in ended] == list(range(12))
    assert [one.log_tail for one in ended] == [(str(n),) for n in range(12)]


def test_the_environment_is_small_and_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SOME_SECRET", "OTHER_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("NO_PROXY", "example.org,localhost")
    monkeypatch.setenv("HF_HOME", "/cache")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    env = clean_env({"JOB": "1", "LANG": "de_DE.UTF-8"}, ["OTHER_KEY", "NOT_SET"])
    assert not env.keys() & {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SOME_SECRET", "NOT_SET"}
    assert env["OTHER_KEY"] == "x"
    assert (env["JOB"], env["LANG"], env["HF_HOME"]) == ("1", "de_DE.UTF-8", "/cache")
    assert env["PATH"] == os.environ["PATH"]
    assert (env["PYTHONSAFEPATH"], env["PYTHONUTF8"], env["OMP_NUM_THREADS"]) == ("1", "1", "1")
    assert env["NO_PROXY"] == env["no_proxy"] == "example.org,localhost,127.0.0.1,::1"


async def test_the_program_sees_that_environment_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SOME_SECRET", "x")
    ended = await python("import os; print(sorted(os.environ))", tmp_path)
    assert ended.log_tail == (str(sorted(clean_env({}))),)


def test_descendants_of_a_process_with_brackets_in_its_name() -> None:
    name = "import ctypes; ctypes.CDLL(None).prctl(15, b'a) R 1 (b'); print(flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in watchdog.descendants(os.getpid())
    finally:
        child.communicate(b"\n")
    assert child.pid not in watchdog.descendants(os.getpid())
