"""One person's votes: what to look at next, what was said, and how far that agrees with others."""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.arena_spec import ArenaSpec
from bridge.errors import OutputError, Problem, SpecError
from bridge.native.arena.answers import sha256, style
from bridge.native.arena.battle import FLIPPED, Battle, Side, battle_id, line, read_battles
from bridge.native.arena.folder import Appender, ArenaFolder, recorded_questions, write_lines
from bridge.native.arena.matches import Match, draw, matches
from bridge.native.arena.present import Present
from bridge.native.arena.voices import Agreed, Comparison, agreed, voices

PEOPLE = "people"
"""The judge's name where the spec has no human one."""
VOTED, BOTH_BAD = "vote", "vote_both_bad"
Choice = Literal["left", "right", "tie", "bad"]
CHOICES = ("left", "right", "tie", "bad")
LONGEST_NAME = 80


class Refused(Exception):
    """A vote that cannot be taken; one line."""


@dataclass(frozen=True)
class Item:
    """One comparison as it is put before a person."""

    match: Match
    turn: int
    left: Side
    """Whose answer stands on the left; by lot, the same for the same person."""
    id: str
    """Tells nothing about the models."""

    @property
    def key(self) -> Comparison:
        return self.match.question.question_id, self.turn, self.match.model_a, str(self.match.model_b)

    def model(self, side: Side) -> str:
        return self.match.model_a if side == "a" else str(self.match.model_b)


@dataclass
class Ballot:
    """Everything that one person may vote on in one arena."""

    folder: ArenaFolder
    spec: ArenaSpec
    annotator: str
    present: Present
    items: dict[Comparison, Item] = field(default_factory=dict)
    own: list[Battle] = field(default_factory=list)
    """All that this person ever said, votes on answers that have changed since among them."""
    skipped: list[Comparison] = field(default_factory=list)
    _others: dict[str, tuple[int, list[Battle]]] = field(default_factory=dict)
    """Of each other file of votes, and of the judges' battles: when it was changed, and what is in it."""

    @classmethod
    def of(cls, folder: ArenaFolder, spec: ArenaSpec, annotator: str) -> Ballot:
        """Raises SpecError and OutputError where nobody can vote here."""
        name = annotator.strip()
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise SpecError([Problem("--as", "", "is to be a name of 1 to 80 printable characters")])
        if spec.arena.mode == "single":
            raise OutputError(f"{folder.root}: people compare two answers; this arena's mode is single")
        ballot = cls(folder, spec, name, Present(folder))
        ballot._read()
        if not ballot.items:
            raise OutputError(f"{folder.root}: there is nothing to compare yet; bridge arena run makes the answers")
        return ballot

    @property
    def judge(self) -> str:
        return next((judge.name for judge in self.spec.all_judges if judge.human), PEOPLE)

    @property
    def wanted(self) -> int | None:
        """So many votes on each comparison; None: as many as there are people."""
        return next((judge.votes_per_battle for judge in self.spec.all_judges if judge.human), None)

    # What to look at ------------------------------------------------------------------------------------------

    def next(self) -> Item | None:
        """The one with the fewest votes that this person has not seen; None where nothing is left."""
        counts = self.votes()
        seen = self._seen()
        waiting = [key for key in self.items if key not in seen and (self.wanted is None or counts[key] < self.wanted)]
        if not waiting:
            return None
        late = {key: at for at, key in enumerate(self.skipped)}
        return self.items[min(waiting, key=lambda key: (late.get(key, -1), counts[key]))]

    def _seen(self) -> set[Comparison]:
        """What this person has voted on, as it stands now; one with a changed answer is to be seen again."""
        return {_key(row) for row in self._counting(self.own)}

    def _counting(self, rows: Iterable[Battle]) -> list[Battle]:
        """Those about what there is to compare now."""
        return [row for row in rows if _key(row) in self.items and self.present.is_about(row)]

    def votes(self) -> Counter[Comparison]:
        """How many people have voted on each comparison, as it stands now."""
        self._look_around()
        rows = [row for name, (_, found) in self._others.items() if name for row in found]
        return Counter(key for key, _ in {(_key(row), row.annotator) for row in [*rows, *self._counting(self.own)]})

    def texts(self, item: Item, side: Side) -> tuple[str, ...]:
        found = self._texts(item, side)
        assert found is not None
        return found

    def _texts(self, item: Item, side: Side) -> tuple[str, ...] | None:
        answers = self.present.answers(item.model(side))
        return answers.get(item.match.question.question_id).up_to(item.turn) if answers else None

    def progress(self) -> dict[str, Any]:
        return {"yours": len(self._seen()), "total": len(self.items), "votes": sum(self.votes().values())}

    def agreement(self) -> dict[str, Agreed]:
        """With each judge, and with each other person."""
        self._look_around()
        mine = {_key(row): {"a": 1, "b": -1, "tie": 0}[str(row.verdict)] for row in self._counting(self.own)}
        others = voices(row for _, found in self._others.values() for row in found)
        found = {name: agreed(mine, said) for name, said in others.items()}
        return {name: one for name, one in found.items() if one.n}

    # What is said ---------------------------------------------------------------------------------------------

    def vote(self, item_id: str, choice: Choice, note: str) -> Item:
        """Keeps the vote; it is on disk when this returns. Raises Refused for one that is there already."""
        item = self._item(item_id)
        if item.key in self._seen():
            raise Refused("you have voted on this one; undo that vote first")
        row = self._row(item, choice, note)
        with Appender(self.folder.votes_of(self.annotator)) as file:
            file.write(line(row))
        self.own.append(row)
        self.skipped = [other for other in self.skipped if other != item.key]
        return item

    def skip(self, item_id: str) -> None:
        """It comes again when all others were seen."""
        key = self._item(item_id).key
        self.skipped = [*(other for other in self.skipped if other != key), key]

    def _item(self, item_id: str) -> Item:
        found = next((item for item in self.items.values() if item.id == item_id), None)
        if found is None:
            raise Refused("there is no such comparison")
        return found

    def undo(self) -> Item | None:
        """Takes the last vote back; the comparison is the next to be seen. None where there is none."""
        if not self.own:
            return None
        row = self.own.pop()
        write_lines(self.folder.votes_of(self.annotator), map(line, self.own))
        return self.items.get(_key(row))

    def _row(self, item: Item, choice: Choice, note: str) -> Battle:
        sides: dict[str, Any] = {"left": item.left, "right": FLIPPED[item.left]}
        texts_a, texts_b = self.texts(item, "a"), self.texts(item, "b")
        question = item.match.question
        return Battle(
            battle_id=battle_id(
                question.question_id,
                item.match.model_a,
                item.match.model_b,
                self.judge,
                shown_first=item.left,
                turn=item.turn,
                annotator=self.annotator,
            ),
            question_id=question.question_id,
            category=question.category,
            turn=item.turn,
            model_a=item.match.model_a,
            model_b=item.match.model_b,
            shown_first=item.left,
            judge=self.judge,
            judge_kind="human",
            verdict=sides.get(choice, "tie"),
            judgment=note or None,
            parser=BOTH_BAD if choice == "bad" else VOTED,
            answer_a_sha256=sha256(texts_a),
            answer_b_sha256=sha256(texts_b),
            len_a=sum(map(len, texts_a)),
            len_b=sum(map(len, texts_b)),
            style_a=style(texts_a),
            style_b=style(texts_b),
            annotator=self.annotator,
            tstamp=time.time(),
        )

    # Reading --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        questions = recorded_questions(self.folder.questions)
        seed = self.spec.arena.pairs.seed
        for match in matches(questions, [model.name for model in self.spec.models], self.spec.arena):
            for turn in range(1, len(match.question.turns) + 1):
                lot = draw(seed, "review", self.annotator, *match.key, turn)
                item = Item(match, turn, "a" if lot[0] % 2 else "b", lot[1:13].hex())
                if self._differ(item):
                    self.items[item.key] = item
        path = self.folder.votes_of(self.annotator)
        if path.exists():
            self.own = list(read_battles(path))

    def _differ(self, item: Item) -> bool:
        one, other = self._texts(item, "a"), self._texts(item, "b")
        return one is not None and other is not None and one != other

    def _look_around(self) -> None:
        """Reads what others have written since."""
        paths = {path.stem: path for path in self.folder.vote_files() if path != self.folder.votes_of(self.annotator)}
        for name, path in {**paths, "": self.folder.battles}.items():
            changed = path.stat().st_mtime_ns if path.exists() else 0
            if self._others.get(name, (0, []))[0] != changed:
                rows = [row for row in read_battles(path) if row.model_b is not None and row.verdict is not None]
                self._others[name] = changed, self._counting(rows)


@contextmanager
def held(folder: ArenaFolder, annotator: str) -> Iterator[None]:
    """One page at a time for each person: two would not know of each other's votes."""
    path = folder.votes_of(annotator).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{annotator} is voting in {folder.root} already; use that page, or another name"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _key(row: Battle) -> Comparison:
    return row.question_id, row.turn, row.model_a, str(row.model_b)
