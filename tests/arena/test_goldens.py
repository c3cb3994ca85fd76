"""Published figures, recomputed: real files are imported and rated. The files are not part of the repository."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from battle_rows import battle, how, table

from bridge.arena_spec import ArenaBlock
from bridge.native.arena.agreement import cohen, fleiss, krippendorff
from bridge.native.arena.battle import Battle, line
from bridge.native.arena.formats import fastchat
from bridge.native.arena.formats.imported import Imported, with_answers, write_import
from bridge.native.arena.judges import judged
from bridge.native.arena.outcome import Outcome, outcome
from bridge.native.arena.ranks import place_ranges, separability
from bridge.native.arena.rating_stage import rate_folder
from bridge.native.arena.ratings import rate
from bridge.native.arena.settings import RatingRun, recorded
from bridge.native.arena.votes import votes

DATA = Path(os.environ.get("BRIDGE_DATA") or Path(__file__).parents[3] / "shared" / "data")
VICUNA = {
    "bard:20230327": "bard",
    "gpt-3.5-turbo:20230327": "gpt35",
    "alpaca-13b:v1": "alpaca",
    "llama-13b:v1": "llama",
}
BASE = "vicuna-13b:20230322-clean-lang"


def golden(name: str) -> Any:
    path = DATA / "arena_goldens.json"
    if not path.exists():
        pytest.skip("needs arena_goldens.json and its files beside the repository, or in BRIDGE_DATA")
    return json.loads(path.read_text(encoding="utf-8"))[name]["value"]


@pytest.fixture(scope="module")
def vicuna() -> Imported:
    golden("vicuna.totals")
    return fastchat.read(DATA / "vicuna_blog", BASE)


def test_vicuna_totals(vicuna: Imported) -> None:
    for model, short in VICUNA.items():
        if short not in golden("vicuna.totals"):
            continue
        own = [row for row in vicuna.battles if model in (row.model_a, row.model_b)]
        scores = [(row.score_a, row.score_b) for row in own]
        wanted = golden("vicuna.totals")[short]
        other = 0 if own[0].model_a == model else 1
        assert sum(pair[other] or 0 for pair in scores) == wanted["sum_other"]
        assert sum(pair[1 - other] or 0 for pair in scores) == wanted["sum_vicuna"]
        counts = Counter(row.verdict for row in own)
        sides = ("a", "b") if other == 0 else ("b", "a")
        assert (counts[sides[0]], counts[sides[1]], counts["tie"]) == (  # type: ignore[index]
            wanted["other_wins"],
            wanted["vicuna_wins"],
            wanted["ties"],
        )


def test_vicuna_imported_and_rated(vicuna: Imported, tmp_path: Path) -> None:
    write_import(replace(vicuna), tmp_path, name="v", dataset="vicuna", source="fastchat", order="as_given")
    rating = rate_folder(tmp_path, recorded(tmp_path))
    points = {row.model: row.value for row in rating.rows if row.primary}
    for model, short in VICUNA.items():
        if short in golden("vicuna.bt_star"):
            assert points[model] == pytest.approx(golden("vicuna.bt_star")[short], abs=0.01)
    assert points[BASE] == 1000
    rows = {(row.model, row.metric, row.subset): row for row in rating.rows}
    win_rate = rows["bard:20230327", "win_rate", None]
    assert win_rate.value == pytest.approx((30 + 5) / 80)
    assert {row.subset for row in rating.rows if row.subset} == {row.category for row in vicuna.battles}
    best, worst = rows["gpt-3.5-turbo:20230327", "rating", None], rows["alpaca-13b:v1", "rating", None]
    assert best.ci95 is not None and best.ci95[0] > 1000 and worst.ci95 is not None
    assert 80 < worst.ci95[0] < 250 and 560 < worst.ci95[1] < 660, "a resample without a win has no common rating"


def test_vicuna_elo_depends_on_the_order_of_files(vicuna: Imported) -> None:
    """The same 320 verdicts, file after file: another order, another winner."""
    gpt, bard, alpaca, llama = "gpt-3.5-turbo:20230327", "bard:20230327", "alpaca-13b:v1", "llama-13b:v1"
    one = _elo(vicuna.battles, (alpaca, llama, bard, gpt))
    other = _elo(vicuna.battles, (gpt, bard, alpaca, llama))
    assert max(one, key=lambda name: one[name]) == gpt and one[gpt] == pytest.approx(1193.9, abs=0.05)
    assert max(other, key=lambda name: other[name]) == BASE and other[BASE] > 1300


def _elo(battles: list[Battle], order: tuple[str, ...]) -> dict[str, float]:
    rows = sorted(battles, key=lambda row: order.index(row.model_a if row.model_a in order else str(row.model_b)))
    found = outcome(votes(rows), RatingRun("v", "v", ArenaBlock(mode="pairwise-all", rating=how())))
    assert found.elo is not None
    return dict(zip(found.rows.models, map(float, found.elo.rating), strict=True))


@pytest.fixture(scope="module")
def pandalm() -> list[dict[str, Any]]:
    golden("pandalm.humans")
    rows: list[dict[str, Any]] = json.loads((DATA / "pandalm" / "testset-v1.json").read_text(encoding="utf-8"))
    return rows


def _votes(pandalm: list[dict[str, Any]]) -> Iterator[Battle]:
    for row in pandalm:
        one, two = row["cmp_key"].split("_", 1)
        texts = [str(text) for text in (row["response1"], row["response2"])]
        for number in (1, 2, 3):
            yield battle(
                str(row["idx"]),
                one,
                two,
                {0: "tie", 1: "a", 2: "b"}[row[f"annotator{number}"]],
                judge="people",
                judge_kind="human",
                annotator=f"annotator{number}",
                len_a=len(texts[0]),
                len_b=len(texts[1]),
            )


@pytest.fixture(scope="module")
def people(pandalm: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Through the file, as anybody would."""
    from bridge.native.arena.votes import read_votes

    path = tmp_path_factory.mktemp("pandalm") / "battles.jsonl"
    path.write_bytes(b"".join(map(line, _votes(pandalm))))
    block = ArenaBlock(mode="pairwise-all", rating=how(style=("length",), ci={"method": "sandwich"}))
    return outcome(read_votes(path), RatingRun("p", "pandalm", block))


def test_pandalm_majorities_and_agreement(people: Outcome) -> None:
    wanted = golden("pandalm.humans")
    decisions = people.decisions
    counts = np.stack([decisions[f"n_{name}"] for name in ("a", "b", "tie")], 1)
    assert len(decisions) == wanted["n"] and int(decisions.undecided.sum()) == wanted["no_majority"]
    assert int((counts.max(1) == 3).sum()) == wanted["unanimous"]
    assert people.panel is not None and people.panel.judges == 3
    assert people.panel.fleiss == pytest.approx(wanted["fleiss"], abs=1e-9)
    assert people.panel.alpha == pytest.approx(wanted["krippendorff_nominal"], abs=1e-9)
    assert fleiss(counts) == people.panel.fleiss and krippendorff(counts) == people.panel.alpha


def test_pandalm_cohen(pandalm: list[dict[str, Any]]) -> None:
    wanted = golden("pandalm.humans")
    said = {number: np.array([row[f"annotator{number}"] for row in pandalm]) for number in (1, 2, 3)}
    for pair, kappa in wanted["cohen"].items():
        assert cohen(said[int(pair[0])], said[int(pair[1])]) == pytest.approx(kappa, abs=1e-9)
    winners = Counter(Counter(row[f"annotator{n}"] for n in (1, 2, 3)).most_common(1)[0][0] for row in pandalm)
    assert {str(name): count for name, count in winners.items()} == wanted["majority_counts"]


def test_pandalm_ratings_and_errors(people: Outcome) -> None:
    wanted = golden("pandalm.bt.majority")
    for one in people.ratings.models:
        assert one.rating == pytest.approx(wanted["ratings"][one.model], abs=0.01)
        assert one.stderr == pytest.approx(wanted["se_sandwich_centred"][one.model], abs=0.05)


def test_pandalm_pairs(people: Outcome) -> None:
    wanted = golden("pandalm.pairs")
    found = {f"{pair.model_a}_{pair.model_b}": [pair.wins_a, pair.wins_b, pair.ties] for pair in people.pairs}
    assert found == wanted
    assert sum((pair.p_holm or 0) < 0.05 for pair in people.pairs) == 7


def test_pandalm_at_equal_length(people: Outcome) -> None:
    """Length control moves llama up and lets the second and the third change places."""
    assert people.style is not None
    points = {one.model: one.rating or 0.0 for one in people.style.models}
    assert points["llama-7b"] == pytest.approx(1145.3, abs=0.5)
    assert points["bloom-7b"] > points["pythia-6.9b"]


def test_pandalm_clustering_is_worth_it(pandalm: list[dict[str, Any]]) -> None:
    """Three votes on one item are not three items: naive errors are 7.6, honest ones 12.6."""
    singles = [
        replace(row, judge=row.annotator or "", annotator=None, judge_kind="imported") for row in _votes(pandalm)
    ]
    apart = [replace(row, turn=1 + int(row.judge[-1])) for row in singles]
    rows = {}
    for cluster in ("question", "none"):
        block = ArenaBlock(mode="pairwise-all", rating=how(ci={"method": "sandwich", "cluster": cluster}))
        found = outcome(votes(apart), RatingRun("p", "p", block))
        rows[cluster] = float(np.mean([one.stderr for one in found.ratings.models if one.stderr]))
    assert rows["none"] == pytest.approx(7.6, abs=0.4) and rows["question"] == pytest.approx(12.6, abs=0.6)


def test_llmbar_orders_of_a_judge() -> None:
    wanted = golden("llmbar.natural")["Natural|GPT-4|Vanilla"]
    path = DATA / "llmbar" / "Natural" / "evaluators" / "GPT-4" / "Vanilla" / "result.json"
    battles = []
    rows = json.loads(path.read_text(encoding="utf-8"))
    for number, row in enumerate(rows):
        for key, first in (("swap = False", "a"), ("swap = True", "b")):
            winner = row["results"][0][key]["winner"] if "results" in row else row[key]["winner"]
            verdict = {"1": "a", "2": "b"}[str(winner)]
            battles.append(battle(str(number), "output_1", "output_2", verdict, shown_first=first))
        label = {"1": "a", "2": "b"}[str(row["label"])]
        gold = battle(str(number), "output_1", "output_2", label, judge="gold", judge_kind="human", annotator="gold")
        battles.append(gold)
    block = ArenaBlock(mode="pairwise-all")
    (found,) = [one for one in judged(votes(battles), block) if one.judge == "j"]
    assert found.pairs == wanted["n"] and found.consistency == wanted["consistent"] / 100
    assert found.kappa_orders == pytest.approx(wanted["cohen_orders"], abs=1e-9)
    assert found.first_position_share == sum(wanted["first_position_picks"]) / 200
    assert found.with_people is not None and found.with_people.n == 100
    assert found.with_people.accuracy == wanted["both"] / 100, "a verdict that flips is a tie, and no label is one"


def test_mt_bench_scores(tmp_path: Path) -> None:
    wanted = golden("mt_bench.avg")
    found = fastchat.read(DATA / "mt_bench" / "mt_bench")
    assert len(found.battles) == 800 and found.single
    run = write_import(found, tmp_path, name="m", dataset="mt_bench", source="fastchat", order="as_given")
    rows = {(row.model, row.subset): row for row in rate_folder(tmp_path, run).rows}
    for model, figures in wanted.items():
        overall = rows[model, None]
        assert (overall.metric, overall.n, overall.unit) == ("score", figures["n"], "points")
        assert overall.value == pytest.approx(figures["avg"], abs=1e-6)
        assert rows[model, "turn 1"].value == pytest.approx(figures["t1"], abs=1e-6)
        assert rows[model, "turn 2"].value == pytest.approx(figures["t2"], abs=1e-6)
        assert overall.stderr is not None and overall.stderr > rows[model, "turn 1"].stderr / 2  # type: ignore[operator]


def test_mt_bench_single_file_without_its_folder() -> None:
    golden("mt_bench.avg")
    path = DATA / "mt_bench" / "mt_bench" / "model_judgment" / "gpt-4_single.jsonl.gz"
    with gzip.open(path) as lines:
        n = sum(1 for _ in lines)
    assert len(fastchat.read(path).battles) == n


def test_arena_hard_bounds_ranks_and_separability() -> None:
    wanted = golden("arena_hard.bt")
    path = DATA / "arena_hard" / "golden" / "bootstrap_stats_arena_hard_bt.jsonl"
    rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    bounds = {row["model"]: np.percentile(row["results"], [2.5, 97.5]) for row in rows}
    for row in rows:
        assert bounds[row["model"]] == pytest.approx([row["lower"], row["upper"]], abs=1e-8)
    intervals = [(float(low), float(high)) for low, high in bounds.values()]
    share = separability(intervals)
    assert share is not None and round(100 * share, 2) == wanted["separability"]
    assert round((1 - share) * wanted["pairs"]) == wanted["overlap"]
    ranks = dict(zip(bounds, (low for low, _ in place_ranges(intervals)), strict=True))
    assert len(set(ranks.values())) == wanted["n_distinct_ranks"]
    assert {model: ranks[model] for model in wanted["ranks_first10"]} == wanted["ranks_first10"]
    for model, (low, score, high) in wanted["top"].items():
        assert low < score < high and bounds[model] == pytest.approx([low, high], abs=1e-8)


def test_synthetic() -> None:
    """No file is needed for these."""
    never = rate(table(("a", "b", 5, 5), ("a", "c", 5, 0), ("b", "c", 5, 0)), how()).models
    assert never[2].unbounded == "below" and never[2].rank == 3
    assert never[0].rating == pytest.approx(never[1].rating, abs=1e-9)
    apart = rate(table(("a", "b", 6, 2), ("c", "d", 7, 1)), how()).models
    gaps = [(one.rating or 0) - (other.rating or 0) for one, other in (apart[:2], apart[2:])]
    assert gaps == pytest.approx([190.8485, 338.0392], abs=0.001)
    rows = table(("a", "b", 10, 0), ("b", "c", 10, 0), ("a", "c", 0, 10))
    circle = rate(rows, how())
    assert [one.rating for one in circle.models] == pytest.approx([1000] * 3, abs=1e-6)


def test_lengths_are_found_in_the_answers(vicuna: Imported) -> None:
    rows = with_answers(replace(vicuna))
    assert sum(row.len_a is None for row in rows) + sum(row.len_b is None for row in rows) == 1, "one answer is empty"
