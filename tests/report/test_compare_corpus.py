"""Metrics that are no means over samples: recomputed, and bootstrapped over pairs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
from fakes import make_model, make_record, make_report, make_row
from runs import marks, write, write_run

from bridge.report.compare import Options, compare
from bridge.report.compare_dataset import How
from bridge.report.compare_schema import DatasetComparison
from bridge.report.schema import SampleRecord
from bridge.report.write import sample_line

WORDS = "the a cat dog sat lay on under mat rug in sun rain and or ran fast slow home today".split()  # noqa: SIM905


def whole_run(root: Path, model: str, records: list[SampleRecord], **row: Any) -> Path:
    path = root / "samples" / "x.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"".join(map(sample_line, records)))
    one = make_row(model=model, dataset="d", samples="samples/x.jsonl", n=len(records), ci95=None, **row)
    return write(root, make_report(models=(make_model(name=model),), results=(one,)))


def compared(a: Path, b: Path, **how: Any) -> DatasetComparison:
    (against,) = compare([str(a), str(b)], Options(how=How(**how))).against
    (one,) = against.datasets
    return one


def translations(noise: float, seed: int, n: int = 120) -> list[SampleRecord]:
    """Sentences of which a share of the words is another one."""
    same, own = random.Random(0), random.Random(seed)
    found = []
    for at in range(n):
        target = same.choices(WORDS, k=12)
        said = [own.choice(WORDS) if own.random() < noise else word for word in target]
        fields = {"sample_id": str(at), "target": " ".join(target), "response": " ".join(said), "extracted": None}
        found.append(
            make_record(**fields, scores={"bleu": sacrebleu.sentence_bleu(" ".join(said), [" ".join(target)]).score})
        )
    return found


def bleu(records: list[SampleRecord]) -> float:
    return sacrebleu.corpus_bleu([str(r.response) for r in records], [[str(r.target) for r in records]]).score


def bleu_runs(root: Path, noises: tuple[float, float], scale: float = 1.0, n: int = 120) -> tuple[Path, Path]:
    points: dict[str, Any] = {
        "metric": "bleu",
        "unit": "points" if scale == 1 else "fraction",
        "max_value": 100 * scale,
    }
    sides = [translations(noise, seed, n) for seed, noise in enumerate(noises, 1)]
    a, b = (
        whole_run(root / name, name, records, value=scale * bleu(records), **points)
        for name, records in zip("ab", sides, strict=True)
    )
    return a, b


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_bleu_is_that_of_the_whole_set(tmp_path: Path, scale: float) -> None:
    one = compared(*bleu_runs(tmp_path, (0.2, 0.45), scale))
    expected = bleu(translations(0.45, 2)) - bleu(translations(0.2, 1))
    assert one.difference == pytest.approx(scale * expected, abs=1e-9)
    assert one.test == "bootstrap" and one.verdict == "worse"
    assert one.ci95 is not None and one.ci95[0] < one.difference < one.ci95[1] < 0
    assert "bleu is of the whole set" in one.notes[0] and not any("mean of its samples" in note for note in one.notes)


def test_the_interval_is_that_of_a_bootstrap_made_by_hand(tmp_path: Path) -> None:
    one = compared(*bleu_runs(tmp_path, (0.3, 0.3), n=40))
    before, after = translations(0.3, 1, 40), translations(0.3, 2, 40)
    draw, differences = random.Random(5), []
    for _ in range(150):
        chosen = draw.choices(range(len(before)), k=len(before))
        differences.append(bleu([after[at] for at in chosen]) - bleu([before[at] for at in chosen]))
    low, high = np.quantile(differences, (0.025, 0.975))
    assert one.ci95 == pytest.approx((low, high), abs=0.3 * (high - low))
    assert one.verdict == "no difference shown" and one.p_value > 0.05


def test_macro_f1_is_recomputed_from_targets_and_answers(tmp_path: Path) -> None:
    def answered(right: float, seed: int) -> list[SampleRecord]:
        draw = random.Random(seed)
        classes = ["yes"] * 80 + ["no"] * 20
        return [
            make_record(
                sample_id=str(at), target=name, extracted=name if draw.random() < right else "no", scores={"x": 1}
            )
            for at, name in enumerate(classes)
        ]

    def f1(records: list[SampleRecord]) -> float:
        pairs = [(record.target, record.extracted) for record in records]
        found = []
        for name in ("yes", "no"):
            hits = sum(t == a == name for t, a in pairs)
            found.append(2 * hits / (sum(t == name for t, _ in pairs) + sum(a == name for _, a in pairs)))
        return sum(found) / 2

    sides = answered(0.9, 1), answered(0.6, 2)
    a, b = (
        whole_run(tmp_path / name, name, records, value=round(f1(records), 6), metric="macro_f1")
        for name, records in zip("ab", sides, strict=True)
    )
    one = compared(a, b)
    assert (one.test, one.verdict) == ("bootstrap", "worse")
    assert one.difference == pytest.approx(f1(sides[1]) - f1(sides[0]))


def test_the_same_answers_differ_by_nothing(tmp_path: Path) -> None:
    records = translations(0.3, 1)
    a, b = (
        whole_run(tmp_path / x, x, records, value=bleu(records), metric="bleu", unit="points", max_value=100)
        for x in "ab"
    )
    one = compared(a, b)
    assert (one.difference, one.ci95, one.p_value, one.verdict) == (0.0, (0.0, 0.0), 1.0, "no difference shown")


def test_clusters_are_drawn_whole(tmp_path: Path) -> None:
    """Each sentence ten times over: the interval must not shrink."""

    def often(noise: float, seed: int) -> list[SampleRecord]:
        return [
            one.model_copy(update={"sample_id": f"{one.sample_id}-{copy}", "metadata": {"cluster": one.sample_id}})
            for one in translations(noise, seed, 40)
            for copy in range(10)
        ]  # fmt: skip

    points: dict[str, Any] = {"metric": "bleu", "unit": "points", "max_value": 100}
    a, b = (
        whole_run(tmp_path / name, name, records, value=bleu(records), **points)
        for name, records in (("a", often(0.3, 1)), ("b", often(0.4, 2)))
    )
    clustered, simple = compared(a, b).ci95, compared(a, b, cluster="none").ci95
    assert clustered is not None and simple is not None
    assert clustered[1] - clustered[0] > 2 * (simple[1] - simple[0])


def test_a_value_that_cannot_be_recomputed_leaves_the_samples_scores(tmp_path: Path) -> None:
    records = translations(0.3, 1)
    a, b = (
        whole_run(tmp_path / x, x, records, value=bleu(records) + 3, metric="bleu", unit="points", max_value=100)
        for x in "ab"
    )
    one = compared(a, b)
    assert one.test == "sign-flip" and any("the mean of its samples' scores" in note for note in one.notes)


# Sides that say little


@pytest.mark.parametrize("mark", ["1", "0"])
def test_one_class_only(tmp_path: Path, mark: str) -> None:
    a = write_run(tmp_path / "a", {"d": marks(mark * 30)})
    b = write_run(tmp_path / "b", {"d": marks(mark * 30)}, model="other")
    one = compared(a, b)
    assert (one.difference, one.p_value, one.verdict) == (0.0, 1.0, "no difference shown")
    assert one.ci95 is not None and one.ci95[0] < 0 < one.ci95[1]


def test_a_single_pair_claims_nothing(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("1e")})
    b = write_run(tmp_path / "b", {"d": marks("0e")}, model="other")
    one = compared(a, b)
    assert (one.n, one.verdict) == (1, "no difference shown")
