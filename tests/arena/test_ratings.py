"""Ratings against an oracle, against closed forms, and where there is no finite answer."""

from __future__ import annotations

import math
from itertools import pairwise

import evalica
import numpy as np
import pytest
from battle_rows import how, table, won

from bridge.errors import OutputError
from bridge.native.arena.comparisons import Comparisons, comparisons
from bridge.native.arena.ratings import Ratings, rate

POINTS = 400 / math.log(10)
WINNERS = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}


def rating(found: Ratings) -> dict[str, float | None]:
    return {one.model: one.rating for one in found.models}


def synthetic(n: int, m: int, questions: int, ties: float = 0.15, seed: int = 0) -> Comparisons:
    rng = np.random.default_rng(seed)
    theta = rng.normal(0, 0.7, m)
    a = rng.integers(0, m, n)
    b = (a + rng.integers(1, m, n)) % m
    p = 1 / (1 + np.exp(theta[b] - theta[a]))
    outcome = np.where(rng.random(n) < ties, 0.5, (rng.random(n) < p) * 1.0)
    names = tuple(f"m{at:03d}" for at in range(m))
    ids = tuple(f"q{at}" for at in range(questions))
    none = np.full(n, -1)
    style, first = np.full((n, 4), np.nan), np.zeros(n)
    return Comparisons(names, ids, (), rng.integers(0, questions, n), none, a, b, outcome, np.ones(n), style, first)


def by_evalica(rows: Comparisons, *, newman: bool = False) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """In points, mean 1000."""
    xs, ys = [[rows.models[at] for at in side] for side in (rows.a, rows.b)]
    fit = evalica.newman if newman else evalica.bradley_terry
    scores = fit(xs, ys, [WINNERS[value] for value in rows.outcome], tolerance=1e-13, limit=20_000).scores
    points = 400 * np.log10(scores.loc[list(rows.models)].to_numpy())
    return points - points.mean() + 1000


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_evalica(seed: int) -> None:
    rows = synthetic(3_000, 12, 150, seed=seed)
    ours = np.array([one.rating for one in rate(rows, how(ci={"method": "sandwich"})).models])
    assert np.abs(ours - by_evalica(rows)).max() < 1e-6


def test_ties_of_their_own_equal_evalicas_newman() -> None:
    rows = synthetic(3_000, 8, 150, ties=0.3)
    found = rate(rows, how(ties="davidson"))
    ours = np.array([one.rating for one in found.models])
    assert np.abs(ours - by_evalica(rows, newman=True)).max() < 1e-3
    assert found.nu == pytest.approx(0.9, abs=0.2)


def test_ties_of_their_own_without_any_tie() -> None:
    rows = table(("a", "b", 6, 4), ("b", "c", 6, 4))
    assert rating(rate(rows, how(ties="davidson"))) == pytest.approx(rating(rate(rows, how())))
    assert rate(table(("a", "b", 0, 0, 5)), how(ties="davidson")).models[0].rating == 1000


def test_half_ties_of_two_models_are_a_closed_form() -> None:
    found = rate(table(("a", "b", 30, 40, 10)), how(anchor={"b": 1000}))
    assert rating(found)["a"] == pytest.approx(1000 + 400 * math.log10(35 / 45), abs=1e-8)
    assert rating(found)["b"] == 1000
    assert found.models[1].stderr == 0


def test_weights_count_as_that_many_battles() -> None:
    once = won("a", "b", 6, 3)
    heavy = list(once)
    heavy[0].weight = 3.0
    thrice = [*won("a", "b", 6, 3), *won("a", "b", 2, start=100)]
    assert rating(rate(comparisons(heavy), how())) == pytest.approx(rating(rate(comparisons(thrice), how())))


def test_errors_are_those_of_questions() -> None:
    """Every vote three times over on the same question says no more than once."""
    once = [row for at in range(120) for row in won("a", "b", int(at % 3 > 0), int(at % 3 == 0), start=at)]
    thrice = [row for row in once for _ in range(3)]
    single, triple = (rate(comparisons(rows), how(ci={"method": "sandwich"})) for rows in (once, thrice))
    rows = rate(comparisons(thrice), how(ci={"method": "sandwich", "cluster": "none"}))
    assert triple.models[0].stderr == pytest.approx(single.models[0].stderr, rel=1e-9)
    assert rows.models[0].stderr == pytest.approx(single.models[0].stderr / math.sqrt(3), rel=0.01)  # type: ignore[operator]


def test_sandwich_and_bootstrap_agree() -> None:
    rows = synthetic(6_000, 6, 400)
    sandwich = rate(rows, how(ci={"method": "sandwich"})).models
    bootstrap = rate(rows, how(ci={"method": "bootstrap", "resamples": 2000})).models
    for one, other in zip(sandwich, bootstrap, strict=True):
        assert one.interval is not None
        assert other.interval == pytest.approx(one.interval, abs=0.15 * (one.interval[1] - one.interval[0]))


def test_equal_seeds_equal_bits() -> None:
    rows = synthetic(2_000, 9, 100)
    assert repr(rate(rows, how()).models) == repr(rate(rows, how()).models)
    assert repr(rate(rows, how()).models) != repr(rate(rows, how(ci={"seed": 1})).models)


def test_style_that_decides_everything_else_equal() -> None:
    """Two equal models; the longer answer wins three times out of four."""
    rng = np.random.default_rng(3)
    rows = synthetic(4_000, 2, 500, ties=0)
    length = rng.normal(0, 0.3, len(rows))
    p = 1 / (1 + np.exp(-(rows.a - rows.b) * 0.0 - 2 * length))
    outcome = (rng.random(len(rows)) < p) * 1.0
    style = np.stack([length, *[np.zeros(len(rows))] * 3], 1)
    given = Comparisons(**{**rows.__dict__, "style": style, "outcome": outcome})
    found = rate(given, how(), style=["length"])
    expected = 2 * np.sqrt((length**2).mean()) * POINTS
    assert found.terms[0].points == pytest.approx(expected, abs=4 * (found.terms[0].stderr or 0))
    (same,) = rate(given, how(), style=["length", "bold"]).terms
    assert same.points == pytest.approx(found.terms[0].points), "a mark that nobody uses is no term"


def test_style_leaves_out_what_is_not_known_and_says_how_much() -> None:
    rows = won("a", "b", 30, 20)
    for at, row in enumerate(rows[:40]):
        row.len_a, row.len_b = 100 + 7 * at % 50, 100 + 11 * at % 60
    found = rate(comparisons(rows), how(), style=["length"])
    assert found.left_out == 10 and found.models[0].n == 40


def test_first_position_is_taken_out() -> None:
    """Equal models; whoever is shown first wins 70 %, and a is shown first in 80 % of battles."""
    rng = np.random.default_rng(1)
    rows = synthetic(8_000, 2, 800, ties=0)
    a_first = rng.random(len(rows)) < 0.8
    first = np.where((rows.a == 0) == a_first, 1.0, -1.0)
    outcome = np.where(rng.random(len(rows)) < 0.7, first > 0, first < 0) * 1.0
    given = Comparisons(**{**rows.__dict__, "first": first, "outcome": outcome})
    raw, corrected = rate(given, how()), rate(given, how(), first_position=True)
    assert abs(float(raw.models[0].rating or 0) - 1000) > 30
    assert abs(float(corrected.models[0].rating or 0) - 1000) < 15
    assert corrected.terms[0].name == "first position"
    assert corrected.terms[0].points == pytest.approx(POINTS * math.log(7 / 3), rel=0.1)


def test_first_position_that_is_the_model_itself_cannot_be_told_apart() -> None:
    rows = won("a", "b", 30, 20)
    for row in rows:
        row.first = 1.0
    with pytest.raises(OutputError, match="cannot be told from the models"):
        rate(comparisons(rows), how(), first_position=True)


def test_never_won_is_last_marked_and_moves_nobody() -> None:
    found = rate(table(("a", "b", 5, 5), ("a", "c", 5, 0), ("b", "c", 5, 0)), how())
    a, b, c = found.models
    assert a.rating == pytest.approx(1000, abs=1e-6) and b.rating == pytest.approx(1000, abs=1e-6)
    assert c.unbounded == "below" and c.rating is not None and c.rating < 500
    assert c.interval is None and c.stderr is None and "never won" in (c.reason or "")
    assert c.bound is not None and c.rating < c.bound < 1000
    assert (a.rank, b.rank, c.rank) == (1, 1, 3)


def test_never_lost_is_first_and_marked() -> None:
    found = rate(table(("a", "b", 5, 5), ("z", "a", 20, 0), ("z", "b", 20, 0)), how())
    best = found.models[2]
    assert best.unbounded == "above" and best.rank == 1 and best.bound is not None and best.bound > 1000
    assert (best.rank_low, best.rank_high) == (1, 1)


def test_never_won_by_few_battles_may_still_be_anywhere() -> None:
    found = rate(table(("a", "b", 5, 5), ("a", "c", 1, 0)), how())
    assert found.models[2].rank_low == 1, "one lost battle proves nothing"


def test_without_a_prior_there_is_no_number() -> None:
    found = rate(table(("a", "b", 5, 5), ("a", "c", 5, 0)), how(prior=0.0))
    assert found.models[2].rating is None and found.models[2].rank is None
    assert "without a prior" in (found.models[2].reason or "")


def test_prior_of_ones_own_draws_together() -> None:
    rows = table(("a", "b", 30, 10))
    free, held = (rating(rate(rows, how(prior=prior)))["a"] for prior in (0.0, 40.0))
    assert free is not None and held is not None and 1000 < held < free


def test_disconnected_groups_have_scales_of_their_own() -> None:
    found = rate(table(("a", "b", 6, 2), ("c", "d", 7, 1)), how())
    points = rating(found)
    assert [one.component for one in found.models] == [0, 0, 1, 1]
    assert float(points["a"] or 0) - float(points["b"] or 0) == pytest.approx(190.8485, abs=1e-3)
    assert float(points["c"] or 0) - float(points["d"] or 0) == pytest.approx(338.0392, abs=1e-3)
    assert [one.rank for one in found.models] == [1, 2, 1, 2]


def test_a_cycle_is_equal_ratings() -> None:
    found = rate(table(("a", "b", 10, 0), ("b", "c", 10, 0), ("a", "c", 0, 10)), how())
    assert list(rating(found).values()) == pytest.approx([1000] * 3, abs=1e-6)


def test_all_ties_are_equal_and_say_nothing_of_their_spread() -> None:
    found = rate(table(("a", "b", 0, 0, 9), ("b", "c", 0, 0, 9)), how())
    assert list(rating(found).values()) == pytest.approx([1000] * 3, abs=1e-9)
    assert all(one.interval is None and "no spread" in (one.reason or "") for one in found.models)


def test_one_question_has_ratings_without_intervals() -> None:
    rows = [row for pair in (("a", "b", 2, 1), ("b", "c", 2, 1)) for row in won(*pair)]
    for row in rows:
        row.question_id = "only"
    found = rate(comparisons(rows), how())
    assert all(one.rating is not None and one.interval is None for one in found.models)
    assert "one question" in (found.models[0].reason or "")


def test_one_model_and_nobody_at_all() -> None:
    alone = rate(comparisons([], ["a"]), how())
    assert alone.models[0].rating is None and "never compared" in (alone.models[0].reason or "")
    assert rate(comparisons([]), how()).models == ()


def test_a_chain_of_thirteen_settles() -> None:
    names = [f"m{at:02d}" for at in range(13)]
    found = rate(table(*((one, two, 3, 1) for one, two in pairwise(names))), how())
    steps = np.diff([float(one.rating or 0) for one in found.models])
    assert steps == pytest.approx([-400 * math.log10(3)] * 12, abs=1e-6)


def test_extreme_but_finite() -> None:
    """One win in ten thousand."""
    found = rate(table(("a", "b", 9999, 1)), how())
    points = rating(found)
    assert float(points["a"] or 0) - float(points["b"] or 0) == pytest.approx(400 * math.log10(9999), abs=1e-5)


def test_two_anchors_that_meet_are_refused() -> None:
    with pytest.raises(OutputError, match="only one can be fixed"):
        rate(table(("a", "b", 3, 2)), how(anchor={"a": 1000, "b": 1200}))
    with pytest.raises(OutputError, match="no model here"):
        rate(table(("a", "b", 3, 2)), how(anchor={"x": 1000}))


def test_names_with_signs_and_of_other_scripts() -> None:
    names = ["bard:20230327", "org/model, v2", "模型"]
    found = rate(table((names[0], names[1], 4, 2), (names[1], names[2], 4, 2)), how(anchor={"模型": 1000}))
    assert rating(found)["模型"] == 1000
    assert [one.model for one in found.models] == sorted(names)
