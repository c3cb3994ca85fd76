"""``bridge arena rate``: the rows and the arena object of a report, again and again the same, whatever the battles."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from battle_rows import battle, both, how, run_of
from command import bridge

from bridge.arena.report import rate_run
from bridge.errors import OutputError
from bridge.native.arena.battle import Battle, battle_id, line
from bridge.native.arena.settings import FILE, dumped
from bridge.report.schema import ErrorKind, Report, ResultRow, Status


def made(root: Path, battles: Iterable[Battle], **fields: Any) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "battles.jsonl").write_bytes(b"".join(map(line, battles)))
    (root / FILE).write_bytes(dumped(run_of(**fields)))
    return root


def rated(root: Path, battles: Iterable[Battle], **fields: Any) -> Report:
    return rate_run(made(root, battles, **fields))


def rows_of(report: Report, metric: str = "rating", subset: str | None = None) -> dict[str, ResultRow]:
    return {row.model: row for row in report.results if row.metric == metric and row.subset == subset}


def some(n: int = 30, **fields: Any) -> list[Battle]:
    said = ["a", "b", "a", "tie", "a"]
    pairs = (("m1", "m2"), ("m2", "m3"), ("m1", "m3"))
    return [
        row
        for at in range(n)
        for which, (one, two) in enumerate(pairs)
        for row in both(f"q{at}", one, two, said[(at + which) % 5], said[(at + which) % 5], **fields)
    ]


def test_rows_and_arena_object(tmp_path: Path) -> None:
    report = rated(tmp_path, some(), mode="pairwise-baseline", baseline="m1", judges=("j",))
    assert report.status is Status.COMPLETE and report.exit_code == 0
    rows = rows_of(report)
    assert list(rows) == ["m1", "m2", "m3"] and all(row.primary and row.unit == "rating" for row in rows.values())
    assert rows["m1"].value == 1000 and rows["m1"].settings["anchor"] == {"m1": 1000.0}
    for name in (
        "component",
        "rank",
        "rank_low",
        "rank_high",
        "ties",
        "ci_method",
        "cluster",
        "prior",
        "judge",
        "order",
    ):
        assert name in rows["m2"].settings, name
    assert rows_of(report, "win_rate")["m2"].value == pytest.approx(1 - 0.7, abs=0.02)
    assert "do not say what the answers look like" in (rows_of(report, "win_rate_adjusted")["m2"].reason or "")
    elo = rows_of(report, "elo")["m2"]
    assert "depends on the order" in elo.settings["note"] and elo.settings["spread"] > 0
    arena = report.arena
    assert arena is not None and arena.counts.comparisons == 90 and arena.counts.battles == 180
    assert [judge.consistency for judge in arena.judges] == [1.0]
    assert len(arena.pairs) == 3 and arena.components == (("m1", "m2", "m3"),)
    assert len((tmp_path / "decisions.jsonl").read_bytes().splitlines()) == 90
    assert "m2" in (tmp_path / "report.md").read_text() and "Leaderboard" in (tmp_path / "report.html").read_text()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        report = rated(tmp_path / name, some(), rating=how())
        value = report.model_dump(mode="json")
        texts.append(orjson.dumps([value["results"], value["arena"]]))
    assert texts[0] == texts[1]
    first = (tmp_path / "one" / "decisions.jsonl").read_bytes()
    rate_run(tmp_path / "one")
    assert (
        (tmp_path / "one" / "decisions.jsonl").read_bytes()
        == first
        == (tmp_path / "two" / "decisions.jsonl").read_bytes()
    )


def test_rate_with_style_and_davidson_from_the_shell(tmp_path: Path) -> None:
    battles = some()
    for at, row in enumerate(battles):
        row.len_a, row.len_b = 50 + at * 7 % 90, 50 + at * 11 % 80
    root = made(tmp_path / "run", battles)
    done = bridge("arena", "rate", root, "--style", "length", "--ties", "davidson", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(Path(json.loads(done.stdout)["report"]).read_text())
    assert report["arena"]["davidson_nu"] > 0 and report["arena"]["style"][0]["name"] == "length"
    assert {row["metric"] for row in report["results"]} == {"rating", "rating_style", "elo"}
    assert {row["settings"]["ties"] for row in report["results"]} == {"davidson"}
    again = bridge("arena", "rate", root, "--json")
    assert json.loads(Path(json.loads(again.stdout)["report"]).read_text())["arena"]["davidson_nu"] is None


def test_bridge_report_is_rate_for_an_arena(tmp_path: Path) -> None:
    root = made(tmp_path / "run", some())
    done = bridge("report", root, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads((root / "report.json").read_text())["arena"]["mode"] == "pairwise-all"


def test_undecided_by_an_error_is_partial_and_seven(tmp_path: Path) -> None:
    battles = [*some(), *both("lost", "m1", "m2", None, "a"), *both("lost2", "m1", "m3", None, None, kind="unparsed")]
    report = rated(tmp_path, battles, judges=("j",))
    assert report.status is Status.PARTIAL and report.exit_code == 7
    (error,) = [error for error in report.errors if error.kind is ErrorKind.UNANSWERED]
    assert error.count == 2 and "an order is missing (1), quorum" not in error.message
    assert {model: row.n_errors for model, row in rows_of(report).items()} == {"m1": 2, "m2": 1, "m3": 1}
    assert all(row.value is not None for row in rows_of(report).values())


def test_nothing_judged_at_all_is_five(tmp_path: Path) -> None:
    report = rated(tmp_path, [row for at in range(3) for row in both(f"q{at}", "m1", "m2", None, None)])
    assert report.status is Status.FAILED and report.exit_code == 5
    assert all(row.value is None and row.reason for row in rows_of(report).values())


def test_judges_that_disagree_on_purpose_are_no_error(tmp_path: Path) -> None:
    report = rated(tmp_path, [*some(), *both("q", "m1", "m2", "a", "b")], on_disagreement="drop")
    assert report.exit_code == 0 and report.arena is not None
    assert report.arena.counts.why == {"orders disagree": 1}


def test_groups_that_never_met_have_no_common_rank(tmp_path: Path) -> None:
    apart = [row for at in range(12) for row in both(f"p{at}", "x1", "x2", "ab"[at % 3 > 0], "ab"[at % 3 > 0])]
    report = rated(tmp_path, [*some(), *apart])
    rows = rows_of(report)
    assert rows["x1"].value is None and "on a scale of its own" in (rows["x1"].reason or "")
    arena = report.arena
    assert arena is not None and arena.components == (("m1", "m2", "m3"), ("x1", "x2"))
    second = [one for one in arena.models if one.component == 1]
    assert [one.rank for one in second] == [1, 2] and all(one.rating is not None for one in second)
    assert any("2 groups" in error.message for error in report.errors)


def test_a_model_that_never_won_is_marked_in_the_row(tmp_path: Path) -> None:
    lost = [row for at in range(30) for row in both(f"q{at}", "m1", "zero", "a", "a")]
    report = rated(tmp_path, [*some(), *lost])
    row = rows_of(report)["zero"]
    assert row.settings["unbounded"] == "below" and row.ci95 is None and "never won" in (row.reason or "")
    before = rated(tmp_path / "without", some())
    for name in ("m1", "m2", "m3"):
        assert rows_of(report)[name].value == pytest.approx(rows_of(before)[name].value, abs=1e-6), "others unmoved"
    assert any("zero never won" in error.message for error in report.errors)


def test_categories_with_one_battle(tmp_path: Path) -> None:
    battles = some(category="many")
    battles += both("only", "m1", "m2", "a", "a", category="one") + both(
        "empty", "m1", "m3", None, None, category="none"
    )
    report = rated(tmp_path, battles)
    row = rows_of(report, subset="one")["m1"]
    assert row.n == 1 and row.ci95 is None and row.reason
    assert set(rows_of(report, subset="many")) == {"m1", "m2", "m3"} and rows_of(report, subset="none") == {}


def test_a_cycle_is_told(tmp_path: Path) -> None:
    circle = (("m1", "m2", "a"), ("m2", "m3", "a"), ("m1", "m3", "b"))
    battles = [row for at in range(20) for one, two, said in circle for row in both(f"q{at}", one, two, said, said)]
    report = rated(tmp_path, battles)
    assert report.arena is not None and report.arena.cycle is not None and report.arena.cycle.margin == 20
    assert set(report.arena.cycle.models) == {"m1", "m2", "m3"}
    assert report.arena.misfit_chi2 == pytest.approx(60) and report.arena.misfit_df == 1
    assert [row.value for row in rows_of(report).values()] == pytest.approx([1000] * 3, abs=1e-6)


def test_a_dry_run_is_marked(tmp_path: Path) -> None:
    report = rated(tmp_path, some(judge_kind="dry_run"))
    assert report.arena is not None and report.arena.dry_run
    assert any("drawn" in error.message for error in report.errors)
    assert "Dry run" in (tmp_path / "report.html").read_text()


def test_random_order_takes_the_first_position_out(tmp_path: Path) -> None:
    """Whoever is shown first wins; who that is, is drawn."""
    battles = []
    for at in range(120):
        first = "ab"[at * 7 % 3 > 0]
        said = first if at % 5 else {"a": "b", "b": "a"}[first]
        battles.append(battle(f"q{at}", "m1", "m2", said, shown_first=first))
    report = rated(tmp_path, battles, order="random")
    assert report.arena is not None and report.arena.first_position is not None
    assert report.arena.first_position.points > 100
    assert report.arena.judges[0].first_position_share == pytest.approx(0.8)
    raw = rated(tmp_path / "raw", battles, order="as_given")
    gaps = [abs((rows_of(one)["m1"].value or 0) - 1000) for one in (report, raw)]
    assert gaps[0] < gaps[1]


def test_agreement_with_people_is_measured_beside_the_panel(tmp_path: Path) -> None:
    people = [
        battle(f"q{at}", "m1", "m2", "a" if at % 2 else "tie", judge="people", judge_kind="human", annotator=name)
        for at in range(10)
        for name in ("ann", "bob")
    ]
    root = made(tmp_path, some(), judges=("j",))
    (root / "votes").mkdir()
    (root / "votes" / "all.jsonl").write_bytes(b"".join(map(line, people)))
    report = rate_run(root)
    assert report.arena is not None
    judges = {judge.judge: judge for judge in report.arena.judges}
    assert judges["j"].with_people is not None and judges["j"].with_people.n == 10
    assert judges["people"].with_people is None and judges["people"].calls == 20
    assert report.arena.counts.undecided == 0


def single(question: str, model: str, score: float | None, **fields: Any) -> Battle:
    made_id = battle_id(question, model, None, "j", shown_first="a", turn=fields.get("turn", 1))
    return Battle(battle_id=made_id, question_id=question, model_a=model, judge="j", score_a=score, **fields)


def test_single_mode_means_scores_by_question(tmp_path: Path) -> None:
    battles = [
        single(f"q{at}", "m1", 6 + at % 2, category="ab"[at % 2], turn=turn) for at in range(8) for turn in (1, 2)
    ]
    battles += [single("q0", "m2", 3), single("q1", "m2", None, error=battle("q", "a", "b", None).error)]
    report = rated(tmp_path, battles, mode="single")
    rows = rows_of(report, "score")
    assert rows["m1"].value == 6.5 and rows["m1"].n == 16 and rows["m1"].max_value == 10
    assert rows["m2"].value == 3 and rows["m2"].n_errors == 1 and report.exit_code == 7
    assert rows_of(report, "score", "a")["m1"].value == 6 and rows_of(report, "score", "turn 2")["m1"].value == 6.5
    assert rows["m1"].stderr == pytest.approx(0.5 / 7**0.5), "two turns of a question are one question"
    assert not (tmp_path / "decisions.jsonl").exists()


def test_a_broken_file_of_battles_leaves_the_report_that_is_there(tmp_path: Path) -> None:
    rated(tmp_path, some())
    before = (tmp_path / "report.json").read_bytes()
    path = tmp_path / "battles.jsonl"
    path.write_bytes(path.read_bytes() + b'{"battle_id": 1}\n')
    with pytest.raises(OutputError, match=r"battles\.jsonl:181: battle_id is 1"):
        rate_run(tmp_path)
    assert (tmp_path / "report.json").read_bytes() == before


def test_hostile_names_do_not_get_into_the_terminal_or_the_page(tmp_path: Path) -> None:
    evil = "\x1b[31m<script>alert(1)</script>"
    root = made(tmp_path, [row for at in range(30) for row in both(f"q{at}", evil, "plain", "ab"[at % 3 > 0], "a")])
    done = bridge("arena", "rate", root)
    assert done.exit_code == 0 and "\x1b[31m" not in done.stdout
    assert "<script>alert(1)" not in (root / "report.html").read_text()
    assert "<script>" not in (root / "report.md").read_text()
