"""Answers that OpenCompass's post-processor seems to have misread: they count as wrong, and may be right."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bridge.adapters.opencompass import verdict
from bridge.adapters.opencompass.output import Unit

_STATED = re.compile(r"(?i:answer|答案)\s*(?:is|:|：|是|为)\s*[*(（\[\"'“]*([A-Z])(?![A-Za-z])")
_LETTERED = {
    *("csimpleqa_postprocess", "generic_llmjudge_postprocess"),
    *("livereasonbench_postprocess", "simpleqa_postprocess"),
}
_LETTER = re.compile(r"[A-Z]")


def suspects(units: Sequence[Unit], marker: str) -> Iterator[str]:
    """One line for each kind of doubt about how the answers were read, with the share and an example."""
    unread, misread, empty, total = [], [], 0, 0
    for unit in units:
        letters = _letters(unit)
        for row, detail in zip(unit.predictions.values(), unit.details, strict=False):
            response = str(row.get("prediction") or "")
            if marker and marker in response:
                continue
            total += 1
            if not response:
                empty += 1
            elif detail.extracted is None and not detail.judged and not unit.of_judged:
                unread.append((unit, response))
            elif letters and not detail.judged and not _plausible(str(detail.extracted), response, letters):
                misread.append((unit, f"{detail.extracted!r} out of {_short(response)}"))
    if empty:
        yield f"{_share(empty, total)} answers are empty, and count as wrong"
    if unread:
        yield f"no answer was read out of {_share(len(unread), total)} responses, such as {_short(unread[0][1])}"
    judged = [detail for unit in units if _says_letters(unit) for detail in unit.details if not detail.unjudged]
    said = [detail.judged for detail in judged if detail.judged and not (marker and marker in detail.judged)]
    if strange := [word for word in said if not verdict.is_readable(word)]:
        share = _share(len(strange), len(said))
        yield f"{share} answers of the judge do not begin with a verdict, such as {_short(strange[0])}"
    if misread:
        unit, example = misread[0]
        how = unit.told.get("postprocessor") or unit.told.get("evaluator")
        yield f"{_share(len(misread), total)} answers look misread: {how} took {example}"


def _says_letters(unit: Unit) -> bool:
    """The judge is to say whether an answer is right, and not to rate it. What holds no verdict at all is an error."""
    return not unit.of_judged or str(unit.told.get("postprocessor")) in _LETTERED


def _letters(unit: Unit) -> str:
    """The letters that can be right, where answers are letters: all up to the last that is."""
    targets = [str(detail.target) for detail in unit.details]
    if not targets or not all(_LETTER.fullmatch(target) for target in targets):
        return ""
    return "".join(map(chr, range(ord("A"), max(ord("D"), *map(ord, targets)) + 1)))


def _plausible(extracted: str, response: str, letters: str) -> bool:
    """It is a letter to choose from, and not another than the one that the response states."""
    if len(extracted) != 1 or extracted not in letters:
        return False
    stated = _STATED.findall(response)
    return not stated or extracted in stated


def _share(count: int, total: int) -> str:
    return f"{count} of {total} ({count / total:.0%})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else f"{line[:59]}…")
