"""Counts the judge's votes: a result, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast

from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.request import digest
from bridge.adapters.toolbench import tooleval
from bridge.adapters.toolbench.settings import PREFERENCES, REFERENCE_VOTES, VOTES
from bridge.adapters.toolbench.tooleval import Side, Status
from bridge.spec import JsonObject

Answerer = Literal["model", "reference"]
NO_ANSWER = "there is no answer to this query among the {} files"


class Missing(str):
    """Why something is not known."""

    __slots__ = ()


def key_of(sample: JsonObject) -> str:
    return f"{sample['subset']}/{sample['id']}"


def pair_sha256(sample: JsonObject) -> str:
    """What a comparison is about."""
    return digest(f"{sample['model']['sha256']} {sample['reference']['sha256']}")


@dataclass(frozen=True)
class Ballots:
    """The journals of a job; samples are as the job's list has them."""

    model: Journal
    reference: Journal
    preferences: Journal
    votes: int
    """How many make a result."""
    unfinished: str
    """What to say of a vote that is not there."""

    @classmethod
    def of(cls, folder: Path, votes: int, unfinished: str) -> Self:
        model, reference, preferences = (Journal(folder / name) for name in (VOTES, REFERENCE_VOTES, PREFERENCES))
        return cls(model, reference, preferences, votes, unfinished)

    def statuses(self, sample: JsonObject, who: Answerer) -> list[Status] | Missing:
        """The votes on one answer."""
        shown = sample[who]
        if shown is None:
            return Missing(NO_ANSWER.format(f"{who}'s"))
        if shown["unsolved_at_sight"]:
            return ["unsolved"] * self.votes
        journal = self.model if who == "model" else self.reference
        found = self._cast(key_of(sample), shown["sha256"], "status", journal)
        return found if isinstance(found, Missing) else cast(list[Status], found)

    def needs_comparison(self, sample: JsonObject) -> bool:
        """Both answers are judged, neither has solved more, and they are not the same."""
        return not sample["same"] and self._by_status(sample) is None

    def winner(self, sample: JsonObject) -> Side | Missing:
        decided = self._by_status(sample)
        if decided is not None:
            return decided
        if sample["same"]:
            return "tie"
        sides = self._cast(key_of(sample), pair_sha256(sample), "better", self.preferences)
        return sides if isinstance(sides, Missing) else tooleval.majority(cast(list[Side], sides))

    def _by_status(self, sample: JsonObject) -> Side | Missing | None:
        """The one that has solved more; None where neither has."""
        mine, theirs = self.statuses(sample, "model"), self.statuses(sample, "reference")
        if isinstance(mine, Missing):
            return mine
        if isinstance(theirs, Missing):
            return theirs
        return tooleval.by_status(tooleval.passed(mine), tooleval.passed(theirs))

    def _cast(self, key: str, about_sha256: str, field: str, journal: Journal) -> list[str] | Missing:
        found = []
        for nth in range(self.votes):
            entry = journal.get(Key(key, nth)) or {}
            if entry.get("about_sha256") != about_sha256:
                return Missing(f"vote {nth + 1} of {self.votes}: {self.unfinished}")
            if "error" in entry:
                return Missing(f"vote {nth + 1} of {self.votes}: {entry['error']}")
            found.append(entry[field])
        return found
