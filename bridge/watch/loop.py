"""Each complete checkpoint of a training, once, in the order of the steps, until the training is over.

What was evaluated is known from its run's own folder: a run that is complete is answered from there, one that was
stopped goes on. So a watch that is killed and started again asks nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.errors import BridgeError, SpecError
from bridge.finetuned.choose import Chosen, choose
from bridge.finetuned.report import finetuned, write_finetuned
from bridge.finetuned.spec import BASE
from bridge.finetuned.training import Checkpoint, Training, read_training
from bridge.progress import Watcher
from bridge.report.schema import ErrorKind, Report, Status
from bridge.rundir import write_atomic
from bridge.runs import run
from bridge.spec import TaskSpec
from bridge.watch.due import Wanted, due
from bridge.watch.schema import Entry, Watched, entry_of

POLL_S = 2.0


@dataclass
class Watch:
    """One training that is watched."""

    given: Path
    make_task: Callable[[Chosen], TaskSpec]
    output: Path | None
    """Where the runs go; by default ``bridge`` in the training's folder."""
    watcher: Watcher
    say: Callable[[Entry], None]
    wanted: Wanted = field(default_factory=Wanted)
    base: bool = True
    base_model: Path | None = None
    told_over: Callable[[], bool] | None = None
    """Whoever trains says when it is over; without that, the training's own log does."""
    give_up_s: float = 3600.0
    """A training that has written nothing for so long has died."""
    entries: dict[str, Entry] = field(default_factory=dict)
    _runs: dict[str, tuple[Path, Report]] = field(default_factory=dict)
    _seen: dict[str, Checkpoint] = field(default_factory=dict)

    def follow(self) -> int:
        """Returns the exit code of the first run that was not complete, or 0. Raises SpecError for a wrong spec."""
        began = time.time()
        over = False
        while True:
            training = self._read(began)
            if training is not None:
                self.given = training.folder
                for one in due(training, self.wanted, self.entries, over=over):
                    self._take(training, one)
                    break
                else:
                    if over:
                        return self._end(training)
                # One more look after the end: a checkpoint may have come between two looks.
                over = over or self._is_over(training)
            time.sleep(0 if over else POLL_S)

    def _read(self, began: float) -> Training | None:
        """None while there is nothing to see yet."""
        try:
            training = read_training(self.given)
        except (SpecError, OSError):
            if time.time() - began > self.give_up_s or (self.told_over is not None and self.told_over()):
                raise
            return None
        return training

    def _is_over(self, training: Training) -> bool:
        if self.told_over is not None:
            return self.told_over()
        return training.ended or training.quiet_s > self.give_up_s

    # One checkpoint ---------------------------------------------------------------------------------------------

    def _take(self, training: Training, one: Checkpoint) -> None:
        try:
            chosen = choose(training, one.name, base=self.base, base_model=self.base_model)
            if self.base and BASE not in self.entries:
                self._evaluate(replace(chosen, checkpoints=()), BASE, 0)
            self._evaluate(replace(chosen, compared=False), one.name, one.step)
            self._seen[one.name] = one
        except (BridgeError, OSError) as error:
            if isinstance(error, SpecError) and one.path.exists() and not self._runs:
                raise  # The spec itself is wrong, and would be for every checkpoint.
            reason = str(error) if one.path.exists() else "it was deleted before it was evaluated"
            self._add(
                Entry(
                    name=one.name, step=one.step, run=None, status=Status.FAILED, exit_code=5, metrics={}, reason=reason
                )
            )
        self._write(training)

    def _evaluate(self, chosen: Chosen, name: str, step: int) -> None:
        task = self.make_task(chosen)
        folder = self._folder() / f"{name}-{task.sha256()[:8]}"
        report = run(task, output=folder, watcher=self.watcher)
        if any(error.kind is ErrorKind.INTERRUPTED for error in report.errors):
            raise KeyboardInterrupt
        self._runs[name] = folder, report
        self._add(entry_of(name, step, str(folder), report))

    def _add(self, entry: Entry) -> None:
        self.entries[entry.name] = entry
        self.say(entry)

    # What is written --------------------------------------------------------------------------------------------

    def _folder(self) -> Path:
        return (self.output or self.given / "bridge").absolute()

    def _end(self, training: Training) -> int:
        self._write(training, ended=True)
        return next((entry.exit_code for entry in self.entries.values() if entry.exit_code), 0)

    def _write(self, training: Training, *, ended: bool = False) -> None:
        entries = tuple(sorted(self.entries.values(), key=lambda entry: entry.step))
        watched = Watched(training=str(training.folder), entries=entries, ended=ended)
        write_atomic(self._folder() / "watch.json", watched.model_dump_json(indent=2))
        if self._seen:
            write_finetuned(finetuned(self._all(training), list(self._runs.values())), self._folder())

    def _all(self, training: Training) -> Chosen:
        seen = tuple(sorted(self._seen.values(), key=lambda one: one.step))
        base = next(iter(self._bases()), None)
        return Chosen(training, seen, base, BASE in self._runs, tuple(self._notes(training)))

    def _bases(self) -> Iterator[Path]:
        for _, report in self._runs.values():
            yield from (Path(model.source) for model in report.models if model.name == BASE)

    def _notes(self, training: Training) -> Iterator[str]:
        yield from (f"{entry.name}: {entry.reason}" for entry in self.entries.values() if entry.run is None)
        yield from (f"{half.path.name} is left out: {half.why}" for half in training.incomplete)
