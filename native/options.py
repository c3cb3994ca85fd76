"""``options.native``: settings that no other field of the spec has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.errors import Problem, did_you_mean
from bridge.native.job import HubName, Thinking


class NativeOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    hub: HubName = "modelscope"
    """Where datasets are fetched from that have no files here."""
    average: Literal["micro", "macro"] | None = None
    """The mean over subsets that is quoted; without it the benchmark's own."""
    thinking: Thinking = "cut"
    """`cut`: `<think>…</think>` is no part of the answer; `keep`: it is read as well."""
    score_workers: int | None = Field(default=None, ge=1, le=256)
    """Processes that score; without it one for each core but one."""
    score_timeout_s: float = Field(default=20.0, gt=0)
    """How long scoring one answer may take; an answer that takes longer counts as not scored."""


def read_options(given: Mapping[str, Any]) -> NativeOptions:
    """Raises ValidationError; ``option_problems`` says it better."""
    return NativeOptions.model_validate(dict(given))


def option_problems(given: Mapping[str, Any]) -> Iterator[Problem]:
    """All that is wrong with them."""
    try:
        read_options(given)
    except ValidationError as error:
        for one in error.errors():
            name = str(one["loc"][0])
            if one["type"] == "extra_forbidden":
                known = list(NativeOptions.model_fields)
                hint = did_you_mean(name, known) or f"there are: {', '.join(known)}"
                yield Problem("", f"options.native.{name}", "native has no such option", hint)
            else:
                yield Problem("", f"options.native.{name}", one["msg"][:1].lower() + one["msg"][1:])
