"""A plugin of ms-swift's server (``--external_plugins``) that serves several adapters; mends what 4.6.0 gets wrong.

It names the adapter once for a whole batch, and peft wants it once for each row, so that every batch of more than one
request fails. Runs in ms-swift's environment; imports nothing of bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peft import PeftModel


def for_each_row(generate: Callable[..., Any]) -> Callable[..., Any]:
    """``generate`` with the one name that was given for all rows repeated for each."""

    def widened(self: Any, *args: Any, **kwargs: Any) -> Any:
        names, rows = kwargs.get("adapter_names"), kwargs.get("input_ids", kwargs.get("inputs_embeds"))
        if names and len(names) == 1 and rows is not None:
            answers = getattr(kwargs.get("generation_config"), "num_return_sequences", None) or 1
            kwargs["adapter_names"] = names * (len(rows) * answers)
        return generate(self, *args, **kwargs)

    return widened


for family in (PeftModel, *PeftModel.__subclasses__()):
    if "generate" in vars(family):
        family.generate = for_each_row(family.generate)
