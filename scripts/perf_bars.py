"""Measures the bars of ``bridge perf`` on this machine, and writes their table into docs/perf.md.

python scripts/perf_bars.py [--tools] [--long SECONDS] [--only ACCURACY,RATES,…] [--print]
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bench import perf_bars, perf_tools  # noqa: E402

PAGE = ROOT / "docs" / "perf.md"
BEGIN, END = "<!-- bars -->", "<!-- end of bars -->"
MARKS = {True: "yes", False: "**no**", None: "–"}
STREAMS = (1, 16, 64)


def bars(only: list[str], quiet: int, long_s: float) -> Iterator[perf_bars.Bar]:
    measures = {
        "accuracy": perf_bars.accuracy,
        "rates": perf_bars.rates,
        "arrivals": perf_bars.arrivals,
        "command": perf_bars.command,
        "verdicts": lambda: perf_bars.verdicts(quiet),
        "search": perf_bars.search,
        "long": lambda: perf_bars.long(long_s),
    }
    for name, measure in measures.items():
        if name in only or not only:
            print(f"{name} …", file=sys.stderr, flush=True)
            yield from measure()


def table(found: list[perf_bars.Bar]) -> list[str]:
    rows = sorted(found, key=lambda bar: int(bar.number))
    lines = [f"| {bar.number} | {bar.what} | {bar.bar} | {bar.measured} | {MARKS[bar.holds]} |" for bar in rows]
    return ["| # | what | bar | measured | holds |", "|---|---|---|---|---|", *lines]


def tools() -> list[str]:
    lines = [
        "| streams | client | TTFT, error of the mean | “ITL” p99, error | requests/s | whole command |",
        "|---|---|---|---|---|---|",
    ]
    for streams in STREAMS:
        own = perf_bars.scene(streams)
        gap = "–" if own["gap_p99_error"] is None else f"{1e3 * own['gap_p99_error']:+.2f} ms"
        lines.append(f"| {streams} | bridge | {1e3 * own['ttft_error']:+.2f} ms | {gap} | {own['req_s']:.0f} | – |")
        for tool in perf_tools.IMPORTS:
            print(f"{tool}, {streams} streams …", file=sys.stderr, flush=True)
            with TemporaryDirectory() as folder:
                said = perf_tools.compared(tool, streams, 4 * streams, Path(folder) / "out", *perf_bars.SCENE)
            lines.append(f"| {streams} | {tool} | {_said(said)} |")
    return lines


def _said(said: perf_tools.Said) -> str:
    if said.why_not:
        return f"{said.why_not.replace('|', '/')} | | | {said.wall_s:.0f} s"
    itl = "–" if said.itl_p99_error is None else f"{said.itl_p99_error:+.1f} ms"
    return f"{said.ttft_error:+.1f} ms | {itl} | {said.req_s:.0f} | {said.wall_s:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", action="store_true", help="also other clients, each in an environment of its own")
    parser.add_argument("--long", type=float, default=600.0, metavar="SECONDS", help="length of the long run")
    parser.add_argument("--quiet", type=int, default=100, metavar="N", help="quiet runs that are judged")
    parser.add_argument("--only", default="", metavar="NAMES", help="accuracy,rates,arrivals,command,verdicts,…")
    parser.add_argument("--print", dest="show", action="store_true", help="write nothing")
    given = parser.parse_args()
    before = perf_bars.load_average()
    lines = table(list(bars([name for name in given.only.split(",") if name], given.quiet, given.long)))
    python = platform.python_version()
    lines += [
        "",
        f"Python {python}; load of the machine at the beginning {before}, at the end {perf_bars.load_average()}.",
    ]
    if given.tools:
        lines += ["", *tools()]
    text = "\n".join(lines)
    print(text)
    if not given.show:
        page = PAGE.read_text(encoding="utf-8")
        head, _, rest = page.partition(BEGIN)
        PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
