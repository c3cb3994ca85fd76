"""Which checkpoints of a training are evaluated, and against which base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.finetuned.training import Checkpoint, Training
from bridge.finetuned.weights import fits

BASE_OPTION = "--base-model"


@dataclass(frozen=True)
class Chosen:
    training: Training
    checkpoints: tuple[Checkpoint, ...]
    base: Path | None
    """The model that was trained; None where it is neither needed nor asked for."""
    compared: bool
    """The base is evaluated too."""
    notes: tuple[str, ...]
    """What a reader should know about the choice."""

    @property
    def folders(self) -> list[Path]:
        return [one.path for one in self.checkpoints] + ([self.base] if self.base else [])


def choose(training: Training, checkpoint: str | None, *, base: bool, base_model: Path | None) -> Chosen:
    """``checkpoint``: best, last, all, a step, or None for the best where there is one. Raises SpecError."""
    notes = list(_notes(training))
    if training.going_on and (checkpoint is None or not checkpoint.removeprefix("checkpoint-").isdecimal()):
        message = f"{training.folder} is still being written ({training.quiet_s:.0f} s ago)"
        hint = "wait for its end, name a step with --checkpoint, or use 'bridge watch'"
        raise SpecError([Problem("", "", message, hint)])
    chosen = _checkpoints(training, checkpoint, notes)
    needed = base or any(one.kind == "lora" for one in chosen)
    folder = _base(training, base_model) if needed else None
    for one in chosen:
        if folder is not None and one.kind == "lora":
            _refuse_another_base(one, folder, training, given=base_model is not None)
    return Chosen(training, tuple(chosen), folder, base, tuple(notes))


def _notes(training: Training) -> list[str]:
    notes = [f"{one.path.name} is left out: {one.why}" for one in training.incomplete]
    if not training.ended:
        notes.append("the training did not write its last line: it was stopped, or goes on")
    if left_out := training.arguments.left_out:
        notes.append(f"args.json: {', '.join(left_out)} not taken over, for want of a plain value")
    return notes


def _checkpoints(training: Training, wanted: str | None, notes: list[str]) -> Sequence[Checkpoint]:
    complete = training.checkpoints
    if not complete and wanted in (None, "best", "last", "all"):
        why = "; ".join(f"{one.path.name}: {one.why}" for one in training.incomplete)
        message = f"{training.folder} holds no complete checkpoint"
        raise SpecError([Problem("", "", f"{message}: {why}" if why else message, "has it been saved yet?")])
    match wanted:
        case "all":
            return complete
        case "last":
            return complete[-1:]
        case "best":
            return [_best(training)]
        case None:
            best = next((one for one in complete if one.name == training.best), None)
            if best is None:
                notes.append("the training names no best checkpoint that is there: this is the last one")
            return [best or complete[-1]]
        case _:
            return [_step(training, wanted)]


def _best(training: Training) -> Checkpoint:
    if training.best is None:
        raise _wrong("the training knows no best checkpoint: it had no evaluation set", "use last, all, or a step")
    return _step(training, training.best)


def _step(training: Training, wanted: str) -> Checkpoint:
    name = wanted if wanted.startswith("checkpoint-") else f"checkpoint-{wanted}"
    for one in training.checkpoints:
        if one.name == name:
            return one
    for half in training.incomplete:
        if half.path.name == name:
            raise _wrong(f"{name} is not complete: {half.why}", "is it still being written?")
    words = ["best", "last", "all", *(str(one.step) for one in training.checkpoints)]
    hint = f"one of: {', '.join(words)}"
    raise _wrong(f"{training.folder} has no {name}", did_you_mean(wanted, words[:3]) or hint)


def _base(training: Training, given: Path | None) -> Path:
    text = str(given) if given is not None else training.arguments.base
    if text is None:
        raise _no_base("", "is not named by the training (it has no args.json)")
    folder = Path(text).expanduser()
    if given is None and not folder.is_absolute():
        # As it was typed at the training, from whatever folder: anybody's guess, and nobody's to make.
        raise _no_base(text, "is no absolute path")
    if not folder.is_dir():
        raise _no_base(text, "is not on this machine")
    return folder.absolute()


def _no_base(text: str, why: str) -> SpecError:
    return _wrong(
        f"the base model {text} {why}".replace("  ", " "),
        f"give its folder with {BASE_OPTION}, or of full weights --no-base",
        "",
    )


def _refuse_another_base(one: Checkpoint, base: Path, training: Training, *, given: bool) -> None:
    """``given`` by the user: then the paths may differ, and the matrices decide."""
    said = Path(one.base) if one.base else None
    if not given and said is not None and said.is_absolute() and said.resolve() != base.resolve():
        message = f"{one.name} is an adapter of {said}, but the training's args.json names {base}"
        raise _wrong(message, f"say which with {BASE_OPTION}", "")
    if not fits(one.path, base):
        raise _wrong(
            f"{one.name} is an adapter of another model than {base}: their sizes differ", f"see {BASE_OPTION}", ""
        )


def _wrong(message: str, hint: str, where: str = "--checkpoint") -> SpecError:
    return SpecError([Problem(where, "", message, hint)])
