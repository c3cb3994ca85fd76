"""Other clients at the same server: what they say of the first token and of the gaps, and what was true."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.perf_bars import in_a_hurry
from oracle_env import oracle

from bridge.errors import BridgeError, EnvError
from bridge.native.perf.check import post, stand_in, truth
from bridge.process import clean_env
from bridge.report.read import read_report

TOKENIZER = Path(__file__).parents[2] / "configs" / "quickstart" / "model"
PROMPT = "Count to one hundred, please. " * 8
TIMEOUT_S = 300
IMPORTS = {"evalscope": "evalscope.perf", "aiperf": "aiperf", "guidellm": "guidellm"}


@dataclass(frozen=True)
class Said:
    """Milliseconds; what the tool reported minus what was true, and its own rate."""

    tool: str
    streams: int
    ttft_error: float | None = None
    itl_p99_error: float | None = None
    req_s: float | None = None
    wall_s: float = 0.0
    why_not: str = ""


def compared(tool: str, streams: int, requests: int, folder: Path, *server: str) -> Said:
    """One run of one tool, or why there is none."""
    try:
        python = oracle(tool, IMPORTS[tool]) if tool in IMPORTS else Path(sys.executable)
    except EnvError as error:
        return Said(tool, streams, why_not=str(error).partition("\n")[0])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "prompts.txt").write_text(f"{PROMPT}\n" * requests, encoding="utf-8")
    shutil.copytree(TOKENIZER, folder / "tok")
    lines = "".join(json.dumps({"text": PROMPT, "prompt": PROMPT}) + "\n" for _ in range(requests))
    (folder / "prompts.jsonl").write_text(lines, encoding="utf-8")
    with in_a_hurry(), stand_in(*server) as url:
        post(url, "/reset")
        began = time.perf_counter()
        argv = COMMANDS[tool](python.parent, url.removesuffix("/v1"), streams, requests, folder)
        env = clean_env({"HOME": str(folder), **({} if tool == "aiperf" else {"HF_HUB_OFFLINE": "1"})})
        code, log = _ended(argv, folder, env)
        wall = time.perf_counter() - began
        if code is None:
            return Said(tool, streams, wall_s=wall, why_not=f"not done after {TIMEOUT_S} s")
        true = truth(url)
    try:
        ttft, itl, rate = READERS[tool](folder)
    except (OSError, KeyError, IndexError, ValueError, TypeError, BridgeError) as error:
        last = " ".join(log.split())[-160:]
        return Said(tool, streams, wall_s=wall, why_not=f"exit code {code}, no result ({error!r}): {last}")
    itl_error = None if itl is None or true["gap"] is None else itl - 1e3 * true["gap"]["p99"]
    return Said(tool, streams, ttft - 1e3 * true["ttft"]["mean"], itl_error, rate, wall)


def _ended(argv: list[str], folder: Path, env: dict[str, str]) -> tuple[int | None, str]:
    """Exit code, None where it was not done in time, and what it printed; none of its processes is left."""
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(argv, cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True)
        try:
            code: int | None = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return code, log.read_text(encoding="utf-8", errors="replace")


def _bridge(bin_: Path, url: str, streams: int, requests: int, folder: Path) -> list[str]:
    return [
        *(str(bin_ / "bridge"), "perf", "--url", f"{url}/v1", "--model", "mock-model", "--closed", str(streams)),
        *("--requests", str(requests), "--output", "64", "--set", "perf.warmup.requests=0", "-q"),
        *("--prompts", str(folder / "prompts.jsonl"), "--dir", str(folder / "out")),
    ]


def _evalscope(bin_: Path, url: str, streams: int, requests: int, folder: Path) -> list[str]:
    return [
        *(str(bin_ / "evalscope"), "perf", "--url", f"{url}/v1/chat/completions", "--api", "openai"),
        *("--model", "mock-model", "--dataset", "line_by_line", "--dataset-path", "prompts.txt"),
        *("--number", str(requests), "--max-tokens", "64", "--stream", "--outputs-dir", str(folder / "out")),
        *("--no-test-connection", "--parallel", str(streams)),
    ]


def _aiperf(bin_: Path, url: str, streams: int, requests: int, folder: Path) -> list[str]:
    return [
        *(str(bin_ / "aiperf"), "profile", "-m", "mock-model", "--tokenizer", "tok", "--url", url),
        *("--endpoint-type", "chat", "--streaming", "--request-count", str(requests), "--input-file", "prompts.jsonl"),
        *("--custom-dataset-type", "single_turn", "--use-server-token-count", "--ui", "none", "--no-auto-plot"),
        *("--artifact-dir", str(folder / "out"), "--concurrency", str(streams)),
    ]


def _guidellm(bin_: Path, url: str, streams: int, requests: int, folder: Path) -> list[str]:
    return [
        *(str(bin_ / "guidellm"), "run", "--disable-console"),
        *("--backend", f"kind=openai_http,target={url},model=mock-model,request_format=/v1/chat/completions"),
        *("--data", "kind=json_file,path=prompts.jsonl", "--profile", f"kind=concurrent,streams={streams}"),
        *("--constraint", f"kind=max_requests,count={requests}", "--output", f"kind=json,path={folder}/g.json"),
    ]


Numbers = tuple[float, float | None, float]


def _read_bridge(folder: Path) -> Numbers:
    report = read_report(folder / "out" / "report.json")
    found = {row.metric: row.value for row in report.results if row.subset}
    gap = found["gap.p99"]
    return 1e3 * float(found["ttft.mean"] or "nan"), gap and 1e3 * gap, float(found["req_s.wall"] or "nan")


def _read_evalscope(folder: Path) -> Numbers:
    rows = _json(_only(folder, "benchmark_percentile.json"))
    summary = _json(_only(folder, "benchmark_summary.json"))
    at = {row["Percentiles"]: row for row in rows}
    return summary["Avg TTFT (ms)"], at["99%"]["ITL (ms)"], summary["Req Throughput (req/s)"]


def _read_aiperf(folder: Path) -> Numbers:
    found = _json(_only(folder, "profile_export_aiperf.json"))
    itl = found.get("inter_token_latency", {}).get("p99")
    return found["time_to_first_token"]["avg"], itl, found["request_throughput"]["avg"]


def _read_guidellm(folder: Path) -> Numbers:
    found = _json(folder / "g.json")["benchmarks"][0]["metrics"]
    itl = found["inter_token_latency_ms"]["successful"]["percentiles"]["p99"]
    ttft = found["time_to_first_token_ms"]["successful"]["mean"]
    return ttft, itl, found["requests_per_second"]["successful"]["mean"]


def _only(folder: Path, name: str) -> Path:
    found = list(folder.glob(f"out/**/{name}"))
    if not found:
        raise FileNotFoundError(name)
    return found[0]


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


COMMANDS: dict[str, Callable[[Path, str, int, int, Path], list[str]]] = {
    "bridge": _bridge,
    "evalscope": _evalscope,
    "aiperf": _aiperf,
    "guidellm": _guidellm,
}
READERS: dict[str, Callable[[Path], Numbers]] = {
    "bridge": _read_bridge,
    "evalscope": _read_evalscope,
    "aiperf": _read_aiperf,
    "guidellm": _read_guidellm,
}
