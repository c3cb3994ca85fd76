"""What is measured of judges, on battles whose measures are known by construction."""

from __future__ import annotations

import krippendorff_by_hand as by_hand
import numpy as np
import pytest
from battle_rows import battle, both, run_of
from hypothesis import given, settings
from hypothesis import strategies as some

from bridge.native.arena.agreement import cohen, fleiss, krippendorff
from bridge.native.arena.battle import Battle, in_order
from bridge.native.arena.decide import decide, hear
from bridge.native.arena.judges import Judged, judged, panel
from bridge.native.arena.outcome import outcome
from bridge.native.arena.votes import votes


def measured(battles: list[Battle], judge: str = "j") -> Judged:
    (found,) = [one for one in judged(votes(battles), run_of().block) if one.judge == judge]
    return found


def test_a_judge_that_takes_the_first_answer_always() -> None:
    found = measured([row for at in range(20) for row in both(f"q{at}", "m1", "m2", "a", "b")])
    assert (found.first_position_share, found.consistency, found.pairs) == (1.0, 0.0, 20)
    assert found.kappa_orders == pytest.approx(0.0), "always the first: the orders say nothing of each other"


def test_a_judge_that_takes_the_longer_answer_always() -> None:
    lengths = [(10, 20), (30, 5)] * 10
    rows = [
        row
        for at, (one, two) in enumerate(lengths)
        for row in both(f"q{at}", "m1", "m2", "ab"[one < two], "ab"[one < two], len_a=one, len_b=two)
    ]
    found = measured(rows)
    assert (found.longer_share, found.consistency, found.first_position_share) == (1.0, 1.0, 0.5)


def test_ties_and_equal_lengths_say_nothing_of_length() -> None:
    rows = [
        *both("q1", "m1", "m2", "tie", "tie", len_a=1, len_b=9),
        *both("q2", "m1", "m2", "a", "a", len_a=5, len_b=5),
    ]
    found = measured(rows)
    assert found.longer_share is None and found.ties == 0.5


def test_place_and_model_that_cannot_be_told_apart() -> None:
    """The other model is always shown first: its wins are its own."""
    found = measured([battle(f"q{at}", "m1", "m2", "a", shown_first="a") for at in range(9)])
    assert found.first_position_share is None and found.consistency is None


def test_calls_failures_and_money() -> None:
    rows = both("q1", "m1", "m2", "a", "a", cost=0.5, latency_s=2.0)
    rows += both("q2", "m1", "m2", None, None) + both("q3", "m1", "m2", None, None, kind="unparsed")
    rows += both("q4", "m1", "m2", None, None, kind="no_answer") + both("q5", "m1", "m2", "a", "b", ambiguous=True)
    found = measured(rows)
    assert (found.calls, found.failed, found.unparsed, found.not_played, found.ambiguous) == (8, 2, 2, 2, 2)
    assert found.cost == pytest.approx(1.0) and found.mean_latency_s == pytest.approx(2.0)


def test_agreement_with_the_majority_of_people() -> None:
    said = [("a", "aab"), ("b", "aab"), ("tie", "abt"), ("a", "ttb"), (None, "aaa")]
    words = {"a": "a", "b": "b", "t": "tie"}
    rows = []
    for at, (judge, people) in enumerate(said):
        rows += both(f"q{at}", "m1", "m2", judge, judge)
        rows += [
            battle(f"q{at}", "m1", "m2", words[sign], judge="crew", judge_kind="human", annotator=f"p{number}")
            for number, sign in enumerate(people)
        ]
    found = measured(rows).with_people
    assert found is not None and (found.n, found.accuracy, found.accuracy_no_ties) == (4, 0.5, 0.5)
    assert measured(rows, "crew").with_people is None


def test_a_panel_agrees_with_itself() -> None:
    rows = [
        row
        for at in range(12)
        for judge in "xyz"
        for row in both(f"q{at}", "m1", "m2", *["ab"[at % 2]] * 2, judge=judge)
    ]
    block = run_of().block
    found = panel(decide(hear(votes(rows), block), block))
    assert found is not None and (found.judges, found.alpha, found.fleiss) == (3, 1.0, 1.0)
    alone = panel(decide(hear(votes(rows[:2]), block), block))
    assert alone is None


def test_measures_of_agreement_at_their_ends() -> None:
    same = np.array([1, 1, 0, 2])
    assert cohen(same, same) == 1 and cohen(same[:0], same[:0]) is None and cohen(same[:2], same[:2]) is None
    assert fleiss(np.array([[2, 0], [1, 1], [3, 0]])) is None, "not the same number of raters"
    assert krippendorff(np.array([[1, 0], [0, 1]])) is None, "nobody rated anything twice"


@given(some.lists(some.lists(some.sampled_from([0, 1, 2, None]), min_size=3, max_size=3), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_alpha_by_its_definition(ratings: list[list[int | None]]) -> None:
    counts = np.array([[row.count(category) for category in (0, 1, 2)] for row in ratings])
    expected, found = by_hand.alpha(ratings), krippendorff(counts)
    assert (found is None) == (expected is None)
    assert found is None or expected is None or found == pytest.approx(expected, abs=1e-12)


NAMES = some.sampled_from(["m1", "m2", "m3", "m4"])
VERDICTS = some.sampled_from(["a", "b", "tie", None])
BATTLE = some.tuples(NAMES, NAMES, some.integers(0, 5), VERDICTS, VERDICTS).filter(lambda drawn: drawn[0] != drawn[1])


@given(some.lists(BATTLE, min_size=1, max_size=25), some.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_neither_order_nor_names_of_sides_matter(drawn: list[tuple[str, str, int, str, str]], random: object) -> None:
    """Whatever battles: shuffled, or told the other way round, they give the same table; and none crashes."""
    rows = [
        row
        for number, (one, two, question, first, second) in enumerate(drawn)
        for row in both(f"q{question}", one, two, first, second, repeat=number)
    ]
    told = outcome(votes(rows), run_of())
    shuffled = rows[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = outcome(votes(map(in_order, shuffled)), run_of())
    for one, other in zip(told.ratings.models, again.ratings.models, strict=True):
        assert (one.model, one.wins, one.ties, one.losses, one.component, one.unbounded) == (
            *(other.model, other.wins, other.ties, other.losses),
            *(other.component, other.unbounded),
        )
        assert (one.rating is None) == (other.rating is None)
        assert one.rating is None or one.rating == pytest.approx(other.rating, abs=1e-5)
