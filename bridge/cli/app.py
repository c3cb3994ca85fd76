"""A command, or a group of them, as an application of typer's: plain help, and errors that bridge tells itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False, "add_completion": False}
_HELP = {"help_option_names": ["-h", "--help"]}


def single(command: Callable[..., Any]) -> typer.Typer:
    app = typer.Typer(**_PLAIN)
    app.command(context_settings=_HELP)(command)
    return app


def several(text: str) -> typer.Typer:
    """A group that commands are added to; ``text`` is its help."""
    return typer.Typer(help=text, no_args_is_help=True, context_settings=_HELP, **_PLAIN)
