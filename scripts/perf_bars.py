"""Measures the bars of ``bridge perf`` on this machine, and writes their table into docs/perf.md.

python scripts/perf_bars.py [--tools] [--real-time] [--quick] [--only ACCURACY,RATES,…] [--print]

About 15 minutes, with --tools about 25; --quick, which measures the same with fewer runs and a shorter long one, 3.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bench import perf_bars, perf_tools  # noqa: E402

PAGE = ROOT / "docs" / "perf.md"
BEGIN, END = "<!-- bars -->", "<!-- end of bars -->"
MARKS = {True: "yes", False: "**no**", None: "–"}
Measure = Callable[[], Iterator[perf_bars.Bar]]


def timed(quiet: int) -> dict[str, Measure]:
    """Where microseconds count, or that nothing else runs."""
    return {
        "accuracy": perf_bars.accuracy,
        "rates": perf_bars.rates,
        "arrivals": perf_bars.arrivals,
        "command": perf_bars.command,
        "verdicts": lambda: perf_bars.verdicts(quiet),
    }


def longer(long_s: float) -> dict[str, Measure]:
    return {
        "cost": perf_bars.cost,
        "search": perf_bars.search,
        "long": lambda: perf_bars.long(long_s),
    }


def rows(measures: dict[str, Measure]) -> Iterator[str]:
    """Lines of the table. A bar that cannot be measured is told, and takes no other with it."""
    for name, measure in measures.items():
        before = os.getloadavg()[0]
        try:
            for bar in measure():
                yield _row(bar, before)
        except (AssertionError, OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
            last = (str(error).strip() or type(error).__name__).splitlines()[-1][:200]
            yield _row(perf_bars.Bar("–", name, "", f"not measured: {last.replace('|', '/')}", None), before)


def _row(bar: perf_bars.Bar, load: float) -> str:
    row = f"| {bar.number} | {bar.what} | {bar.bar} | {bar.measured} | {MARKS[bar.holds]} | {load:.1f} |"
    print(row, file=sys.stderr, flush=True)
    return row


def table(found: list[str]) -> list[str]:
    ordered = sorted(found, key=lambda row: int(first) if (first := row.split("|")[1].strip()).isdigit() else 99)
    return ["| # | what | bar | measured | holds | load before |", "|---|---|---|---|---|---|", *ordered]


def tools(streams: tuple[int, ...]) -> list[str]:
    lines = [
        "| streams | client | TTFT, error of the mean | “ITL” p99, error | requests/s | whole command | load before |",
        "|---|---|---|---|---|---|---|",
    ]
    for many in streams:
        for tool in perf_tools.COMMANDS:
            before = os.getloadavg()[0]
            with TemporaryDirectory() as folder:
                requests = max(10, 4 * many)
                said = perf_tools.compared(tool, many, requests, Path(folder) / "out", *perf_bars.SCENE)
            lines.append(f"| {many} | {tool} | {_said(said)} | {before:.1f} |")
            print(lines[-1], file=sys.stderr, flush=True)
    return lines


def _said(said: perf_tools.Said) -> str:
    if said.why_not:
        return f"{said.why_not.replace('|', '/')} | | | {said.wall_s:.0f} s"
    itl = "–" if said.itl_p99_error is None else f"{said.itl_p99_error:+.2f} ms"
    return f"{said.ttft_error:+.2f} ms | {itl} | {said.req_s:.0f} | {said.wall_s:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", action="store_true", help="also other clients, each in an environment of its own")
    parser.add_argument("--real-time", action="store_true", help="bars 1 to 5, 7 and 8 past all other work")
    parser.add_argument("--quick", action="store_true", help="20 quiet runs, 30 s, tools at 1 and 256 streams")
    parser.add_argument("--only", default="", metavar="NAMES", help="accuracy,rates,arrivals,command,verdicts,…")
    parser.add_argument("--print", dest="show", action="store_true", help="write nothing")
    given = parser.parse_args()
    before = perf_bars.load_average()
    names = [name for name in given.only.split(",") if name]

    def chosen(measures: dict[str, Measure]) -> dict[str, Measure]:
        return {name: measure for name, measure in measures.items() if name in names or not names}

    first: AbstractContextManager[None] = perf_bars.in_real_time() if given.real_time else nullcontext()
    with first:
        found = list(rows(chosen(timed(20 if given.quick else 100))))
    found += rows(chosen(longer(30.0 if given.quick else 600.0)))
    command = " ".join(["python", "scripts/perf_bars.py", *sys.argv[1:]])
    lines = [
        f"`{command}`:",
        "",
        *table(found),
        "",
        f"Python {platform.python_version()}; load of the machine at the beginning {before}, "
        f"at the end {perf_bars.load_average()}.",
    ]
    if given.tools:
        lines += ["", *tools((1, 256) if given.quick else perf_bars.STREAMS)]
    text = "\n".join(lines)
    print(text)
    if not given.show:
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
