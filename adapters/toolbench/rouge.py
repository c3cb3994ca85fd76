"""ROUGE-L as the PyPI package ``rouge`` 1.0.1 computes it, for numbers that are comparable to the last digit.

It is not the usual ROUGE-L: texts are split at full stops, words at blanks, and what is counted are *different* words:
those on a longest common subsequence of any sentence pair, over the different words of either text.
"""

from __future__ import annotations

_SMALL = 1e-8


def rouge_l_f(answer: str, reference: str) -> float:
    """The F measure; 0 for a text of nothing but full stops, over which the package falls."""
    answer_sentences, reference_sentences = _sentences(answer), _sentences(reference)
    if not answer_sentences or not reference_sentences:
        return 0.0
    common: set[str] = set()
    for reference_sentence in reference_sentences:
        for answer_sentence in answer_sentences:
            common |= _on_common_subsequence(reference_sentence, answer_sentence)
    recall = len(common) / len({word for sentence in reference_sentences for word in sentence})
    precision = len(common) / len({word for sentence in answer_sentences for word in sentence})
    return 2.0 * ((precision * recall) / (precision + recall + _SMALL))


def _sentences(text: str) -> list[list[str]]:
    return [" ".join(part.split()).split(" ") for part in text.split(".") if part]


def _on_common_subsequence(one: list[str], other: list[str]) -> set[str]:
    """The words of one longest common subsequence: of several the one that the package finds."""
    lengths = _lengths(one, other)
    found: set[str] = set()
    i, j = len(one), len(other)
    while i and j:
        if one[i - 1] == other[j - 1]:
            found.add(one[i - 1])
            i, j = i - 1, j - 1
        elif lengths[i - 1][j] > lengths[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return found


def _lengths(one: list[str], other: list[str]) -> list[list[int]]:
    """``table[i][j]``: length of the longest common subsequence of the first i and the first j words."""
    table = [[0] * (len(other) + 1)]
    for word in one:
        above, row = table[-1], [0]
        for j, candidate in enumerate(other):
            row.append(above[j] + 1 if word == candidate else max(above[j + 1], row[j]))
        table.append(row)
    return table
