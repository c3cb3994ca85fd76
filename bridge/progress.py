"""What a run tells whoever watches it.  The command line draws it; nothing depends on anybody looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

StageState = Literal["running", "done", "failed"]
JobState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class JobProgress:
    """One job as it stands."""

    job: str
    """Unique within the run: the job's id, behind the model's name where there are several models."""
    state: JobState
    done: int = 0
    """Samples."""
    total: int | None = None
    """None where it is not known (yet)."""
    stage: str = ""
    """What the job is at, in its own words: ``infer``, ``score``."""
    requests: int = 0
    cached: int = 0
    failed: int = 0


class Watcher(Protocol):
    def stage(self, name: str, state: StageState, text: str = "") -> None:
        """Something that takes its time: an environment being built, a server starting; ``text`` is its latest line."""
        ...

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        """All jobs, a few times a second."""
        ...

    def note(self, line: str) -> None:
        """One line worth keeping on the screen."""
        ...


class Silent:
    """A watcher that looks away."""

    def stage(self, name: str, state: StageState, text: str = "") -> None: ...

    def jobs(self, jobs: Sequence[JobProgress]) -> None: ...

    def note(self, line: str) -> None: ...
