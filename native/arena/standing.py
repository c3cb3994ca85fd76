"""What an earlier invocation has left: rows of ``battles.jsonl`` that still count, and those that no longer do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.arena_spec import ArenaBlock
from bridge.errors import OutputError
from bridge.native.arena.battle import Battle
from bridge.native.arena.judging import Shown, blank, unplayed
from bridge.native.arena.matches import Match, call_of
from bridge.native.arena.prompts import Prompt, choose
from bridge.native.arena.questions import Question

NOBODY_ASKED = ("identical", "missing")
"""In ``Battle.parser``: what decided without a judge."""


@dataclass
class Standing:
    """Sorts rows by what holds now."""

    questions: Mapping[str, Question]
    prompts: Sequence[Prompt]
    shown: Shown
    judges: Collection[str]
    """Those that are asked the same way as before; rows of all others no longer count."""
    block: ArenaBlock
    kept: dict[str, Battle] = field(default_factory=dict)
    stale: list[Battle] = field(default_factory=list)
    """Verdicts about something that has changed since, or is no longer asked."""

    def take(self, rows: Iterable[Battle]) -> None:
        """Of rows with one id the last counts. Rows without an answer are dropped: they are asked again.

        Raises OutputError where one call has two verdicts about the same answers.
        """
        latest: dict[str, Battle] = {}
        for row in rows:
            _refuse_contradiction(latest.get(row.battle_id), row)
            latest[row.battle_id] = row
        for row in latest.values():
            if row.judge_kind in ("human", "imported"):
                self.kept[row.battle_id] = row
            elif row.error is not None and row.error.kind != "unparsed":
                continue
            elif (row.judge_kind == "dry_run") == self.block.dry_run and self._counts(row):
                self.kept[row.battle_id] = row
            elif row.judge_kind == "llm" and row.parser not in NOBODY_ASKED:
                self.stale.append(row)

    def _counts(self, row: Battle) -> bool:
        question = self.questions.get(row.question_id)
        names = [row.model_a, *filter(None, [row.model_b])]
        if question is None or row.judge not in self.judges or not all(name in self.shown.answers for name in names):
            return False
        if not 1 <= row.turn <= len(question.turns):
            return False
        try:
            prompt = choose(self.prompts, question, row.turn)
        except ValueError:
            return False
        call = call_of(
            Match(question, row.model_a, row.model_b), row.turn, row.judge, row.shown_first, row.repeat, prompt
        )
        settled = unplayed(call, self.shown, missing_loses=self.block.missing == "loss")
        now = settled or blank(call, self.shown)
        about = ("answer_a_sha256", "answer_b_sha256", "prompt_sha256")
        if any(getattr(now, name) != getattr(row, name) for name in about):
            return False
        if settled is not None:
            return (settled.parser, settled.verdict) == (row.parser, row.verdict)
        return row.parser in (prompt.parser, "dry_run")


def _refuse_contradiction(before: Battle | None, row: Battle) -> None:
    if before is None or row.judge_kind == "human" or None in (before.verdict, row.verdict):
        return
    same = (before.answer_a_sha256, before.answer_b_sha256) == (row.answer_a_sha256, row.answer_b_sha256)
    if same and before.verdict != row.verdict:
        what = f"judge {row.judge} has two verdicts on question {row.question_id} ({row.model_a} against {row.model_b})"
        raise OutputError(f"battles.jsonl: {what} in battle {row.battle_id}; delete one of the two lines")


def changed_questions(before: Iterable[Question], now: Mapping[str, Question]) -> set[str]:
    """Ids that stand for something else now."""
    return {old.question_id for old in before if old.question_id in now and now[old.question_id] != old}
