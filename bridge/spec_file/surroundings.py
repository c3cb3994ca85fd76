"""What a spec takes from around it: its folder, for relative paths, and environment variables, for ``${NAME}``.

A path becomes absolute. A ``${NAME}`` stays as it is written, here and in every file of the run directory that holds
the spec; ``spec.expanded`` puts the value in where it is used, in memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from bridge.errors import Problem
from bridge.spec import REFERENCE, TaskSpec, expanded
from bridge.spec_file.document import Document, Key, Place, Value, dotted
from bridge.spec_file.problems import Field, given_fields

FOLDERS = frozenset(
    {
        "DatasetSpec.path",
        "DatasetSpec.definition",
        "JudgingSpec.prompt_file",
        "TaskSpec.data",
        "ContestantSpec.answers",
        "QuestionsSpec.path",
        "QuestionsSpec.references",
        "PromptsSpec.path",
        "PromptsSpec.tokenizer",
        "LoadSpec.trace",
    }
)
"""Paths: a relative one is taken from the spec's folder."""
FOLDERS_OR_IDS = frozenset(
    {"DeploySpec.path", "DeploySpec.adapters", "LocalSpec.path", "VerdictSpec.prompt", "ArenaBlock.prompt"}
)
"""Paths as well where there is such a folder or they start with a dot; else a name: a hub's id
(``Qwen/Qwen3-0.6B``), or a prompt that comes with bridge."""
EXPANDED = FOLDERS | FOLDERS_OR_IDS | {"EndpointSpec.base_url", "DeploySpec.env"}
"""Where ``${NAME}`` stands for an environment variable."""
VERBATIM = frozenset(
    {
        "DeploySpec.args",
        "LocalSpec.args",
        "GenerationSpec.stop",
        "GenerationSpec.extra_body",
        "PromptSpec.template",
        "PromptSpec.system",
        "JudgingSpec.prompt",
        "JudgingSpec.system",
        "TaskSpec.options",
        "ArenaBlock.rubric",
        "OutputSpec.extra_body",
    }
)
"""Passed on as they are, ``${…}`` included."""

_URL = re.compile(r"https?://\S+")
_LOOKS_LIKE_REFERENCE = re.compile(r"\$\{[^}]*\}?")


def take_surroundings(document: Document, folder: Path, model: type[BaseModel] = TaskSpec) -> dict[Key, Problem]:
    """Makes the document's paths absolute; returns what is wrong with its paths and references."""
    if model is TaskSpec:
        _default_data(document)
    problems: dict[Key, Problem] = {}
    for field in given_fields(document.value, model):
        for key, text in _texts(field):
            message, hint = _wrong(field, text)
            if message:
                problems[key] = Problem(document.place(key).where, dotted(key), message, hint)
            elif field.id in FOLDERS | FOLDERS_OR_IDS:
                _replace(document.value, key, _anchored(text, folder.resolve(), field.id in FOLDERS_OR_IDS))
    return problems


def _default_data(document: Document) -> None:
    """``BRIDGE_DATA`` stands in for ``data``; a relative one is taken from the current folder."""
    folder = os.environ.get("BRIDGE_DATA")
    if folder and isinstance(document.value, dict) and document.value.get("data") is None:
        document.value["data"] = str(Path(folder).expanduser().absolute())
        document.places[("data",)] = Place("BRIDGE_DATA")


def _texts(field: Field) -> Iterator[tuple[Key, str]]:
    """The texts that a field holds itself; those of a part are that part's fields."""
    if isinstance(field.value, str):
        yield field.key, field.value
    elif isinstance(field.value, list):
        yield from (((*field.key, i), text) for i, text in enumerate(field.value) if isinstance(text, str))
    elif isinstance(field.value, dict) and field.id == "DeploySpec.env":
        yield from (((*field.key, name), text) for name, text in field.value.items() if isinstance(text, str))


def _wrong(field: Field, text: str) -> tuple[str, str]:
    """Message and hint; two empty strings where nothing is wrong."""
    if field.id in VERBATIM:
        return "", ""
    if field.id in FOLDERS | FOLDERS_OR_IDS and (not text or "\0" in text):
        return "is empty" if not text else "holds a NUL character", ""
    for found in _LOOKS_LIKE_REFERENCE.findall(text):
        if field.id not in EXPANDED:
            return f"{found} is not expanded here", _instead(field)
        if not (reference := REFERENCE.fullmatch(found)):
            return f"{found[:60]} is no reference", "write ${NAME}, nothing else between the braces"
        if reference[1] not in os.environ:
            return f"the environment variable {reference[1]} is not set", ""
    if field.name == "base_url" and REFERENCE.search(text) and not _URL.fullmatch(expanded(text)):
        return f"{text} is not a URL once it is expanded", "such as http://127.0.0.1:8000/v1"
    return "", ""


def _instead(field: Field) -> str:
    if field.name == "api_key_env":
        return "write the name of the variable alone"
    return "only in base_url, paths and deploy.env"


def _anchored(text: str, folder: Path, may_be_id: bool) -> str:
    """The path made absolute; one with a reference keeps it."""
    path = _home_expanded(expanded(text))
    if may_be_id and not _is_folder(text, path, folder):
        return text
    if REFERENCE.search(text):
        return text if path.is_absolute() else f"{folder}/{text}"
    return os.path.normpath(folder / path)


def _is_folder(text: str, path: Path, folder: Path) -> bool:
    return path.is_absolute() or text.startswith(".") or (folder / path).exists()


def _home_expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user
        return Path(text)


def _replace(value: Value, key: Key, text: str) -> None:
    for part in key[:-1]:
        value = value[part]  # type: ignore[index]
    value[key[-1]] = text  # type: ignore[index]
