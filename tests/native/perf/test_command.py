"""``bridge perf`` from beginning to end, against a server in this process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command import Done, bridge
from stream_mock import Odd, streaming

from bridge.report.read import read_report, samples
from bridge.report.schema import Report, Status

SHORT = ("--input", 16, "--output", 8, "--requests", 40)


def perf(url: str, folder: Path, *arguments: object) -> Done:
    return bridge("perf", "--url", url, "--model", "mock-model", *SHORT, "--dir", folder, "-q", *arguments)


def report_of(folder: Path) -> Report:
    return read_report(folder / "report.json")


def values(report: Report, subset: str | None) -> dict[str, float | None]:
    return {row.metric: row.value for row in report.results if row.subset == subset}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A run over two loads, and how many requests the server saw."""
    folder = tmp_path_factory.mktemp("perf") / "run"
    odd = Odd(ttft=0.02)
    with streaming(odd) as server:
        done = perf(server.url, folder, "--closed", "1,4", "--slo", "ttft=1s,e2e=2s")
        assert done.exit_code in (0, 7), done.stderr
        seen = len(odd.asked)
        again = perf(server.url, folder, "--closed", "1,4", "--slo", "ttft=1s,e2e=2s")
        assert again.exit_code == done.exit_code
        assert len(odd.asked) <= seen + 2, "points that are done are not measured again"
    return folder, seen


def test_a_sweep_is_a_report(swept: tuple[Path, int]) -> None:
    folder, seen = swept
    report = report_of(folder)
    assert seen == 2 + 1 + 40 + 4 + 40  # two to see how prompts are counted, a warm-up for each user
    primary = [row for row in report.results if row.primary]
    assert [(row.dataset, row.subset, row.metric) for row in primary] == [("perf", None, "output_tok_s")]
    found = values(report, "closed=4")
    assert 0.019 < (found["ttft.mean"] or 0) < 0.2
    assert found["error_share"] == 0.0
    assert (found["goodput"] or 0) > 0.9
    assert found["itl.p50"] == found["gap.p50"]
    assert "ttft_planned.p50" not in found
    assert found["ttft.p99"] is None
    [row] = [row for row in report.results if (row.subset, row.metric) == ("closed=4", "ttft.p99")]
    assert row.reason == "40 samples; this percentile needs 500"
    assert (row.unit, row.higher_is_better) == ("seconds", False)
    assert {"load", "clock", "client", "input_tokens", "output_tokens", "token_source"} <= set(row.settings)


def test_every_request_is_a_line(swept: tuple[Path, int]) -> None:
    folder, _ = swept
    [path] = {row.samples for row in report_of(folder).results if row.subset == "closed=4"}
    assert path == "samples/native/perf-closed-4.jsonl"
    records = list(samples(folder / path))
    assert len(records) == 44
    assert all(len(record.metadata["gaps_us"]) == 7 for record in records)
    assert sum(bool(record.metadata.get("warm")) for record in records) == 4


def test_the_page_shows_it(swept: tuple[Path, int]) -> None:
    page = (swept[0] / "report.html").read_text(encoding="utf-8")
    assert '<section id="perf">' in page
    for title in ("Time to first token", "Throughput", "Distribution of the gaps", "The first requests", "In flight"):
        assert title in page
    assert not re.search(r"\sstyle=|NaN|nan ", page.partition('<section id="perf">')[2].partition("</section>")[0])


def test_the_folder_is_whole(swept: tuple[Path, int]) -> None:
    done = bridge("verify", swept[0])
    assert done.exit_code == 0, done.stdout


def test_the_report_can_be_made_again(swept: tuple[Path, int]) -> None:
    before = report_of(swept[0])
    assert bridge("report", swept[0]).exit_code == before.exit_code
    assert report_of(swept[0]).results == before.results


def test_an_open_load_and_a_trace_from_a_spec(tmp_path: Path) -> None:
    lines = [{"timestamp": 20 * n, "input_length": 20 + n, "output_length": 4, "hash_ids": []} for n in range(10)]
    (tmp_path / "trace.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    with streaming(Odd(tokens=0)) as server:
        spec = {
            "model": {"name": "mock-model", "endpoint": {"base_url": server.url}},
            "perf": {
                "prompts": {"input_tokens": 16},
                "output": {"max_tokens": 8},
                "load": [{"open": [100], "arrivals": "constant"}, {"trace": "trace.jsonl", "speed": 2}],
                "stop": {"requests": 50},
                "workers": 2,
            },
        }
        (tmp_path / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        done = bridge("perf", tmp_path / "spec.json", "--dir", tmp_path / "run", "-q")
    assert done.exit_code in (0, 7), done.stderr
    report = report_of(tmp_path / "run")
    opened = values(report, "open=100 constant")
    assert (opened["ttft_planned.mean"] or 0) >= (opened["ttft.mean"] or 1)
    assert 70 < (opened["req_s"] or 0) < 120
    assert (values(report, "trace=trace.jsonlx2")["ttft.mean"] or 0) > 0
    [row] = [r for r in report.results if (r.subset, r.metric) == ("trace=trace.jsonlx2", "ttft.mean")]
    assert (row.n, row.settings["output_tokens"], row.settings["workers"]) == (10, 4.0, 2)


def test_a_search_answers(tmp_path: Path) -> None:
    """Four are served at a time, 20 ms each: with more users than that the first token waits."""
    with streaming(Odd(ttft=0.02, gap=0.0, tokens=1), slots=4) as server:
        done = bridge(
            *(
                "perf",
                "--url",
                server.url,
                "--model",
                "mock-model",
                "--closed",
                "1",
                *SHORT,
                "--dir",
                tmp_path / "run",
                "-q",
            ),
            *("--set", "perf.search={over: closed, until: {ttft.p50: '<= 30ms'}, range: [1, 16]}"),
            *("--set", "perf.load=[{closed: [2]}]"),
        )
    assert done.exit_code in (0, 7), done.stderr
    report = report_of(tmp_path / "run")
    [primary] = [row for row in report.results if row.primary]
    assert primary.metric == "max_closed"
    if primary.value is None:
        assert "ours, not the server's" in (primary.reason or "")
    else:
        assert 3 <= primary.value <= 5


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with streaming() as server:
        url = server.url
    began = time.monotonic()
    done = bridge("perf", "--url", url, "--model", "m", "--closed", "4", "--dir", tmp_path / "run", "-q")
    assert done.exit_code == 4
    unasked = ("--set", "model.endpoint.probe=false")
    done = bridge("perf", "--url", url, "--model", "m", "--closed", "4", "--dir", tmp_path / "two", "-q", *unasked)
    assert done.exit_code == 4
    assert time.monotonic() - began < 10


def test_a_server_that_dies_half_way(tmp_path: Path) -> None:
    with streaming(Odd(ttft=0.05)) as server:
        argv = ["perf", "--url", server.url, "--model", "mock-model", *map(str, SHORT), "--closed", "2,4,8"]
        with started([*argv, "--requests", "60", "--dir", str(tmp_path)]) as process:
            wait_for(tmp_path / "jobs" / "perf" / "points" / "closed-2" / "point.json")
            time.sleep(0.3)
            server.stop()
            assert process.wait(30) == 7
    report = report_of(tmp_path)
    assert report.status is Status.PARTIAL
    assert values(report, "closed=2")["error_share"] == 0.0
    told = " ".join(error.message for error in report.errors)
    assert "the server is gone" in told
    assert "closed=8: not measured" in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_what_is_done_is_kept_whatever_ends_it(tmp_path: Path, number: int, code: int) -> None:
    odd = Odd(ttft=0.03)
    with streaming(odd) as server:
        argv = ["perf", "--url", server.url, "--model", "mock-model", *map(str, SHORT), "--closed", "4,2"]
        argv += ["--dir", str(tmp_path), "--requests", "16"]
        with started(argv) as process:
            wait_for(tmp_path / "jobs" / "perf" / "points" / "closed-4" / "point.json")
            time.sleep(0.2)
            process.send_signal(number)
            assert process.wait(30) == code
        if number != signal.SIGKILL:
            assert values(report_of(tmp_path), "closed=4")["error_share"] == 0.0
        time.sleep(0.5)
        before = len(odd.asked)
        assert bridge(*argv, "-q").exit_code in (0, 7)
        assert len(odd.asked) - before == 2 + 2 + 16, "only the point that was broken is measured again"
    assert {row.subset for row in report_of(tmp_path).results} == {None, "closed=2", "closed=4"}


def test_nothing_good_is_null_with_a_reason(tmp_path: Path) -> None:
    with streaming(Odd(fail_every=1)) as server:
        done = perf(server.url, tmp_path / "run", "--closed", "2")
    assert done.exit_code == 7
    report = report_of(tmp_path / "run")
    assert report.status is Status.FAILED
    found = values(report, "closed=2")
    assert found["ttft.mean"] is None
    assert found["error_share"] == 1.0
    assert {error.message.partition(":")[0] for error in report.errors if "http" in error.message} == {"closed=2"}


def test_half_of_all_requests_failing_is_no_success(tmp_path: Path) -> None:
    with streaming(Odd(in_band_every=2)) as server:
        assert perf(server.url, tmp_path / "run", "--closed", "2").exit_code == 7
    [row] = [r for r in report_of(tmp_path / "run").results if r.primary]
    assert row.status is Status.PARTIAL
    assert row.n_errors in (20, 21)


def test_too_few_open_files_are_told_before_the_start(tmp_path: Path) -> None:
    with streaming() as server:
        program = Path(sys.executable).with_name("bridge")
        asked = ("perf", "--url", server.url, "--model", "mock-model", "--closed", "300", "-d", tmp_path)
        argv = ["prlimit", "--nofile=200:200", str(program), *map(str, asked)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "needs 300 connections, and this process may have 200 files open" in done.stderr


def test_proxies_are_not_used_for_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with streaming() as server:
        assert perf(server.url, tmp_path / "run", "--closed", "2").exit_code in (0, 7)
    assert values(report_of(tmp_path / "run"), "closed=2")["error_share"] == 0.0


def test_tls_with_a_ca_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    cert, key = tmp_path / "c.pem", tmp_path / "k.pem"
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-nodes", "-days", "2")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", *names, "-keyout", str(key), "-out", str(cert))
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    with streaming(Odd(ttft=0.02), tls=context) as server:
        refused = perf(server.url, tmp_path / "no", "--closed", "2")
        assert refused.exit_code == 4
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        argv = ["perf", "--url", server.url, "--model", "mock-model", *map(str, SHORT), "--closed", "2"]
        with started([*argv, "-d", str(tmp_path / "run")]) as process:
            assert process.wait(30) in (0, 7)
    report = report_of(tmp_path / "run")
    assert values(report, "closed=2")["error_share"] == 0.0
    assert next(row for row in report.results if row.subset).settings["clock"] == "kernel"


def test_wrong_specs_are_told_all_at_once(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "model: {name: m, endpoint: {base_url: 'http://127.0.0.1:1/v1'}}\n"
        "perf:\n  load:\n    - {closed: [0], open: [1]}\n  stop: {duration: 60}\n  slo: {ttft: 5 sec}\n  sed: 3\n",
        encoding="utf-8",
    )
    done = bridge("perf", spec)
    assert done.exit_code == 2
    for place in (":4", ":5", ":6", ":7"):
        assert f"spec.yaml{place}" in done.stderr
    assert "did you mean 'seed'?" in done.stderr
    assert "500ms, 60s, 2m" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "m"), "--url: is missing"),
        (("--url", "http://x/v1", "--model", "m", "--closed", "a"), "numbers are needed"),
        (
            ("--url", "http://x/v1", "--model", "m", "--closed", "1", "--output", "runs/x"),
            "the folder of the run is given with --dir",
        ),
        (("--url", "http://x/v1", "--model", "m", "--closed", "1", "--slo", "ttft"), "--slo ttft=500ms"),
        (("--url", "http://x/v1", "--model", "m", "--closed", "1", "--workers", "many"), "workers"),
    ],
)
def test_wrong_options(arguments: tuple[str, ...], said: str) -> None:
    done = bridge("perf", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_specs_of_the_other_kind_are_sent_to_their_command(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "perf.yaml", tmp_path / "run.yaml"
    mine.write_text("perf: {load: [{closed: [1]}]}\n", encoding="utf-8")
    theirs.write_text("datasets: [gsm8k]\n", encoding="utf-8")
    assert "bridge perf SPEC" in bridge("run", mine).stderr
    assert "bridge run SPEC" in bridge("perf", theirs).stderr


# What goes on outside this process --------------------------------------------------------------------------------


class started:
    """``bridge …`` as a process, ended with the block."""

    def __init__(self, argv: list[str]) -> None:
        self._argv = [str(Path(sys.executable).with_name("bridge")), *argv]

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            self._argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
        )
        return self._process

    def __exit__(self, *_: Any) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.02)
