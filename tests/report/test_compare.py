from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import make_model, make_report, make_row
from runs import marks, record, write, write_run

from bridge.errors import OutputError, SpecError
from bridge.report.compare import Options, compare
from bridge.report.compare_dataset import How
from bridge.report.compare_schema import Comparison, DatasetComparison
from bridge.report.compare_words import headline
from bridge.report.schema import SampleRecord


def compared(*arguments: object, **options: Any) -> Comparison:
    return compare([str(argument) for argument in arguments], Options(**options))


def only(comparison: Comparison) -> DatasetComparison:
    (against,) = comparison.against
    (one,) = against.datasets
    return one


def refused(*arguments: object, **options: Any) -> str:
    with pytest.raises(SpecError) as caught:
        compared(*arguments, **options)
    return str(caught.value)


def two_runs(root: Path, before: str, after: str) -> tuple[Path, Path]:
    return (
        write_run(root / "a", {"gsm8k": marks(before)}),
        write_run(root / "b", {"gsm8k": marks(after)}, model="qwen-sft"),
    )


def test_pairs_are_made_by_id_and_not_by_position(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("11100")})
    b = write_run(tmp_path / "b", {"d": list(reversed(marks("11100")))}, model="other")
    one = only(compared(a, b))
    assert (one.n, one.gained, one.lost, one.difference) == (5, 0, 0, 0.0)
    assert one.verdict == "no difference shown"


def test_errors_are_a_third_state(tmp_path: Path) -> None:
    one = only(compared(*two_runs(tmp_path, "1111100000" * 5, "1110e0110e" * 5)))
    assert one.n == 40
    assert one.unpaired.error_in_candidate == 10 and one.unpaired.total == 10
    assert one.difference == pytest.approx((10 - 5) / 40)
    # 40 pairs won 5 net; the ten lost samples are 1 and 0 in the baseline: from -1 to 0, and from 0 to +1
    assert one.bounds == pytest.approx(((5 - 5) / 50, (5 + 5) / 50))


def test_what_only_one_side_has_is_counted_and_bounded(tmp_path: Path) -> None:
    one = only(compared(*two_runs(tmp_path, "11--", "1-1-")))
    assert (one.n, one.unpaired.only_in_baseline, one.unpaired.only_in_candidate) == (1, 1, 1)
    assert one.bounds == pytest.approx((-1 / 3, 1 / 3))


def test_a_clear_loss_is_worse_and_its_samples_are_told(tmp_path: Path) -> None:
    one = only(compared(*two_runs(tmp_path, "1" * 100, "0" * 20 + "1" * 80)))
    assert (one.verdict, one.lost, one.gained) == ("worse", 20, 0)
    assert one.p_value == pytest.approx(2 / 2**20)
    assert [flip.sample_id for flip in one.flips_lost] == [str(at) for at in range(20)]
    flip = one.flips_lost[0]
    assert (flip.baseline.extracted, flip.candidate.extracted, flip.target) == ("1", "0", "4")
    assert flip.candidate.response == "It is 0."


def test_so_many_flips_as_are_asked_for(tmp_path: Path) -> None:
    runs = two_runs(tmp_path, "1" * 100, "0" * 20 + "1" * 80)
    assert len(only(compared(*runs, how=How(flips=3))).flips_lost) == 3
    assert only(compared(*runs, how=How(flips=0))).flips_lost == ()


def test_less_is_better_turns_the_verdict_and_not_the_difference(tmp_path: Path) -> None:
    down = {"higher_is_better": False, "metric": "accuracy", "min_value": 0.0, "max_value": None, "unit": "points"}
    a = write_run(tmp_path / "a", {"d": [_rated(at, 5.0 + at % 3) for at in range(40)]}, row=down)
    b = write_run(tmp_path / "b", {"d": [_rated(at, 4.0 + at % 3) for at in range(40)]}, row=down, model="b")
    one = only(compared(a, b))
    assert (one.difference, one.verdict, one.gained, one.lost) == (-1.0, "better", 40, 0)
    assert one.bounds is None


def test_repeats_are_averaged_first(tmp_path: Path) -> None:
    def asked(pattern: str) -> list[SampleRecord]:
        return [
            record(str(at), mark, repeat=repeat)
            for at in range(30)
            for repeat, mark in enumerate(pattern if at % 2 else "1")
        ]

    a = write_run(tmp_path / "a", {"d": asked("1100")})
    b = write_run(tmp_path / "b", {"d": asked("1000")}, model="b")
    one = only(compared(a, b))
    assert (one.n, one.lost) == (30, 15)
    assert one.difference == pytest.approx(-0.125)
    assert one.noise is not None and one.noise.repeats_baseline == 2.5
    assert 0 < one.noise.share_within <= 1


def test_another_prompt_is_another_question(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("1100")})
    changed = [
        one.model_copy(update={"prompt_sha256": "f" * 64}) if at else one for at, one in enumerate(marks("1100"))
    ]
    b = write_run(tmp_path / "b", {"d": changed}, model="b")
    one = only(compared(a, b))
    assert (one.n, one.unpaired.other_prompt) == (1, 3)
    assert only(compared(a, b, how=How(any_prompt=True))).n == 4


def test_when_all_prompts_differ_there_is_nothing_to_compare(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("1100")})
    other = [
        one.model_copy(update={"prompt_sha256": None, "input": f"other {at}"}) for at, one in enumerate(marks("1100"))
    ]
    b = write_run(tmp_path / "b", {"d": other}, model="b")
    assert "all 4 samples that both have were asked with another prompt; --any-prompt" in refused(a, b)


def test_an_id_that_stands_for_two_samples_pairs_nothing(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": [*marks("110"), record("0", "0")]})
    b = write_run(tmp_path / "b", {"d": marks("110")}, model="b")
    one = only(compared(a, b))
    assert (one.n, one.unpaired.ambiguous) == (2, 1)


def test_what_differs_in_the_settings_comes_with_its_kind(tmp_path: Path) -> None:
    a = write_run(
        tmp_path / "a", {"d": marks("10"), "e": marks("10")}, settings={"limit": 2, "generation": {"top_p": 1}}
    )
    b = write_run(
        tmp_path / "b",
        {"d": marks("10"), "e": marks("101")},
        settings={"limit": 2, "generation": {"top_p": 0.5}},
        row={"num_fewshot": 5},
        model="b",
    )
    found = {(one.name, one.dataset): one for one in compared(a, b).against[0].differences}
    assert found["top_p", None].kind == "score"
    assert (found["num_fewshot", None].baseline, found["num_fewshot", None].candidate) == ("–", "5")
    assert found["samples", "e"].candidate == "3"
    assert found["model", None].kind == "subject"
    assert ("limit", None) not in found


def test_settings_of_two_frameworks_are_called_by_one_name(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("10")}, settings={"temperature": 0.0, "max_tokens": 5, "scorer": "math"})
    theirs = {"generation": {"temperature": 0.0}, "max_out_len": 9, "evaluator": "Gsm8k", "opencompass_value": 50.0}
    b = write_run(tmp_path / "b", {("opencompass", "d"): marks("10")}, settings=theirs, model="b")
    found = {one.name: (one.baseline, one.candidate, one.kind) for one in compared(a, b).against[0].differences}
    assert found["max_tokens"] == ("5", "9", "score")
    assert found["scorer"] == ("math", "–", "origin")
    assert found["evaluator"] == ("–", "Gsm8k", "origin")
    assert "temperature" not in found and "opencompass_value" not in found


def test_a_dataset_through_two_backends_has_two_names_and_counts_once(tmp_path: Path) -> None:
    both = {("native", "d"): marks("1" * 30), ("opencompass", "d"): marks("1" * 30), "e": marks("1" * 30)}
    worse = {**both, ("native", "d"): marks("0" * 15 + "1" * 15), ("opencompass", "d"): marks("0" * 15 + "1" * 15)}
    a, b = write_run(tmp_path / "a", both), write_run(tmp_path / "b", worse, model="b")
    (against,) = compared(a, b).against
    assert headline(against) == "worse on d (native), d (opencompass); no difference shown on 1 dataset"
    assert against.suite is not None and (against.suite.datasets, against.suite.difference) == (2, -0.25)


def test_many_datasets_are_corrected_by_holm_and_averaged(tmp_path: Path) -> None:
    before, after = "1" * 10 + "0" * 90, "0" * 7 + "1" * 3 + "0" * 90
    names = [f"d{at}" for at in range(6)]
    a = write_run(tmp_path / "a", {name: marks(before) for name in names})
    b = write_run(tmp_path / "b", {name: marks(after if name == "d0" else before) for name in names}, model="b")
    (against,) = compared(a, b).against
    assert against.datasets[0].p_value == pytest.approx(2 / 2**7)
    assert against.datasets[0].p_holm == pytest.approx(6 * 2 / 2**7)
    assert against.datasets[0].verdict == "no difference shown"
    assert against.suite is not None and against.suite.difference == pytest.approx(-0.07 / 6)


def test_the_largest_loss_among_subsets_comes_first(tmp_path: Path) -> None:
    def with_subsets(pattern: str) -> list[SampleRecord]:
        return [one.model_copy(update={"subset": "xy"[at % 2]}) for at, one in enumerate(marks(pattern))]

    a = write_run(tmp_path / "a", {"d": with_subsets("11" * 20)})
    b = write_run(tmp_path / "b", {"d": with_subsets("10" * 20)}, model="b")
    one = only(compared(a, b))
    assert [(part.subset, part.difference) for part in one.subsets] == [("y", -1.0), ("x", 0.0)]
    assert one.subsets[0].q_value == pytest.approx(min(1.0, 2 * one.subsets[0].p_value))


def test_macro_means_are_compared_as_macro_means(tmp_path: Path) -> None:
    def sized(pattern: str) -> list[SampleRecord]:
        return [
            one.model_copy(update={"subset": "small" if at < 4 else "large"}) for at, one in enumerate(marks(pattern))
        ]

    a = write_run(tmp_path / "a", {"d": sized("1" * 40)}, average="macro")
    b = write_run(tmp_path / "b", {"d": sized("0010" + "1" * 36)}, average="macro", model="b")
    one = only(compared(a, b))
    assert (one.average, one.difference) == ("macro", pytest.approx(-3 / 4 / 2))
    assert (one.baseline, one.candidate) == (pytest.approx(1.0), pytest.approx(0.625))


def test_declared_clusters_widen_the_interval(tmp_path: Path) -> None:
    def in_passages(pattern: str) -> list[SampleRecord]:
        return [one.model_copy(update={"metadata": {"cluster": at // 5}}) for at, one in enumerate(marks(pattern))]

    before, after = "11111" * 20, ("11111" * 4 + "00000") * 4
    a = write_run(tmp_path / "a", {"d": in_passages(before)})
    b = write_run(tmp_path / "b", {"d": in_passages(after)}, model="b")
    clustered, plain = only(compared(a, b)), only(compared(a, b, how=How(cluster="none")))
    assert (clustered.clustered, clustered.groups, plain.clustered) == (True, 20, False)
    assert clustered.p_value == 2 / 2**4
    assert plain.p_value < 1e-5
    assert clustered.design_effect == pytest.approx(5 * 99 / 95)


def test_unless_every_sample_names_its_cluster_there_are_none(tmp_path: Path) -> None:
    half = [one.model_copy(update={"metadata": {"cluster": 1} if at else {}}) for at, one in enumerate(marks("1100"))]
    a, b = write_run(tmp_path / "a", {"d": half}), write_run(tmp_path / "b", {"d": half}, model="b")
    assert only(compared(a, b)).clustered is False


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"response": "It is 1."}, "extraction"),
        ({"response": "It is 1.", "extracted": "1"}, "scoring"),
        ({"response": "5", "input": [{"role": "user", "content": "another"}]}, "prompt"),
        ({"response": "5"}, "answer"),
    ],
)
def test_why_two_frameworks_disagree(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    theirs = [
        record(str(at), "0", prompt_sha256=None, input=[{"role": "user", "content": f"question {at}"}])
        for at in range(4)
    ]
    theirs = [one.model_copy(update={"response": "It is 0.", **changed}) for one in theirs]
    run = write_run(tmp_path / "a", {("native", "d"): marks("1111"), ("opencompass", "d"): theirs})
    one = only(compared(run))
    assert (one.baseline_backend, one.candidate_backend, one.n) == ("native", "opencompass", 4)
    assert one.reasons == {reason: 4}


def test_frameworks_with_ids_of_their_own_are_paired_by_position_where_targets_agree(tmp_path: Path) -> None:
    ours = [record(f"Mercury_{at}", "1", target="ABCD"[at % 4]) for at in range(8)]
    theirs = [record(str(at), "1", target="abcd"[at % 4]) for at in range(8)]
    run = write_run(tmp_path / "a", {("native", "arc"): ours, ("opencompass", "arc"): theirs})
    one = only(compared(run))
    assert (one.paired_by, one.n) == ("position", 8)
    assert any("paired by position" in note for note in one.notes)
    shuffled = [record(str(at), "1", target="bcda"[at % 4]) for at in range(8)]
    other = write_run(tmp_path / "b", {("native", "arc"): ours, ("opencompass", "arc"): shuffled})
    assert "no sample id is on both sides (8 and 8 samples)" in refused(other)
    alike = [[record(f"{name}{at}", "1", target="yes") for at in range(8)] for name in "ab"]
    constant = write_run(tmp_path / "c", {("native", "arc"): alike[0], ("opencompass", "arc"): alike[1]})
    assert "no sample id is on both sides" in refused(constant)


def test_one_run_is_compared_model_by_model(tmp_path: Path) -> None:
    write_run(tmp_path / "x", {"d": marks("1100")})
    write_run(tmp_path / "y", {"d": marks("1000")}, model="other")
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in "xy"]
    rows = [make_row(**{**row, "samples": None}) for report in reports for row in report["results"]]
    root = write(tmp_path / "both", make_report(results=tuple(rows), models=(make_model(), make_model(name="other"))))
    assert "has no records of samples" in refused(root)
    assert "say which" in refused(root, tmp_path / "x")
    assert "no such model (did you mean 'other'?)" in refused(f"{root}:othr", tmp_path / "x")


def test_a_side_is_a_run_a_model_a_backend(tmp_path: Path) -> None:
    root = write_run(
        tmp_path / "a:b", {("native", "d"): marks("11"), ("opencompass", "d"): marks("10")}, model="org/m:7b@q"
    )
    one = only(compared(f"{root}:org/m:7b@q@native", f"{root}:org/m:7b@q@opencompass"))
    assert (one.baseline_backend, one.candidate_backend) == ("native", "opencompass")
    assert "no such backend" in refused(f"{root}:org/m:7b@q@nativ", root)


def test_three_runs_are_all_compared_with_the_first(tmp_path: Path) -> None:
    roots = [write_run(tmp_path / name, {"d": marks("1100")}, model=name) for name in "abc"]
    comparison = compared(*roots)
    assert [against.candidate.label for against in comparison.against] == ["b", "c"]


def test_the_same_model_twice_is_told_apart_by_its_run(tmp_path: Path) -> None:
    a, b = write_run(tmp_path / "a", {"d": marks("1100")}), write_run(tmp_path / "b", {"d": marks("1100")})
    comparison = compared(a, b)
    assert (comparison.baseline.label, comparison.against[0].candidate.label) == ("a", "b")


def test_what_cannot_be_compared_says_why_and_the_rest_is_compared(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("1100"), "only": marks("1"), "broken": marks("10")})
    b = write_run(tmp_path / "b", {"d": marks("1100"), "broken": marks("ee")}, model="b")
    (against,) = compared(a, b).against
    assert [one.dataset for one in against.datasets] == ["d"]
    told = {one.dataset: one.reason for one in against.not_compared}
    assert told == {
        "only": "only qwen has it",
        "broken": "no sample has a score on both sides (2 only in the baseline)",
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"unit": "rating", "max_value": 10.0}, "the units differ: accuracy in fraction, accuracy in rating"),
        ({"higher_is_better": False}, "one is better when it is higher"),
    ],
)
def test_scores_of_another_meaning_are_not_compared(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    a = write_run(tmp_path / "a", {"d": marks("1100")})
    b = write_run(tmp_path / "b", {"d": marks("1100")}, row=row, model="b")
    assert reason in refused(a, b)


def test_another_metric_can_be_asked_for(tmp_path: Path) -> None:
    both = [one.model_copy(update={"scores": {"accuracy": 1.0, "f1": 0.5}}) for one in marks("1111")]
    a, b = write_run(tmp_path / "a", {"d": both}), write_run(tmp_path / "b", {"d": both}, model="b")
    assert "no metric 'f1'; it has: accuracy" in refused(a, b, metrics={"*": "f1"})


def test_datasets_can_be_chosen_and_have_two_names(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"gsm8k": marks("1100"), "arc": marks("11")})
    b = write_run(tmp_path / "b", {"gsm8k_gen": marks("1000"), "arc": marks("11")}, model="b")
    one = only(compared(a, b, datasets={"gsm8k": "gsm8k_gen"}))
    assert (one.dataset, one.candidate_dataset, one.lost) == ("gsm8k", "gsm8k_gen", 1)
    assert "no run has a dataset 'gsm9k' (did you mean 'gsm8k'?)" in refused(a, b, datasets={"gsm9k": "gsm9k"})


def test_lines_that_are_no_records_are_counted(tmp_path: Path) -> None:
    a, b = two_runs(tmp_path, "1100", "1100")
    with (b / "samples/native/gsm8k.jsonl").open("a") as file:
        file.write('[1, 2]\n{"sample_id": 7, "scores": {}}\n{"model": "qwen", "sam')
    one = only(compared(a, b))
    assert (one.n, one.unpaired.unreadable) == (4, 3)
    assert any(
        "3 lines of samples/native/gsm8k.jsonl cannot be read, first: gsm8k.jsonl:5" in note for note in one.notes
    )


@pytest.mark.parametrize("score", ["NaN", "1e999", "null", '"1"', "true"])
def test_a_score_that_is_no_number_is_no_score(tmp_path: Path, score: str) -> None:
    a, b = two_runs(tmp_path, "1100", "1100")
    path = b / "samples/native/gsm8k.jsonl"
    path.write_text(path.read_text().replace('"accuracy":1.0', f'"accuracy":{score}', 1))
    one = only(compared(a, b))
    assert one.n == (4 if score == "true" else 3)


def test_a_metric_that_is_not_the_mean_of_its_samples_is_said(tmp_path: Path) -> None:
    a, b = two_runs(tmp_path, "1100", "1100")
    report = json.loads((b / "report.json").read_text())
    report["results"][0]["value"] = 0.7
    (b / "report.json").write_text(json.dumps(report))
    assert any("reports 0.7, the mean of its samples' scores is 0.5" in note for note in only(compared(a, b)).notes)


def test_samples_outside_the_run_are_not_read(tmp_path: Path) -> None:
    a, b = two_runs(tmp_path, "1100", "1100")
    report = json.loads((b / "report.json").read_text())
    report["results"][0]["samples"] = "../a/samples/native/gsm8k.jsonl"
    (b / "report.json").write_text(json.dumps(report))
    assert "the candidate's samples are not there" in refused(a, b)


def test_a_report_from_the_future_and_a_folder_without_one(tmp_path: Path) -> None:
    a, b = two_runs(tmp_path, "1100", "1100")
    (b / "report.json").write_text((b / "report.json").read_text().replace('"1.0"', '"9.0"', 1))
    with pytest.raises(OutputError, match="install a newer bridge"):
        compared(a, b)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OutputError, match="no report here"):
        compared(a, tmp_path / "empty")
    assert "there is no such run" in refused(a, tmp_path / "nowhere")


def test_unparsed_and_truncated_answers_are_counted_among_the_lost(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("1" * 12)})
    bad = [record(str(at), "0", extracted=None, finish_reason="length" if at < 4 else "stop") for at in range(9)]
    b = write_run(tmp_path / "b", {"d": [*bad, *marks("1" * 12)[9:]]}, model="b")
    found = only(compared(a, b)).symptoms
    assert (found.unparsed_baseline, found.unparsed_candidate, found.lost_unparsed) == (0, 9, 9)
    assert (found.truncated_candidate, found.lost_truncated) == (4, 4)


def test_a_framework_that_records_no_extraction_is_not_said_to_have_read_nothing(tmp_path: Path) -> None:
    a = write_run(tmp_path / "a", {"d": marks("11")})
    b = write_run(tmp_path / "b", {"d": [record(str(at), "0", extracted=None) for at in range(2)]}, model="b")
    assert only(compared(a, b)).symptoms.lost_unparsed is None


def _rated(at: int, score: float) -> SampleRecord:
    return record(str(at), "1", scores={"accuracy": score})
