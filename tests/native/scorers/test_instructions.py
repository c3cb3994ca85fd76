"""The 25 kinds of IFEval, each followed and not; and the authors' own program as the judge of ours."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracle_env import ask

from bridge.adapters.opencompass.backend import OpenCompassBackend
from bridge.envs import ensure
from bridge.native.benchmark import Sample
from bridge.native.benchmarks import benchmark
from bridge.native.scorers.following import Followed, Following
from bridge.native.scorers.instructions import CHECKS, checked, follows

GERMAN = "Der Hund läuft heute über die Straße und freut sich, weil die Sonne scheint."
KINDS: list[tuple[str, dict[str, Any], list[str], list[str]]] = [
    ("keywords:existence", {"keywords": ["Rust", "C++"]}, ["rust beats c++"], ["rust beats c"]),
    ("keywords:frequency", {"keyword": "no", "frequency": 2, "relation": "at least"}, ["No, no."], ["No."]),
    ("keywords:frequency", {"keyword": "no", "frequency": 2, "relation": "less than"}, ["No."], ["No, no."]),
    ("keywords:forbidden_words", {"forbidden_words": ["can"]}, ["A candle."], ["Yes we CAN!"]),
    (
        "keywords:letter_frequency",
        {"letter": "Q", "let_frequency": 2, "let_relation": "at least"},
        ["Queue, quick"],
        ["Queue"],
    ),
    ("language:response_language", {"language": "de"}, [GERMAN, "12 34"], ["The dog walks over the street today."]),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "at least"},
        ["One. Two! Three?"],
        ["Mr. Smith met Dr. Jones, e.g. at 3.5 p.m. in town. That is all."],
    ),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, ["a\n***\nb", "***a *** b***"], ["a", "a******b"]),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, ["it's"], ["it's me"]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Weekend"},
        ["a\n\nweekend.", "a\n\n'Weekend' it is"],
        ["weekend\n\na", "a\n\nweekends", "a\n\n\n\nweekend"],
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, ["[a] and [b c]"], ["[a]"]),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["Bye.\np. s. one more"], ["Bye PS"]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["P.P.S. again"], ["P.S. once"]),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, ["* a\n - b"], ["* a\n**b**", "- a\n- b\n- c"]),
    ("detectable_format:constrained_response", {}, ["Well. My answer is no."], ["My answer is: no"]),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, ["*a* **b**"], ["*a* ** **"]),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        ["Section 1\na\nSection 2\nb"],
        ["Section 1\na", "Section one Section two"],
    ),
    ("detectable_format:json_format", {}, ['{"a": 1}', '```json\n{"a": 1}\n```'], ["{a: 1}", 'Here: {"a": 1}']),
    ("detectable_format:title", {}, ["<<Song>>\nla"], ["<< >>", "<Song>"]),
    ("combination:two_responses", {}, ["a******b", "******a******b******"], ["a******a", "a", "a******b******c"]),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say hi."}, ["say hi. Hi!"], ["Hi! say hi."]),
    ("startend:end_checker", {"end_phrase": "The end."}, ['A tale. the END."'], ["The end. Really."]),
    ("startend:quotation", {}, ['"All of it."'], ['"Only" this', '"']),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["NASA and COVID-19"],
        ["NASA and Covid"],
    ),
    ("change_case:english_capital", {}, ["THIS IS A LOUD SENTENCE IN PLAIN ENGLISH."], ["This is.", GERMAN.upper()]),
    ("change_case:english_lowercase", {}, ["this is a quiet sentence in plain english."], ["This is.", GERMAN.lower()]),
    ("punctuation:no_comma", {}, ["None here."], ["One, here."]),
]


def test_there_are_all_25() -> None:
    assert len(CHECKS) == 25
    assert {kind for kind, *_ in KINDS} == set(CHECKS)


@pytest.mark.parametrize(("kind", "arguments", "good", "bad"), KINDS)
def test_followed_and_not(kind: str, arguments: dict[str, Any], good: list[str], bad: list[str]) -> None:
    assert checked(kind, {**arguments, "other": None}) == arguments
    assert [follows(kind, answer, arguments) for answer in good] == [True] * len(good)
    assert [follows(kind, answer, arguments) for answer in bad] == [False] * len(bad)
    assert not follows(kind, " \n", arguments), "nothing follows no instruction"


@pytest.mark.parametrize(
    ("kind", "arguments", "why"),
    [
        ("keywords:all", {}, "there is no instruction 'keywords:all'"),
        ("keywords:frequency", {"keyword": "x", "relation": "at least"}, "lacks frequency"),
        ("keywords:existence", {"keywords": None}, "lacks keywords"),
        ("length_constraints:number_words", {"num_words": 3, "relation": "about"}, "one of less than, at least"),
    ],
)
def test_a_row_that_does_not_fit_says_why(kind: str, arguments: dict[str, Any], why: str) -> None:
    row = {"key": 1, "prompt": "?", "instruction_id_list": [kind], "kwargs": [arguments]}
    with pytest.raises(ValueError, match=why):
        benchmark("ifeval").to_sample(row)


def test_strict_loose_and_both_levels() -> None:
    target = [{"id": "punctuation:no_comma"}, {"id": "startend:end_checker", "end_phrase": "Bye."}]
    sample = Sample(target=target)
    scorer, summary = Following(), Followed()
    told = []
    for answer in ("Well. Bye.", "Sure, here it is:\nWell. *Bye.*", "a, b", "Hello."):
        verdict = scorer.at_length(answer, sample)
        summary.add(None, target, [verdict.extracted])
        told.append((*verdict.scores.values(), verdict.extracted))
    assert told == [(1, 1, "11/11"), (0, 1, "00/11"), (0, 0, "00/00"), (0, 0, "10/10")]
    nothing = scorer.at_once("", sample)
    assert nothing is not None
    assert (nothing.extracted, nothing.scores["prompt_level_loose"]) == (None, 0.0)
    summary.add(None, target, [nothing.extracted])
    wholes = {whole.metric: (whole.value, whole.n) for _, whole in summary.wholes()}
    assert wholes["inst_level_strict"] == (3 / 10, 10)
    assert wholes["inst_level_loose"] == (5 / 10, 10)
    assert wholes["inst_level_strict:startend"] == (1 / 5, 5)


ORACLE = """
import importlib.util, sys, types
root = next(p for p in sys.path if p.endswith("site-packages")) + "/opencompass/datasets/IFEval/"
for name in ("opencompass", "opencompass.datasets", "opencompass.datasets.IFEval"):
    sys.modules[name] = types.ModuleType(name)
def load(name):
    spec = importlib.util.spec_from_file_location("opencompass.datasets.IFEval." + name, root + name + ".py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    setattr(sys.modules["opencompass.datasets.IFEval"], name, module)
    spec.loader.exec_module(module)
    return module
util, _, _, main = map(load, ("instructions_util", "instructions", "instructions_registry", "evaluation_main"))
import langdetect
from nltk.tokenize import NLTKWordTokenizer
langdetect.DetectorFactory.seed = 0
util.nltk.word_tokenize = NLTKWordTokenizer().tokenize  # without the model that has to be downloaded
found = []
for row in given:
    example = main.InputExample(0, row["ids"], "", row["kwargs"])
    found.append([
        main.test_instruction_following_strict(example, row["answer"]).follow_instruction_list,
        main.test_instruction_following_loose(example, row["answer"]).follow_instruction_list,
    ])
print(json.dumps(found))
"""


@pytest.mark.env
async def test_the_authors_program_finds_the_same(tmp_path: Path) -> None:
    """All kinds but the number of sentences, whose model is a download; answers are put together from fragments."""
    python = await ensure(OpenCompassBackend().env)
    rows = _drawn(600)
    theirs = ask(python, ORACLE, rows, tmp_path)
    differ = []
    for row, (strict, loose) in zip(rows, theirs, strict=True):
        instructions = [{"id": kind, **given} for kind, given in zip(row["ids"], row["kwargs"], strict=True)]
        mine = _marks(row["answer"], instructions)
        if mine != (strict, loose):
            differ.append((row, mine, (strict, loose)))
    assert differ == []
    followed = [mark for strict, loose in theirs for mark in (*strict, *loose)]
    assert 0.1 < sum(followed) / len(followed) < 0.9, "both happen"


def _marks(answer: str, instructions: list[dict[str, Any]]) -> tuple[list[bool], list[bool]]:
    scorer = Following()
    verdict = scorer.at_once(answer, Sample(target=instructions)) or scorer.at_length(answer, Sample(instructions))
    parts = (verdict.extracted or "/".join(["0" * len(instructions)] * 2)).split("/")
    strict, loose = ([mark == "1" for mark in part] for part in parts)
    return strict, loose


def _drawn(count: int) -> list[dict[str, Any]]:
    draw = random.Random(11)
    pool = [one for one in KINDS if one[0] != "length_constraints:number_sentences"]
    plain = [one for one in pool if one[1].get("keywords") != ["Rust", "C++"]]  # no regular expressions
    texts = [text for _, _, good, bad in KINDS for text in (*good, *bad)]
    rows = []
    for _ in range(count):
        chosen = draw.sample(plain, draw.randint(1, 3))
        own = [draw.choice(draw.choice([good, bad])) for _, _, good, bad in chosen]
        parts = draw.sample(own + draw.sample(texts, draw.randint(0, 2)), draw.randint(1, len(own)))
        answer = draw.choice(["\n", "\n\n", " ", "\n***\n"]).join(parts)
        rows.append(
            {"ids": [kind for kind, *_ in chosen], "kwargs": [given for _, given, *_ in chosen], "answer": answer}
        )
    return rows


async def test_a_whole_run(native_run: Any, task: Callable[..., Any], tmp_path: Path) -> None:
    from fault_server import FaultServer

    row = {"key": 7, "prompt": "Talk.", "instruction_id_list": ["punctuation:no_comma", "startend:quotation"]}
    lines = [{**row, "kwargs": [{}, {"end_phrase": None}]}, {**row, "prompt": "Shout.", "key": 8, "kwargs": [{}]}]
    (tmp_path / "input_data.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    given = task({"name": "ifeval", "path": str(tmp_path)})
    async with FaultServer(answer=lambda prompt: "Nice and short.") as server:
        assert await native_run.run(given, server.base_url) == 7
        assert server.prompts == ["Talk."]
    (result,) = native_run.collect(given, exit_code=7)
    values = {row.metric: (row.value, row.n) for row in result.rows}
    assert values["prompt_level_strict"] == (0.0, 1)
    assert values["inst_level_strict"] == (0.5, 2)
    assert result.rows[0].n_errors == 1, "a row with fewer arguments than instructions"
