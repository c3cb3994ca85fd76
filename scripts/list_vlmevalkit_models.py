"""Writes ``adapters/vlmevalkit/models.json``: the models that VLMEvalKit runs in its own process, with their classes.

    ENVIRONMENT/bin/python scripts/list_vlmevalkit_models.py adapters/vlmevalkit/models.json

Run it with the interpreter of the environment with torch: without torch the classes are stand-ins. What asks a server
is left out, for servers are asked through the gateway.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ADAPTER = Path(__file__).parent.parent / "adapters" / "vlmevalkit"
sys.path.insert(0, str(ADAPTER))
from inside import launcher  # noqa: E402

kit = launcher("kit")


def models() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, preset in kit.module("config").supported_VLM.items():
        family = preset.func
        if family.__module__.startswith("vlmeval.api"):
            continue
        takes_path = "model_path" in inspect.signature(family.__init__).parameters
        given = preset.keywords.get("model_path")
        weights = given if isinstance(given, str) and " " not in given else ""
        yield name, {"class": family.__name__, "weights": weights, "takes_path": takes_path}


def main(target: Path) -> None:
    kit.load(["datasets", "torchvision?"])
    found = dict(models())
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(found.items()))
    target.write_text(f'{{"version": {json.dumps(kit.version())},\n"models": {{\n{lines}\n}}}}\n', encoding="utf-8")
    print(f"{target}: {len(found)} models")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
