"""When open loads are to be sent, and traces as they were recorded."""

from __future__ import annotations

import json
from itertools import islice, pairwise
from pathlib import Path

import pytest
from bench.perf_bars import kolmogorov

from bridge.errors import SpecError
from bridge.native.perf.prompts import Prompts, read_prompts, read_trace
from bridge.native.perf.schedule import Point, points_of, schedule
from bridge.perf_spec import LoadSpec, OutputSpec, PromptsSpec


def gaps(point: Point, n: int) -> list[float]:
    return [b.at_s - a.at_s for a, b in pairwise(islice(schedule(point, 7), n + 1))]


def test_poisson_is_poisson() -> None:
    found = gaps(Point("open", 50.0, "poisson"), 4000)
    assert kolmogorov(found, 50.0) > 0.01
    assert kolmogorov(found, 60.0) < 1e-6


@pytest.mark.parametrize(("shape", "spread"), [(0.25, 2.0), (1.0, 1.0), (4.0, 0.5)])
def test_gamma_has_its_rate_and_its_bursts(shape: float, spread: float) -> None:
    found = gaps(Point("open", 10.0, "gamma", shape), 8000)
    mean = sum(found) / len(found)
    deviation = (sum((gap - mean) ** 2 for gap in found) / len(found)) ** 0.5
    assert mean == pytest.approx(0.1, rel=0.07)
    assert deviation / mean == pytest.approx(spread, rel=0.1)


def test_constant_is_constant_and_seeds_differ() -> None:
    assert gaps(Point("open", 4.0, "constant"), 5) == pytest.approx([0.25] * 5)
    one, other = (list(islice(schedule(Point("open", 4.0), seed), 5)) for seed in (1, 2))
    assert one != other
    assert one == list(islice(schedule(Point("open", 4.0), 1), 5))


def test_shares_together_are_the_whole() -> None:
    point = Point("open", 10.0, "gamma", 0.5)
    whole = list(islice(schedule(point, 7), 30))
    parts = [one for share in range(3) for one in islice(schedule(point, 7, share=share, of=3), 10)]
    assert sorted(parts, key=lambda one: one.number) == whole


def test_names_of_points() -> None:
    loads = [LoadSpec(closed=(1, 64)), LoadSpec(open=(2.5,), arrivals="gamma", shape=0.5), LoadSpec(trace="a/b.jsonl")]
    names = [point.id for load in loads for point in points_of(load)]
    assert names == ["closed=1", "closed=64", "open=2.5 gamma 0.5", "trace=b.jsonl"]


def test_a_trace_begins_at_zero_and_can_be_faster(tmp_path: Path) -> None:
    lines = [
        {"timestamp": 9000, "input_length": 20, "output_length": 5},
        {"timestamp": 5000, "input_length": 10, "output_length": 4, "hash_ids": [3, 4]},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = read_trace(path, 2.0)
    assert [(one.at_s, one.input_tokens, one.blocks) for one in found] == [(0.0, 10, (3, 4)), (2.0, 20, ())]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"timestamp": 1}', '{"timestamp": 1, "input_length": 0, "output_length": 1}']
)
def test_wrong_lines_are_named(line: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"t_s": 0, "input_length": 1, "output_length": 1}\n' + line, encoding="utf-8")
    with pytest.raises(SpecError, match=r"t\.jsonl:2"):
        read_trace(path, 1.0)
    with pytest.raises(SpecError, match=r"t\.jsonl:1"):
        read_prompts(path)
    with pytest.raises(SpecError, match="No such file"):
        read_prompts(tmp_path / "nowhere")


def test_equal_blocks_are_equal_text() -> None:
    prompts = Prompts(PromptsSpec(), OutputSpec(), "m")
    bodies = [json.loads(prompts.of_length(n, 1100, 4, blocks).body) for n, blocks in ((0, (5, 6)), (1, (5, 7)))]
    first, second = (body["messages"][0]["content"].split() for body in bodies)
    assert first[:512] == second[:512]
    assert first[512:1024] != second[512:1024]
    assert bodies[0]["max_tokens"] == 4
