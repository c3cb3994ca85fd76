"""S_l against the vectors of its definition, and what holds for every length."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.longbench_write.length import BUCKETS, bucket_of, count_words, length_score

REQUIRED = st.integers(1, 100_000)


@pytest.mark.parametrize(
    ("required", "written", "score"),
    [
        (1000, 1000, 100.0),
        (1000, 2000, 66.67),
        (1000, 4000, 0.0),
        (1000, 500, 50.0),
        (1000, 333, 0.0),
        (999, 333, 0.0),
        (1000, 0, 0.0),
        (1000, 40_000, 0.0),
        (1000, 1500, 83.33),
        (1000, 800, 87.5),
        (3, 1, 0.0),
    ],
)
def test_vectors(required: int, written: int, score: float) -> None:
    assert round(length_score(required, written), 2) == score


@given(REQUIRED, st.integers(0, 1_000_000))
def test_a_score_is_from_0_to_100_and_full_only_at_the_required_length(required: int, written: int) -> None:
    score = length_score(required, written)
    assert 0 <= score <= 100
    assert math.isclose(score, 100) == (written == required) or abs(written - required) / required < 1e-6


@given(REQUIRED, st.integers(0, 300_000), st.integers(0, 300_000))
def test_nearer_on_the_same_side_is_never_worse(required: int, one: int, other: int) -> None:
    near, far = sorted((one, other), key=lambda written: abs(written - required))
    if (near - required) * (far - required) >= 0:
        assert length_score(required, near) >= length_score(required, far)


@pytest.mark.parametrize(
    ("text", "chinese", "latin"),
    [
        ("", 0, 0),
        ("Two words.", 0, 2),
        ("中国旅游指南", 6, 0),
        ("我爱 Python 编程", 4, 1),
        ("don't", 0, 2),
        ("state-of-the-art", 0, 4),
        ("3 apples, 42", 0, 1),
        ("汉字abc", 2, 0),
        ("汉字。abc。", 2, 1),
        ("naïve", 0, 0),
        ("snake_case x1", 0, 0),
        ("\u4e00\u9fff\u3400", 2, 0),
        ("，。！？「」", 0, 0),
        ("one\ntwo\t three", 0, 3),
    ],
)
def test_words(text: str, chinese: int, latin: int) -> None:
    words = count_words(text)
    assert (words.chinese, words.latin, words.total) == (chinese, latin, chinese + latin)


@given(st.text(), st.text())
def test_words_of_two_texts_add_up(one: str, other: str) -> None:
    assert count_words(f"{one}\n{other}").total == count_words(one).total + count_words(other).total


@pytest.mark.parametrize(
    ("required", "bucket"),
    [(1, 0), (499, 0), (500, 1), (1999, 1), (2000, 2), (3999, 2), (4000, 3), (20_000, 3), (30_000, 3)],
)
def test_buckets(required: int, bucket: int) -> None:
    assert bucket_of(required) == BUCKETS[bucket]
