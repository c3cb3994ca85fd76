"""Numbers that can be worked out by hand, and intervals that cover what they should."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np
import pytest

from bridge.native.perf import metrics
from bridge.native.perf.columns import columns
from bridge.native.perf.metrics import Value, Window
from bridge.native.perf.record import Record, read_line


def record(number: int, begun: float, **fields: object) -> Record:
    """A good request: first token after 0.1 s, three more 0.05 s apart."""
    plain = Record(
        number=number,
        warm=False,
        planned=None,
        begun=begun,
        sent=begun,
        first=begun + 0.1,
        first_output=begun + 0.1,
        last=begun + 0.25,
        ended=begun + 0.26,
        events=4,
        gaps_us=array("l", [50_000] * 3),
        prompt_tokens=10,
        tokens=4,
        finish_reason="stop",
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def test_latencies_by_hand() -> None:
    known = columns([record(n, n * 1.0, first=n + 0.1 * (n + 1)) for n in range(11)])
    found = metrics.latencies(known.ttft)
    assert found["p50"].value == pytest.approx(0.6)
    assert found["mean"].value == pytest.approx(0.6)
    assert found["p90"] == Value(None, n=11, reason="11 samples; this percentile needs 50")


def test_tpot_leaves_out_the_tokens_of_the_first_event() -> None:
    assert record(0, 0.0).tpot() == pytest.approx(0.05)
    assert record(0, 0.0, tokens=8, first_tokens=2).tpot() == pytest.approx(0.025)
    assert record(0, 0.0, tokens=1).tpot() is None
    assert record(0, 0.0, tokens=None).tpot() is None
    assert record(0, 0.0, tokens=2, first_tokens=2).tpot() is None


def test_itl_is_a_gap_only_where_an_event_is_a_token() -> None:
    one = columns([record(n, n * 1.0, tokens=5) for n in range(3)])
    assert metrics.is_one_token_an_event(one) == 1.0
    several = columns([record(n, n * 1.0, tokens=8) for n in range(3)])
    assert metrics.is_one_token_an_event(several) == 2.0
    unknown = columns([record(0, 0.0, tokens=None)])
    assert metrics.is_one_token_an_event(unknown) is None


def test_rates_count_what_came_within_the_window() -> None:
    # One request a second, answered after 0.25 s: of the window's ten seconds each has one completion, four tokens.
    known = columns([record(n, float(n)) for n in range(12)])
    found = metrics.rates(known, Window(1.0, 11.0))
    assert found["req_s"].value == pytest.approx(1.0)
    assert found["output_tok_s"].value == pytest.approx(4.0)
    assert found["total_tok_s"].value == pytest.approx(14.0)
    cut = metrics.rates(known, Window(1.12, 11.12))
    assert cut["output_tok_s"].value == pytest.approx(4.0)
    assert found["req_s.wall"].value == pytest.approx(12 / 11.26)


def test_tokens_of_an_event_are_its_share_of_the_answer() -> None:
    known = columns([record(n, float(n), tokens=8) for n in range(12)])
    assert metrics.rates(known, Window(1.0, 11.0))["output_tok_s"].value == pytest.approx(8.0)


def test_failed_requests_are_in_no_latency_and_in_every_goodput() -> None:
    good = [record(n, float(n)) for n in range(8)]
    bad = [record(n, float(n), error="cut", last=None) for n in range(8, 10)]
    known = columns([*good, *bad])
    assert metrics.latencies(known.ttft)["mean"].n == 8
    found = metrics.goodput(known, {"ttft": 0.2, "e2e": 1.0}, Window(0.0, 10.0), planned=False)
    assert found["goodput"].value == pytest.approx(0.8)
    assert found["goodput"].n == 10
    assert found["goodput_per_s"].value == pytest.approx(0.8)
    low, high = found["goodput"].ci95 or (0, 0)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson's, from tables


def test_goodput_of_an_open_load_counts_from_the_plan() -> None:
    known = columns([record(0, 1.0, planned=0.5)])
    assert metrics.goodput(known, {"ttft": 0.2}, None, planned=True)["goodput"].value == 0.0
    assert metrics.goodput(known, {"ttft": 0.2}, None, planned=False)["goodput"].value == 1.0
    assert metrics.goodput(known, {}, None, planned=False) == {}


def test_the_window_begins_when_the_load_is_reached() -> None:
    warm = [record(n, 0.0, warm=True, ended=2.0) for n in range(2)]
    known = columns([*warm, record(2, 2.0), record(3, 2.5), record(4, 9.0)])
    assert metrics.window(known, 2) == Window(2.0, 9.0)
    assert metrics.window(columns([record(0, 0.0)]), 1) is None
    opened = columns([record(n, n + 0.01, planned=float(n)) for n in range(5)])
    assert metrics.window(opened, None) == Window(0.0, 4.0)


def test_in_flight_is_an_average_over_time() -> None:
    known = columns([record(0, 0.0, ended=10.0), record(1, 0.0, ended=5.0)])
    assert metrics.in_flight(known, Window(0.0, 10.0)).value == pytest.approx(1.5)


def test_a_growing_queue_is_seen_and_a_steady_load_is_not() -> None:
    queued = [record(n, n * 0.1, first=n * 0.1 + 0.1 + n * 0.05, ended=n * 0.1 + 0.3 + n * 0.05) for n in range(100)]
    assert metrics.grows(columns(queued), Window(0.0, 9.9))
    rng = np.random.default_rng(0)
    steady = [
        record(n, n * 0.1, first=n * 0.1 + 0.1 + wait, ended=n * 0.1 + 0.3 + wait)
        for n, wait in enumerate(rng.exponential(0.05, 100))
    ]
    assert not metrics.grows(columns(steady), Window(0.0, 9.9))


def test_percentile_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(1)
    true, covered = -np.log(0.1), 0
    for _ in range(200):
        _, interval = (lambda v: (v.value, v.ci95))(metrics.latencies(rng.exponential(1.0, 500))["p90"])
        assert interval is not None
        covered += interval[0] <= true <= interval[1]
    assert covered >= 180


def test_intervals_of_gaps_are_wide_where_requests_differ() -> None:
    rng = np.random.default_rng(2)
    owner = np.repeat(np.arange(60), 50)
    same = rng.normal(10, 1, 3000)
    apart = same + np.repeat(rng.normal(0, 3, 60), 50)

    def width(values: np.ndarray) -> float:
        interval = metrics.gaps(values, owner)["p50"].ci95
        assert interval is not None
        return interval[1] - interval[0]

    assert width(apart) > 5 * width(same)


def test_a_line_of_the_samples_reads_back() -> None:
    given = record(7, 1.5, planned=1.4, first_output=1.75, cached_tokens=3, session=2, turn=1, first_tokens=2)
    assert read_line(given.line("m", "closed=1")) == given
    failed = record(
        8, 1.5, error="http_500", message="no", first=None, last=None, first_output=None, gaps_us=array("l")
    )
    assert read_line(failed.line("m", "closed=1")) == failed
