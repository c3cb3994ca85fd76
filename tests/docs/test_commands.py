"""The documentation does what it says.

In a ``console`` block each ``$ command`` is run, against a server that stands in for the one on port 8000, and what
follows is what it prints (``…``: anything). Before that, the page's blocks with a file's name are written. What needs a
framework or a network stands in ``sh`` blocks: their commands and options must exist.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fault_server import FaultServer, answer_to
from markdown_blocks import PAGES, ROOT, Block, blocks
from server_thread import serving

from bridge.arena_spec import ArenaSpec
from bridge.cli.main import VERBS
from bridge.perf_spec import PerfSpec
from bridge.spec_file import spec_from_mapping
from bridge.spec_file.document import parse

BIN = Path(sys.executable).parent
SERVER = "127.0.0.1:8000"
NO_SPECS = {"wrong.yaml", "capitals.yaml", "prompts.yaml"}
"""A spec that is wrong on purpose, the definition of a dataset, and prompts of judges."""
EXIT_CODE = re.compile(r"\s*# exit code (\d+)$")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)[^)]*\)")


def answer(prompt: str) -> str:
    """The model's, and that of the judges, which the pages have on the same server; of two answers, the longer one."""
    if shown := re.findall(r"<answer-[AB] \w+>\n(.*?)\n</answer", prompt, re.S):
        return "[[A]]" if len(shown[0]) > len(shown[1]) else "[[B]]"
    replies = {"[[A]] or [[B]]": "[[A]]", '"verdict": "correct"': '{"verdict": "correct"}', '"rating"': '{"rating": 7}'}
    clear = '{"clear": 4, "kind": 2}'
    return next((said for asked, said in {**replies, '"clear": ': clear}.items() if asked in prompt), answer_to(prompt))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(FaultServer(model="my-model", answer=answer)) as thread:
        yield f"127.0.0.1:{thread.server.port}"


def run(argv: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    env["PATH"] = f"{BIN}:{env['PATH']}"
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120, env=env)


@pytest.mark.parametrize(
    "page", sorted({block.page for block in blocks("console")}), ids=lambda page: str(page.relative_to(ROOT))
)
def test_commands_print_what_the_page_says(page: Path, tmp_path: Path, address: str) -> None:
    for block in blocks("yaml", "csv", "json", "jsonl"):
        if block.page == page and block.info:
            (tmp_path / block.info).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.info).write_text(block.text.replace(SERVER, address), encoding="utf-8")
    for block in blocks("console", "python"):
        if block.page == page and block.language == "python":
            done = run([sys.executable, "-c", block.text], tmp_path)
            assert done.returncode == 0, done.stderr
        elif block.page == page:
            for command, expected in commands(block.text):
                line = EXIT_CODE.sub("", command)
                code = int(found[1]) if (found := EXIT_CODE.search(command)) else 0
                done = run(shlex.split(line.replace(SERVER, address)), tmp_path)
                assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
                said = (done.stderr if code else done.stdout).replace(address, SERVER)
                assert matches(expected, said), f"{command}\n{said}"


def commands(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def matches(expected: str, said: str) -> bool:
    """Line by line with ``…`` for anything; how many spaces stand between words does not matter."""
    pattern = ""
    for line in expected.splitlines():
        words = r"\s+".join(re.escape(word).replace("…", ".*") for word in line.split())
        pattern += r"(.*\n)*?" if line.strip() == "…" else rf" *{words} *\n"
    return re.fullmatch(pattern, said) is not None


def test_matching() -> None:
    assert matches("a …\n…\nz\n", "a b\nc\nd\nz\n")
    assert matches("a\n…\n", "a\n")
    assert not matches("a\nz\n", "a\nb\nz\n")


@cache
def help_of(*verb: str) -> str:
    return run([str(BIN / "bridge"), *verb, "--help"], ROOT).stdout


@pytest.mark.parametrize("block", [*blocks("sh")], ids=lambda block: block.id)
def test_commands_that_are_not_run_exist(block: Block) -> None:
    for line in block.text.splitlines():
        for part in line.partition(" #")[0].split("&&"):
            words = shlex.split(part)
            if not words:
                continue
            program = words[0].rpartition("/")[2]
            if program == "bridge":
                check_options(words[1:])
            elif program == "python" and not words[1].startswith("-"):
                assert (ROOT / words[1]).exists(), part
            else:
                assert program in {"python", "python3", "pip", "export", ".", "ruff", "mypy", "pytest"}, part


def check_options(words: list[str]) -> None:
    verb = words[:2] if words[0] in ("env", "arena") else words[:1]
    assert verb[0] in VERBS
    for option in (word for word in words if word.startswith("--")):
        assert f"{option} " in help_of(*verb), f"{' '.join(verb)} has no {option}"


@pytest.mark.parametrize(
    "block", [block for block in blocks("yaml") if block.info not in NO_SPECS], ids=lambda block: block.id
)
def test_specs_are_specs(block: Block) -> None:
    value = parse(block.text.encode(), block.id).value
    assert isinstance(value, dict)
    if "perf" in value:
        assert PerfSpec.model_validate(value).perf
    elif "arena" in value:
        assert ArenaSpec.model_validate(value).models
    else:
        assert spec_from_mapping(value).datasets


@pytest.mark.parametrize("block", [*blocks("python")], ids=lambda block: block.id)
def test_python_is_python(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


def test_ci_runs_the_readmes_command() -> None:
    [line] = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if "check.py" in line]
    assert f"```sh\n{line}\n```" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
