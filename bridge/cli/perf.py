"""``bridge perf``"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.ending import ended, failure_as_json
from bridge.cli.given import ApiKeyEnv, Model, Overrides
from bridge.errors import Problem, SpecError

if TYPE_CHECKING:
    from bridge.report.schema import Report
    from bridge.spec_file.perf import PerfSource

Text = str | None


@ended
def command(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="SPEC", help="A spec with 'perf:'; or 'check': what this machine can measure."),
    ] = None,
    base_url: Annotated[
        Text, typer.Option("--url", "--base-url", metavar="URL", help="Without a spec: the server, up to /v1.")
    ] = None,
    model: Model = None,
    closed: Annotated[Text, typer.Option(metavar="N,…", help="So many users at a time: 1,16,64.")] = None,
    open_: Annotated[Text, typer.Option("--open", metavar="RATE,…", help="So many requests a second: 2,5,10.")] = None,
    arrivals: Annotated[Text, typer.Option(help="Of --open: poisson, constant or gamma.")] = None,
    trace: Annotated[Text, typer.Option(metavar="FILE", help="Arrivals that were recorded.")] = None,
    input_tokens: Annotated[int | None, typer.Option("--input", metavar="TOKENS", help="Length of a prompt.")] = None,
    output_tokens: Annotated[Text, typer.Option("--output", metavar="TOKENS", help="Length of an answer.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Ask for exactly so many tokens (ignore_eos).")] = False,
    prompts: Annotated[Text, typer.Option(metavar="FILE", help="Prompts of one's own, as JSON lines.")] = None,
    requests: Annotated[int | None, typer.Option(metavar="N", help="Requests of each load point.")] = None,
    duration: Annotated[Text, typer.Option(metavar="TIME", help="Time of each load point: 60s.")] = None,
    slo: Annotated[
        Text, typer.Option(metavar="NAME=TIME,…", help="What a good request keeps: ttft=500ms,tpot=50ms.")
    ] = None,
    workers: Annotated[Text, typer.Option(metavar="N", help="Processes that ask; default: as many as needed.")] = None,
    api_key_env: ApiKeyEnv = None,
    overrides: Overrides = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", "-d", metavar="DIR", help="Folder of the run; one that exists is gone on with."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: report, status, exit_code.")] = False,
) -> int:
    """Measure how fast a model's server is, and how well that could be measured.

    bridge perf spec.yaml

    bridge perf --url http://127.0.0.1:8000/v1 --model NAME --closed 1,16,64 --input 512 --output 128

    bridge perf check

    The same command with the same --dir keeps the load points that are done. Exit code 7: requests failed, or this
    client was too slow, and which.
    """
    if str(spec) == "check":
        from bridge.cli.perf_check import check

        return check(as_json=as_json)
    given = _given(base_url, model, closed, open_, arrivals, trace, input_tokens, output_tokens, exact, prompts)
    given |= _given_besides(requests, duration, slo, workers, api_key_env)
    with failure_as_json(as_json):
        report, root = _run(_source(spec, given, overrides or []), folder, quiet)
    if as_json or not quiet:
        _print(report, root, as_json)
    if report.exit_code and folder is None and not quiet:
        _how_to_go_on(root)
    return report.exit_code


def _how_to_go_on(root: Path) -> None:
    again = shlex.join(["bridge", *sys.argv[1:], "--dir", str(root)])
    print(f"to go on with this run: {again}", file=sys.stderr)


def _given(
    base_url: Text,
    model: Text,
    closed: Text,
    open_: Text,
    arrivals: Text,
    trace: Text,
    input_tokens: int | None,
    output_tokens: Text,
    exact: bool,
    prompts: Text,
) -> dict[str, Any]:
    load = {"closed": _numbers("--closed", closed), "open": _numbers("--open", open_)}
    loads: list[dict[str, Any]] = [{kind: numbers} for kind, numbers in load.items() if numbers]
    if arrivals and load["open"]:
        loads[-1]["arrivals"] = arrivals
    loads += [{"trace": trace}] if trace else []
    return {
        "--model": (("model", "name"), model),
        "--url": (("model", "endpoint", "base_url"), base_url),
        "--closed, --open or --trace": (("perf", "load"), loads or None),
        "--input": (("perf", "prompts", "input_tokens"), input_tokens),
        "--output": (("perf", "output", "max_tokens"), _tokens(output_tokens)),
        "--exact": (("perf", "output", "exact"), exact or None),
        "--prompts": (("perf", "prompts"), {"kind": "jsonl", "path": prompts} if prompts else None),
    }


def _given_besides(requests: int | None, duration: Text, slo: Text, workers: Text, api_key_env: Text) -> dict[str, Any]:
    return {
        "--requests": (("perf", "stop", "requests"), requests),
        "--duration": (("perf", "stop", "duration"), duration),
        "--slo": (("perf", "slo"), _pairs(slo)),
        "--workers": (("perf", "workers"), int(workers) if workers and workers.isdecimal() else workers),
        "--api-key-env": (("model", "endpoint", "api_key_env"), api_key_env),
    }


def _numbers(flag: str, text: Text) -> list[int | float] | None:
    if text is None:
        return None
    try:
        return [int(part) if part.strip().isdecimal() else float(part) for part in text.split(",")]
    except ValueError:
        raise SpecError([Problem(flag, "", f"is {text!r}; numbers are needed", f"{flag} 1,16,64")]) from None


def _tokens(text: Text) -> int | None:
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    message = f"is {text!r}; a number of tokens is needed"
    raise SpecError([Problem("--output", "", message, "the folder of the run is given with --dir")])


def _pairs(text: Text) -> dict[str, str] | None:
    if text is None:
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    if any(not equals for _, equals, _ in pairs):
        raise SpecError([Problem("--slo", "", f"is {text!r}", "--slo ttft=500ms,tpot=50ms")])
    return {name.strip(): value.strip() for name, _, value in pairs}


def _source(spec: Path | None, given: dict[str, Any], overrides: list[str]) -> PerfSource:
    from bridge.spec_file.perf import perf_spec_from_flags, read_perf_spec

    if spec is None:
        needed = ("--url", "--model", "--closed, --open or --trace")
        if missing := [flag for flag in needed if given[flag][1] is None]:
            hint = "without a spec, --url, --model and --closed, --open or --trace are needed"
            raise SpecError([Problem(flag, "", "is missing", hint) for flag in missing])
        return perf_spec_from_flags(given, overrides)
    if extra := [flag for flag, (_, value) in given.items() if value is not None]:
        hint = "with one: --set perf.stop.requests=…"
        raise SpecError([Problem(flag, "", "is for a test without a spec", hint) for flag in extra])
    return read_perf_spec(spec, overrides)


def _run(source: PerfSource, folder: Path | None, quiet: bool) -> tuple[Report, Path]:
    from bridge.cli.progress import watching
    from bridge.perf_run import default_output, run_perf

    root = folder or default_output(source.spec)
    with source.places_named(), watching(quiet) as watcher:
        return run_perf(source.spec, output=root, watcher=watcher, argv=["bridge", *sys.argv[1:]]), root


def _print(report: Report, root: Path, as_json: bool) -> None:
    if as_json:
        from bridge.cli.run import print_outcome

        print_outcome(report, root, as_json)
        return
    from rich.console import Console

    from bridge.report.perf_table import perf_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(perf_table(report, root))
