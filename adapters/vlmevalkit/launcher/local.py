"""A model of VLMEvalKit's own, loaded in this process: what it is asked and answers is noted sample by sample."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

from . import kit, models, watch

FAILED = "Failed to obtain answer via API."
"""What VLMEvalKit's inference takes for no answer."""


class NoModel(Exception):
    """The model is not known, or cannot be loaded as the job wants it; one line."""


def local_model(local: dict[str, Any]) -> Any:
    """An instance of the class that VLMEvalKit has for this name. Raises NoModel."""
    model = _build(local)
    model.generate = _noted(model.generate)
    if hasattr(model, "chat"):
        model.chat = _noted(model.chat)
    return model


def at_row(build: Callable[..., Any]) -> Callable[..., Any]:
    """Its inference makes a prompt and asks at once: so the row of the prompt is the one that is asked."""

    def build_prompt(line: Any, *args: Any, **kwargs: Any) -> Any:
        watch.now_at(str(line["index"]))
        return build(line, *args, **kwargs)

    return build_prompt


def _build(local: dict[str, Any]) -> Any:
    known = kit.module("config").supported_VLM
    name, arguments = local["name"], dict(local["args"])
    if name not in known:
        raise NoModel(f"VLMEvalKit {kit.version()} has no model {name!r}")
    family = getattr(known[name], "func", known[name])
    takes = inspect.signature(family.__init__).parameters
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values())
    if local["path"]:
        arguments["model_path"] = local["path"]
    if unknown := [one for one in arguments if one not in takes and (not takes_any or one == "model_path")]:
        raise NoModel(f"{family.__name__}, the class of {name}, takes no {', '.join(unknown)}")
    return known[name](**arguments)


def _noted(ask: Callable[..., Any]) -> Callable[..., Any]:
    def asked(message: Any, dataset: Any = None) -> Any:
        if message and isinstance(message[0], dict) and message[0].get("value") == models.NOT_ASKABLE:
            return _note([], None, message[-1]["value"], 0.0)
        began, answer, error = time.monotonic(), None, None
        try:
            answer = models.encodable(str(ask(message=message, dataset=dataset)).strip())
            error = None if answer else "the model's answer was empty"
        except Exception as failure:  # noqa: BLE001 - any failure is this one sample's
            error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:300]}"
        return _note(message, answer or None, error, time.monotonic() - began)

    return asked


def _note(message: Any, answer: str | None, error: str | None, latency_s: float) -> str:
    """Notes it under the row that is being asked; returns what VLMEvalKit's inference is to go on with."""
    one = models.Asked(input=models.shown(message, None), response=answer, error=error, latency_s=round(latency_s, 4))
    earlier = models.asked.get(watch.current())
    if earlier is not None:
        one.error = earlier.error or one.error
    models.asked[watch.current()] = one
    watch.on_done()
    return answer if answer is not None and not error else FAILED
