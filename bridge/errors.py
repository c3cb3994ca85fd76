"""The tree of errors; each class carries the exit code that the command line ends with.

    BridgeError
    ├── SpecError          2   the spec or the command line is wrong; holds every Problem at once
    │   └── Unsupported    2   a backend cannot honour a field of the spec
    ├── EnvError           3   an environment could not be made
    ├── ServeError         4   the model could not be served or reached
    ├── BackendFailed      5   a backend's job failed as a whole
    ├── OutputError        6   a job's output, or a run directory, could not be read
    └── Interrupted      130   the user stopped the run

Seven, "some samples were not answered", is no exception: such a run ends with a report (see ``report.schema``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EXIT_COMPLETE = 0
EXIT_PARTIAL = 7


class BridgeError(Exception):
    """What every error of bridge derives from: one line that says what, where, what is allowed and what to do."""

    exit_code = 1


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong with a spec.

    ``where`` is a place that an editor can open (``spec.yaml:12``) or the command-line option; ``field`` is the
    dotted path in the spec (``datasets[0].limit``), empty when the file as a whole is meant.
    """

    where: str
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.where, self.field) if part)
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class SpecError(BridgeError):
    """The spec is wrong; ``problems`` holds all that was found, not the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Unsupported(SpecError):
    """A backend cannot honour a field of the spec; it is refused rather than dropped."""


class EnvError(BridgeError):
    exit_code = 3


class ServeError(BridgeError):
    exit_code = 4


class BackendFailed(BridgeError):
    exit_code = 5


class OutputError(BridgeError):
    exit_code = 6


class Interrupted(BridgeError):
    exit_code = 130


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """The hint ``did you mean 'x'?`` for the nearest of ``allowed``, or an empty string where none is near."""
    names = list(allowed)
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6) or _beginnings(word.casefold(), folded)
    return f"did you mean {folded[near[0]]!r}?" if near else ""


def _beginnings(word: str, names: Iterable[str]) -> list[str]:
    """The longest name that a longer word begins with: ``arc`` for ``arc_challenge``."""
    return sorted((name for name in names if len(name) > 2 and word.startswith((f"{name}_", f"{name}-"))), key=len)[-1:]
