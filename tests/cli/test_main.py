"""The command line as a whole: the table of commands, what is imported when, and how mistakes end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli.main import VERBS

# pydantic is not among them: some versions of typer use it.
HEAVY = ("yaml", "rich", "aiohttp", "numpy", "jinja2", "orjson", "bridge.spec", "bridge.backend", "bridge.runs")
LOOK = """
import sys
sys.argv = ["bridge", *{arguments!r}]
from bridge.cli.main import entry
try:
    entry()
except SystemExit as end:
    print("code", end.code, file=sys.stderr)
print("loaded", [name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


def bridge(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The real command, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from bridge.cli.main import entry; entry()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    script = LOOK.format(arguments=arguments, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines() == ["code 0", "loaded []"]
    assert done.stdout.startswith("bridge 0." if arguments == ["--version"] else "Usage: ")


def test_help_lists_every_command_in_one_line() -> None:
    lines = bridge("--help").stdout.splitlines()
    for verb, (_, line) in VERBS.items():
        assert f"  {verb:<10}{line}" in lines


def test_no_command_is_help() -> None:
    done = bridge()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu", "spec.yaml"], "bridge: there is no command 'rnu' (did you mean 'run'?)"),
        (["--halp"], "bridge: there is no option '--halp' (bridge --help lists them)"),
        (["run", "--outptu", "x"], "--output"),
        (["env", "biuld"], "Did you mean 'build'?"),
        (["schema", "nothing"], "nothing"),
        (["run", "--limit", "many"], "--limit"),
        (["run", "--base-url", "http://x/v1", "--datasets"], "--datasets"),
        (["report"], "RUN"),
    ],
)
def test_a_wrong_command_line_is_two(arguments: list[str], said: str) -> None:
    done = bridge(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nobody_reads_the_pipe() -> None:
    schema = f"{sys.executable} -c 'from bridge.cli.main import entry; entry()' schema spec"
    command = f"{schema} | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout in ("{141\n", "{0\n")  # 0 where all of it fitted into the pipe


@pytest.mark.parametrize(
    ("of", "fields"),
    [
        ("spec", {"datasets", "model"}),
        ("arena", {"models", "questions", "judges", "arena"}),
        ("report", {"results", "errors"}),
    ],
)
def test_schema(of: str, fields: set[str]) -> None:
    schema = json.loads(bridge("schema", of).stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["properties"].keys() >= fields


def test_a_spec_that_is_wrong_is_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("limt: 1\ndatasets: []\n", encoding="utf-8")
    done = bridge("run", "spec.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "bridge: spec.yaml:1: limt: unknown field (did you mean 'limit'?)",
        "bridge: spec.yaml:2: datasets: is empty; at least one is needed",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "spec.yaml"]


def test_a_spec_that_is_wrong_as_json(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("limt: 1\n", encoding="utf-8")
    done = bridge("run", "--json", "spec.yaml", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["exit_code"], told["report"], told["status"]) == (2, 2, None, "failed")
    assert any("did you mean 'limit'?" in line for line in told["errors"])


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    done = bridge("report", str(tmp_path / "nothing"))
    assert done.returncode == 6
    assert len(done.stderr.splitlines()) == 1
