from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.native.benchmark import Sample
from bridge.native.scorers.pool import ScorerPool, ScoringFailed

HALF = Sample(target="1/2")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    scorers = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"scorers.worker" in _read(path)]
    mine = [path for path in scorers if _parent(path.parent) == str(_own_pid())]
    assert mine == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parent(process: Path) -> str:
    stat = _read(process / "stat").rpartition(b")")[2].split()
    return stat[1].decode() if len(stat) > 1 else ""


def _own_pid() -> int:
    import os

    return os.getpid()


async def test_verdicts_come_from_other_processes_and_each_gets_its_own() -> None:
    async with ScorerPool(["gsm8k", "general_qa"], workers=2, limit_s=30) as pool:
        asked = [pool.verdict("gsm8k", f"\\boxed{{\\frac{{{n}}}{{2}}}}", Sample(target=str(n))) for n in range(1, 20)]
        found = await asyncio.gather(*asked)
        assert [verdict.extracted for verdict in found] == [f"\\frac{{{n}}}{{2}}" for n in range(1, 20)]
        assert {verdict.scores["accuracy"] for verdict in found} == {0.0}
        half = await pool.verdict("gsm8k", "\\boxed{\\frac{1}{2}}", HALF)
        assert half.scores == {"accuracy": 1.0}
        text = await pool.verdict("general_qa", "Paris it is", Sample(target=["Lyon", "Paris"]))
        assert text.scores["rouge_l"] == pytest.approx(0.5)


async def test_an_answer_that_takes_too_long_is_given_up_and_others_go_on() -> None:
    async with ScorerPool(["gsm8k"], workers=1, limit_s=2) as pool:
        with pytest.raises(ScoringFailed, match="more than 2 s"):
            await pool.verdict("gsm8k", "\\boxed{9^{9^{9^{9}}}+x}", HALF)
        assert (await pool.verdict("gsm8k", "\\boxed{0.5x/x}", HALF)).method == "boxed"


async def test_a_scorer_that_raises_fails_one_answer() -> None:
    async with ScorerPool(["gsm8k"], workers=1, limit_s=30) as pool:
        with pytest.raises(ScoringFailed, match="the scorer failed: KeyError"):
            await pool.verdict("no_such_benchmark", "x", HALF)
        assert (await pool.verdict("gsm8k", "\\boxed{1/2}", HALF)).scores == {"accuracy": 1.0}


async def test_a_worker_that_dies_fails_one_answer() -> None:
    async with ScorerPool(["gsm8k"], workers=1, limit_s=30) as pool:
        await pool.verdict("gsm8k", "\\boxed{1/2}", HALF)
        (process,) = pool._all
        process.kill()
        with pytest.raises(ScoringFailed, match="process ended"):
            await pool.verdict("gsm8k", "\\boxed{1/2}", HALF)
        assert (await pool.verdict("gsm8k", "\\boxed{1/2}", HALF)).scores == {"accuracy": 1.0}


async def test_a_worker_that_cannot_start_says_where_to_look() -> None:
    async with ScorerPool(["no_such_benchmark"], workers=1, limit_s=30) as pool:
        with pytest.raises(ScoringFailed, match="did not start"):
            await pool.verdict("gsm8k", "x", HALF)


async def test_nothing_is_started_before_it_is_needed() -> None:
    async with ScorerPool(["gsm8k"], workers=4, limit_s=30) as pool:
        assert not pool._all
