"""What each page shows of real runs."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from fakes import make_report, make_row
from runs import marks, write, write_run

from bridge.report.sample_index import index_path, is_fresh
from bridge.report.sections import all_sections
from bridge.view.library import Library

GSM8K = "/runs/base/datasets/gsm8k.native.org~base"
MMLU = "/runs/base/datasets/mmlu.native.org~base"


def rows(page: str) -> int:
    return page.count('<tr class="sample ')


async def test_runs_the_newest_first_with_score_interval_and_errors(visit, folder: Path) -> None:
    page = await (await visit(folder)).get("/")
    assert page.index('href="/runs/sft"') < page.index('href="/runs/base"')
    assert "org/base" in page and "gsm8k" in page and "55.56 %" in page
    assert "another spec than the run before" in page
    assert "2 runs" in page


async def test_runs_can_be_searched_for(visit, folder: Path) -> None:
    site = await visit(folder)
    assert "1 run<" in await site.get("/?q=ORG/SFT")
    assert "There is no run here." in await site.get("/?q=nothing-has-this-name")


async def test_a_run_shows_its_spec_against_the_one_before_and_its_logs(visit, folder: Path) -> None:
    log = folder / "sft" / "jobs" / "opencompass" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("loading\n\x1b[31mfell over\x1b[0m\n")
    page = await (await visit(folder)).get("/runs/sft")
    assert '<span class="gone">- limit: 1</span>' in page and '<span class="added">+ limit: 2</span>' in page
    assert "jobs/opencompass/log.txt" in page and r"\x1b[31mfell over" in page
    assert "HTTP 500" in page and "org/sft" in page


async def test_a_dataset_counts_its_states_and_sorts_subsets_by_distance(visit, folder: Path) -> None:
    site = await visit(folder)
    page = await site.get(GSM8K)
    for state, n in (("right", 5), ("wrong", 4), ("error", 1)):
        assert f'{GSM8K}/samples?state={state}">{state} <b>{n}</b>' in page
    assert 'flag=truncated">truncated <b>1</b>' in page and 'flag=unparsed">unparsed <b>1</b>' in page
    subsets = await site.get(MMLU)
    assert "law &amp; order" in subsets and "+12.50 pp" in subsets and "-12.50 pp" in subsets


@pytest.mark.parametrize(
    ("query", "n"),
    [
        ("", 10),
        ("?state=right", 5),
        ("?state=wrong", 4),
        ("?state=error", 1),
        ("?flag=truncated", 1),
        ("?flag=unparsed", 1),
        ("?state=right&flag=unparsed", 0),
        ("?q=QUESTION+7", 1),
        ("?q=question&state=wrong", 4),
        ("?q=HTTP+500", 1),
        ("?q=accuracy", 0),
    ],
)
async def test_filters(visit, folder: Path, query: str, n: int) -> None:
    page = await (await visit(folder)).get(f"{GSM8K}/samples{query}")
    assert rows(page) == n
    if "q=" in query:
        assert "looked at, up to number 10 of 10" in page
    if n == 0:
        assert "No such sample." in page


async def test_a_subset_by_its_name(visit, folder: Path) -> None:
    page = await (await visit(folder)).get(f"{MMLU}/samples?subset=law+%26+order&state=right")
    assert rows(page) == 3
    assert '<option value="law &amp; order" selected>' in page


async def test_pages_of_samples_join_without_gap_or_repeat(visit, tmp_path: Path) -> None:
    records = [one.model_copy(update={"repeat": r}) for one in marks("10" * 40) for r in range(3)]
    write_run(tmp_path / "r", {"gsm8k": records})
    site = await visit(tmp_path / "r")
    address: str | None = "/runs/r/datasets/gsm8k.native.qwen/samples?state=right"
    seen: list[str] = []
    while address:
        page = await site.get(address)
        seen += re.findall(r"samples/(\d+)\?state=right", page)
        more = re.search(r'<tr id="more"><td colspan="6"><a href="([^"]+)"', page)
        address = more[1].replace("&amp;", "&") if more else None
    expected = [str(at + 1) for at, one in enumerate(records) if one.scores["accuracy"] == 1]
    assert seen == expected and len(seen) == 120


async def test_a_sample_with_its_neighbours_and_repeats(visit, tmp_path: Path) -> None:
    records = [one.model_copy(update={"repeat": r}) for one in marks("101") for r in range(2)]
    write_run(tmp_path / "r", {"gsm8k": records, ("opencompass", "gsm8k"): marks("011")})
    site = await visit(tmp_path / "r")
    page = await site.get("/runs/r/datasets/gsm8k.native.qwen/samples/2?state=right")
    assert "question 0" in page and "It is 1." in page
    assert 'rel="prev" href="/runs/r/datasets/gsm8k.native.qwen/samples/1?state=right"' in page
    assert 'rel="next" href="/runs/r/datasets/gsm8k.native.qwen/samples/5?state=right"' in page
    assert "repeat 1: right" in page and "qwen, opencompass: wrong" in page
    await site.get("/runs/r/datasets/gsm8k.native.qwen/samples/7", 404)
    await site.get("/runs/r/datasets/gsm8k.native.qwen/samples/0", 404)


async def test_a_comparison_says_first_what_differs(visit, folder: Path) -> None:
    page = await (await visit(folder)).get("/compare?side=sft&side=base")
    assert "org/sft against org/base" in page
    assert page.index("What differs in the settings") < page.index("no difference shown") < page.index("95 % interval")
    assert "-22.22 pp" in page


async def test_flips_lead_to_both_samples(visit, folder: Path) -> None:
    site = await visit(folder)
    lost = await site.get("/flips?side=base&side=sft&against=0&dataset=0&kind=lost")
    assert lost.count('<tr class="sample"') == 3
    assert "3 samples" in lost and "/runs/base/datasets/" in lost and "/runs/sft/datasets/" in lost
    won = await site.get("/flips?side=base&side=sft&against=0&dataset=0&kind=won")
    assert won.count('<tr class="sample"') == 1
    none = await site.get("/flips?side=base&side=sft&against=0&dataset=1&kind=won")
    assert none.count('<tr class="sample"') == 0
    await site.get("/flips?side=base&side=sft&against=1&dataset=0", 404)
    await site.get("/flips?side=base&side=sft&against=0&dataset=0&kind=drawn", 400)


async def test_flips_of_the_right_candidate_among_several(visit, folder: Path) -> None:
    write_run(
        folder / "third", {"mmlu": marks("0000", subset="algebra")}, model="third", run={"started_at": "2026-02-01"}
    )
    site = await visit(folder)
    sides = "side=base&side=sft&side=third"
    page = await site.get(f"/compare?{sides}")
    links = re.findall(r'href="(/flips\?[^"]+kind=lost)"', page)
    counts = [(await site.get(link.replace("&amp;", "&"))).count('<tr class="sample"') for link in links]
    assert counts == [3, 0, 2]


async def test_one_run_with_two_backends(visit, tmp_path: Path) -> None:
    write_run(tmp_path / "r", {("native", "gsm8k"): marks("110"), ("opencompass", "gsm8k"): marks("100")})
    site = await visit(tmp_path / "r")
    assert 'href="/compare?side=r"' in await site.get("/runs/r")
    assert "native → opencompass" in await site.get("/compare?side=r")


async def test_what_cannot_be_compared_says_why(visit, folder: Path) -> None:
    write_run(folder / "other", {"bbh": marks("10")}, model="x")
    page = await (await visit(folder)).get("/compare?side=base&side=other")
    assert "These cannot be compared" in page and "on gsm8k: only" in page
    alone = await (await visit(folder)).get("/compare?side=base")
    assert "nothing to compare it with" in alone


async def test_chinese_by_browser_link_and_cookie(visit, folder: Path) -> None:
    site = await visit(folder)
    assert '<html lang="zh">' in await site.get("/", **{"Accept-Language": "zh-CN,zh;q=0.9"})
    chosen = await site.get(f"{GSM8K}/samples?state=wrong&lang=zh")
    assert "错误答案" in chosen and f'href="{GSM8K}/samples?state=wrong&amp;lang=en"' in chosen
    assert '<html lang="zh">' in await site.get("/")
    assert '<html lang="en">' in await site.get("/?lang=en")


# Runs that are not as they should be


async def test_half_written_foreign_and_future_runs_are_one_line_each(visit, folder: Path) -> None:
    for name, text in {
        "half": '{"schema_version": "1.0", "run": {"id',
        "future": '{"schema_version": "9.0"}',
        "foreign": '{"accuracy": 0.5}',
        "list": "[1, 2]",
        "nan": (folder / "base" / "report.json").read_text().replace("0.5555555555555556", "NaN"),
    }.items():
        (folder / name).mkdir()
        (folder / name / "report.json").write_text(text)
    (folder / "begun").mkdir()
    (folder / "begun" / "manifest.json").write_text("{}")
    (folder / "notes.txt").write_text("not a run")
    (folder / "empty").mkdir()
    site = await visit(folder)
    page = await site.get("/")
    assert "has report schema 9.0, this bridge reads 1.0; install a newer bridge" in page
    assert "not JSON, or only half of it" in page and "not a report of bridge" in page
    assert "no report is here yet" in page
    assert "org/base" in page and "7 runs" not in page and "8 runs" in page
    assert "not JSON" in await site.get("/runs/half")
    await site.get("/runs/half/datasets/x", 404)
    await site.get("/runs/empty", 404)


async def test_unreadable_lines_are_counted_and_said(visit, folder: Path) -> None:
    samples = folder / "base" / "samples" / "native" / "gsm8k.jsonl"
    text = samples.read_text()
    samples.write_text(text + '{"sample_id": "x", "scores": {"accuracy": NaN}}\n[]\n{"sample_id": "half')
    site = await visit(folder)
    assert "3 lines of samples/native/gsm8k.jsonl cannot be read, the first is line 11" in await site.get(GSM8K)
    page = await site.get(f"{GSM8K}/samples")
    assert rows(page) == 10 and "3 lines cannot be read" in page


async def test_samples_that_are_gone(visit, folder: Path) -> None:
    (folder / "base" / "samples" / "native" / "gsm8k.jsonl").unlink()
    site = await visit(folder)
    assert "samples/native/gsm8k.jsonl is not there" in await site.get(GSM8K)
    await site.get(f"{GSM8K}/samples", 404)


async def test_samples_outside_of_the_run_are_not_read(visit, folder: Path) -> None:
    secret = folder.parent / "secret.jsonl"
    secret.write_text((folder / "base" / "samples" / "native" / "gsm8k.jsonl").read_text())
    report = folder / "base" / "report.json"
    report.write_text(report.read_text().replace("samples/native/gsm8k.jsonl", "../../secret.jsonl"))
    site = await visit(folder)
    assert "is not there" in await site.get(GSM8K)
    await site.get(f"{GSM8K}/samples", 404)


# The index


async def test_the_index_is_made_beside_the_run_and_again_when_stale(visit, folder: Path) -> None:
    site = await visit(folder)
    index = index_path(folder / "base")
    index.unlink()
    assert rows(await site.get(f"{GSM8K}/samples")) == 10
    assert index.exists()
    samples = folder / "base" / "samples" / "native" / "gsm8k.jsonl"
    samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:7]))
    assert rows(await site.get(f"{GSM8K}/samples")) == 7
    run = Library([folder]).run("base")
    assert run is not None and is_fresh(index, run.sources)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; the next test stands in for it")
async def test_a_read_only_run_has_its_index_in_the_cache(visit, folder: Path, own_cache: Path) -> None:
    index_path(folder / "base").unlink()
    samples = folder / "base" / "samples"
    samples.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert rows(await (await visit(folder)).get(f"{GSM8K}/samples")) == 10
    samples.chmod(stat.S_IRWXU)
    assert not index_path(folder / "base").exists() and list((own_cache / "view").glob("index-*.sqlite"))


async def test_an_index_that_cannot_be_written_goes_to_the_cache(visit, folder: Path, own_cache: Path) -> None:
    index_path(folder / "base").unlink()
    index_path(folder / "base").mkdir()
    (index_path(folder / "base") / "in the way").write_text("")
    assert rows(await (await visit(folder)).get(f"{GSM8K}/samples")) == 10
    assert list((own_cache / "view").glob("index-*.sqlite"))


async def test_a_broken_index_is_made_again(visit, folder: Path) -> None:
    index_path(folder / "base").write_bytes(b"SQLite format 3\x00 and nothing more")
    assert rows(await (await visit(folder)).get(f"{GSM8K}/samples")) == 10


async def test_the_curve_of_a_training(visit, folder: Path) -> None:
    point = {"model": "step 30", "step": 30, "value": 0.5, "ci95": [0.4, 0.6], "n": 10, "n_errors": 0}
    curve = {
        "dataset": "gsm8k",
        "backend": "native",
        "metric": "accuracy",
        "unit": "fraction",
        "higher_is_better": True,
    }
    told = {
        "training": "output/v0",
        "base": None,
        "checkpoints": [],
        "best": None,
        "status": "complete",
        "notes": ["<b>note"],
    }
    curves = [{**curve, "points": [{**point, "step": 0, "model": "base"}, point]}]
    (folder / "sft" / "finetuned.json").write_text(json.dumps({**told, "curves": curves, "comparison": None}))
    site = await visit(folder)
    assert 'href="/runs/sft/curve"' in await site.get("/")
    page = await site.get("/runs/sft/curve")
    assert "<polyline" in page and "step 30" in page and "&lt;b&gt;note" in page
    await site.get("/runs/base/curve", 404)
    (folder / "sft" / "finetuned.json").write_text("{}")
    assert "finetuned.json cannot be read" in await site.get("/runs/sft/curve", 500)


async def test_a_load_test_has_a_page_of_its_own(visit, tmp_path: Path) -> None:
    perf = {
        "dataset": "perf",
        "unit": "per_second",
        "max_value": None,
        "metric": "output_tok_s",
        "ci95": (390.0, 410.0),
    }
    rows = (
        make_row(value=400.0, settings={"client": "clean"}, **perf),
        make_row(value=100.0, subset="closed=1", primary=False, settings={"client": "clean"}, **perf),
    )
    write(tmp_path / "r", make_report(results=rows))
    site = await visit(tmp_path / "r")
    assert 'href="/runs/r/sections/perf"' in await site.get("/runs/r")
    page = await site.get("/runs/r/sections/perf")
    assert "<h1>Performance</h1>" in page and "closed=1" in page
    await site.get("/runs/r/sections/arena", 404)


async def test_the_script_of_a_section_comes_from_the_server(visit, tmp_path: Path) -> None:
    site = await visit(tmp_path)
    scripts = [section.script for section in all_sections() if section.script]
    for name in scripts:
        assert "use strict" in await site.get(f"/assets/{name}")
    await site.get("/assets/nothing.js", 404)
    assert scripts
