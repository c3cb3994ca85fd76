"""Workers: never more than asked for, all of the list, and a word about how far they are."""

import asyncio
import json
from pathlib import Path

import pytest

from bridge.adapters.asking.work import Progress, for_each


@pytest.mark.parametrize("concurrency", [1, 4, 100])
async def test_all_is_done_with_so_many_at_a_time(tmp_path: Path, concurrency: int) -> None:
    now = peak = 0
    done: list[int] = []

    async def work(item: int) -> None:
        nonlocal now, peak
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0.001)
        now -= 1
        done.append(item)

    progress = Progress(tmp_path / "progress.json", "infer", "d", done=3, total=33)
    await for_each(range(30), work, concurrency=concurrency, progress=progress)
    assert sorted(done) == list(range(30))
    assert peak == min(concurrency, 30)
    assert json.loads((tmp_path / "progress.json").read_text()) == {
        "done": 33,
        "total": 33,
        "stage": "infer",
        "datasets": {"d": {"done": 33, "total": 33}},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


async def test_a_fault_of_the_work_itself_ends_it(tmp_path: Path) -> None:
    async def work(item: int) -> None:
        raise ZeroDivisionError

    progress = Progress(tmp_path / "progress.json", "infer", "d", done=0, total=2)
    with pytest.raises(ExceptionGroup):
        await for_each(range(2), work, concurrency=2, progress=progress)
