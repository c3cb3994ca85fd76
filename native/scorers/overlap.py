"""How much of a reference text an answer has: ROUGE by rouge-score, BLEU by sacrebleu, exact match.

Words are runs of letters and digits in any script, without case; Chinese is cut into words by jieba (its Rust port:
a tenth of the size, no second of start-up, the same words; what it keeps together around hyphens and dots is cut too).
For English that is rouge-score's own tokenizer, which drops every other script. With several references the best one
counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from bridge.native.benchmark import Metric, Sample, Verdict
from bridge.native.prompt import is_chinese
from bridge.native.scorers.exact import exact_match

_WORD = re.compile(r"[^\W_]+")
_ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


@dataclass(frozen=True)
class TextOverlap:
    """F-measures of ROUGE-L (primary), -1 and -2, sentence BLEU as a fraction, and exact match."""

    name: str = "text_overlap"
    metrics: tuple[Metric, ...] = tuple(map(Metric, ("rouge_l", "rouge_1", "rouge_2", "bleu", "exact_match")))

    def at_once(self, answer: str, sample: Sample) -> Verdict | None:
        if _WORD.search(answer):
            return None
        return Verdict(None, dict.fromkeys((metric.name for metric in self.metrics), 0.0), "none")

    def prepare(self) -> None:
        import sacrebleu  # noqa: F401 - loaded for ``at_length``

        _rouge()

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        references = references_of(sample)
        rouge = _rouge().score_multi(list(references), answer)
        scores = {name: float(rouge[key].fmeasure) for name, key in _ROUGE.items()}
        scores["bleu"] = sentence_bleu(answer, references)
        scores["exact_match"] = float(exact_match(answer, references))
        return Verdict(answer, scores, "whole_answer")


def references_of(sample: Sample) -> tuple[str, ...]:
    return (sample.target,) if isinstance(sample.target, str) else tuple(sample.target)


def words(text: str) -> list[str]:
    """The words that ROUGE compares."""
    folded = text.casefold()
    if not is_chinese(folded):
        return _WORD.findall(folded)
    return [part for word in _segmented(folded) for part in _WORD.findall(word)]


def sentence_bleu(answer: str, references: tuple[str, ...]) -> float:
    """BLEU-4 of one answer, 0 to 1, smoothed, without the orders that a short answer cannot have."""
    import sacrebleu

    tokenize = "zh" if any(map(is_chinese, references)) else "13a"
    score = sacrebleu.sentence_bleu(answer, list(references), tokenize=tokenize, use_effective_order=True).score
    _forget_texts()
    return min(1.0, float(score) / 100)


def _forget_texts() -> None:
    """sacrebleu's tokenizers keep the last 65,536 texts, which grows to gigabytes where answers are long."""
    from sacrebleu.tokenizers import tokenizer_13a, tokenizer_re, tokenizer_zh

    for tokenizer in (tokenizer_13a.Tokenizer13a, tokenizer_re.TokenizerRegexp, tokenizer_zh.TokenizerZh):
        tokenizer.__call__.cache_clear()


def _segmented(text: str) -> list[str]:
    import rjieba

    return list(rjieba.cut(text))


class _Words:
    """rouge-score's protocol of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(_ROUGE.values()), tokenizer=_Words())
