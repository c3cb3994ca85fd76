"""Judges measured on pairs of which the better answer is known, before they are asked about anything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import orjson

from bridge.arena.add import spec_of
from bridge.arena.prepare import Setup
from bridge.arena.run import begin, until_stopped
from bridge.arena.stages import Stages
from bridge.arena_spec import ArenaSpec, ContestantSpec, PairsSpec
from bridge.errors import OutputError, Problem, SpecError
from bridge.invocation import clear_about_the_disk, in_a_loop
from bridge.native.arena.agreement import cohen
from bridge.native.arena.answers import Answer, Answers, recorded_answers
from bridge.native.arena.battle import Battle, read_battles
from bridge.native.arena.folder import ArenaFolder, recorded_questions
from bridge.native.arena.gold import Label, Pair
from bridge.native.arena.judges import Judged, judged
from bridge.native.arena.present import about_now
from bridge.native.arena.prompts import choose, load
from bridge.native.arena.questions import Question
from bridge.native.arena.voices import voices
from bridge.native.arena.votes import votes
from bridge.progress import Watcher
from bridge.report.schema import ErrorKind, ReportError
from bridge.rundir import RunDir, write_atomic
from bridge.spec import expanded

FIRST, SECOND = "first", "second"
LABELS: dict[Label, int] = {"first": 1, "second": -1, "tie": 0}
VERDICTS = {"a": 1, "b": -1, "tie": 0}
FILE = "judge-check.json"


@dataclass(frozen=True)
class Measured:
    """One judge; shares are None where there is nothing to take them from."""

    judge: str
    pairs: int
    """Pairs with a verdict in both orders."""
    accuracy: float | None
    """Of single verdicts, in either order."""
    accuracy_tie_half: float | None
    """Of pairs, where orders that disagree are a tie and count half."""
    consistent: float | None
    """Of pairs: the same verdict in both orders."""
    accuracy_consistent: float | None
    """Of those."""
    kappa_gold: float | None
    """Cohen's, of single verdicts and the truth."""
    kappa_orders: float | None
    first_position_share: float | None
    longer_share: float | None
    unparsed: int
    failed: int
    usd_per_1000: float | None
    seconds_per_call: float | None


@dataclass(frozen=True)
class Check:
    pairs: int
    judges: tuple[Measured, ...]
    errors: tuple[ReportError, ...]

    @property
    def exit_code(self) -> int:
        """5 where no judge said anything, 7 where some calls failed."""
        if not any(judge.pairs for judge in self.judges):
            return 5
        stopped = any(error.kind is ErrorKind.INTERRUPTED for error in self.errors)
        return 130 if stopped else 7 if any(judge.failed for judge in self.judges) else 0


def check_judges(spec: ArenaSpec, pairs: Sequence[Pair], output: Path, watcher: Watcher, argv: Sequence[str]) -> Check:
    """Asks each judge of the spec about each pair, in both orders; in ``output`` again, only what is missing."""
    setup = setup_of(spec, pairs)
    rundir = RunDir(output.absolute())
    with rundir.locked(), clear_about_the_disk(rundir):
        begin(rundir, setup.spec, argv)
        stages = Stages(setup, rundir, watcher)
        errors = in_a_loop(until_stopped(stages))
        rows = list(read_battles(ArenaFolder(rundir.root).battles)) if ArenaFolder(rundir.root).battles.exists() else []
        check = Check(len(pairs), tuple(_measured(rows, pairs, setup)), tuple(errors))
        write_atomic(rundir.root / FILE, orjson.dumps(to_json(check), option=orjson.OPT_INDENT_2))
    return check


def to_json(check: Check) -> dict[str, object]:
    return {"pairs": check.pairs, "judges": [asdict(judge) for judge in check.judges], "exit_code": check.exit_code}


def setup_of(spec: ArenaSpec, pairs: Sequence[Pair]) -> Setup:
    """An arena of two: who is first and who is second in the pairs. Raises SpecError."""
    if spec.arena.mode == "single":
        raise SpecError([Problem("", "arena.mode", "judges are checked on pairs; mode single has none")])
    rating = spec.arena.rating.model_copy(update={"anchor": None})
    plain = {"mode": "pairwise-all", "baseline": None, "order": "both", "pairs": PairsSpec(), "repeats": 1}
    block = spec.arena.model_copy(update={**plain, "rating": rating})
    models = tuple(ContestantSpec(name=name, answers="gold") for name in (FIRST, SECOND))
    asked = spec.model_copy(update={"models": models, "name": f"{spec.name}-judge-check", "arena": block})
    setup = Setup(asked, [Question(str(at), pair.category, pair.turns) for at, pair in enumerate(pairs)])
    named = block.prompt_name
    setup.prompts = load(
        expanded(named) if named else None, "pairwise", block.verdict.parser, block.rubric or "", block.scale
    )
    texts = {FIRST: [pair.first for pair in pairs], SECOND: [pair.second for pair in pairs]}
    for name, answers in texts.items():
        setup.on_file[name] = Answers(name, {str(at): Answer(turns) for at, turns in enumerate(answers)})
    for question in setup.questions:
        for turn in range(1, len(question.turns) + 1):
            try:
                choose(setup.prompts, question, turn)
            except ValueError as error:
                raise SpecError([Problem("", "arena.verdict.prompt", str(error))]) from None
    return setup


def gold_of_people(path: Path) -> tuple[list[Pair], int]:
    """What the majority of people said in a run, and how many votes are about answers that have changed since.

    ``path`` is the run's folder, or one of its files of votes.
    """
    root = path if path.is_dir() else path.parent.parent
    folder, spec = ArenaFolder(root), spec_of(root)
    files = folder.vote_files() if path.is_dir() else [path]
    rows = [row for file in files for row in read_battles(file) if row.judge_kind == "human"]
    if not rows:
        raise OutputError(f"{path}: nobody has voted; bridge arena review {root} --as NAME opens the page for it")
    questions = {question.question_id: question for question in recorded_questions(folder.questions)}
    answers = {one.name: recorded_answers(folder.answers(one.name), one.name) for one in spec.models}
    now = about_now(folder, rows)
    said: dict[tuple[str, int, str, str], list[int]] = {}
    for verdicts in voices(now).values():
        for comparison, verdict in verdicts.items():
            said.setdefault(comparison, []).append(verdict)
    found = (_pair(questions, answers, comparison, verdicts) for comparison, verdicts in said.items())
    return [pair for pair in found if pair is not None], len(rows) - len(now)


def _pair(
    questions: dict[str, Question], answers: dict[str, Answers], comparison: tuple[str, int, str, str], said: list[int]
) -> Pair | None:
    """None where the question or an answer is not there any more."""
    question_id, turn, a, b = comparison
    question = questions.get(question_id)
    if question is None or a not in answers or b not in answers:
        return None
    first, second = (answers[name].get(question_id).up_to(turn) for name in (a, b))
    if first is None or second is None:
        return None
    half = len(said) / 2
    label: Label = "first" if said.count(1) > half else "second" if said.count(-1) > half else "tie"
    return Pair(question.turns[:turn], first, second, label, question.category)


def _measured(rows: Sequence[Battle], pairs: Sequence[Pair], setup: Setup) -> Iterable[Measured]:
    last = [row for row in rows if row.turn == len(pairs[int(row.question_id)].turns)]
    measures = {one.judge: one for one in judged(votes(last), setup.spec.arena)} if last else {}
    for judge in setup.asked_judges:
        own = [row for row in last if row.judge == judge.name]
        yield _of_judge(judge.name, own, pairs, measures.get(judge.name))


def _of_judge(name: str, rows: Sequence[Battle], pairs: Sequence[Pair], found: Judged | None) -> Measured:
    said = [(int(row.question_id), VERDICTS[row.verdict]) for row in rows if row.verdict is not None]
    truth = [LABELS[pair.label] for pair in pairs]
    right = [verdict == truth[at] for at, verdict in said]
    orders: dict[int, list[int]] = {}
    for at, verdict in said:
        orders.setdefault(at, []).append(verdict)
    both = {at: verdicts for at, verdicts in orders.items() if len(verdicts) == 2}
    same = {at: verdicts[0] for at, verdicts in both.items() if verdicts[0] == verdicts[1]}
    halves = [1.0 if same.get(at, 0) == truth[at] else 0.5 if same.get(at, 0) == 0 else 0.0 for at in both]
    costs = [row.cost for row in rows if row.cost is not None]
    seconds = [row.latency_s for row in rows if row.latency_s is not None]
    gold, given = np.array([truth[at] for at, _ in said], np.int64), np.array([one for _, one in said], np.int64)
    return Measured(
        judge=name,
        pairs=len(both),
        accuracy=_mean(right),
        accuracy_tie_half=_mean(halves),
        consistent=_mean([at in same for at in both]),
        accuracy_consistent=_mean([same[at] == truth[at] for at in same]),
        kappa_gold=cohen(given, gold),
        kappa_orders=found.kappa_orders if found else None,
        first_position_share=found.first_position_share if found else None,
        longer_share=found.longer_share if found else None,
        unparsed=sum(row.error is not None and row.error.kind == "unparsed" for row in rows),
        failed=sum(row.error is not None and row.error.kind == "failed" for row in rows),
        usd_per_1000=1000 * sum(costs) / len(costs) if costs else None,
        seconds_per_call=_mean(seconds),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
