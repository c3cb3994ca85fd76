from __future__ import annotations

from itertools import combinations

import pytest
from fault_server import FaultServer
from hypothesis import given as drawn
from hypothesis import strategies as st

from bridge.native.repeats import Repeats, majority, pass_at, pass_hat, sizes
from bridge.report.schema import ResultRow

TEMPLATE = ResultRow(
    model="m", backend="native", backend_version="1", dataset="d", metric="accuracy", value=None, n=0, settings={}
)


@drawn(st.lists(st.booleans(), min_size=1, max_size=7), st.data())
def test_the_chances_are_those_of_counting_every_choice(right: list[bool], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(right)))
    chosen = list(combinations(right, k))
    assert pass_at(k, len(right), sum(right)) == pytest.approx(sum(map(any, chosen)) / len(chosen))
    assert pass_hat(k, len(right), sum(right)) == pytest.approx(sum(map(all, chosen)) / len(chosen))


@pytest.mark.parametrize(
    ("votes", "value"),
    [
        ([("7", 1.0), ("8", 0.0), ("7", 1.0)], 1.0),
        ([("7", 1.0), ("8", 0.0), ("8", 0.0)], 0.0),
        ([("7", 1.0), ("8", 0.0)], 0.5),
        ([("7", 1.0), (None, 0.0), (None, 0.0)], 1.0),
        ([(None, 0.0)], 0.0),
    ],
)
def test_the_majority_votes(votes: list[tuple[str | None, float]], value: float) -> None:
    assert majority(votes) == value


def test_sizes_are_powers_of_two_and_all() -> None:
    assert [sizes(repeats) for repeats in (2, 3, 4, 5, 10)] == [[2], [2, 3], [2, 4], [2, 4, 5], [2, 4, 8, 10]]


def test_scores_that_are_not_right_or_wrong_have_none() -> None:
    repeats = Repeats(2)
    repeats.add(0, {"extracted": "x"}, 0.5)
    repeats.add(0, {"extracted": "x"}, 1.0)
    assert repeats.rows(TEMPLATE) == []


def test_a_sample_that_lacks_an_answer_is_an_error() -> None:
    repeats = Repeats(2)
    for at, score in enumerate((1.0, None)):
        repeats.add(at, {"extracted": "x"}, 1.0)
        repeats.add(at, {"extracted": "x"}, score)
    rows = {row.metric: (row.value, row.n, row.n_errors) for row in repeats.rows(TEMPLATE)}
    assert rows == dict.fromkeys(("pass_at_2", "pass_hat_2", "majority_vote"), (1.0, 1, 1))


async def test_repeats_are_in_the_report(native_run, task, mcq) -> None:
    asked: dict[str, int] = {}

    def answer(prompt: str) -> str:
        """The first of three questions is right always, the second twice, the third once."""
        asked[prompt] = asked.get(prompt, 0) + 1
        at = next(number for number in range(3) if f"number {number} " in prompt)
        return "ANSWER: B" if asked[prompt] <= (4, 2, 1)[at] else "ANSWER: A"

    given = task(
        {"name": "general_mcq", "path": str(mcq(3))}, repeats=4, concurrency=1, generation={"temperature": 1.0}
    )
    async with FaultServer(answer=answer) as server:
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 12
    (result,) = native_run.collect(given)
    overall = {row.metric: (row.value, row.n) for row in result.rows if row.subset is None}
    assert overall == {
        "accuracy": (pytest.approx(7 / 12), 12),
        "pass_at_2": (pytest.approx((1 + 5 / 6 + 1 / 2) / 3), 3),
        "pass_hat_2": (pytest.approx((1 + 1 / 6 + 0) / 3), 3),
        "pass_at_4": (1.0, 3),
        "pass_hat_4": (pytest.approx(1 / 3), 3),
        "majority_vote": (pytest.approx((1 + 1 / 2 + 0) / 3), 3),
    }
    assert [row.primary for row in result.rows if row.primary] == [True]


async def test_answers_that_say_little_are_counted(native_run, task, mcq) -> None:
    said = ["ANSWER: B", "", "<think>Hm", "no idea"]
    given = task({"name": "general_mcq", "path": str(mcq(4))}, concurrency=2)

    def answer(prompt: str) -> str:
        return said[next(number for number in range(4) if f"number {number} " in prompt)]

    async with FaultServer(answer=answer) as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    counts = {row.metric: (row.value, row.unit, row.n) for row in result.rows if row.unit == "count"}
    assert counts == {"answers_empty": (2.0, "count", 4), "answers_unparsed": (1.0, "count", 4)}
    assert (result.rows[0].value, result.rows[0].n) == (0.25, 4)
