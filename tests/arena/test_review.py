"""People vote: blind, once, undone, side by side with others; and who may ask the page at all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from arena.arenas import make_answers, make_questions, report_of, rows_of, write_spec
from arena.test_run import arena, ratings, three
from command import Done, bridge
from fault_server import FaultServer

from bridge.arena.add import spec_of
from bridge.arena.review.ballot import Ballot, Refused
from bridge.arena.review.server import application
from bridge.native.arena.folder import ArenaFolder

BRIDGE = Path(sys.executable).with_name("bridge")
PEOPLE = {"name": "crew", "human": True, "votes_per_battle": 2}


def ballot(run: Path, name: str = "anna") -> Ballot:
    return Ballot.of(ArenaFolder(run), spec_of(run), name)


@pytest.fixture
def run(tmp_path: Path, server: FaultServer) -> Path:
    """An arena with a judge's verdicts, where the three models all differ."""
    assert arena(write_spec(tmp_path, server.base_url, three(tmp_path)), tmp_path / "run").exit_code == 0
    return tmp_path / "run"


def vote_all(votes: Ballot) -> None:
    """As the better answer deserves."""
    while (item := votes.next()) is not None:
        quality = {side: int(votes.texts(item, side)[-1].rsplit(" ", 1)[1][:-1]) for side in ("a", "b")}
        better = "a" if quality["a"] > quality["b"] else "b"
        tie = quality["a"] == quality["b"]
        votes.vote(item.id, "tie" if tie else "left" if better == item.left else "right", "")


def test_votes_are_battles_like_others(run: Path) -> None:
    anna = ballot(run)
    vote_all(anna)
    assert len(anna.own) == 18
    rows = rows_of(run, "votes/anna.jsonl")
    assert {(row["judge"], row["judge_kind"], row["annotator"]) for row in rows} == {("people", "human", "anna")}
    assert 0 < sum(row["shown_first"] == "a" for row in rows) < 18
    assert anna.agreement()["judge"].accuracy == 1.0
    assert bridge("arena", "rate", run).exit_code == 0
    people = report_of(run)["arena"]["judges"]
    assert {one["judge"]: one["kind"] for one in people} == {"judge": "llm", "people": "human"}
    assert people[0]["with_people"]["accuracy"] == 1.0


def test_an_arena_that_people_alone_decide(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, "", three(tmp_path), judge=PEOPLE), tmp_path / "run"
    done = arena(spec, run)
    assert done.exit_code == 7
    assert "nobody has voted yet" in report_of(run)["errors"][0]["message"]
    anna, ben, cleo = (ballot(run, name) for name in ("anna", "ben", "cleo"))
    vote_all(anna)
    vote_all(ben)
    assert cleo.next() is None, "two votes on each are enough"
    assert arena(spec, run).exit_code == 0
    assert ratings(run)["good"] > ratings(run)["m/poor:1"]
    assert server.journal == []


def test_the_least_voted_comes_first(run: Path) -> None:
    anna, ben = ballot(run), ballot(run, "ben")
    for _ in range(5):
        item = anna.next()
        assert item is not None
        anna.vote(item.id, "tie", "")
    voted = {row.battle_id for row in anna.own}
    seen = set()
    for _ in range(13):
        item = ben.next()
        assert item is not None
        seen.add(item.key)
        ben.vote(item.id, "tie", "")
    assert not seen & {(row.question_id, row.turn, row.model_a, row.model_b) for row in anna.own}
    assert len(voted) == 5


def test_one_vote_each_undo_skip_and_notes(run: Path) -> None:
    anna = ballot(run)
    first = anna.next()
    assert first is not None
    anna.skip(first.id)
    second = anna.next()
    assert second is not None
    assert second.id != first.id
    anna.vote(second.id, "bad", "both wrong <b>")
    with pytest.raises(Refused, match="undo that vote first"):
        anna.vote(second.id, "left", "")
    (row,) = rows_of(run, "votes/anna.jsonl")
    assert (row["verdict"], row["parser"], row["judgment"]) == ("tie", "vote_both_bad", "both wrong <b>")
    assert anna.undo() is second
    assert rows_of(run, "votes/anna.jsonl") == []
    vote_all(anna)
    assert anna.own[-1].question_id == first.match.question.question_id, "what was skipped comes last"
    assert len(ballot(run).own) == 18, "a new page goes on where the old one was"


def test_a_changed_answer_is_to_be_seen_again(run: Path, tmp_path: Path) -> None:
    vote_all(ballot(run))
    make_answers(tmp_path, "good", [1, 8, 9, 8, 3, 9])
    assert arena(tmp_path / "spec.yaml", run).exit_code == 0
    anna = ballot(run)
    item = anna.next()
    assert item is not None
    assert item.match.question.question_id == "0"
    vote_all(anna)
    assert len(rows_of(run, "votes/anna.jsonl")) == 20
    assert bridge("arena", "rate", run).exit_code == 0


def changed(tmp_path: Path, run: Path) -> Done:
    """The answer of good to question 0 changes, and its two comparisons are judged anew; votes stay as they are."""
    make_answers(tmp_path, "good", [1, 8, 9, 8, 3, 9])
    return bridge("arena", "run", tmp_path / "spec.yaml", "--output", run)


def test_votes_on_old_answers_push_no_fresh_verdict_aside(run: Path, tmp_path: Path) -> None:
    vote_all(ballot(run))
    done = changed(tmp_path, run)
    assert done.exit_code == 0
    assert "2 votes of people no longer count: the answers they are about have changed" in done.stderr
    report = report_of(run)
    told = [error["message"] for error in report["errors"]]
    assert "2 verdicts about answers that have changed since do not count" in told
    assert (report["arena"]["counts"]["stale"], report["arena"]["counts"]["undecided"]) == (2, 0)
    decisions = [row for row in rows_of(run, "decisions.jsonl") if row["question_id"] == "0"]
    assert {(row["model_a"], row["model_b"]): row["winner"] for row in decisions}["fair", "good"] == "a"
    assert report["arena"]["judges"][0]["with_people"] == {
        **report["arena"]["judges"][0]["with_people"],
        "n": 16,
        "accuracy": 1.0,
    }
    assert bridge("arena", "rate", run).exit_code == 0
    assert report_of(run)["arena"]["counts"] == report["arena"]["counts"]
    assert len(rows_of(run, "votes/anna.jsonl")) == 18, "nothing that a person said is deleted"


def test_votes_on_old_answers_agree_with_nobody(run: Path, tmp_path: Path) -> None:
    vote_all(ballot(run))
    assert changed(tmp_path, run).exit_code == 0
    assert ballot(run).agreement()["judge"].n == 16
    assert ballot(run, "ben").agreement() == {}
    done = bridge("arena", "agree", run, "--json")
    assert [one["n"] for one in json.loads(done.stdout)] == [16]
    assert "2 votes left out: the answers they are about have changed" in done.stderr
    done = bridge("arena", "judge-check", tmp_path / "spec.yaml", "--human", run, "-o", tmp_path / "check")
    assert done.stdout.startswith("16 pairs")
    assert "2 left out: the answers that were voted on have changed" in done.stdout


def test_votes_on_old_answers_are_not_among_those_that_are_enough(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, "", three(tmp_path), judge={**PEOPLE, "votes_per_battle": 1}), tmp_path / "run"
    arena(spec, run)
    vote_all(ballot(run))
    assert ballot(run, "ben").next() is None
    assert changed(tmp_path, run).exit_code == 0
    anna, ben = ballot(run), ballot(run, "ben")
    for votes in (anna, ben):
        assert votes.progress()["votes"] == 16
        item = votes.next()
        assert item is not None
        assert item.match.question.question_id == "0"
    vote_all(ben)
    assert (len(ben.own), ballot(run).next()) == (2, None)


def test_where_all_votes_are_on_old_answers(tmp_path: Path, server: FaultServer) -> None:
    spec, run = write_spec(tmp_path, "", three(tmp_path), judge=PEOPLE), tmp_path / "run"
    arena(spec, run)
    vote_all(ballot(run))
    for name in ("good", "fair", "m/poor:1"):
        make_answers(tmp_path, name, [at + len(name) for at in range(6)])
    assert arena(spec, run).exit_code == 7
    assert "nobody has voted yet" in report_of(run)["errors"][0]["message"]
    done = bridge("arena", "rate", run)
    assert (done.exit_code, "18 votes are about answers that have changed" in done.stderr) == (6, True)


def test_where_nobody_can_vote(tmp_path: Path, server: FaultServer) -> None:
    spec = write_spec(tmp_path, server.base_url, three(tmp_path), arena={"mode": "single"})
    arena(spec, tmp_path / "single")
    done = bridge("arena", "review", tmp_path / "single", "--as", "anna")
    assert (done.exit_code, "mode is single" in done.stderr) == (6, True)
    done = bridge("arena", "review", tmp_path / "nothing", "--as", "anna")
    assert (done.exit_code, "no run in this folder" in done.stderr) == (6, True)
    done = bridge("arena", "review", tmp_path / "single", "--as", " ")
    assert done.exit_code == 2


# The page ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(run: Path) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(
        TestServer(application(ballot(run), "secret")), cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as to:
        await to.get("/?token=secret")
        yield to


async def test_a_round_of_votes(client: TestClient[Any, Any], run: Path) -> None:
    state = await (await client.get("/next")).json()
    assert state["progress"] == {"yours": 0, "total": 18, "votes": 0}
    item = state["item"]
    assert not {"good", "fair", "m/poor:1"} & set(json.dumps({**item, "left": 0, "right": 0}).split('"'))
    state = await (await client.post("/vote", json={"id": item["id"], "choice": "left", "note": "n"})).json()
    assert set(state["revealed"]) == {"left", "right"}
    assert state["agreement"][0]["n"] == 1
    assert rows_of(run, "votes/anna.jsonl")[0]["judgment"] == "n"
    again = await client.post("/vote", json={"id": item["id"], "choice": "left"})
    assert again.status == 409
    state = await (await client.post("/undo", json={})).json()
    assert state["item"]["id"] == item["id"]
    assert state["progress"]["yours"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({}, 409),
    ],
)
async def test_who_is_let_in(client: TestClient[Any, Any], headers: dict[str, str], status: int) -> None:
    said = b'{"id": "x", "choice": "left"}'
    answer = await client.post("/vote", data=said, headers={"Content-Type": "application/json", **headers})
    assert answer.status == status
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_without_the_token_nothing(run: Path) -> None:
    async with TestClient(TestServer(application(ballot(run), "secret"))) as client:
        for path in ("/", "/next", "/?token=wrong", "/assets/review.js"):
            assert (await client.get(path)).status == 401


@pytest.mark.parametrize("body", ["[]", "{", "{}", '{"id": 3, "choice": "left"}', '{"id": "x", "choice": "up"}'])
async def test_what_is_no_vote(client: TestClient[Any, Any], body: str) -> None:
    answer = await client.post("/vote", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400


async def test_the_command_serves_until_it_is_stopped(run: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        BRIDGE, "arena", "review", run, "--as", "anna", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        session.get(address) as page,
    ):
        assert page.status == 200
        assert 'src="/assets/review.js"' in await page.text()
        done = await asyncio.to_thread(bridge, "arena", "review", run, "--as", "anna")
        assert (done.exit_code, "anna is voting" in done.stderr) == (6, True)
    os.kill(process.pid, signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, err) == (0, b"")
    assert b"0 new votes by anna; bridge arena rate" in out


def test_multi_turn_questions_are_shown_up_to_their_turn(tmp_path: Path, server: FaultServer) -> None:
    make_questions(tmp_path, 1, turns=2)
    models = {name: make_answers(tmp_path, name, [at], turns=2) for at, name in enumerate("ab", 3)}
    assert arena(write_spec(tmp_path, server.base_url, models), tmp_path / "run").exit_code == 0
    anna = ballot(tmp_path / "run")
    assert sorted((item.turn, len(anna.texts(item, "a"))) for item in anna.items.values()) == [(1, 1), (2, 2)]
