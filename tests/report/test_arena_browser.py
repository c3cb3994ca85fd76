"""Which battles a report carries where there are more than a page holds."""

from __future__ import annotations

import json
from pathlib import Path

from battle_rows import battle, both, run_of

from bridge.arena.report import rate_run
from bridge.native.arena.battle import line
from bridge.native.arena.settings import FILE, dumped
from bridge.report.arena_browser import Browser, browser


def made(root: Path, questions: int = 20) -> Path:
    """Both orders of each question, far from each other in the file; then a broken line, a list, and a vote."""
    said = [both(f'q "{at}", x', "m1", "m2", "a", "b" if at % 2 else "a") for at in range(questions)]
    rows = [one for one, _ in said] + [other for _, other in said]
    again = battle('q "0", x', "m1", "m2", "tie", judge="people", judge_kind="human", annotator="ann")
    (root / "votes").mkdir(parents=True)
    (root / "votes" / "ann.jsonl").write_bytes(line(again))
    (root / "battles.jsonl").write_bytes(b"".join(map(line, rows)))
    (root / FILE).write_bytes(dumped(run_of(order="both", judges=("j",))))
    return root


def of(root: Path, **most: int) -> Browser:
    arena = rate_run(root).arena
    assert arena is not None
    return browser(arena, root, **most)


def test_all_rows_of_a_comparison_are_together_and_its_decision_is_there(tmp_path: Path) -> None:
    found = of(made(tmp_path))
    assert (found.n, found.note) == (20, "")
    first, second = found.data["items"][:2]
    assert (first["q"], first["w"], [vote["j"] for vote in first["v"]]) == ('q "0", x', "a", ["j", "j", "people"])
    assert (second["w"], second["k"], [vote["v"] for vote in second["v"]]) == ("tie", False, ["a", "b"])


def test_votes_on_answers_that_have_changed_do_not_stand_beside_the_new_ones(tmp_path: Path) -> None:
    now = {"answer_a_sha256": "new", "answer_b_sha256": "other"}
    people = {"judge": "people", "judge_kind": "human"}
    rows = [
        *both("q", "m1", "m2", "a", "a", **now),
        battle("q", "m1", "m2", "b", **people, annotator="ann", answer_a_sha256="old", answer_b_sha256="other"),
        battle("q", "m1", "m2", "a", **people, annotator="ben", **now),
        battle("q", "m1", "m2", "tie", **people, annotator="cleo"),
    ]
    (tmp_path / "battles.jsonl").write_bytes(b"".join(map(line, rows)))
    (tmp_path / FILE).write_bytes(dumped(run_of(order="both", judges=("j",))))
    (item,) = of(tmp_path).data["items"]
    assert [vote.get("n") for vote in item["v"]] == [None, None, "ben", "cleo"]


def test_of_many_some_are_kept_evenly_and_the_rest_is_told(tmp_path: Path) -> None:
    whole, part = of(made(tmp_path)), of(tmp_path, max_items=4)
    assert part.data["items"] == whole.data["items"][4::5]
    assert part.note == "4 of 20 comparisons are here; all are in battles.jsonl"
    small = of(tmp_path, max_bytes=400)
    assert 0 < small.n < 5
    assert small.note.startswith(f"{small.n} of 20 comparisons")


def test_lines_that_nobody_can_read_and_decisions_in_another_form(tmp_path: Path) -> None:
    whole = of(made(tmp_path)).data["items"]
    arena = rate_run(tmp_path).arena
    assert arena is not None
    battles, decisions = tmp_path / "battles.jsonl", tmp_path / "decisions.jsonl"
    battles.write_bytes(b'{"broken\n[1]\n\n' + battles.read_bytes() + b'{"cut": ')
    rows = [json.loads(text) for text in decisions.read_text(encoding="utf-8").splitlines()]
    decisions.write_text("".join(f"{json.dumps(row, sort_keys=True, indent=None)}\n" for row in rows), encoding="utf-8")
    found = browser(arena, tmp_path, max_items=30).data["items"]
    assert found == whole
