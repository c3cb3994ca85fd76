"""ToolEval's rules: what the judge is asked, how its words are read, and how votes become a result."""

import dataclasses
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.reading import Unreadable
from bridge.adapters.toolbench import tooleval
from bridge.adapters.toolbench.answers import Answer
from bridge.adapters.toolbench.ballots import Ballots, Missing, pair_sha256
from bridge.adapters.toolbench.tooleval import Side, Status
from bridge.spec import JsonObject

CALL: JsonObject = {"name": "f", "arguments": "{}", "response": "cold {x}"}
ANSWER = Answer("G1", "1", "Is it {cold}?", ("f", "Finish"), "CoT@1", (CALL,), "Yes {it} is.", True)
STATUSES = st.lists(st.sampled_from(get_args(Status)), min_size=1, max_size=9)


def test_what_is_unsolved_at_sight() -> None:
    assert not tooleval.is_unsolved_at_sight(ANSWER)
    assert tooleval.is_unsolved_at_sight(dataclasses.replace(ANSWER, final_answer=""))
    assert tooleval.is_unsolved_at_sight(dataclasses.replace(ANSWER, finished=False))


def test_prompts_hold_what_is_judged() -> None:
    status, detailed = tooleval.status_prompt(ANSWER), tooleval.detailed_prompt(ANSWER)
    assert "Is it {cold}?" in status and "Yes {it} is." in status and "cold {x}" not in status
    assert "Is it {cold}?" in detailed and "Yes {it} is." in detailed and "cold {x}" in detailed
    assert '{"reason": "...", "status": "solved"' in status


def test_long_results_are_shortened() -> None:
    long = dataclasses.replace(ANSWER, steps=({**CALL, "response": "x" * 50_000},))
    assert len(tooleval.detailed_prompt(long)) < 5000
    assert "48000 characters more" in tooleval.detailed_prompt(long)


@pytest.mark.parametrize("vote", range(4))
def test_both_orders_are_asked_and_read_back(vote: int) -> None:
    other = dataclasses.replace(ANSWER, final_answer="No.")
    prompt = tooleval.better_prompt(ANSWER, other, vote)
    model_first = prompt.index("Yes {it} is.") < prompt.index("No.")
    assert model_first == (vote % 2 == 1)
    said = '{"reason": "r", "better": "A"}'
    assert tooleval.read_better(said, vote) == ("model" if model_first else "reference")
    assert tooleval.read_better(said.replace("A", "b"), vote) == ("reference" if model_first else "model")
    assert tooleval.read_better(said.replace("A", "Tie"), vote) == "tie"


@pytest.mark.parametrize("said", ["solved", "Unsolved", " UNSURE "])
def test_a_status_is_read(said: str) -> None:
    assert tooleval.read_status(f'So: {{"reason": "r", "status": "{said}"}}') == said.strip().lower()


@pytest.mark.parametrize("said", ["Solved.", '{"status": "maybe"}', '{"status": null}', '{"reason": "r"}', "[]"])
def test_what_is_no_status_is_told(said: str) -> None:
    with pytest.raises(Unreadable):
        tooleval.read_status(said)
    with pytest.raises(Unreadable):
        tooleval.read_better(said, 0)


@pytest.mark.parametrize(
    ("statuses", "passed", "share"),
    [
        (["solved"] * 4, 1.0, 1.0),
        (["unsolved"] * 4, 0.0, 0.0),
        (["solved", "solved", "solved", "unsolved"], 1.0, 0.75),
        (["solved", "solved", "unsolved", "unsolved"], 0.5, 0.5),
        (["unsure"] * 4, 0.5, 0.5),
        (["solved", "unsure", "unsolved"], 0.5, 0.5),
        (["unsure", "unsure", "solved"], 1.0, 2 / 3),
        (["unsolved"], 0.0, 0.0),
    ],
)
def test_votes_become_a_result(statuses: list[Status], passed: float, share: float) -> None:
    assert tooleval.passed(statuses) == passed
    assert tooleval.solved_share(statuses) == pytest.approx(share)


@given(STATUSES)
def test_a_result_does_not_hang_on_the_order_of_votes(statuses: list[Status]) -> None:
    assert tooleval.passed(statuses) == tooleval.passed(statuses[::-1])
    more: list[Status] = ["solved"] * (len(statuses) + 1)
    assert tooleval.passed([*statuses, *more]) == 1.0


@pytest.mark.parametrize(
    ("sides", "side"),
    [
        (["model", "model", "reference"], "model"),
        (["reference", "tie", "tie"], "reference"),
        (["model", "reference"], "tie"),
        (["tie"], "tie"),
    ],
)
def test_the_majority(sides: list[Side], side: Side) -> None:
    assert tooleval.majority(sides) == side


SAMPLE: JsonObject = {
    "subset": "G1",
    "id": "1",
    "same": False,
    "model": {"sha256": "m", "unsolved_at_sight": False},
    "reference": {"sha256": "r", "unsolved_at_sight": False},
}


def ballots(
    folder: Path, model: list[str], reference: list[str], preferences: list[str] | None = None, votes: int = 2
) -> Ballots:
    found = Ballots.of(folder, votes, "unfinished")
    parts = ((found.model, "m", "status", model), (found.reference, "r", "status", reference))
    for journal, about, field, cast in (*parts, (found.preferences, pair_sha256(SAMPLE), "better", preferences or [])):
        for nth, vote in enumerate(cast):
            journal.add(Key("G1/1", nth), {"about_sha256": about, field: vote})
    return found


@pytest.mark.parametrize(
    ("model", "reference", "preferences", "winner"),
    [
        (["solved"] * 2, ["unsolved"] * 2, None, "model"),
        (["unsolved"] * 2, ["unsure"] * 2, None, "reference"),
        (["solved", "unsolved"], ["solved"] * 2, None, "reference"),
        (["solved"] * 2, ["solved"] * 2, ["model", "model"], "model"),
        (["unsolved"] * 2, ["unsolved"] * 2, ["reference", "tie"], "reference"),
        (["unsure"] * 2, ["solved", "unsolved"], ["reference", "model"], "tie"),
    ],
)
def test_who_wins(
    tmp_path: Path, model: list[str], reference: list[str], preferences: list[str] | None, winner: Side
) -> None:
    found = ballots(tmp_path, model, reference, preferences)
    assert found.needs_comparison(SAMPLE) == (preferences is not None)
    assert found.winner(SAMPLE) == winner


def test_the_same_answer_is_a_tie_without_asking(tmp_path: Path) -> None:
    found = ballots(tmp_path, ["solved"] * 2, ["solved"] * 2)
    assert not found.needs_comparison({**SAMPLE, "same": True})
    assert found.winner({**SAMPLE, "same": True}) == "tie"


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    found = ballots(tmp_path, ["solved"], ["solved"] * 2)
    assert found.statuses(SAMPLE, "model") == Missing("vote 2 of 2: unfinished")
    assert isinstance(found.winner(SAMPLE), Missing)
    assert not found.needs_comparison(SAMPLE)
    assert found.statuses({**SAMPLE, "model": None}, "model") == Missing(
        "there is no answer to this query among the model's files"
    )
    at_sight = {**SAMPLE, "model": {"sha256": "m", "unsolved_at_sight": True}}
    assert found.statuses(at_sight, "model") == ["unsolved", "unsolved"]


def test_a_vote_on_another_answer_does_not_count(tmp_path: Path) -> None:
    found = ballots(tmp_path, ["solved"] * 2, ["solved"] * 2)
    changed = {**SAMPLE, "model": {"sha256": "changed", "unsolved_at_sight": False}}
    assert isinstance(found.statuses(changed, "model"), Missing)


def test_a_failed_vote_is_told(tmp_path: Path) -> None:
    found = ballots(tmp_path, ["solved"], ["solved"] * 2)
    Journal(tmp_path / "votes.jsonl").add(Key("G1/1", 1), {"about_sha256": "m", "error": "HTTP 503: busy"})
    again = Ballots.of(tmp_path, 2, "unfinished")
    assert again.statuses(SAMPLE, "model") == Missing("vote 2 of 2: HTTP 503: busy")
    assert found.votes == 2
