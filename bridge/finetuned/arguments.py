"""``args.json`` of a training, as data: nothing that it names is imported, loaded or run.

Only what decides how the model is to be asked is taken over, each field only where it has the form that ms-swift
itself writes. The rest, ``external_plugins`` before all, is left where it is.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import Problem, SpecError

MAX_BYTES = 16 * 1024 * 1024
_WORD = re.compile(r"\w[\w.-]*")
_WORDS = (
    *("torch_dtype", "attn_impl", "experts_impl", "truncation_strategy", "agent_template", "norm_bbox"),
    *("quant_method", "bnb_4bit_quant_type", "bnb_4bit_compute_dtype"),
)
_TEXTS = ("system", "response_prefix")
_FLAGS = ("use_chat_template", "bnb_4bit_use_double_quant")
_NUMBERS = ("max_model_len", "quant_bits", "hqq_axis")
_GENERATIVE = ("causal_lm", None)


@dataclass(frozen=True)
class TrainingArguments:
    """How it was trained, as far as asking the model goes."""

    base: str | None
    """Folder of the model that was trained; None where nobody wrote it down."""
    model_type: str | None
    template: str | None
    serving: dict[str, Any] = field(default_factory=dict)
    """Arguments that ms-swift's server would take over from the training."""
    left_out: tuple[str, ...] = ()
    """Names of fields that would have been taken over, and have no form to be trusted."""


def read_arguments(path: Path) -> TrainingArguments:
    """Raises SpecError where it cannot be read, or is no training of a model that answers in text."""
    said = _read(path)
    task = said.get("task_type")
    if task not in _GENERATIVE:
        raise _wrong(path, f"task_type {str(task)[:60]!r} is no model that answers in text", "train a causal_lm")
    base = said.get("model_dir") or said.get("model")
    if not isinstance(base, str) or not base:
        raise _wrong(path, "it names no model_dir", "is this the folder of an ms-swift training?")
    serving, left_out = _serving(said)
    return TrainingArguments(
        base=base,
        model_type=_word(said.get("model_type")),
        template=_word(said.get("template")),
        serving=serving,
        left_out=left_out,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _wrong(path, f"it is larger than {MAX_BYTES // 2**20} MB", "this was not written by ms-swift")
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _wrong(path, "there is no such file", "give the output folder of an ms-swift training") from None
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror or error}", "") from None
    except (ValueError, RecursionError):
        raise _wrong(path, "is not JSON", "is the training still being written?") from None
    if not isinstance(said, dict):
        raise _wrong(path, "is no JSON object", "this was not written by ms-swift")
    return said


def _serving(said: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is taken over, and the names of what is not."""
    checks = {
        **dict.fromkeys(_WORDS, _word),
        **dict.fromkeys(_TEXTS, _text),
        **dict.fromkeys(_FLAGS, _flag),
        **dict.fromkeys(_NUMBERS, _number),
    }
    given = {name: said[name] for name in checks if said.get(name) not in (None, "", [], {})}
    taken = {name: checked for name, value in given.items() if (checked := checks[name](value)) is not None}
    return taken, tuple(name for name in given if name not in taken)


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _text(value: object) -> str | None:
    """A text that starts with a dash would be read as another argument; one that names a file, as that file."""
    if not isinstance(value, str) or value.startswith("-") or "\0" in value:
        return None
    try:
        return None if Path(value).exists() else value
    except (OSError, ValueError):
        return value


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _wrong(path: Path, message: str, hint: str) -> SpecError:
    return SpecError([Problem(str(path), "", message, hint)])
