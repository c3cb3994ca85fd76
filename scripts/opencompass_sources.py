"""What OpenCompass's loaders and evaluators need that bridge's environment does not have, read in their source.

Nothing of it is imported: importing would ask for what is missing.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

WHERE = ("datasets", "evaluator", "openicl/icl_evaluator", "openicl/icl_retriever")
OTHERWISE = {"modelscope", "torch", "evalplus", "googleapiclient", "lmdeploy", "modules"}
"""Imports that are missing and not needed: of another source of data, or refused where they are used."""
OWN_MODELS = (
    "build_model_from_cfg",
    "OpenAISDK",
    "LMEvaluator",
    "OpenAI(",
    "import openai",
    "from openai",
    "gradio_client",
)
HUB = ("from_pretrained(", "tiktoken.", "nltk.download(")
HUB_FOR_RATINGS = {"CompassArenaSubjectiveBench"}
"""Classes in whose file one is needed for a rating over several models only."""


@dataclass(frozen=True)
class _Class:
    file: str
    text: str


class Sources:
    """Classes of the package by name."""

    def __init__(self, package: Path) -> None:
        self._package = package

    @cached_property
    def _classes(self) -> dict[str, _Class]:
        found: dict[str, _Class] = {}
        for where in WHERE:
            for path in sorted((self._package / where).rglob("*.py")):
                text = path.read_text(encoding="utf-8")
                try:
                    tree = ast.parse(text)
                except SyntaxError:
                    continue
                for node in tree.body:
                    if isinstance(node, ast.ClassDef):
                        found.setdefault(node.name, _Class(text, ast.get_source_segment(text, node) or ""))
        return found

    def packages(self, name: str) -> list[str]:
        """Packages that the class's file imports and that are not installed."""
        known = self._classes.get(name)
        return sorted(set(_missing(ast.parse(known.file)))) if known else []

    def own_model(self, name: str) -> bool:
        """It asks a model at an address of its own."""
        known = self._classes.get(name)
        return known is not None and any(part in known.file for part in OWN_MODELS)

    def hub(self, name: str) -> bool:
        """It takes a tokenizer, a model or word lists from a hub."""
        known = self._classes.get(name)
        return known is not None and name not in HUB_FOR_RATINGS and any(part in known.file for part in HUB)

    def opens_as_it_stands(self, name: str, path: str) -> bool:
        """Its loader opens ``path`` without asking where the data folder is, and it is not in ``./data``."""
        known = self._classes.get(name)
        if known is None or "def load" not in known.text or path.removeprefix("./").startswith("data/"):
            return False
        return "get_data_path" not in known.text and "load_dataset" not in known.text


def _missing(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        else:
            continue
        for top in {name.split(".")[0] for name in names} - OTHERWISE:
            if top not in sys.stdlib_module_names and top != "opencompass" and find_spec(top) is None:
                yield top
