"""Judgements of OpenCompass's ``LMEvaluator``: read one by one as it reads them, and its score over those alone.

OpenCompass leaves out what it cannot read, or counts it as wrong, and says so nowhere. Here its own post-processor gets
the judgements of the samples that have been judged; the others are named beside its score, each with the reason.
"""

from __future__ import annotations

import copy
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import fsum
from typing import Any

Json = dict[str, Any]
Read = Callable[[Callable[..., Any], Json], float | None]
MARKER_ENV = "BRIDGE_FAILED_MARKER"


@dataclass(frozen=True)
class Reader:
    function: str
    """What the post-processor reads a single judgement with, in its own module."""
    read: Read
    """What is made of that function and a judgement: a score; None where it has none by itself. Raises Unreadable."""
    kind: str = ""
    """Its score is the mean over all kinds of questions that it knows of, by this field of the references."""
    expects_all: bool = False
    """It divides by how many judgements there are, but for those that it cannot read."""


class Unreadable(ValueError):
    """The judge has answered, and there is no verdict in it."""


def scored(output: Json, output_path: str, own: Json, grouped: str = "") -> Json:
    """In the place of the configuration's ``dict_postprocessor``, which is ``own``: a type and its arguments.

    ``grouped``: where a sample has several judgements, a second round of all in the other order (``double``), or one
    after the other (``criteria``).  Its result, with ``samples`` beside it: the keys of each sample's judgements, the
    score read out of them on the scale of the quoted metric (null where one alone has none), and why there is none;
    and ``unjudged_kinds``: kinds of questions that its score counts as 0 because none of them has been judged.
    """
    from opencompass.registry import DICT_POSTPROCESSORS

    arguments = dict(own)
    name = str(arguments.pop("type"))
    process, reader = DICT_POSTPROCESSORS.get(name), READERS[name.rpartition(".")[2]]
    samples = [_sample(keys, output, process, reader) for keys in _groups(output, grouped)]
    judged = {key for one in samples if not one["error"] for key in one["judgements"]}
    result = process(_alone(output, judged, reader), output_path, **arguments) if judged else {}
    details = {**output, **{key: entry for key, entry in result.get("details", {}).items() if key in judged}}
    return {**result, "details": details, "samples": samples, "unjudged_kinds": _unjudged(output, judged, reader.kind)}


def _alone(output: Json, judged: set[str], reader: Reader) -> Json:
    """The judgements that count. Others are left out, or are empty where all are expected to be there."""
    if reader.expects_all:
        output = {key: entry if key in judged else {**entry, "prediction": ""} for key, entry in output.items()}
        judged = set(output)
    return {key: copy.deepcopy(entry) for key, entry in output.items() if key in judged}


def _unjudged(output: Json, judged: set[str], kind: str) -> list[str]:
    if not kind:
        return []
    there = {str(entry["gold"][kind]) for entry in output.values()}
    return sorted(there - {str(output[key]["gold"][kind]) for key in judged})


def _groups(output: Json, grouped: str) -> Iterator[list[str]]:
    keys = list(output)
    if grouped == "double":
        half = len(keys) // 2
        yield from ([first, second] for first, second in zip(keys[:half], keys[half:], strict=True))
    elif grouped == "criteria":
        yield from (list(some) for _, some in groupby(keys, lambda key: _without_prompt(output[key]["gold"])))
    else:
        yield from ([key] for key in keys)


def _without_prompt(gold: Json) -> Json:
    return {name: value for name, value in gold.items() if name != "judge_prompt"}


def _sample(keys: list[str], output: Json, process: Callable[..., Any], reader: Reader) -> Json:
    try:
        read = [_read(output[key], process, reader) for key in keys]
    except Unreadable as error:
        return {"judgements": keys, "score": None, "error": str(error)}
    known = [score for score in read if score is not None]
    return {"judgements": keys, "score": sum(known) / len(known) if known else None, "error": ""}


def _read(entry: Json, process: Callable[..., Any], reader: Reader) -> float | None:
    """Raises Unreadable. The word of a request that failed is not read: there may be a verdict in an error."""
    said = str(entry["prediction"])
    marker = os.environ.get(MARKER_ENV, "")
    if marker and marker in said:
        raise Unreadable(said)
    try:
        return reader.read(getattr(sys.modules[process.__module__], reader.function), entry)
    except (Unreadable, TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
        raise Unreadable(f"nothing in it is a verdict for OpenCompass: {_short(said)}") from error


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 80 else f"{line[:79]}…")


def _letter(reader: Callable[..., Any], entry: Json) -> float:
    """Where there is no letter at all, OpenCompass takes the answer for one that was not attempted."""
    said = entry["prediction"]
    if not re.search("[ABC]", said):
        raise Unreadable
    return 100.0 if reader(said) == "A" else 0.0


def _letter_of_entry(reader: Callable[..., Any], entry: Json) -> float:
    return _letter(lambda _: reader(entry), entry) / 100


def _score(reader: Callable[..., Any], entry: Json) -> float:
    return float(reader(entry)["score"])


def _constraints(reader: Callable[..., Any], entry: Json) -> float:
    """All that was demanded is there, or not; -1 where it says neither."""
    whole = reader(entry)[0]
    if whole < 0:
        raise Unreadable
    return float(whole)


def _checklist(reader: Callable[..., Any], entry: Json) -> float:
    """As OpenCompass weighs the points of the list for the kind of text."""
    weights = sys.modules[reader.__module__].REGRESSION_DICT[entry["gold"]["subcategory"]]
    return 4 * (fsum(weight * score for weight, score in zip(weights, reader(entry), strict=True)) - 75)


def _stars(reader: Callable[..., Any], entry: Json) -> float:
    """Five make a hundred."""
    return 20 * float(reader(entry))


def _win(reader: Callable[..., Any], entry: Json) -> float:
    """Of the model over the one that it is compared with."""
    gold = entry["gold"]
    first_is_better = reader(entry)["rank"] == 1
    return 100.0 if first_is_better != (gold["answer1"] in gold["base_models"]) else 0.0


_BATTLES = {"A>>B": 100.0, "A>B": 50.0, "A=B": 0.0, "B>A": -50.0, "B>>A": -100.0}
_TURNED = {"B<<A": "A>>B", "B<A": "A>B", "B=A": "A=B", "A<B": "B>A", "A<<B": "B>>A"}


def _battle(reader: Callable[..., Any], entry: Json) -> None:
    """A verdict that counts in a rating over all of them, and is no score by itself."""
    if reader(entry) not in _BATTLES:
        raise Unreadable


def _margin(reader: Callable[..., Any], entry: Json) -> float:
    """By how much the model is better than the one that it is compared with."""
    said = reader(entry)
    score = _BATTLES[_TURNED.get(said, said)]
    return score if entry["gold"]["answer2"] == entry["gold"]["base_models"][0] else -score


_CHOICES = {"A++": 100.0, "A+": 50.0, "A=B": 0.0, "B+": -50.0, "B++": -100.0}


def _choice(reader: Callable[..., Any], entry: Json) -> float:
    """By how much the model is better than the one that it is compared with."""
    score = _CHOICES[reader(entry)]
    return -score if entry["gold"]["answer1"] in entry["gold"]["base_models"] else score


READERS: Mapping[str, Reader] = {
    "alignbench_postprocess": Reader("post_process_alignbench", _score, kind="capability"),
    "alpacaeval_postprocess": Reader("post_process_alpacav2", _win),
    "arenahard_postprocess": Reader("post_process_arenahard", _battle),
    "compassarena_subjectiveeval_pairwise_postprocess": Reader("post_process_pairwise", _margin),
    "compassarena_subjectiveeval_pointwise_postprocess": Reader("post_process_pointwise", _stars),
    "csimpleqa_postprocess": Reader("post_process_csimpleqa", _letter_of_entry),
    "followbench_postprocess": Reader("post_process_followbench", _constraints, kind="level", expects_all=True),
    "fofo_postprocess": Reader("post_process_fofo", _score),
    "generic_llmjudge_postprocess": Reader("_generic_llmjudge_postprocess", _letter),
    "hellobench_postprocess": Reader("post_process_hellobench", _checklist),
    "livereasonbench_postprocess": Reader("_livereasonbench_postprocess", _letter),
    "mtbench_postprocess": Reader("post_process_mtbench", _score),
    "mtbench101_postprocess": Reader("post_process_mtbench101", _score),
    "simpleqa_postprocess": Reader("_single_simpleqa_postprocess", _letter),
    "wildbench_postprocess": Reader("post_process_wildbench_pair", _choice),
    "writingbench_postprocess": Reader("post_process_writingbench", _score),
}
"""Post-processors whose judgements can be read one by one; their scales are in the adapter's ``scales``."""
