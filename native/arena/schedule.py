"""The calls that are still to be made, batch by batch; adaptive arenas learn from each batch what to play next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.arena_spec import ArenaBlock
from bridge.native.arena.adaptive import next_matches
from bridge.native.arena.battle import Battle
from bridge.native.arena.judging import Shown, unplayed
from bridge.native.arena.matches import Call, Match, calls_of, matches, spent, within
from bridge.native.arena.prompts import Prompt
from bridge.native.arena.questions import Question

LEAST_BATCH = 32


@dataclass
class Schedule:
    block: ArenaBlock
    questions: Sequence[Question]
    models: Sequence[str]
    judges: Sequence[str]
    """Those that are asked; people are not."""
    prompts: Sequence[Prompt]
    shown: Shown

    def candidates(self) -> list[Match]:
        return list(matches(self.questions, self.models, self.block))

    def batch(self, done: Mapping[str, Battle]) -> list[Call]:
        """What is to be called next, given the rows that are there; empty where the arena is at its end."""
        budget = self.block.pairs.budget
        left = None if budget is None or budget.calls is None else budget.calls - spent(done.values())[0]
        waiting = self.candidates()
        if self.block.pairs.strategy == "adaptive":
            waiting = [match for match in waiting if any(call.battle_id not in done for call in self.calls(match))]
            size = max(LEAST_BATCH, 2 * len({match.pair for match in waiting}))
            waiting = list(next_matches(waiting, done.values(), size, self.block.pairs.seed))
        chosen = within(waiting, left, lambda match: self.cost(match, done))
        return [call for match in chosen for call in self.calls(match) if call.battle_id not in done]

    def calls(self, match: Match) -> list[Call]:
        return list(calls_of(match, self.judges, self.prompts, self.block))

    def cost(self, match: Match, done: Mapping[str, Battle]) -> int:
        """Calls that the match still needs."""
        calls = (call for call in self.calls(match) if call.battle_id not in done)
        return sum(unplayed(call, self.shown, missing_loses=False) is None for call in calls)
