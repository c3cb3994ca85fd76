"""The output folder of a training with ms-swift: which run, which checkpoints, which of them is the best."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bridge.errors import Problem, SpecError
from bridge.finetuned.arguments import TrainingArguments, read_arguments
from bridge.finetuned.weights import Broken, check_weights

STATE = "trainer_state.json"
"""The trainer writes it last, so a checkpoint that has it has been written to its end."""
LOG = "logging.jsonl"
STILL_S = 120.0
"""A training that has not said that it is over, and wrote something within so many seconds, is taken to go on."""
_TAIL_BYTES = 1024 * 1024
_RUN = re.compile(r"v(\d+)-(\d{8}-\d{6})")
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    step: int
    kind: Literal["lora", "full"]
    base: str | None = None
    """A LoRA's base, as its own adapter_config.json has it."""

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True)
class Incomplete:
    path: Path
    why: str


@dataclass(frozen=True)
class Training:
    folder: Path
    """The run's own folder, ``v0-…``."""
    arguments: TrainingArguments
    checkpoints: tuple[Checkpoint, ...]
    """Those that are complete, by step."""
    incomplete: tuple[Incomplete, ...]
    best: str | None
    """Name of the best checkpoint by the training's own evaluation; None where it had none."""
    ended: bool
    """The training has written its last line."""
    quiet_s: float
    """Seconds since it wrote anything."""

    @property
    def going_on(self) -> bool:
        return not self.ended and self.quiet_s < STILL_S


def find_run(given: Path) -> Path:
    """The run's folder: ``given`` itself, the newest ``vN-…`` in it that has a checkpoint, or a checkpoint's parent."""
    if not given.is_dir():
        what = "is a file, not a folder" if given.exists() else "there is no such folder"
        raise _wrong(given, what, "give the --output_dir of an ms-swift training")
    folder = given.resolve()
    if _CHECKPOINT.fullmatch(folder.name):
        return folder.parent
    if any(_checkpoint_folders(folder)):
        return folder
    runs = sorted((path for path in folder.iterdir() if _RUN.fullmatch(path.name) and path.is_dir()), key=_run_number)
    if not runs:
        if (folder / "args.json").is_file():
            return folder
        raise _wrong(given, "is no output of an ms-swift training: no vN-… and no checkpoint-N in it", _beside(given))
    return next((run for run in reversed(runs) if any(_checkpoint_folders(run))), runs[-1])


def read_training(given: Path) -> Training:
    """Raises SpecError where it is no training that can be evaluated."""
    folder = find_run(given)
    found = [_checkpoint(path) for path in _checkpoint_folders(folder)]
    complete = [one for one in found if isinstance(one, Checkpoint)]
    summary = _summary(folder / LOG)
    return Training(
        folder=folder,
        arguments=_arguments(folder, complete),
        checkpoints=tuple(complete),
        incomplete=tuple(one for one in found if isinstance(one, Incomplete)),
        best=_best(summary, complete),
        ended=summary is not None,
        quiet_s=time.time() - _newest(folder),
    )


def _checkpoint_folders(folder: Path) -> Iterator[Path]:
    """In the order of their steps; ``last-checkpoint`` is a link to one of them."""
    found = [path for path in folder.iterdir() if _CHECKPOINT.fullmatch(path.name) and path.is_dir()]
    yield from sorted(found, key=_step)


def _checkpoint(path: Path) -> Checkpoint | Incomplete:
    try:
        return _complete(path)
    except Broken as error:
        return Incomplete(path, str(error))


def _complete(path: Path) -> Checkpoint:
    if _object(path / STATE) is None:
        raise Broken(f"it has no readable {STATE}, which the trainer writes last")
    if (path / "adapter_config.json").exists():
        check_weights(path, "adapter_model")
        config = _object(path / "adapter_config.json")
        if config is None:
            raise Broken("adapter_config.json is cut off")
        base = config.get("base_model_name_or_path")
        return Checkpoint(path, _step(path), "lora", base if isinstance(base, str) and base else None)
    if not (path / "config.json").is_file():
        raise Broken("it holds neither config.json nor adapter_config.json")
    check_weights(path, "model")
    return Checkpoint(path, _step(path), "full")


def _summary(log: Path) -> dict[str, Any] | None:
    """The line that the training writes when it is over."""
    for line in reversed(_last_lines(log)):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and "last_model_checkpoint" in said:
            return said
    return None


def _last_lines(log: Path) -> list[bytes]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return file.read().splitlines()
    except OSError:
        return []


def _best(summary: dict[str, Any] | None, complete: list[Checkpoint]) -> str | None:
    """Only its name counts: the folder may have been moved since."""
    said = summary or (_object(complete[-1].path / STATE) if complete else None) or {}
    path = said.get("best_model_checkpoint")
    return Path(path).name if isinstance(path, str) and path else None


def _arguments(folder: Path, complete: list[Checkpoint]) -> TrainingArguments:
    """Without ``args.json`` it was transformers' own trainer, and only an adapter knows its base."""
    files = [folder / "args.json", *(one.path / "args.json" for one in complete)]
    if (found := next((path for path in files if path.is_file()), None)) is not None:
        return read_arguments(found)
    return TrainingArguments(next((one.base for one in complete if one.base), None), None, None)


def _newest(folder: Path) -> float:
    return max((path.lstat().st_mtime for path in (folder, *folder.iterdir())), default=0.0)


def _object(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _run_number(path: Path) -> tuple[int, str]:
    found = _RUN.fullmatch(path.name)
    assert found
    return int(found[1]), found[2]


def _beside(given: Path) -> str:
    inside = sorted(given.glob("*/v*-*"))
    return f"did you mean {inside[-1].parent}?" if inside else "give the --output_dir of the training"


def _wrong(where: Path, message: str, hint: str) -> SpecError:
    return SpecError([Problem(str(where), "", message, hint)])
