"""``bridge view`` over 2 × 200,000 samples: first page, every page, memory, index; beside reading the JSONL whole.

pytest -m bench tests/bench/test_view_bench.py -s
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from fakes import make_model, make_report, make_row, make_run
from runs import write

from bridge.report.read import read_report
from bridge.report.sample_index import index_path, sources, write_index

pytestmark = pytest.mark.bench
SAMPLES = 200_000
SUBSETS = 57
PASSAGE = "Word salad of a passage that goes on and on. " * 18


def write_big_run(root: Path, model: str, seed: int) -> None:
    path = root / "samples" / "native" / "mmlu.jsonl"
    path.parent.mkdir(parents=True)
    luck, right, failed = random.Random(seed), 0, 0
    with path.open("wb") as file:
        for at in range(SAMPLES):
            fails, good = luck.random() < 0.002, luck.random() < 0.64
            right, failed = right + (good and not fails), failed + fails
            file.write(_line(model, at, fails=fails, good=good, length=luck.random()))
    n = SAMPLES - failed
    row = make_row(
        model=model, dataset="mmlu", value=right / n, n=n, n_errors=failed, samples="samples/native/mmlu.jsonl"
    )
    write(root, make_report(run=make_run(id=model, name=model), models=(make_model(name=model),), results=(row,)))


def _line(model: str, at: int, *, fails: bool, good: bool, length: float) -> bytes:
    letter = "A" if good else "B"
    record = {
        "model": model,
        "dataset": "mmlu",
        "subset": f"subject {at % SUBSETS}",
        "sample_id": str(at // SUBSETS),
        "input": f"{PASSAGE}Question {at}? A, B, C or D?",
        "prompt_sha256": f"{at:064x}",
        "target": "A",
        "response": None if fails else f"Let me think about {at}. " * int(2 + 12 * length) + letter,
        "extracted": None if fails or length > 0.99 else letter,
        "scores": {} if fails else {"accuracy": float(good)},
        "error": "HTTP 500" if fails else None,
        "usage": {"prompt_tokens": 200, "completion_tokens": int(10 + 100 * length)},
        "latency_s": length,
        "finish_reason": "length" if length > 0.98 else "stop",
    }
    return orjson.dumps(record) + b"\n"


class Program:
    """A running ``bridge view``."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [Path(sys.executable).parent / "bridge", "view", folder, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BRIDGE_HOME": str(home)},
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip().rstrip("/")
        self.first_page_s = self.get("/")[2] - self.started
        self.first_page_cpu_s = self.cpu_s

    def get(self, path: str) -> tuple[str, float, float]:
        """The page, the milliseconds at the server, and when it was there."""
        with urllib.request.urlopen(self.address + path) as answer:
            text = answer.read().decode()
            return text, float(answer.headers["Server-Timing"].partition("dur=")[2]), time.perf_counter()

    def made(self, path: str) -> float:
        """Seconds until the page is not being made any more."""
        before = time.perf_counter()
        while 'http-equiv="refresh"' in self.get(path)[0]:
            time.sleep(0.05)
        return time.perf_counter() - before

    @property
    def cpu_s(self) -> float:
        """What the program itself has used: the same whatever else the machine does."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def timed(what: str, work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    took = time.perf_counter() - before
    print(f"  {what:<66}{took:8.2f} s")
    return took


def read_whole(path: Path) -> int:
    with path.open("rb") as lines:
        return len([orjson.loads(line) for line in lines])


def test_two_hundred_thousand_samples_twice(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for seed, model in enumerate(("base", "sft")):
        write_big_run(runs / model, model, seed)
    files = sources(read_report(runs / "base"), runs / "base")
    size = files[0].path.stat().st_size / 1e6
    print(f"\n2 x {SAMPLES:,} samples, {2 * size:,.0f} MB")
    timed("reading one JSONL whole (what a viewer without an index does)", lambda: read_whole(files[0].path))
    timed("its index, as `bridge run` writes it (goal 8 s)", lambda: write_index(files, index_path(runs / "base")))
    print(f"  {'index':<66}{index_path(runs / 'base').stat().st_size / 1e6:8.1f} MB")
    program = Program(runs, tmp_path / "home")
    try:
        print(f"  {'process start to first page, no template compiled (goal 0.5 s)':<66}{program.first_page_s:8.2f} s")
        print(f"  {'index made on demand by the first page':<66}{program.made(page_of('sft')):8.2f} s")
        print(f"  {'comparison of the two':<66}{program.made('/compare?side=base&side=sft'):8.2f} s")
        show_pages(program)
        print(f"  {'memory of the server, at its largest (goal 60 MB)':<66}{program.peak_mb:8.1f} MB")
        assert program.peak_mb <= size / 2, "pages are made from the index and a few records"
    finally:
        program.stop()
    again = Program(runs, tmp_path / "home")
    again.stop()
    print(f"  {'process start to first page, the second time (goal 0.5 s)':<66}{again.first_page_s:8.2f} s")
    print(f"  {'of it the processor was used for':<66}{again.first_page_cpu_s:8.2f} s")


def page_of(model: str, rest: str = "") -> str:
    return f"/runs/{model}/datasets/mmlu.native.{model}{rest}"


PAGES = {
    "runs": "/",
    "run": "/runs/base",
    "dataset": page_of("base"),
    "samples": page_of("base", "/samples"),
    "samples, wrong, in one subset": page_of("base", "/samples?state=wrong&subset=subject+3"),
    "samples, errors": page_of("base", "/samples?state=error"),
    "samples, from the 180,000th": page_of("base", "/samples?after=180000"),
    "samples with a common text": page_of("base", "/samples?q=think+about+12"),
    "samples with a text that none has": page_of("base", "/samples?q=zzzz"),
    "one sample": page_of("base", "/samples/177777"),
    "comparison, made": "/compare?side=base&side=sft",
    "flips": "/flips?side=base&side=sft&against=0&dataset=0&kind=lost",
    "flips, from the 20,000th": "/flips?side=base&side=sft&against=0&dataset=0&kind=won&after=60000",
}


def show_pages(program: Program) -> None:
    """The first time, with what it loads, and the median of five more; at the server."""
    print(f"  {'page, at the server (goal 100 ms)':<46}{'first':>14}{'then':>14}")
    for name, path in PAGES.items():
        text, first, _ = program.get(path)
        assert "<h1" in text or 'id="browse"' in text, name
        then = sorted(program.get(path)[1] for _ in range(5))[2]
        print(f"  {name:<46}{first:>11.1f} ms{then:>11.1f} ms")
