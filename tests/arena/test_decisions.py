"""From battles to decisions: orders, repeats, panels, what is missing, what is there twice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from battle_rows import battle, both, run_of

from bridge.arena_spec import ArenaBlock
from bridge.errors import OutputError
from bridge.native.arena.battle import Battle, line, read_decisions
from bridge.native.arena.comparisons import comparisons
from bridge.native.arena.decide import RULES, Decisions, comparisons_of, decide, hear
from bridge.native.arena.decision_file import WINNERS, decision_lines
from bridge.native.arena.votes import Votes, joined, read_votes, votes


def decided(battles: Iterable[Battle], judges: tuple[str, ...] = (), **block: Any) -> Decisions:
    made = ArenaBlock(**{"mode": "pairwise-all", **block})
    return decide(hear(votes(battles), made), made, judges)


def _decided(given: Votes) -> Decisions:
    return decide(hear(given, run_of().block), run_of().block)


def winners(battles: Iterable[Battle], judges: tuple[str, ...] = (), **block: Any) -> list[str]:
    return [WINNERS[value] for value in decided(battles, judges, **block)["winner"].tolist()]


def why(found: Decisions) -> list[str]:
    return [RULES[value] for value in found["rule"].tolist()]


@pytest.mark.parametrize(
    ("first", "second", "policy", "expected"),
    [
        ("a", "a", "tie", "a"),
        ("b", "b", "tie", "b"),
        ("tie", "tie", "tie", "tie"),
        ("a", "b", "tie", "tie"),
        ("a", "tie", "tie", "tie"),
        ("a", "b", "drop", "undecided"),
        ("a", None, "tie", "undecided"),
        (None, None, "tie", "undecided"),
    ],
)
def test_two_orders_of_one_judge(first: str | None, second: str | None, policy: str, expected: str) -> None:
    assert winners(both("q", "m1", "m2", first, second), on_disagreement=policy) == [expected]


def test_the_second_order_that_was_never_asked_leaves_it_open() -> None:
    """A run that was stopped between the two: one order is no verdict."""
    one = [battle("q", "m1", "m2", "a")]
    assert winners(one, order="both") == ["undecided"] and why(decided(one)) == ["an order is missing"]
    assert winners(one, order="random") == ["a"]


def test_votes_of_people_and_imports_have_one_order() -> None:
    rows = [battle("q", "m1", "m2", "a", judge_kind=kind) for kind in ("human", "imported")]
    assert [winners([row], order="both") for row in rows] == [["a"], ["a"]]


def test_names_do_not_decide_who_is_a() -> None:
    """The same verdicts told the other way round are the same decisions."""
    told = both("q", "m1", "m2", "a", "a")
    turned = both("q", "m2", "m1", "b", "b")
    assert winners(told) == winners(turned) == ["a"]
    assert sorted(row.battle_id for row in told) == sorted(row.battle_id for row in turned)


@pytest.mark.parametrize(
    ("verdicts", "rule", "expected"),
    [
        ("aab", "majority", "a"),
        ("abt", "majority", "tie"),
        ("ab", "majority", "tie"),
        ("aat", "majority", "a"),
        ("aab", "unanimous", "tie"),
        ("aaa", "unanimous", "a"),
        ("a..", "majority", "undecided"),
        ("aa.", "majority", "a"),
    ],
)
def test_a_panel_with_a_quorum_of_two(verdicts: str, rule: str, expected: str) -> None:
    words = {"a": "a", "b": "b", "t": "tie", ".": None}
    rows = [
        row
        for at, sign in enumerate(verdicts)
        for row in both("q", "m1", "m2", words[sign], words[sign], judge=f"j{at}")
    ]
    names = tuple(f"j{at}" for at in range(len(verdicts)))
    assert winners(rows, names, panel={"rule": rule, "quorum": 2}) == [expected]


def test_what_is_left_of_a_panel_does_not_decide_alone() -> None:
    rows = [*both("q", "m1", "m2", "a", "a", judge="j0"), *both("q", "m1", "m2", None, None, judge="j1")]
    found = decided(rows, ("j0", "j1"))
    assert why(found) == ["quorum not reached"], "two judges: more than half is both"


def test_judges_that_are_not_of_the_panel_do_not_count() -> None:
    rows = [*both("q", "m1", "m2", "a", "a"), battle("q", "m1", "m2", "b", judge="visitor", judge_kind="human")]
    assert winners(rows, ("j",)) == ["a"] and winners(rows) == ["tie"]


def test_several_people_under_one_name_are_voters_each() -> None:
    rows = [
        battle("q", "m1", "m2", verdict, judge="people", judge_kind="human", annotator=name)
        for name, verdict in (("ann", "a"), ("bob", "a"), ("cyd", "b"))
    ]
    assert winners(rows) == ["a"]


def test_people_may_change_their_mind() -> None:
    """A second vote of the same person replaces the first, whichever side stood left."""
    votes = [
        battle("q", "m1", "m2", "a", judge="people", judge_kind="human", annotator="ann"),
        battle("q", "m1", "m2", "b", judge="people", judge_kind="human", annotator="ann", shown_first="b"),
    ]
    assert winners(votes) == ["b"] and decided(votes).superseded == 1


def test_repeats_of_a_judge_are_one_voice() -> None:
    rows = [row for at, said in enumerate("aab") for row in both("q", "m1", "m2", said, said, repeat=at)]
    assert winners(rows) == ["a"] and decided(rows)["n_a"].tolist() == [1]


def test_strong_verdicts_weigh_where_all_are() -> None:
    strong = both("q", "m1", "m2", "a", "a", strength=2)
    mixed = [battle("r", "m1", "m2", "a", strength=2), battle("r", "m1", "m2", "a", shown_first="b")]
    found = decided([*strong, *mixed], strong_weight=3)
    assert found["weight"].tolist() == [3.0, 1.0]


def test_the_same_row_twice_counts_once() -> None:
    rows = both("q", "m1", "m2", "a", "a")
    found = decided([*rows, *rows])
    assert len(found) == 1 and found.superseded == 2


def test_a_later_answer_replaces_an_error_and_not_the_other_way() -> None:
    failed, good = both("q", "m1", "m2", None, None), both("q", "m1", "m2", "b", "b")
    assert winners([*failed, *good]) == winners([*good, *failed]) == ["b"]


def test_one_call_with_two_verdicts_is_refused() -> None:
    rows = [*both("q", "m1", "m2", "a", "a"), *both("q", "m1", "m2", "b", "a")]
    with pytest.raises(OutputError, match=r"judge j has two verdicts on question q \(m1 against m2\)"):
        decided(rows)


def test_verdicts_about_answers_that_changed_do_not_count() -> None:
    old = both("q", "m1", "m2", "a", "a", answer_a_sha256="old", answer_b_sha256="other")
    new = [battle("q", "m1", "m2", "b", answer_a_sha256="new", answer_b_sha256="other")]
    found = decided([*old, *new])
    assert found.stale == 2 and why(found) == ["an order is missing"]


def test_a_vote_never_makes_a_judges_verdict_stale() -> None:
    """Judges are asked anew where an answer has changed; people's votes stay in their files."""
    told = both("q", "m1", "m2", "a", "a", answer_a_sha256="new", answer_b_sha256="y")
    people = {"judge": "people", "judge_kind": "human", "annotator": "ann", "answer_b_sha256": "y"}
    vote = battle("q", "m1", "m2", "b", **people, answer_a_sha256="old")
    for rows in ([*told, vote], [vote, *told]):
        found = decided(rows)
        assert (found.stale, winners(rows)) == (1, ["a"])
    newer = battle("q", "m1", "m2", "b", **people, answer_a_sha256="new")
    assert (decided([vote, newer]).stale, winners([vote, newer])) == (1, ["b"])


def test_votes_that_do_not_say_about_which_answers_spoil_no_others() -> None:
    told = both("q", "m1", "m2", "a", "a", answer_a_sha256="x", answer_b_sha256="y")
    silent = battle("q", "m1", "m2", "a", judge="people", judge_kind="human", annotator="ann")
    for rows in ([*told, silent], [silent, *told]):
        found = decided(rows)
        assert found.stale == 0 and found["n_a"].tolist() == [2]


def test_an_answer_that_is_missing_is_no_loss() -> None:
    rows = [battle("q", "m1", "m2", None, kind="no_answer"), battle("r", "m1", "m2", "b", order_known=False)]
    found = decided(rows, order="random")
    assert [WINNERS[value] for value in found["winner"].tolist()] == ["undecided", "b"]
    assert len(comparisons_of(found)) == 1


def test_ids_that_are_numbers_and_texts_are_one(tmp_path: Path) -> None:
    path = tmp_path / "battles.jsonl"
    rows = [line(row) for row in both("1", "m1", "m2", "a", "a")]
    path.write_bytes(rows[0].replace(b'"question_id":"1"', b'"question_id":1') + rows[1])
    assert len(_decided(read_votes(path))) == 1


def test_turns_are_comparisons_of_their_own() -> None:
    rows = [*both("q", "m1", "m2", "a", "a", turn=1), *both("q", "m1", "m2", "b", "b", turn=2)]
    assert winners(rows) == ["a", "b"]


def test_the_file_of_decisions_says_what_the_columns_say(tmp_path: Path) -> None:
    rows = [
        *both("q/1", "模型", "m2: x, y", "b", "b", len_a=12, len_b=3, style_a={"headers": 1, "lists": 0, "bold": 2}),
        *both('q"2', "m2: x, y", "m3", "tie", "a", category="math"),
        *both("q3", "m2: x, y", "m3", None, "a"),
    ]
    found = decided(rows)
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b"".join(decision_lines(found, "majority")))
    again = list(read_decisions(path))
    assert [row.winner for row in again] == ["a", "tie", "undecided"]
    assert (
        again[0].model_a == "m2: x, y"
        and again[0].len_a == 3
        and again[0].style_b
        == {
            "headers": 1,
            "lists": 0,
            "bold": 2,
        }
    )
    assert again[1].consistent is False and again[1].category == "math" and again[2].rule == "an order is missing"
    direct, by_file = comparisons_of(found), comparisons(again)
    assert by_file.outcome.tolist() == direct.outcome.tolist() and by_file.weight.tolist() == direct.weight.tolist()


def test_parts_of_a_file_are_the_file(tmp_path: Path) -> None:
    rows = [row for at in range(40) for row in both(f"q{at}", f"m{at % 3}", f"m{at % 3 + 1}", "a", "tie")]
    halves = [votes(rows[:37]), votes(rows[37:])]
    whole, parts = (_decided(given) for given in (votes(rows), joined(halves)))
    assert [b"".join(decision_lines(found, "x")) for found in (parts,)] == [b"".join(decision_lines(whole, "x"))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "A"}, "verdict is 'A'"),
        ({"model_a": "z"}, "must sort before"),
        ({"model_a": ""}, "model_a is ''"),
        ({"judge_kind": "robot"}, "judge_kind is 'robot'"),
        ({"score_a": "nan"}, "score_a is 'nan', no number"),
        ({"turns": 3}, "there is no field 'turns'"),
        ({"strength": 3}, "strength is 3"),
        ({"question_id": None}, "question_id is None"),
    ],
)
def test_a_row_that_is_none_is_told_with_its_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    import orjson

    good, bad = both("q", "m1", "m2", "a", "a")
    path = tmp_path / "battles.jsonl"
    path.write_bytes(line(good) + orjson.dumps(orjson.loads(line(bad)) | change) + b"\n")
    with pytest.raises(OutputError, match=r"battles\.jsonl:2: .*" + message):
        read_votes(path)


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    first, second = map(line, both("q", "m1", "m2", "a", "a"))
    path = tmp_path / "battles.jsonl"
    path.write_bytes(first + second[:40])
    assert len(read_votes(path)) == 1
    path.write_bytes(first + second[:40] + b"\n" + second)
    with pytest.raises(OutputError, match=r"battles\.jsonl:2: not JSON"):
        read_votes(path)
