from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.native.benchmark import Sample, Verdict
from bridge.native.benchmarks import benchmark
from bridge.native.scorers.math import Math, equivalent, find_answer, last_boxed

MATH = Math()


def verdict(answer: str, target: str) -> Verdict:
    sample = Sample(target=target)
    return MATH.at_once(answer, sample) or MATH.at_length(answer, sample)


@pytest.mark.parametrize(
    ("answer", "text", "method"),
    [
        (r"First \boxed{3}, then \boxed{18}.", "18", "boxed"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "boxed"),
        (r"\boxed{} so the answer is 7", "7", "answer_is"),
        (r"\boxed{unclosed 4", "4", "last_number"),
        ("The answer is 18 dollars per day. ", "18 dollars per day", "answer_is"),
        ("The final answer is: **$1,200**.", "1,200", "answer_is"),
        ("The answer is $\\frac{3}{4}$ of it", r"\frac{3}{4}", "answer_is"),
        ("The answer is 9 * 2 = 18, since 9 + 9 = 18", "18", "answer_is"),
        ("答案是 42", "42", "answer_is"),
        ("ANSWER: 12\nANSWER: 13", "13", "marker"),
        ("Answer: 9 * 2 = 18 eggs", "18 eggs", "marker"),
        ("The answer is clear.\nIt comes to 5.", "5", "last_number"),
        ("She earns 18 a day.\nA: 18", "18", "last_number"),
        ("No number at all.", None, "none"),
        ("", None, "none"),
    ],
)
def test_where_the_answer_is_found(answer: str, text: str | None, method: str) -> None:
    assert find_answer(answer, numeric=True) == (text, method)


def test_expressions_are_kept_whole_where_the_reference_is_one() -> None:
    assert find_answer("The answer is x^2 + 1.", numeric=False).text == "x^2 + 1"


@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        (r"\boxed{18}", "18", True),
        (r"\boxed{18.0}", "18", True),
        (r"\boxed{\$1,200}", "1200", True),
        (r"\boxed{18 \text{ eggs}}", "18", True),
        (r"\boxed{19}", "18", False),
        (r"\boxed{\frac{36}{2}}", "18", True),
        (r"\boxed{x = 18}", "18", True),
        (r"\boxed{9 \times 2}", "18", True),
        (r"\boxed{\text{no}}", "18", False),
        (r"\boxed{\frac{1}{2}}", "0.5", True),
        (r"\boxed{(1, 2)}", "(1,2)", True),
        (r"\boxed{2x}", "2y", False),
        ("nothing", "18", False),
    ],
)
def test_equal_is_equal_however_it_is_written(answer: str, target: str, right: bool) -> None:
    assert verdict(answer, target).scores == {"accuracy": float(right)}


def test_plain_numbers_need_no_other_process() -> None:
    assert MATH.at_once(r"\boxed{1,200.00}", Sample(target="1200")) is not None
    assert MATH.at_once(r"\boxed{\sqrt{4}}", Sample(target="2")) is None


def test_math_verify_says_the_same_of_plain_numbers() -> None:
    for left, right in [
        ("18", "18.0"),
        ("3/4", "0.75"),
        ("0.333333", "1/3"),
        ("0.33", "1/3"),
        ("17", "18"),
        ("-3", "3"),
    ]:
        assert verdict(rf"\boxed{{{left}}}", right).scores["accuracy"] == float(equivalent(left, right))


@given(st.text())
def test_any_text_has_an_answer_or_none(text: str) -> None:
    found = find_answer(text, numeric=True)
    assert (found.text is None) == (found.method == "none")


@given(before=st.text(), inner=st.text(st.characters(exclude_characters="{}"), min_size=1))
def test_what_is_boxed_last_is_what_counts(before: str, inner: str) -> None:
    boxed = last_boxed(f"{before} \\boxed{{ {inner}{{x}} }}")
    assert boxed == f"{inner}{{x}}".strip()


@pytest.mark.parametrize("noise", [r"\boxed{" * 20_000, "answer is " * 50_000, "1," * 100_000, "{" * 100_000])
def test_long_answers_take_no_time(noise: str) -> None:
    assert find_answer(f"{noise}\n\\boxed{{7}}", numeric=True).text == "7"


def test_the_verdicts_of_the_papers_own_solutions(rows: Callable[[str], Path]) -> None:
    """Two models' 600 solutions each, judged by the authors."""
    mark = benchmark("gsm8k")
    judged, disagreements = 0, []
    with gzip.open(rows("gsm8k") / "golden" / "example_model_solutions_600.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            answer = row["ground_truth"].replace("\nA: ", "\n#### ")
            sample = mark.to_sample({"question": row["question"], "answer": answer})
            for model in ("6b_finetuning", "175b_verification"):
                solution = row[model]["solution"]
                found = mark.scorer.at_once(solution, sample) or mark.scorer.at_length(solution, sample)
                judged += 1
                if bool(found.scores["accuracy"]) != row[model]["is_correct"]:
                    disagreements.append((sample.target, solution[-80:]))
    assert (judged, disagreements) == (1200, [])
