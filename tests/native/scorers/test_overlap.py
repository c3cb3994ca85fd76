from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.native.benchmark import Sample
from bridge.native.scorers.exact import exact_match
from bridge.native.scorers.overlap import TextOverlap, sentence_bleu, words

SCORER = TextOverlap()
NAMES = [metric.name for metric in SCORER.metrics]


def scores(answer: str, target: str | list[str]) -> dict[str, float]:
    return dict(SCORER.at_length(answer, Sample(target=target)).scores)


def test_rouge_and_bleu_are_those_of_their_libraries() -> None:
    found = scores("The cat sat on the mat", "the cat sat on a mat")
    assert found["rouge_1"] == pytest.approx(5 / 6)
    assert found["rouge_2"] == pytest.approx(3 / 5)
    assert found["rouge_l"] == pytest.approx(5 / 6)
    assert found["bleu"] == pytest.approx(0.343294, abs=1e-6)
    assert found["exact_match"] == 0.0


def test_words_are_those_of_rouge_score_for_english() -> None:
    from rouge_score.tokenizers import DefaultTokenizer

    text = "It's 3.5 km — or  U.S. miles_2, isn't it?"
    assert words(text) == DefaultTokenizer(use_stemmer=False).tokenize(text)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning", "ignore:pkg_resources")
def test_other_scripts_have_words_too() -> None:
    assert words("Привет, Мир") == ["привет", "мир"]
    assert words("今天天气很好。") == ["今天天气", "很", "好"]
    assert scores("Привет мир!", "привет, мир")["rouge_l"] == 1.0
    assert scores("今天天气很好", "今天天气很好。")["rouge_l"] == 1.0


def test_the_best_of_several_references_counts() -> None:
    assert scores("Paris", ["Lyon", "Paris"]) == scores("Paris", "Paris")


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        ("Paris.", "paris", True),
        (" The  Hague", "the hague", True),
        ("50%", "50", False),
        ("Paris, France", "Paris", False),
    ],
)
def test_exact_match_overlooks_case_and_punctuation(answer: str, reference: str, same: bool) -> None:
    assert exact_match(answer, (reference,)) is same


def test_an_answer_without_a_word_is_nought_at_once() -> None:
    verdict = SCORER.at_once(" …\n", Sample(target="x"))
    assert verdict is not None
    assert dict(verdict.scores) == dict.fromkeys(NAMES, 0.0)
    assert SCORER.at_once("word", Sample(target="x")) is None


@settings(max_examples=30, deadline=None)
@given(
    answer=st.text(st.characters(max_codepoint=0x24F)), target=st.text(st.characters(max_codepoint=0x24F), min_size=1)
)
def test_every_metric_stays_within_its_bounds(answer: str, target: str) -> None:
    found = scores(answer, target)
    assert list(found) == ["rouge_1", "rouge_2", "rouge_l", "bleu", "exact_match"]
    assert all(0.0 <= value <= 1.0 for value in found.values())


def test_no_text_is_kept() -> None:
    """The tokenizers' own memory holds 65,536 texts."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    for at in range(5):
        sentence_bleu(f"an unlikely answer number {at}", ("an unlikely reference",))
    assert Tokenizer13a.__call__.cache_info().currsize == 0
