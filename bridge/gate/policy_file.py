"""A policy's YAML or JSON file → ``Policy``, with every problem at once, each with its line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import Problem, SpecError
from bridge.gate.policy import Policy
from bridge.spec_file import validated
from bridge.spec_file.document import MAX_BYTES, Document, Key, dotted, parse, parse_json


@dataclass(frozen=True)
class PolicySource:
    """A policy, and where each of its fields stands."""

    path: Path
    policy: Policy
    sha256: str
    document: Document

    def problem(self, key: Key, message: str, hint: str = "") -> Problem:
        return Problem(self.document.place(key).where or str(self.path), dotted(key), message, hint)


def read_policy(path: Path) -> PolicySource:
    """Raises SpecError with all problems."""
    data = _bytes(path)
    document = parse_json(data, str(path)) if path.suffix.lower() == ".json" else parse(data, str(path))
    if not isinstance(document.value, dict):
        raise SpecError([Problem(str(path), "", "is no policy; a mapping with 'version: 1' is needed")])
    policy = validated(document, {}, Policy, _strictly)
    return PolicySource(path, policy, hashlib.sha256(data).hexdigest(), document)


def _strictly(value: object) -> Policy:
    """As JSON, whose strict rules take a list for a tuple and a text for a day, and no text for a number."""
    return Policy.model_validate_json(json.dumps(value))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem("--policy", "", f"{path}: {error.strerror or error}")]) from None
