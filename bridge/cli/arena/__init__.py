"""``bridge arena``: a table of its commands, each in a module of its own that imports nothing heavy before it runs."""

from __future__ import annotations

import os
from importlib import import_module

from bridge.cli.app import several

# Ratings resample on threads of their own; those that numpy's algebra would start beside them only get in the way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

COMMANDS = {
    "run": "run",
    "plan": "plan",
    "add": "add",
    "rate": "rate",
    "import": "import_",
    "export": "export",
    "review": "review",
    "agree": "agree",
    "judge-check": "judge_check",
}
"""Command → module here, which holds it as ``command``."""

group = several("Let models meet: judges and people compare their answers, and ratings are made of it.")
for name, module in COMMANDS.items():
    group.command(name)(import_module(f"bridge.cli.arena.{module}").command)
