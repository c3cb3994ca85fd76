"""IFEval's 25 kinds of instructions, each checked by a program: was it followed?

Each takes the answer and the arguments that the dataset gives with the instruction; an argument that is missing is an
error of the row (``checked`` says so beforehand), where the authors' code draws one at random. Words that the authors
search as regular expressions are searched as words. Sentences are NLTK's Punkt with a list of English abbreviations in
place of its trained model, which is a download.
"""

from __future__ import annotations

import inspect
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

Check = Callable[..., bool]
CHECKS: dict[str, Check] = {}
_RELATIONS: Mapping[str, Callable[[int, int], bool]] = {"less than": operator.lt, "at least": operator.ge}
_CONSTRAINED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
_ABBREVIATIONS = """mr mrs ms dr prof st sr jr vs etc e.g i.e u.s u.k u.n a.m p.m ph.d inc ltd co corp no vol fig dept
    est approx jan feb mar apr jun jul aug sept sep oct nov dec mt gen col capt lt sgt rev hon gov sen rep al cf ca"""


def follows(kind: str, answer: str, arguments: Mapping[str, Any]) -> bool:
    """Whether the answer follows an instruction of that kind; an empty one follows none."""
    return bool(answer.strip()) and CHECKS[kind](answer, **arguments)


def checked(kind: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that the kind takes. Raises ValueError for an unknown kind, and arguments that do not fit it."""
    if kind not in CHECKS:
        raise ValueError(f"there is no instruction {kind!r}; there are: {', '.join(sorted(CHECKS))}")
    names = list(inspect.signature(CHECKS[kind]).parameters)[1:]
    given = {name: value for name, value in arguments.items() if value is not None}
    if missing := [name for name in names if name not in given]:
        raise ValueError(f"{kind} lacks {', '.join(missing)}")
    if any(given[name] not in _RELATIONS for name in names if name.endswith("relation")):
        raise ValueError(f"{kind}: the relation is to be one of {', '.join(_RELATIONS)}")
    return {name: given[name] for name in names}


def _kind(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


@_kind("keywords:existence")
def _existence(answer: str, keywords: Sequence[str]) -> bool:
    return all(_times(keyword, answer) for keyword in keywords)


@_kind("keywords:frequency")
def _frequency(answer: str, keyword: str, frequency: int, relation: str) -> bool:
    return _RELATIONS[relation](_times(keyword.strip(), answer), frequency)


@_kind("keywords:forbidden_words")
def _forbidden_words(answer: str, forbidden_words: Sequence[str]) -> bool:
    return not any(re.search(rf"\b{re.escape(word)}\b", answer, re.IGNORECASE) for word in forbidden_words)


@_kind("keywords:letter_frequency")
def _letter_frequency(answer: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    return _RELATIONS[let_relation](answer.lower().count(letter.strip().lower()), let_frequency)


@_kind("language:response_language")
def _response_language(answer: str, language: str) -> bool:
    return _language(answer) in (language, None)


@_kind("length_constraints:number_sentences")
def _number_sentences(answer: str, num_sentences: int, relation: str) -> bool:
    return _RELATIONS[relation](len(_splitter().tokenize(answer)), num_sentences)


@_kind("length_constraints:number_paragraphs")
def _number_paragraphs(answer: str, num_paragraphs: int) -> bool:
    """Separated by ``***``; only the first and the last may be empty."""
    first, *between = re.split(r"\s?\*\*\*\s?", answer)
    last = between.pop() if between else ""
    if not all(paragraph.strip() for paragraph in between):
        return False
    return len(between) + bool(first.strip()) + bool(last.strip()) == num_paragraphs


@_kind("length_constraints:number_words")
def _number_words(answer: str, num_words: int, relation: str) -> bool:
    return _RELATIONS[relation](len(re.findall(r"\w+", answer)), num_words)


@_kind("length_constraints:nth_paragraph_first_word")
def _first_word(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Separated by an empty line. Empty ones are not counted, but hold their place, as the authors have it."""
    paragraphs = answer.split("\n\n")
    count = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    if not 1 <= nth_paragraph <= count or not (words := paragraphs[nth_paragraph - 1].split()):
        return False
    said = re.split(r"[.,?!'\"]", words[0].lstrip("'").lstrip('"'), maxsplit=1)[0]
    return count == num_paragraphs and said.lower() == first_word.lower()


@_kind("detectable_content:number_placeholders")
def _number_placeholders(answer: str, num_placeholders: int) -> bool:
    return len(re.findall(r"\[.*?\]", answer)) >= num_placeholders


@_kind("detectable_content:postscript")
def _postscript(answer: str, postscript_marker: str) -> bool:
    marker = postscript_marker.strip()
    return re.search(_POSTSCRIPTS.get(marker) or re.escape(marker.lower()), answer.lower()) is not None


@_kind("detectable_format:number_bullet_lists")
def _bullets(answer: str, num_bullets: int) -> bool:
    starred = re.findall(r"^\s*\*[^\*].*$", answer, re.MULTILINE)
    return len(starred) + len(re.findall(r"^\s*-.*$", answer, re.MULTILINE)) == num_bullets


@_kind("detectable_format:constrained_response")
def _constrained(answer: str) -> bool:
    return any(option in answer for option in _CONSTRAINED)


@_kind("detectable_format:number_highlighted_sections")
def _highlights(answer: str, num_highlights: int) -> bool:
    once = [found.strip("*") for found in re.findall(r"\*[^\n\*]*\*", answer)]
    twice = [found[2:-2] for found in re.findall(r"\*\*[^\n\*]*\*\*", answer)]
    return sum(bool(text.strip()) for text in (*once, *twice)) >= num_highlights


@_kind("detectable_format:multiple_sections")
def _sections(answer: str, section_spliter: str, num_sections: int) -> bool:
    return len(re.findall(rf"\s?{re.escape(section_spliter.strip())}\s?\d+\s?", answer)) >= num_sections


@_kind("detectable_format:json_format")
def _json(answer: str) -> bool:
    bare = re.sub(r"^```(?:json|Json|JSON)?", "", answer.strip()).removesuffix("```").strip()
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return True


@_kind("detectable_format:title")
def _title(answer: str) -> bool:
    return any(title.lstrip("<").rstrip(">").strip() for title in re.findall(r"<<[^\n]+>>", answer))


@_kind("combination:two_responses")
def _two_responses(answer: str) -> bool:
    """Two different ones, separated by six asterisks; only in front and behind may there be nothing."""
    parts = [part.strip() for part in answer.split("******")]
    if not all(parts[1:-1]):
        return False
    there = [part for part in parts if part]
    return len(there) == 2 and there[0] != there[1]


@_kind("combination:repeat_prompt")
def _repeat_prompt(answer: str, prompt_to_repeat: str) -> bool:
    return answer.strip().lower().startswith(prompt_to_repeat.strip().lower())


@_kind("startend:end_checker")
def _end(answer: str, end_phrase: str) -> bool:
    return answer.strip().strip('"').lower().endswith(end_phrase.strip().lower())


@_kind("startend:quotation")
def _quotation(answer: str) -> bool:
    bare = answer.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


@_kind("change_case:capital_word_frequency")
def _capital_words(answer: str, capital_frequency: int, capital_relation: str) -> bool:
    from nltk.tokenize import NLTKWordTokenizer

    count = sum(word.isupper() for word in NLTKWordTokenizer().tokenize(answer))
    return _RELATIONS[capital_relation](count, capital_frequency)


@_kind("change_case:english_capital")
def _capital(answer: str) -> bool:
    return answer.isupper() and _language(answer) in ("en", None)


@_kind("change_case:english_lowercase")
def _lowercase(answer: str) -> bool:
    return answer.islower() and _language(answer) in ("en", None)


@_kind("punctuation:no_comma")
def _no_comma(answer: str) -> bool:
    return "," not in answer


def _times(keyword: str, answer: str) -> int:
    return len(re.findall(re.escape(keyword), answer, re.IGNORECASE))


def _language(answer: str) -> str | None:
    """As langdetect names it, the same for the same text; None where it cannot tell, which counts as followed."""
    import langdetect

    langdetect.DetectorFactory.seed = 0
    try:
        return str(langdetect.detect(answer))
    except langdetect.LangDetectException:
        return None


@cache
def _splitter() -> Any:
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

    parameters = PunktParameters()
    parameters.abbrev_types = set(_ABBREVIATIONS.split())
    return PunktSentenceTokenizer(parameters)
