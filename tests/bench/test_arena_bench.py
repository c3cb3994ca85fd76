"""A million battles: read, decided, rated and resampled; beside evalica and resampling of rows. And honest intervals.

    pytest -m bench tests/bench/test_arena_bench.py -s

Figures are printed; only what is wrong fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import evalica
import numpy as np
import orjson
import pytest
from battle_rows import how

from bridge.native.arena.clusters import clusters
from bridge.native.arena.comparisons import Comparisons
from bridge.native.arena.fit import fit
from bridge.native.arena.ratings import rate

pytestmark = pytest.mark.bench
BATTLES = 1_000_000


def drawn(m: int, questions: int, seed: int = 0) -> Comparisons:
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 0.7, m)
    a = rng.integers(0, m, BATTLES)
    b = (a + rng.integers(1, m, BATTLES)) % m
    p = 1 / (1 + np.exp(theta[b] - theta[a]))
    outcome = np.where(rng.random(BATTLES) < 0.15, 0.5, (rng.random(BATTLES) < p) * 1.0)
    none = np.full(BATTLES, -1)
    names = tuple(f"m{at:03d}" for at in range(m))
    return Comparisons(
        names,
        (),
        (),
        rng.integers(0, questions, BATTLES),
        none,
        a,
        b,
        outcome,
        np.ones(BATTLES),
        np.full((BATTLES, 4), np.nan),
        np.zeros(BATTLES),
    )


@pytest.mark.parametrize("m", [20, 100])
@pytest.mark.parametrize("questions", [5_000, 200_000, 10**9])
def test_a_million_comparisons_and_a_thousand_resamples(m: int, questions: int) -> None:
    rows = drawn(m, questions)
    started = time.perf_counter()
    found = rate(rows, how(ci={"method": "bootstrap", "resamples": 1000}))
    took = time.perf_counter() - started
    print(f"\n{m} models, questions up to {questions:,}: {took:.1f} s with 1,000 resamples of questions")
    started = time.perf_counter()
    sandwich = rate(rows, how(ci={"method": "sandwich"}))
    print(f"  closed form: {time.perf_counter() - started:.2f} s")
    ratios = [one.stderr / other.stderr for one, other in zip(found.models, sandwich.models, strict=True)]  # type: ignore[operator]
    assert ratios == pytest.approx([1.0] * m)


def test_beside_evalica() -> None:
    rows = drawn(20, 5_000)
    xs, ys = [[rows.models[at] for at in side.tolist()] for side in (rows.a, rows.b)]
    winners = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    said = [winners[value] for value in rows.outcome.tolist()]
    started = time.perf_counter()
    theirs = evalica.bradley_terry(xs, ys, said, tolerance=1e-12, limit=10_000).scores
    by_evalica = time.perf_counter() - started
    started = time.perf_counter()
    ours = fit(clusters(rows, np.zeros((len(rows), 0)), np.arange(20)).totals)
    by_us = time.perf_counter() - started
    points = 400 * np.log10(theirs.loc[list(rows.models)].to_numpy())
    apart = np.abs((points - points.mean()) - 400 / np.log(10) * ours.theta).max()
    print(
        f"\none fit of a million rows: evalica {by_evalica:.2f} s, here {by_us:.2f} s; at most {apart:.1e} points apart"
    )
    print(f"1,000 resamples of rows by evalica, from one: {1000 * by_evalica:,.0f} s")
    assert apart < 0.01


RATE = """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the command line does
import resource, sys, time
from pathlib import Path
from bridge.arena_spec import ArenaBlock
from bridge.native.arena.rating_stage import rate_folder
from bridge.native.arena.settings import RatingRun
rating = {"ci": {"method": "bootstrap", "resamples": 1000}}
run = RatingRun("b", "b", ArenaBlock(mode="pairwise-all", order="as_given", rating=rating))
started = time.perf_counter()
found = rate_folder(Path(sys.argv[1]), run)
took = time.perf_counter() - started
own, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu = own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime
peak = (own.ru_maxrss + child.ru_maxrss) / 1024
print(f"{len(found.rows)} rows, {took:.1f} s ({cpu:.1f} s of CPU in all), peak {peak:.0f} MiB in two processes")
"""


@pytest.mark.parametrize("m", [20, 100])
def test_from_the_file_of_battles_to_rows(tmp_path: Path, m: int) -> None:
    """Reading and decisions.jsonl included; in a process of its own."""
    rows = drawn(m, 200_000)
    verdicts = {1.0: "a", 0.0: "b", 0.5: "tie"}
    with (tmp_path / "battles.jsonl").open("wb") as file:
        columns = (rows.a.tolist(), rows.b.tolist(), rows.outcome.tolist(), rows.question.tolist())
        for at, (a, b, outcome, question) in enumerate(zip(*columns, strict=True)):
            a, b, outcome = (a, b, outcome) if a < b else (b, a, 1 - outcome)
            row = {
                "battle_id": f"{at:x}",
                "question_id": f"q{question}",
                "model_a": rows.models[a],
                "model_b": rows.models[b],
                "shown_first": "ab"[at % 2],
                "judge": "people",
                "judge_kind": "imported",
                "repeat": at,
                "verdict": verdicts[outcome],
            }
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    done = subprocess.run([sys.executable, "-c", RATE, str(tmp_path)], capture_output=True, text=True, check=True)
    print(f"\n{m} models, {(tmp_path / 'battles.jsonl').stat().st_size / 1e6:.0f} MB of battles: {done.stdout.strip()}")


def test_rate_of_a_thousand_battles_from_the_shell(tmp_path: Path) -> None:
    from battle_rows import battle, run_of

    from bridge.native.arena.battle import line
    from bridge.native.arena.settings import FILE, dumped

    rng = np.random.default_rng(0)
    rows = [battle(f"q{at // 5}", f"m{at % 5}", f"m{at % 5 + 1}", "ab"[int(rng.random() < 0.4)]) for at in range(1000)]
    (tmp_path / "battles.jsonl").write_bytes(b"".join(map(line, rows)))
    (tmp_path / FILE).write_bytes(dumped(run_of(order="as_given")))
    command = [str(Path(sys.executable).with_name("bridge")), "arena", "rate", str(tmp_path), "--json"]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    print(f"\nbridge arena rate on 1,000 battles, start to report.html: {time.perf_counter() - started:.2f} s")


@pytest.mark.parametrize("method", ["bootstrap", "sandwich", "naive"])
def test_coverage_of_intervals_with_correlated_questions(method: str) -> None:
    """500 arenas of 4 models on 60 questions, 3 votes on each pair: how many 95 % intervals hold the truth."""
    held, total = coverage(method, arenas=500)
    print(f"\n{method}: {held / total:.1%} of {total:,} intervals of 95 % hold the true rating")
    if method != "naive":
        assert 0.93 <= held / total <= 0.97
    else:
        assert held / total < 0.9, "votes on one question are related; who forgets that is too sure"


def coverage(method: str, arenas: int) -> tuple[int, int]:
    """Intervals that hold the truth, and all."""
    truth = true_ratings()
    ci = {"method": "sandwich" if method == "naive" else method, "resamples": 400}
    ci["cluster"] = "none" if method == "naive" else "question"
    held = total = 0
    for seed in range(arenas):
        for at, one in enumerate(rate(correlated(60, seed), how(ci=ci)).models):
            if one.interval is not None:
                held += one.interval[0] <= truth[at] <= one.interval[1]
                total += 1
    return held, total


THETA = np.array([0.6, 0.2, -0.2, -0.6])
SPREAD = 1.0
"""Of what a question adds to each model, the same for all votes on it."""


def correlated(questions: int, seed: int, votes: int = 3) -> Comparisons:
    rng = np.random.default_rng(seed)
    i, j = np.triu_indices(4, 1)
    question, a, b = (
        np.repeat(np.arange(questions), len(i) * votes),
        *(np.tile(np.repeat(side, votes), questions) for side in (i, j)),
    )
    luck = rng.normal(0, SPREAD, (questions, 4))
    d = THETA[a] - THETA[b] + luck[question, a] - luck[question, b]
    n = len(a)
    outcome = (rng.random(n) < 1 / (1 + np.exp(-d))) * 1.0
    none, style = np.full(n, -1), np.full((n, 4), np.nan)
    return Comparisons(tuple("abcd"), (), (), question, none, a, b, outcome, np.ones(n), style, np.zeros(n))


def true_ratings() -> list[float]:
    """What ratings come to with any number of questions; the luck of questions draws them together."""
    found = rate(correlated(200_000, 12345, votes=1), how(ci={"method": "sandwich"}))
    return [float(one.rating or 0) for one in found.models]
