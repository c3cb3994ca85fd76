"""Exit codes and the lines that go with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from bridge.cli.ending import MOST_PROBLEMS, ended
from bridge.errors import BackendFailed, EnvError, OutputError, Problem, ServeError, SpecError


def end(error: BaseException | int | None, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    @ended
    def command() -> int | None:
        if isinstance(error, BaseException):
            raise error
        return error

    with pytest.raises(typer.Exit) as exit_:
        command()
    captured = capsys.readouterr()
    assert captured.out == ""
    return exit_.value.exit_code, captured.err.splitlines()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (0, 0),
        (7, 7),
        (EnvError("x"), 3),
        (ServeError("x"), 4),
        (BackendFailed("x"), 5),
        (OutputError("x"), 6),
    ],
)
def test_codes(error: BaseException | int | None, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["bridge: x"] if isinstance(error, BaseException) else []
    assert end(error, capsys) == (code, lines)


def test_every_problem_has_its_line_up_to_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem(f"s.yaml:{line}", "limit", "is wrong") for line in range(100)]
    code, lines = end(SpecError(problems), capsys)
    assert code == 2
    assert lines[0] == "bridge: s.yaml:0: limit: is wrong"
    assert lines[-1] == f"bridge: … and {100 - MOST_PROBLEMS} more"
    assert len(lines) == MOST_PROBLEMS + 1


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    assert end(KeyboardInterrupt(), capsys) == (130, ["bridge: interrupted"])


def test_a_bug_is_one_line_and_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, [line] = end(KeyError("where"), capsys)
    assert code == 1
    found = re.fullmatch(r"bridge: this is a bug in bridge: KeyError: 'where' \(the traceback is in (.*)\)", line)
    assert found is not None
    assert "raise error" in Path(found[1]).read_text(encoding="utf-8")


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_DEBUG", "1")
    _, lines = end(OutputError("x"), capsys)
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "bridge: x"


def test_what_the_parser_raises_is_left_to_it() -> None:
    @ended
    def command() -> None:
        raise typer.BadParameter("x")

    with pytest.raises(typer.BadParameter):
        command()
