"""``bridge``: a table of commands. A command's module is imported when that command is called, and no other."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn


class Verb(NamedTuple):
    """A command: the module that holds it as ``command``, or several of them as ``group``, and its line of help."""

    module: str
    line: str


VERBS = {
    "run": Verb("bridge.cli.run", "Evaluate models on datasets and write one report."),
    "plan": Verb("bridge.cli.plan", "Show the jobs and files of a run without starting it."),
    "preview": Verb("bridge.cli.preview", "Print exactly what would be sent for a dataset's first samples."),
    "datasets": Verb("bridge.cli.datasets", "List the datasets that the backends know."),
    "data": Verb("bridge.cli.data", "Check which files of datasets are there, and fetch them when told to."),
    "backends": Verb("bridge.cli.backends", "List the backends and what each supports."),
    "env": Verb("bridge.cli.env", "Build, list, check and remove environments."),
    "report": Verb("bridge.cli.report", "Make the report of a run again from its folder."),
    "verify": Verb("bridge.cli.verify", "Check that a run's folder is whole and unchanged."),
    "view": Verb("bridge.cli.view", "Look at runs in a browser: scores, samples, comparisons."),
    "compare": Verb("bridge.cli.compare", "Compare runs sample by sample."),
    "gate": Verb("bridge.cli.gate", "Decide by a policy whether a candidate may pass."),
    "finetuned": Verb("bridge.cli.finetuned", "Evaluate what was just fine-tuned against its base."),
    "watch": Verb("bridge.cli.watch", "Evaluate a training's checkpoints as they appear."),
    "perf": Verb("bridge.cli.perf", "Measure how fast a model's server is."),
    "export": Verb("bridge.cli.export", "Write a run in the format of another tool."),
    "arena": Verb("bridge.cli.arena", "Let models meet: judges and people compare their answers."),
    "serve": Verb("bridge.cli.serve", "Deploy a model and stay, or say what an endpoint can do."),
    "import": Verb("bridge.cli.import_", "Bring in another tool's results, or its task."),
    "schema": Verb("bridge.cli.schema", "Print the JSON schema of the spec or of the report."),
    "doctor": Verb("bridge.cli.doctor", "Check that this machine has what bridge needs."),
}

HELP = """\
Usage: bridge COMMAND [OPTIONS]

  One spec, many evaluation frameworks, each in its own environment, one report.

Commands:
{commands}

Options:
  -h, --help  Show this, or with a command its own help.
  --version   Show the version.
  --debug     With any command: show the traceback of an error.

Exit codes:
  0 complete · 2 the spec or the command line is wrong · 3 an environment could not be made
  4 the model could not be served or reached · 5 a backend failed · 6 its output could not be read
  7 some samples were not answered · 130 interrupted
"""


def entry() -> NoReturn:
    arguments = sys.argv[1:]
    if "--debug" in arguments:
        arguments.remove("--debug")
        os.environ["BRIDGE_DEBUG"] = "1"
    try:
        raise SystemExit(main(arguments))
    finally:
        gc.freeze()  # what is left now needs no search for cycles, which would take a tenth of a second


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns, or raises SystemExit with, its exit code."""
    name, *rest = arguments or [""]
    if name in VERBS:
        return call(name, rest)
    if name in ("-h", "--help"):
        print(help_text(), end="")
    elif name == "--version":
        from importlib.metadata import version

        print(f"bridge {version('evalbridge')}")
    else:
        print(_unknown(name) if name else help_text(), file=sys.stderr)
        return 2
    return 0


def call(verb: str, arguments: Sequence[str]) -> int:
    from bridge.cli.app import single
    from bridge.cli.values import spread_values

    module = import_module(VERBS[verb].module)
    app = module.group if hasattr(module, "group") else single(module.command)
    app(args=spread_values(arguments), prog_name=f"bridge {verb}")
    return 0


def help_text() -> str:
    return HELP.format(commands="\n".join(f"  {name:<10}{verb.line}" for name, verb in VERBS.items()))


def _unknown(name: str) -> str:
    from bridge.errors import did_you_mean

    what = "option" if name.startswith("-") else "command"
    return f"bridge: there is no {what} {name!r} ({did_you_mean(name, VERBS) or 'bridge --help lists them'})"
