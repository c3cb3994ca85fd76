"""uv makes real environments here, offline: from a wheel that the test writes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from bridge import env_build, envs
from bridge.backend import EnvSpec
from bridge.envs import check, ensure, env_path, installed, list_environments, lock_sha256, remove, remove_path
from bridge.errors import EnvError

THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
BRIDGE = """
    import asyncio, sys
    from pathlib import Path
    from bridge.backend import EnvSpec
    from bridge.envs import ensure
    spec = EnvSpec("tiny", Path(sys.argv[1]), python=sys.argv[2], check=("-c", sys.argv[3]))
    print(asyncio.run(ensure(spec, progress=lambda line: print(line, flush=True))))
"""


def write_wheel(
    folder: Path, name: str, *, version: str = "1.0", requires: str = "", code: str = "ANSWER = 42\n"
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\n{name}-says = {name}:say\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))


@pytest.fixture
def spec(tmp_path: Path) -> EnvSpec:
    write_wheel(
        tmp_path / "wheels", "tinypkg", requires="not-in-the-lock", code="ANSWER = 42\ndef say(): print(ANSWER)\n"
    )
    return locked(tmp_path, "tinypkg==1.0\n")


def locked(tmp_path: Path, text: str, *, check: tuple[str, ...] = ("-c", "import tinypkg")) -> EnvSpec:
    (tmp_path / "env.lock").write_text(text, encoding="utf-8")
    return EnvSpec("tiny", tmp_path / "env.lock", python=THIS_PYTHON, check=check, version="1.0")


def says(python: Path, code: str) -> str:
    argv = [python, "-P", "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True, env={}).stdout.strip()


def left_aside() -> list[str]:
    return [path.name for path in (envs.home() / "envs").glob(".*")]


async def failure(spec: EnvSpec) -> str:
    with pytest.raises(EnvError) as caught:
        await ensure(spec)
    assert not installed(spec)
    assert left_aside() == []
    return str(caught.value)


async def test_made_once_from_its_lock_without_dependencies(spec: EnvSpec) -> None:
    lines: list[str] = []
    assert not installed(spec)
    python = await ensure(spec, progress=lines.append)
    assert python == env_path(spec) / "bin" / "python"
    assert says(python, "import tinypkg; print(tinypkg.ANSWER)") == "42"
    assert says(python, "import sys; print(sys.prefix)") == str(env_path(spec))
    assert lines[0] == f"making a Python {THIS_PYTHON} environment for 1 packages"
    assert lines[-1].startswith("ready: ")
    assert any(line.startswith("Installed 1 package") for line in lines)
    assert installed(spec)
    lines.clear()
    assert await ensure(spec, progress=lines.append) == python
    assert lines == []
    await check(spec)


async def test_its_scripts_work_where_it_ended_up(spec: EnvSpec) -> None:
    python = await ensure(spec)
    script = python.with_name("tinypkg-says")
    assert subprocess.run([script], capture_output=True, text=True, check=True).stdout == "42\n"
    assert ".tiny" not in script.read_text(encoding="utf-8")


async def test_it_sees_nothing_of_bridges_own_environment(spec: EnvSpec) -> None:
    python = await ensure(spec)
    found = says(python, "from importlib.util import find_spec; print(find_spec('bridge'), find_spec('pydantic'))")
    assert found == "None None"


async def test_no_lock_means_bridges_own(tmp_path: Path) -> None:
    own = EnvSpec("native")
    assert await ensure(own) == Path(sys.executable)
    assert installed(own)
    assert lock_sha256(own) is None
    assert env_path(own) == Path(sys.prefix)
    await check(own)
    with pytest.raises(EnvError, match="bridge's own"):
        remove(own)
    assert not (tmp_path / "home").exists()


async def test_another_lock_is_another_environment(tmp_path: Path, spec: EnvSpec) -> None:
    old, old_hash = await ensure(spec), lock_sha256(spec)
    write_wheel(tmp_path / "wheels", "tinypkg", version="2.0", code="ANSWER = 43\n")
    spec = locked(tmp_path, "tinypkg==2.0\n")
    assert not installed(spec)
    new = await ensure(spec)
    assert says(new, "import tinypkg; print(tinypkg.ANSWER)") == "43"
    assert says(old, "import tinypkg; print(tinypkg.ANSWER)") == "42"
    listed = {environment.lock_sha256: environment for environment in list_environments()}
    assert listed.keys() == {old_hash, lock_sha256(spec)}
    assert [e.path for e in listed.values() if e.path != env_path(spec)] == [old.parents[1]]
    assert all(
        e.name == "tiny" and e.version == "1.0" and e.size_bytes > 1000 and e.build_s > 0 for e in listed.values()
    )
    remove_path(listed[str(old_hash)])
    assert not old.exists()
    assert installed(spec)


async def test_removed(spec: EnvSpec) -> None:
    await ensure(spec)
    assert remove(spec)
    assert not env_path(spec).exists()
    assert not remove(spec)
    assert list_environments() == []
    assert left_aside() == []
    with pytest.raises(EnvError, match="not built; `bridge env build tiny`"):
        await check(spec)


async def test_what_lacks_its_python_is_made_again(spec: EnvSpec) -> None:
    python = await ensure(spec)
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert not installed(spec)
    assert says(await ensure(spec), "import tinypkg; print(tinypkg.ANSWER)") == "42"


async def test_tasks_that_want_it_at_the_same_time_share_one_build(spec: EnvSpec) -> None:
    lines: list[str] = []
    pythons = await asyncio.gather(*(ensure(spec, progress=lines.append) for _ in range(5)))
    assert len(set(pythons)) == 1
    assert sum(line.startswith("making") for line in lines) == 1
    assert lines.count("waiting for another bridge that builds it") == 4


def start_bridge(spec: EnvSpec, code: str = "import tinypkg") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", textwrap.dedent(BRIDGE), str(spec.lock), spec.python, code]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


def test_processes_that_want_it_at_the_same_time_share_one_build(spec: EnvSpec) -> None:
    running = [start_bridge(spec) for _ in range(3)]
    said = [bridge.communicate(timeout=60)[0].splitlines() for bridge in running]
    assert [bridge.returncode for bridge in running] == [0, 0, 0]
    assert {lines[-1] for lines in said} == {str(env_path(spec) / "bin" / "python")}
    assert sum(lines[0].startswith("making") for lines in said) == 1


async def test_killed_in_the_middle_the_next_one_makes_it(tmp_path: Path, spec: EnvSpec) -> None:
    hung = tmp_path / "hung"
    code = f"import pathlib, time; pathlib.Path({str(hung)!r}).touch(); time.sleep(300)"
    bridge = start_bridge(spec, code)
    try:
        while not hung.exists():
            assert bridge.poll() is None
            await asyncio.sleep(0.02)
        assert not installed(spec)
        with pytest.raises(EnvError, match="another bridge is building it"):
            remove(spec)
        waiting = asyncio.create_task(ensure(spec))
        await asyncio.sleep(0.3)
        assert not waiting.done()
    finally:
        bridge.send_signal(signal.SIGKILL)
        bridge.communicate()
    assert says(await asyncio.wait_for(waiting, 30), "import tinypkg; print(tinypkg.ANSWER)") == "42"
    assert left_aside() == []


async def test_what_a_killed_build_of_an_older_lock_left_is_deleted(spec: EnvSpec) -> None:
    left = envs.home() / "envs" / ".old-py3.11-0123456789ab.4242.deadbeef"
    (left / "lib").mkdir(parents=True)
    somebody_builds_it = env_path(spec).with_name("new-py3.11-0123456789ab")
    kept = somebody_builds_it.with_name(f".{somebody_builds_it.name}.4243.deadbeef")
    kept.mkdir()
    with envs._lock_file(somebody_builds_it) as handle:
        assert envs._try_lock(handle)
        await ensure(spec)
        assert not left.exists()
        assert kept.exists()


async def test_cancelled_in_the_middle_nothing_is_left(tmp_path: Path, spec: EnvSpec) -> None:
    spec = locked(tmp_path, "tinypkg==1.0\n", check=("-c", "import time; time.sleep(300)"))
    checking = asyncio.Event()
    task = asyncio.create_task(ensure(spec, progress=lambda line: checking.set() if line == "checking it" else None))
    await asyncio.wait_for(checking.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_aside() == []
    assert not installed(spec)


async def test_a_package_that_no_index_has(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    said = await failure(locked(tmp_path, "no-such-package==1.0\n"))
    first, *rest = said.splitlines()
    assert first == (
        "environment tiny could not be made: no-such-package is not in the package index; "
        "set PIP_INDEX_URL to an index, or PIP_FIND_LINKS to a folder of wheels, that has it"
    )
    assert any("No solution found" in line for line in rest)
    log = Path(rest[-1].removeprefix("log: "))
    assert "No solution found" in log.read_text(encoding="utf-8")


async def test_a_version_that_no_index_has(tmp_path: Path, spec: EnvSpec) -> None:
    said = await failure(locked(tmp_path, "tinypkg==9.9\n"))
    assert "could not be made: tinypkg==9.9 is not in the package index; set PIP_INDEX_URL" in said


async def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    first = (await failure(locked(tmp_path, "tinypkg==1.0\n"))).splitlines()[0]
    assert "cannot fetch http://127.0.0.1:9/simple/tinypkg/ (Connection refused (os error 111))" in first
    assert "set PIP_INDEX_URL to a mirror or PIP_FIND_LINKS to a folder with the wheels" in first


async def test_a_lock_that_is_no_lock(tmp_path: Path) -> None:
    assert f"the lock {tmp_path / 'env.lock'} is broken; install bridge again" in await failure(
        locked(tmp_path, "tinypkg=1\n")
    )


async def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvError, match=r"cannot read its lock .*gone\.lock: No such file or directory"):
        await ensure(EnvSpec("tiny", tmp_path / "gone.lock"))


async def test_no_such_python(tmp_path: Path) -> None:
    spec = locked(tmp_path, "")
    said = await failure(EnvSpec("tiny", spec.lock, python="3.42"))
    assert "there is no Python 3.42 on this machine; install it, or let uv fetch one" in said.splitlines()[0]


async def test_a_check_that_fails(tmp_path: Path, spec: EnvSpec) -> None:
    said = await failure(locked(tmp_path, "tinypkg==1.0\n", check=("-c", "import not_in_the_lock")))
    assert "does not work: its check ended with exit code 1" in said.splitlines()[0]
    assert "ModuleNotFoundError: No module named 'not_in_the_lock'" in said


async def test_too_little_disk(tmp_path: Path) -> None:
    said = await failure(locked(tmp_path, "# disk: 999000000 MB\n"))
    assert "needs 999000200 MB in" in said
    assert "set BRIDGE_HOME" in said


async def test_a_home_that_cannot_be_written(tmp_path: Path, spec: EnvSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path / "file"))
    with pytest.raises(EnvError, match="Not a directory; set BRIDGE_HOME to a folder that can be written"):
        await ensure(spec)


async def test_packages_whose_dependencies_are_wanted(tmp_path: Path, spec: EnvSpec) -> None:
    """As torch's: which ones it has depends on where its wheel comes from."""
    for version in ("1.5", "2.5"):
        write_wheel(tmp_path / "wheels", "not_in_the_lock", version=version, code=f"VERSION = '{version}'\n")
    lock = "# resolve: tinypkg\n# constraint: not-in-the-lock==1.5\ntinypkg==1.0\n"
    python = await ensure(locked(tmp_path, lock))
    assert says(python, "import not_in_the_lock; print(not_in_the_lock.VERSION)") == "1.5"


async def test_an_empty_lock(tmp_path: Path) -> None:
    assert says(await ensure(locked(tmp_path, "# nothing\n", check=())), "print(1)") == "1"


def test_home_follows_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert envs.home() == Path("/some/cache/evalbridge")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert envs.home() == Path.home() / ".cache" / "evalbridge"


async def test_a_finished_one_costs_nothing(spec: EnvSpec) -> None:
    await ensure(spec)
    began = time.process_time()
    for _ in range(20):
        await ensure(spec)
    assert time.process_time() - began < 1


def test_uv_is_found_and_no_python_is_fetched_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(env_build._uv_binary()).is_file()
    assert env_build._uv_env()["UV_PYTHON_DOWNLOADS"] == "never"
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "automatic")
    monkeypatch.setenv("UV_INDEX_MINE_PASSWORD", "x")
    monkeypatch.setenv("UV_EXCLUDE_NEWER", "2020-01-01")
    env = env_build._uv_env()
    assert (env["UV_PYTHON_DOWNLOADS"], env["UV_INDEX_MINE_PASSWORD"]) == ("automatic", "x")
    assert "UV_EXCLUDE_NEWER" not in env
