"""``bridge``: a table of commands. A command's module is imported when that command is called, and no other."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, NamedTuple, NoReturn

import typer

from bridge.cli.values import spread_values


class Verb(NamedTuple):
    """A command: the module that holds it as ``command``, or several of them as ``group``, and its line of help."""

    module: str
    line: str
    """At most 60 characters, so that it fits."""


VERBS = {
    "run": Verb("bridge.cli.run", "Evaluate models on datasets and write one report."),
    "plan": Verb("bridge.cli.plan", "Show the jobs and files of a run without starting it."),
    "datasets": Verb("bridge.cli.datasets", "List the datasets that the backends know."),
    "backends": Verb("bridge.cli.backends", "List the backends and what each supports."),
    "env": Verb("bridge.cli.env", "Build, list, check and remove environments."),
    "report": Verb("bridge.cli.report", "Make the report of a run again from its folder."),
    "schema": Verb("bridge.cli.schema", "Print the JSON schema of the spec or of the report."),
    "doctor": Verb("bridge.cli.doctor", "Check that this machine has what bridge needs."),
}


def entry() -> NoReturn:
    arguments = sys.argv[1:]
    if "--debug" in arguments:
        arguments.remove("--debug")
        os.environ["BRIDGE_DEBUG"] = "1"
    name = Path(sys.argv[0]).name
    application(called(arguments))(args=spread_values(arguments), prog_name=name if name == "evalbridge" else "bridge")
    raise SystemExit(0)


def called(arguments: Sequence[str]) -> str | None:
    """The command that is called; None where there is none."""
    return next((argument for argument in arguments if not argument.startswith("-")), None)


def application(verb: str | None) -> typer.Typer:
    """The command line in which ``verb`` is whole and every other command is its name and its line of help."""
    app = typer.Typer(
        help="Evaluate one model on many benchmarks through many frameworks, with one report.",
        epilog="Documentation: docs/quickstart.md. Exit codes: 0 complete, 2 wrong spec or command line, 3 environment,"
        " 4 model, 5 backend, 6 output, 7 some samples were not answered, 130 interrupted.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, (module, line) in VERBS.items():
        if name != verb:
            app.command(name, help=line)(_elsewhere)
            continue
        found = import_module(module)
        if hasattr(found, "group"):
            app.add_typer(found.group, name=name, help=line)
        else:
            app.command(name, short_help=line)(found.command)
    return app


def _elsewhere() -> None:
    raise AssertionError("a command that is called is never registered by its name alone")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"bridge {version('evalbridge')}")
        raise typer.Exit


def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error that is a bug.")] = False,
) -> None:
    """``--debug`` is taken by ``entry``, which finds it at any place; here it has its line of help."""
