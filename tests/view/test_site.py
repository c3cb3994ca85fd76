"""``bridge view --static``, and the command itself."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from command import bridge
from fakes import make_record, make_report, make_row
from runs import write

from bridge.report.sample_index import index_path
from bridge.report.write import sample_line, write_report
from bridge.rundir import RunDir


def test_files_of_all_runs(folder: Path, tmp_path: Path) -> None:
    done = bridge("view", folder, "--static", tmp_path / "site")
    assert done.exit_code == 0
    assert {Path(line).name for line in done.stdout.split()} == {"index.html", "base.html", "sft.html", "compare.html"}
    index = (tmp_path / "site" / "index.html").read_text()
    links = set(re.findall(r'href="([^"#]+)"', index))
    assert links == {"index.html", "base.html", "sft.html", "compare.html"}
    assert "<script" not in index and "Content-Security-Policy" in index and "55.56 %" in index
    run = (tmp_path / "site" / "base.html").read_text()
    assert 'href="index.html"' in run and "question 7" in run
    assert "-22.22 pp" in (tmp_path / "site" / "compare.html").read_text()


def test_in_chinese(folder: Path, tmp_path: Path) -> None:
    assert bridge("view", folder, "--static", tmp_path, "--language", "zh").exit_code == 0
    assert '<html lang="zh">' in (tmp_path / "index.html").read_text()
    assert (
        "数据集" in (tmp_path / "base.html").read_text() and "设置有何不同" in (tmp_path / "compare.html").read_text()
    )


def test_more_samples_than_a_file_can_hold_are_said_to_be_left_out(tmp_path: Path) -> None:
    samples = tmp_path / "r" / "samples" / "x.jsonl"
    samples.parent.mkdir(parents=True)
    line = sample_line(make_record(input="q", response="a"))
    samples.write_bytes(line * 20_400)
    write(tmp_path / "r", make_report(results=(make_row(samples="samples/x.jsonl", n=20_400),)))
    assert bridge("view", tmp_path / "r", "--static", tmp_path / "site").exit_code == 0
    page = (tmp_path / "site" / "r.html").read_text()
    assert "20,000 of 20,400 samples are here, evenly spread; all are in samples/x.jsonl" in page
    assert page.count('"id":"0"') == 20_000


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere",), 2, "nowhere: there is no such folder (give the folder that bridge run writes into"),
        ((".", "--static", "site"), 6, "there is no run to show"),
        ((".", "--static", "site", "--language", "fr"), 2, "'fr' is none (give one of en, zh)"),
    ],
)
def test_what_cannot_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = bridge("view", *arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (code, 1)
    assert said in done.stderr


def test_the_server_says_its_address_and_ends(folder: Path) -> None:
    process = subprocess.Popen(
        [Path(sys.executable).parent / "bridge", "view", folder, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    try:
        with urllib.request.urlopen(address) as page:
            assert "org/base" in page.read().decode()
        taken = bridge("view", folder, "--port", address.rstrip("/").rpartition(":")[2])
        assert taken.exit_code == 2 and "something else listens there" in taken.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=10)
    assert process.returncode == 0 and stderr == ""


def test_a_run_leaves_its_index(tmp_path: Path) -> None:
    samples = tmp_path / "samples" / "x.jsonl"
    samples.parent.mkdir(parents=True)
    samples.write_bytes(sample_line(make_record()))
    write_report(RunDir(tmp_path), make_report(results=(make_row(samples="samples/x.jsonl", n=1),)))
    assert index_path(tmp_path).is_file()


def test_a_run_ends_well_where_the_index_cannot_be_written(tmp_path: Path) -> None:
    samples = tmp_path / "samples" / "x.jsonl"
    samples.parent.mkdir(parents=True)
    samples.write_bytes(sample_line(make_record()))
    (index_path(tmp_path) / "in the way").mkdir(parents=True)
    report = make_report(results=(make_row(samples="samples/x.jsonl", n=1),))
    assert write_report(RunDir(tmp_path), report) is report
    assert (tmp_path / "report.html").is_file()
