"""``bridge arena``: a table of its commands, each in a module of its own that imports nothing heavy before it runs."""

from __future__ import annotations

import os
from importlib import import_module

import typer

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

group = typer.Typer(
    help="Let models meet: judges and people compare their answers, and ratings are made of it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, module in COMMANDS.items():
    group.command(name)(import_module(f"bridge.cli.arena.{module}").command)
