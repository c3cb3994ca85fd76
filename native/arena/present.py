"""Whether a vote is about the answers as they are now: what people said stays on disk when answers change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bridge.native.arena.answers import Answers, recorded_answers, sha256
from bridge.native.arena.battle import Battle
from bridge.native.arena.folder import ArenaFolder


@dataclass
class Present:
    """The answers in an arena's folder, each model's read when it is first asked for."""

    folder: ArenaFolder
    _answers: dict[str, Answers | None] = field(default_factory=dict)
    _hashes: dict[tuple[str, str, int], str] = field(default_factory=dict)

    def is_about(self, row: Battle) -> bool:
        """Whether the row is about these answers. One that does not say, or whose model has no file here, is taken so.

        Raises OutputError for answers that cannot be read.
        """
        told = ((row.model_a, row.answer_a_sha256), (row.model_b, row.answer_b_sha256))
        return all(
            model is None or about is None or self.answers(model) is None or self._hash(model, row) == about
            for model, about in told
        )

    def answers(self, model: str) -> Answers | None:
        """None where there is no file of them."""
        if model not in self._answers:
            path = self.folder.answers(model)
            self._answers[model] = recorded_answers(path, model) if path.exists() else None
        return self._answers[model]

    def _hash(self, model: str, row: Battle) -> str:
        """Of the answers to the turns up to the row's; empty where there are none."""
        key = (model, row.question_id, row.turn)
        if key not in self._hashes:
            answers = self.answers(model)
            texts = answers.get(row.question_id).up_to(row.turn) if answers else None
            self._hashes[key] = "" if texts is None else sha256(texts)
        return self._hashes[key]


def about_now(folder: ArenaFolder, rows: Iterable[Battle]) -> list[Battle]:
    """Those of the rows that are about the answers as they are now."""
    present = Present(folder)
    return [row for row in rows if present.is_about(row)]
