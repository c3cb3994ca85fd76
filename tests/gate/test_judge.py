from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from runs import marks, record, write_run

from bridge.errors import SpecError
from bridge.gate.judge import judge
from bridge.gate.policy_file import read_policy
from bridge.gate.schema import DatasetAnswer, GateAnswer
from bridge.report.compare_sides import select
from bridge.report.schema import LatencyQuantiles, SampleRecord, Usage

TODAY = date(2026, 11, 20)
SAME, WORSE = "1" * 800 + "0" * 200, "0" * 60 + "1" * 740 + "0" * 200
"""80 % of 1,000; and 6 points less."""


def churned(share: float = 0.04) -> str:
    """As good as SAME: so many flips, half of them each way."""
    flips = int(1000 * share / 2)
    return "0" * flips + "1" * (800 - flips) + "1" * flips + "0" * (200 - flips)


def judged(root: Path, policy: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> GateAnswer:
    """The gate over two runs; a dataset is a pattern of marks, or its records."""
    write_run(root / "base", _records(before), **before.get("_", {}))
    write_run(root / "new", _records(after), model="sft", **after.get("_", {}))
    return answered(root, policy)


def answered(root: Path, policy: Mapping[str, Any]) -> GateAnswer:
    path = root / "gate.json"
    path.write_text(json.dumps({"version": 1, **policy}))
    baseline, candidate = select([str(root / "base"), str(root / "new")])
    return judge(read_policy(path), baseline, candidate, TODAY)


def _records(datasets: Mapping[str, Any]) -> dict[Any, list[SampleRecord]]:
    return {name: marks(given) if isinstance(given, str) else given for name, given in datasets.items() if name != "_"}


def of(answer: GateAnswer, dataset: str) -> DatasetAnswer:
    return next(one for one in answer.datasets if one.dataset == dataset)


def suite(pattern: str, n: int = 4) -> dict[str, str]:
    return {f"d{at}": pattern for at in range(n)}


def test_an_unchanged_candidate_goes(tmp_path: Path) -> None:
    answer = judged(tmp_path, {}, suite(SAME), suite(churned()))
    assert (answer.verdict, answer.exit_code, answer.why) == ("GO", 0, ())
    assert answer.suite is not None and answer.suite.state == "ok"
    assert answer.suite.ci95[0] < answer.suite.difference == 0 < answer.suite.ci95[1]


def test_one_collapsed_dataset_stops_it(tmp_path: Path) -> None:
    answer = judged(tmp_path, {}, suite(SAME), {**suite(SAME), "d2": WORSE})
    assert (answer.verdict, answer.exit_code) == ("NO-GO", 10)
    assert [one.state for one in answer.datasets] == ["ok", "ok", "worse", "ok"]
    assert answer.why[0].startswith("d2 is worse than allowed: -6.00 pp [")
    assert answer.why[0].endswith("limit -3.00 pp")


def test_a_small_drop_everywhere_stops_it_by_the_mean(tmp_path: Path) -> None:
    less = "0" * 20 + "1" * 780 + "0" * 200
    answer = judged(tmp_path, {}, suite(SAME, 8), suite(less, 8))
    assert answer.verdict == "NO-GO"
    assert {one.state for one in answer.datasets} == {"ok"}
    assert "the mean over 8 datasets is worse than allowed: -2.00 pp" in answer.why[0]


def test_too_few_samples_are_inconclusive_and_say_how_many_are_needed(tmp_path: Path) -> None:
    policy = {"defaults": {"tier": "critical", "max_drop": 0.01}}
    few = "1" * 80 + "0" * 20
    answer = judged(tmp_path, policy, {"d": few}, {"d": "0" + few[1:-1] + "1"})
    assert (answer.verdict, answer.exit_code) == ("INCONCLUSIVE", 11)
    assert of(answer, "d").state == "not shown"
    assert any("pairs (" in reason and "times as many" in reason for reason in answer.why)


@pytest.mark.parametrize(("said", "code"), [("fail", 11), ("warn", 0), ("pass", 0)])
def test_what_inconclusive_ends_with_is_the_policys(tmp_path: Path, said: str, code: int) -> None:
    answer = judged(tmp_path, {"on_inconclusive": said}, {"d": "1100"}, {"d": "1100"})
    assert (answer.verdict, answer.exit_code) == ("INCONCLUSIVE", code)


def test_critical_must_show_it_supporting_need_not(tmp_path: Path) -> None:
    before, after = {**suite(SAME), "small": "1" * 100}, {**suite(SAME), "small": "0" + "1" * 99}
    policy: dict[str, Any] = {"suite": {"weights": {"d0": 1, "d1": 1, "d2": 1}}}
    assert judged(tmp_path, policy, before, after).verdict == "GO"
    critical = answered(tmp_path, {**policy, "datasets": {"*": {}, "small": {"tier": "critical"}}})
    assert (critical.verdict, of(critical, "small").state) == ("INCONCLUSIVE", "not shown")


def test_an_advisory_dataset_is_told_and_decides_nothing(tmp_path: Path) -> None:
    policy = {"datasets": {"*": {}, "d2": {"tier": "advisory"}}}
    answer = judged(tmp_path, policy, suite(SAME), {**suite(SAME), "d2": WORSE})
    assert answer.verdict == "GO"
    assert of(answer, "d2").state == "told" and of(answer, "d2").difference == pytest.approx(-0.06)
    assert answer.suite is not None and answer.suite.datasets == 3


def test_a_waiver_holds_until_its_day(tmp_path: Path) -> None:
    waiver = {"dataset": "d2", "reason": "data error", "until": "2026-11-20", "by": "Li"}
    answer = judged(tmp_path, {"waivers": [waiver]}, suite(SAME), {**suite(SAME), "d2": WORSE})
    assert answer.verdict == "GO"
    assert of(answer, "d2").waived == "until 2026-11-20: data error, Li"
    late = answered(tmp_path, {"waivers": [{**waiver, "until": "2026-11-19"}]})
    assert (late.verdict, of(late, "d2").waived) == ("NO-GO", "")
    assert late.expired_waivers == ("d2 (until 2026-11-19)",)


def test_a_dataset_that_the_candidate_lacks_stops_it(tmp_path: Path) -> None:
    answer = judged(tmp_path, {}, suite(SAME), suite(SAME, 3))
    assert (answer.verdict, of(answer, "d3").state) == ("NO-GO", "missing")
    assert answer.why == ("d3: the candidate does not have it",)


def test_a_candidate_that_failed_is_missing_and_not_worse(tmp_path: Path) -> None:
    answer = judged(tmp_path, {}, {**suite(SAME), "e": "11"}, {**suite(SAME), "e": "ee"})
    assert of(answer, "e").state == "missing"
    assert "the candidate has no value" in of(answer, "e").why[0]


def test_a_dataset_that_only_the_candidate_has_is_not_gated_unless_named(tmp_path: Path) -> None:
    answer = judged(tmp_path, {}, suite(SAME), {**suite(SAME), "new": "11"})
    assert (answer.verdict, answer.not_in_policy) == ("GO", ("new",))
    named = answered(tmp_path, {"datasets": {"*": {}}})
    assert (named.verdict, of(named, "new").state) == ("INCONCLUSIVE", "unclear")


def test_lost_samples_are_no_evidence(tmp_path: Path) -> None:
    answer = judged(tmp_path, {}, suite(SAME), {**suite(SAME), "d0": "e" * 30 + SAME[30:]})
    assert (answer.verdict, of(answer, "d0").state) == ("INCONCLUSIVE", "unclear")
    assert "30 of 1,000 samples of the candidate have no score, 1.00% are allowed" in of(answer, "d0").why
    lenient = {"require": {"status": "partial", "max_error_rate": 0.05, "max_unpaired": 0.05}}
    assert answered(tmp_path, lenient).verdict == "GO"


def test_a_loss_that_is_shown_stops_it_also_where_samples_are_lost(tmp_path: Path) -> None:
    answer = judged(tmp_path, {}, suite(SAME), {**suite(SAME), "d0": "e" * 30 + WORSE[30:]})
    assert answer.verdict == "INCONCLUSIVE"  # the 30 errors stand where half of the losses were
    worse = judged(tmp_path / "b", {}, suite(SAME), {**suite(SAME), "d0": "0" * 150 + SAME[150:-30] + "e" * 30})
    assert (worse.verdict, of(worse, "d0").state) == ("NO-GO", "worse")


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({"generation": {"temperature": 0.7}}, "INCONCLUSIVE"),
        ({"max_tokens": 5}, "INCONCLUSIVE"),
        ({"limit": 5}, "INCONCLUSIVE"),
        ({"judge": "gpt"}, "INCONCLUSIVE"),
        ({"prompt_template": "x"}, "INCONCLUSIVE"),
        ({"dataset_revision": "x"}, "INCONCLUSIVE"),
        ({"note": "x"}, "GO"),
        ({"max_out_len": 5}, "INCONCLUSIVE"),
    ],
)
def test_settings_that_must_be_the_same(tmp_path: Path, settings: dict[str, Any], verdict: str) -> None:
    answer = judged(tmp_path, {}, suite(SAME), {**suite(SAME), "_": {"settings": settings}})
    assert answer.verdict == verdict
    assert len(answer.differences) == (verdict != "GO")
    assert answered(tmp_path, {"require": {"same": []}}).verdict == "GO"


def test_another_prompt_is_no_evidence(tmp_path: Path) -> None:
    other = [one.model_copy(update={"prompt_sha256": "0" * 63 + "x"}) for one in marks(SAME)]
    answer = judged(tmp_path, {}, suite(SAME), {**suite(SAME), "d1": other})
    assert (answer.verdict, of(answer, "d1").state) == ("INCONCLUSIVE", "unclear")
    assert answered(tmp_path, {"require": {"same": ["few_shot"]}}).verdict == "GO"


def test_floors_are_for_the_lower_end_of_the_interval(tmp_path: Path) -> None:
    def floor(value: float) -> DatasetAnswer:
        return of(answered(tmp_path, {"datasets": {"*": {}, "d0": {"min_value": value}}}), "d0")

    judged(tmp_path, {}, suite(SAME), suite(SAME))  # 80 % of 1,000: [77.4, 82.4]
    assert (floor(0.77).state, floor(0.77).floor) == ("ok", "at least 0.77: holds")
    assert floor(0.80).state == "not shown" and "does not show it" in floor(0.80).floor
    assert floor(0.83).state == "worse" and "is beyond it" in floor(0.83).floor


def test_lower_is_better_has_a_rise_and_may_be_relative(tmp_path: Path) -> None:
    def perplexities(factor: float) -> list[SampleRecord]:
        return [record(str(at), "1", scores={"accuracy": factor * (10 + at % 7 + (at % 3) / 50)}) for at in range(400)]

    row = {"row": {"higher_is_better": False, "unit": "points", "max_value": None}}
    policy = {"datasets": {"wiki": {"max_rise": 0.02, "relative": True, "tier": "critical"}}}
    for number, (factor, state) in enumerate([(1.0, "ok"), (1.015, "ok"), (1.03, "worse")]):
        answer = judged(
            tmp_path / str(number),
            policy,
            {"wiki": perplexities(1.0), "_": row},
            {"wiki": perplexities(factor), "_": row},
        )
        assert (of(answer, "wiki").state, answer.verdict) == (state, "GO" if state == "ok" else "NO-GO")
        assert answer.suite is None
    wrong = {"datasets": {"wiki": {"max_drop": 0.02}}}
    with pytest.raises(SpecError, match=r"lower is better \(give max_rise\)"):
        answered(tmp_path / "0", wrong)
    with pytest.raises(
        SpecError, match=r"the unit of accuracy is points, which has no default margin \(give wiki a max_rise"
    ):
        answered(tmp_path / "0", {})


def test_without_a_suite_every_dataset_must_show_it(tmp_path: Path) -> None:
    row = {"row": {"unit": "rating", "max_value": 10.0}}
    ratings = {"mt": [record(str(at), "1", scores={"accuracy": float(at % 9)}) for at in range(200)], "_": row}
    worse = {"mt": [record(str(at), "1", scores={"accuracy": float(at * 7 % 9)}) for at in range(200)], "_": row}
    policy = {"datasets": {"mt": {"max_drop": 0.3, "unit": "rating"}}}
    answer = judged(tmp_path, policy, ratings, worse)
    assert (answer.suite, of(answer, "mt").state, answer.verdict) == (None, "not shown", "INCONCLUSIVE")
    with pytest.raises(SpecError, match="the unit of accuracy is rating, not fraction"):
        answered(tmp_path, {"datasets": {"mt": {"max_drop": 0.3, "unit": "fraction"}}})
    with pytest.raises(SpecError, match="has no default margin"):
        answered(tmp_path, {})


def test_repeats_can_be_asked_for(tmp_path: Path) -> None:
    answer = judged(tmp_path, {"defaults": {"repeats_at_least": 2}}, suite(SAME), suite(SAME))
    assert of(answer, "d0").why == ("1 answers per sample, 2 are required",)
    assert answer.verdict == "INCONCLUSIVE"


def test_clusters_can_be_named(tmp_path: Path) -> None:
    before = [one.model_copy(update={"subset": f"s{at % 10}"}) for at, one in enumerate(marks(SAME))]
    after = [one.model_copy(update={"subset": f"s{at % 10}"}) for at, one in enumerate(marks(churned()))]
    plain = judged(tmp_path, {}, {"d": before}, {"d": after})
    clustered = answered(tmp_path, {"datasets": {"d": {"cluster": "subset"}}})
    assert plain.suite is not None and clustered.suite is not None
    assert plain.suite.ci95 != clustered.suite.ci95


def test_limits_of_what_was_measured(tmp_path: Path) -> None:
    def usage(p95: float | None) -> dict[str, Any]:
        quantiles = None if p95 is None else LatencyQuantiles(p50=0.1, p95=p95, p99=2.0)
        return {"usage": Usage(requests=10, latency_s=quantiles)}

    policy = {"performance": {"latency_s.p95": {"max": 2.0, "max_relative_rise": 0.2}, "d0/accuracy": {"min": 0.5}}}
    before = {**suite(SAME), "_": usage(1.0)}
    states = {}
    for p95 in (1.1, 1.3, None):
        answer = judged(tmp_path / str(p95), policy, before, {**suite(SAME), "_": usage(p95)})
        states[p95] = (answer.performance[0].state, answer.verdict)
    assert states == {1.1: ("ok", "GO"), 1.3: ("worse", "NO-GO"), None: ("missing", "NO-GO")}
    with pytest.raises(SpecError, match=r"did you mean 'latency_s\.p9"):
        answered(tmp_path / "1.1", {"performance": {"latency_s.p59": {"max": 1}}})


def test_names_that_no_run_has_are_told_all_at_once(tmp_path: Path) -> None:
    policy = {
        "datasets": {"d00": {}, "safety*": {}, "d1": {}},
        "waivers": [{"dataset": "dd", "reason": "x", "until": "2027-01-01"}],
        "suite": {"weights": {"d9": 1}},
    }
    with pytest.raises(SpecError) as caught:
        judged(tmp_path, policy, suite(SAME), suite(SAME))
    assert len(caught.value.problems) == 4
    assert "datasets.d00: no run has such a dataset (did you mean 'd0'?)" in str(caught.value)


@pytest.mark.parametrize(
    "policy",
    [
        {"defaults": {"tier": "advisory"}},
        {"datasets": {"d*": {"tier": "advisory"}}},
        {"datasets": {"d0": {}}, "waivers": [{"dataset": "d0", "reason": "x", "until": "2027-01-01"}]},
    ],
)
def test_a_gate_that_nothing_can_fail_is_no_gate(tmp_path: Path, policy: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="no dataset is gated"):
        judged(tmp_path, policy, suite(SAME), suite(SAME))


def test_a_more_exact_name_wins(tmp_path: Path) -> None:
    policy = {"datasets": {"d*": {"max_drop": 0.2}, "d1": {"max_drop": 0.1}, "d?": {"tier": "critical"}}}
    answer = judged(tmp_path, policy, suite(SAME), suite(SAME))
    assert [(one.tier, one.margin) for one in answer.datasets[:2]] == [("critical", 0.2), ("critical", 0.1)]


def test_a_dataset_through_two_backends_is_not_decided_by_chance(tmp_path: Path) -> None:
    both = {("native", "d"): SAME, ("opencompass", "d"): SAME}
    with pytest.raises(SpecError, match=r"d is there through native, opencompass \(say which, as .*:qwen@native\)"):
        judged(tmp_path, {}, both, both)


def test_unparsed_answers_are_named_as_the_place_to_look(tmp_path: Path) -> None:
    bad = [record(str(at), "0", extracted=None) for at in range(60)] + marks(SAME)[60:]
    answer = judged(tmp_path, {}, suite(SAME), {**suite(SAME), "d0": bad})
    assert "d0: out of 60 of 60 lost answers nothing could be read" in answer.why[1]
