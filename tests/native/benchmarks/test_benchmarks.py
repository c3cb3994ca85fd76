"""Every benchmark: its definition holds together, its own sample reads, and real rows score as they should."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest
from real_rows import FOLDERS, FORMS, REAL, samples, verdict

from bridge.native.benchmarks import NAMES, benchmark
from bridge.native.benchmarks.hellaswag import cleaned
from bridge.native.locate import find_examples, find_sources
from bridge.native.prompt import messages_of
from bridge.native.readers import DataError, read_rows
from bridge.native.tables import file_table


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_holds_together(name: str) -> None:
    mark = benchmark(name)
    assert mark.name == name
    assert mark.split in mark.layout.splits
    assert set(mark.fewshot_splits) <= set(mark.layout.splits)
    assert set(mark.categories) <= set(mark.subsets)
    assert len(set(mark.subsets)) == len(mark.subsets)
    assert mark.max_fewshot is None or mark.num_fewshot <= mark.max_fewshot
    assert mark.custom or (mark.paper.startswith("https://") and mark.licence)
    doc = inspect.getdoc(import_module(f"bridge.native.benchmarks.{name}"))
    assert doc is not None
    assert "EvalScope" in doc, "where it differs from others belongs into the docstring"


@pytest.mark.parametrize("name", NAMES)
def test_benchmarks_are_light_to_import(name: str) -> None:
    tree = ast.parse(inspect.getsource(import_module(f"bridge.native.benchmarks.{name}")))
    imported = {
        node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }
    assert imported <= {"__future__", "bridge", "typing", "collections", "dataclasses"}


@pytest.mark.parametrize("name", REAL)
def test_right_answers_score_one_and_wrong_ones_nought(name: str, rows: Callable[[str], Path]) -> None:
    mark = benchmark(name)
    metric = mark.scorer.metrics[0].name
    right, wrong, empty = [], [], []
    for sample in samples(mark, rows(FOLDERS.get(name, name))):
        target = str(sample.fields["target"])
        other = next((letter for letter in sample.choices if letter not in sample.target), f"7{target}")
        form = FORMS.get(name, "I think so.\nANSWER: {}")
        right.append(verdict(mark, form.format(target), sample).scores[metric])
        wrong.append(verdict(mark, form.format(other), sample).scores[metric])
        nothing = verdict(mark, "", sample)
        empty.append((nothing.extracted, nothing.scores[metric]))
    assert len(right) == REAL[name]
    assert set(right) == {1.0}
    assert set(wrong) == {0.0}
    assert set(empty) == {(None, 0.0)}


@pytest.mark.parametrize("name", [name for name in REAL if benchmark(name).fewshot_splits])
def test_a_worked_example_scores_one(name: str, rows: Callable[[str], Path]) -> None:
    """What the model is shown is what the scorer reads."""
    mark = benchmark(name)
    for sample in list(samples(mark, rows(FOLDERS.get(name, name))))[:50]:
        shown = mark.prompt.demo.format_map(sample.fields)
        assert verdict(mark, shown, sample).scores[mark.scorer.metrics[0].name] == 1.0


@pytest.mark.parametrize("name", REAL)
def test_no_place_of_a_prompt_is_left_open(name: str, rows: Callable[[str], Path]) -> None:
    mark = benchmark(name)
    for sample in samples(mark, rows(FOLDERS.get(name, name))):
        text = messages_of(mark, sample, [sample])[0]["content"]
        assert not re.search(r"\{(question|choices|letters|count|target|reasoning|task|pages|explanation)\}", text)
        assert sample.fields["question"] in text


def test_mmlu_has_the_papers_subjects_and_categories(rows: Callable[[str], Path]) -> None:
    mark = benchmark("mmlu")
    assert len(mark.subsets) == 57
    sizes = {name: list(mark.categories.values()).count(name) for name in set(mark.categories.values())}
    assert sizes == {"STEM": 19, "Humanities": 13, "Social Science": 12, "Other": 13}
    there = {source.subset for source in find_sources(mark, rows("mmlu"), "test")}
    assert there == set(mark.subsets)


@pytest.mark.parametrize(
    ("name", "row", "target", "id_"),
    [
        ("gsm8k", {"question": "?", "answer": "2*600=<<2*600=1200>>1,200\n#### 1,200"}, "1200", None),
        (
            "arc",
            {
                "id": "x",
                "question": {
                    "stem": "?",
                    "choices": [{"text": t, "label": n} for n, t in zip("123", "abc", strict=True)],
                },
                "answerKey": "3",
            },
            "C",
            "x",
        ),
        (
            "arc",
            {"id": "y", "question": "?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"},
            "B",
            "y",
        ),
        ("mmlu", {"question": "?", "choices": ["a", "b", "c", "d"], "answer": 2, "subject": "virology"}, "C", None),
        (
            "openbookqa",
            {"ID": "7", "Question Stem": "?", "Choices": "(A) a (B) b c (C) d (D) e", "Answer Key": "B"},
            "B",
            "7",
        ),
        (
            "openbookqa",
            {"id": "7", "question_stem": "?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"},
            "B",
            "7",
        ),
        ("piqa", {"goal": "?", "sol1": "a", "sol2": "b", "label": 1}, "B", None),
        ("piqa", {"question": "?", "choices": ["a", "b"], "answer": "A"}, "A", None),
        ("winogrande", {"sentence": "a _", "option1": "x", "option2": "y", "answer": "2", "qID": "q"}, "B", "q"),
        ("boolq", {"question": "is it", "passage": "It is.", "answer": False}, "B", None),
        ("boolq", {"query": "Passage: p\nQuestion: q?\nAnswer:", "choices": ["no", "yes"], "gold": 1}, "A", None),
        ("race", {"article": "x", "question": "?", "options": ["a", "b", "c", "d"], "answer": "D"}, "D", None),
        (
            "mmlu_pro",
            {"question_id": 70, "question": "?", "options": list("abcdefghij"), "answer": "J", "category": "law"},
            "J",
            "70",
        ),
        (
            "math_500",
            {"problem": "?", "solution": "", "answer": "\\frac{1}{2}", "level": 3, "unique_id": "test/a/1.json"},
            "\\frac{1}{2}",
            "test/a/1.json",
        ),
        ("competition_math", {"problem": "?", "solution": "\\boxed{x^{2}}", "level": "Level ?"}, "x^{2}", None),
        (
            "truthful_qa",
            {"question": "?", "mc1_targets": {"choices": ["right", "wrong", "also"], "labels": [1, 0, 0]}},
            "B",
            None,
        ),
        (
            "trivia_qa",
            {"question": "?", "question_id": "q1", "answer": {"value": "Sun", "aliases": ["Sun", "Sol"]}},
            ["Sun", "Sol"],
            "q1",
        ),
        ("lambada", {"text": "I see the\nred sun"}, "sun", None),
        ("cmmlu", {"": "0", "Question": "?", "A": "1", "B": "2", "C": "3", "D": "4", "Answer": "C"}, "C", None),
        (
            "cmmlu",
            {"question": "?", "choices": ["(A) 1", "(B) 2", "(C) 3", "(D) 4"], "answer": "(D) 4", "category": "arts"},
            "D",
            None,
        ),
        ("ceval", {"id": 3, "question": "?", "A": "1", "B": "2", "C": "3", "D": "4", "answer": "A"}, "A", "3"),
        ("mmlu", {"input": "?", "A": "1", "B": "2", "C": "3", "D": "4", "target": "d"}, "D", None),
        ("hellaswag", {"ctx_a": "He sits.", "ctx_b": "he", "endings": ["a", "b", "c", "d"], "label": "1"}, "B", None),
        ("general_mcq", {"id": 7, "question": "?", "A": "x", "B": 2, "C": "", "answer": "b"}, "B", "7"),
        ("general_mcq", {"question": "?", "A": "x", "B": "y", "C": "z", "answer": ["C", "A"]}, ["A", "C"], None),
        ("general_mcq", {"question": "?", "A": "x", "B": "y", "C": "z", "answer": "a, c"}, ["A", "C"], None),
        ("general_qa", {"query": "?", "response": "yes"}, "yes", None),
        (
            "general_qa",
            {"messages": [{"role": "user", "content": "?"}], "answer": ["yes", "yep"]},
            ["yes", "yep"],
            None,
        ),
    ],
)
def test_every_form_of_a_row_is_read(name: str, row: dict[str, Any], target: Any, id_: str | None) -> None:
    sample = benchmark(name).to_sample(row)
    assert (sample.target, sample.id) == (target, id_)


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("gsm8k", {"question": "?", "answer": "it is 5"}, "no '#### <number>'"),
        ("gsm8k", {"question": "?", "answer": "#### five"}, "'five' is not a number"),
        ("gsm8k", {"answer": "#### 5"}, "question"),
        (
            "arc",
            {"question": "?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "E"},
            "none of the",
        ),
        ("mmlu", {"question": "?", "A": "1", "B": "2", "C": "3", "D": "4", "answer": "E"}, "one of the letters ABCD"),
        ("mmlu", {"question": "?", "choices": ["a", "b"], "answer": 5}, "option 6 of 2"),
        ("hellaswag", {"ctx_a": "x", "endings": ["a", "b"], "label": ""}, "the test split has none"),
        ("hellaswag", {"ctx_a": "x", "endings": "ab", "label": 0}, "a list"),
        ("competition_math", {"problem": "?", "solution": "So 5.", "level": "Level 1"}, "boxes no answer"),
        ("truthful_qa", {"question": "?", "mc1_targets": {"a": 1, "b": 1}}, "2 right answers"),
        ("trivia_qa", {"question": "?", "answer": {"aliases": [], "value": ""}}, "the test split has none"),
        ("lambada", {"text": "word"}, "no last word"),
        ("piqa", {"goal": "?", "sol1": "a", "sol2": "b"}, "label or answer"),
        ("winogrande", {"sentence": "a _", "option1": "x", "option2": "y", "answer": ""}, "the test split has none"),
        ("winogrande", {"sentence": "a", "option1": "x", "option2": "y", "answer": "1"}, "no blank"),
        ("boolq", {"question": "is it", "passage": "It is.", "answer": "yes"}, "true or false"),
        ("general_mcq", {"question": "?", "A": "x", "C": "y", "answer": "A"}, "without a gap"),
        ("general_mcq", {"question": "?", "A": "x", "answer": "A"}, "1 options"),
        ("general_mcq", {"question": "?", "A": "x", "B": "y", "answer": 1}, "a letter or a list of letters, not int"),
        ("general_mcq", {"question": "?", "A": "x", "B": "y", "answer": []}, "no option is right"),
        ("general_mcq", {"question": "?", "A": "x", "B": "y", "answer": "A,C"}, "one of the letters AB"),
        ("general_mcq", {"question": "?", "A": "x", "B": "y", "answer": ""}, "one of the letters AB"),
        ("general_qa", {"question": "?", "answer": " "}, "needs? a judge"),
        ("general_qa", {"question": " ", "answer": "x"}, "question is empty"),
        ("general_qa", {"messages": [{"role": "user"}], "answer": "x"}, "role and content"),
        ("general_qa", {"messages": [{"role": "assistant", "content": "x"}], "answer": "x"}, "assistant's"),
    ],
)
def test_a_row_in_another_form_says_what_is_wrong(name: str, row: dict[str, Any], message: str) -> None:
    with pytest.raises((KeyError, ValueError, TypeError), match=message):
        benchmark(name).to_sample(row)


def test_shuffled_options_stay_where_they_are() -> None:
    mark = benchmark("gpqa_diamond")
    wrong = {f"Incorrect Answer {at}": f"wrong {at}" for at in (1, 2, 3)}
    asked = [mark.to_sample({"Question": f"q{at}", "Correct Answer": "right", **wrong}) for at in range(200)]
    again = [mark.to_sample({"Question": f"q{at}", "Correct Answer": "right", **wrong}) for at in range(200)]
    assert [sample.target for sample in asked] == [sample.target for sample in again]
    assert {sample.choices[sample.target] for sample in asked} == {"right"}
    assert all(30 <= [sample.target for sample in asked].count(letter) <= 70 for letter in "ABCD")


@pytest.mark.parametrize(
    ("labels", "message"), [("0\n", "has 1 labels; there are more"), ("0\n1\n1\n", "3 labels for 2")]
)
def test_labels_in_a_file_of_their_own_are_as_many_as_rows(tmp_path: Path, labels: str, message: str) -> None:
    row = orjson.dumps({"goal": "?", "sol1": "a", "sol2": "b"}) + b"\n"
    (tmp_path / "valid.jsonl").write_bytes(row * 2)
    (tmp_path / "valid-labels.lst").write_text(labels)
    with pytest.raises(DataError, match=message):
        list(samples(benchmark("piqa"), tmp_path))


def test_chinese_subjects_have_their_groups() -> None:
    assert (len(benchmark("cmmlu").subsets), len(benchmark("ceval").subsets)) == (67, 52)
    assert len(set(benchmark("cmmlu").categories.values())) == 5
    assert len(set(benchmark("ceval").categories.values())) == 4


def test_every_worked_example_of_bbh_is_read_and_scores_one(rows: Callable[[str], Path]) -> None:
    mark = benchmark("bbh")
    sources = find_examples(mark, rows("bbh"), "cot")
    assert [source.subset for source in sources] == sorted(mark.subsets)
    for source in sources:
        shown = [mark.to_sample(line.row) for line in file_table(source, mark.layout).lines()]
        scores = [verdict(mark, mark.prompt.demo.format_map(one.fields), one).scores for one in shown]
        assert scores == [{"accuracy": 1.0}] * 3, source.subset
        text = source.path.read_text(encoding="utf-8").partition("-----\n")[2].strip()
        asked = messages_of(mark, shown[0], shown)[0]["content"]
        assert asked.startswith(text), "word for word as the authors have it"


def test_trivia_qa_reads_the_official_file(rows: Callable[[str], Path]) -> None:
    mark = benchmark("trivia_qa")
    (line,) = read_rows(rows("triviaqa") / "triviaqa_sample.json")
    sample = mark.to_sample(line.row)
    assert sample.id == "tc_33"
    (said,) = orjson.loads((rows("triviaqa") / "sample_predictions.json").read_bytes()).values()
    assert verdict(mark, said, sample).scores == {"exact_match": 1.0, "f1": 1.0}
    with_pages = mark.to_sample({**line.row, "entity_pages": {"wiki_context": ["A long page."]}})
    assert messages_of(mark, with_pages)[0]["content"].startswith("Read this first:\n\nA long page.\n\nAnswer this")


def test_explained_examples_are_shown_with_their_explanation() -> None:
    ceval = benchmark("ceval")
    row = {"question": "哪个？", "A": "一", "B": "二", "C": "三", "D": "四", "answer": "B"}
    shown = ceval.to_sample({**row, "explanation": "因为。"})
    text = messages_of(ceval, ceval.to_sample(row), [shown, ceval.to_sample(row)])[0]["content"]
    assert "解析：因为。\n答案：B" in text
    assert text.count("解析") == 1
    pro = benchmark("mmlu_pro")
    options = {"question": "Which?", "options": ["x", "y"], "answer": "A", "category": "law"}
    demo = pro.to_sample({**options, "cot_content": "A: Let's think. The answer is (A)."})
    assert "\n\nLet's think. The answer is (A).\nANSWER: A\n\n" in messages_of(pro, demo, [demo])[0]["content"]


def test_hellaswag_loses_wikihows_marks() -> None:
    assert cleaned("How to sit [title] Find a chair. [step] Sit  [substeps] down.") == (
        "How to sit. Find a chair. Sit down."
    )
    row = {
        "ctx_a": "A man sits.",
        "ctx_b": "he [title] then",
        "activity_label": "Sitting",
        "endings": list("ab"),
        "label": 0,
    }
    question = benchmark("hellaswag").to_sample(row).fields["question"]
    assert question.endswith("Sitting: A man sits. He. then")


def test_general_qa_sends_a_rows_own_messages() -> None:
    mark = benchmark("general_qa")
    own = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert messages_of(mark, mark.to_sample({"messages": own, "answer": "x"})) == own
    plain = mark.to_sample({"question": "{why}?", "system": "Be brief.", "answer": "x"})
    assert messages_of(mark, plain) == [own[0], {"role": "user", "content": "{why}?"}]


def test_chinese_questions_are_asked_in_chinese() -> None:
    mark = benchmark("general_mcq")
    sample = mark.to_sample({"question": "哪个是对的？", "A": "一", "B": "二", "answer": "B"})
    text = messages_of(mark, sample, [sample])[0]["content"]
    assert "答案：B" in text
    assert "ANSWER" not in text
    assert verdict(mark, "答案：B", sample).scores == {"accuracy": 1.0}


def test_several_right_options_are_asked_for_and_scored() -> None:
    mark = benchmark("general_mcq")
    row = {"question": "Which are odd?", "A": "1", "B": "2", "C": "3"}
    several, one = mark.to_sample({**row, "answer": ["A", "C"]}), mark.to_sample({**row, "answer": "B"})
    assert "which names every right option" in messages_of(mark, several)[0]["content"]
    assert "exactly one is right" in messages_of(mark, one)[0]["content"]
    chinese = mark.to_sample({**row, "question": "哪些是奇数？", "answer": "A,C"})
    assert "所有正确选项" in messages_of(mark, chinese)[0]["content"]
    found = [verdict(mark, f"ANSWER: {said}", several).scores["accuracy"] for said in ("A, C", "A", "A, B", "")]
    assert found == [1.0, 0.5, 0.0, 0.0]
    assert verdict(mark, "ANSWER: B", one).scores == {"accuracy": 1.0}


def test_the_samples_in_the_docstrings_read(rows: Callable[[str], Path]) -> None:
    for name in ("gsm8k", "general_mcq", "general_qa"):
        mark = benchmark(name)
        doc = inspect.getdoc(sys.modules[mark.to_sample.__module__]) or ""
        shown = [line[line.index("{") :] for line in doc.splitlines() if '{"' in line and line.rstrip().endswith("}")]
        assert shown, name
        for line in shown:
            mark.to_sample(orjson.loads(line.replace("\n", "\\n")))
