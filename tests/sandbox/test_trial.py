"""Whether this machine can confine programs: found out by all that a program's processes do before it runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.sandbox import room, trial

REFUSING = (
    "import sys; sys.path.append(sys.argv[1]); from bridge.sandbox.inner import probe, seccomp\n"
    "def refuse():\n    raise PermissionError(1, 'seccomp: Operation not permitted')\n"
    "seccomp.refuse = refuse\n"
    "probe.main(sys.argv[2:])"
)


@pytest.fixture(autouse=True)
def _tried_anew() -> Iterator[None]:
    trial.why_not.cache_clear()
    yield
    trial.why_not.cache_clear()


def test_where_a_program_cannot_give_up_its_rights_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    def python(name: str) -> list[str]:
        argv = room.python(name)
        argv[argv.index("-c") + 1] = REFUSING
        return argv

    monkeypatch.setattr(trial, "python", python)
    why = trial.why_not()
    assert "no program can give up its rights: [Errno 1] seccomp: Operation not permitted" in why
    assert "\n" not in why


def test_a_room_that_lets_programs_fork_on_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "Limits", lambda processes: room.Limits())
    assert "the sandbox lets programs fork without end" in trial.why_not()
