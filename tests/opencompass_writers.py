"""Which writer is for which short name of the OpenCompass backend."""

from __future__ import annotations

from typing import Any

from opencompass_rows import (
    LETTERS,
    Write,
    agieval,
    c3,
    clue,
    cmmlu,
    commonsenseqa,
    few_clue,
    gaokao,
    hellaswag,
    ifeval,
    jsonl,
    labelled,
    lcsts,
    math,
    multirc,
    obqa,
    open_questions,
    pick,
    piqa,
    race,
    reading,
    record,
    siqa,
    storycloze,
    strategyqa,
    theoremqa,
    word,
)

ENTAILMENT = {"entailment": "A", "not_entailment": "B"}
THREE = {"entailment": "A", "contradiction": "B", "neutral": "C"}
SAME = {"0": "A", "1": "B"}
TRUE = {"true": "A", "false": "B"}
NEWS = dict(zip(("news_agriculture", "news_travel", "news_game", "news_tech"), "ABCD", strict=True))


def superglue(n: int) -> dict[str, Any]:
    return labelled(n, ENTAILMENT, "premise", "hypothesis")


def spans(n: int) -> dict[str, Any]:
    return {
        "target": {"span1_text": word(n), "span2_text": "it"},
        "text": f"The {word(n)} fell and it broke ({n}). {clue('BA'[n % 2 == 0])}",
        "label": "true" if n % 2 == 0 else "false",
    }


WRITERS: dict[str, Write] = {
    "obqa": obqa,
    "AX_b": jsonl("SuperGLUE/AX-b/AX-b.jsonl", lambda n: labelled(n, ENTAILMENT)),
    "siqa": siqa,
    "nq": open_questions("nq", "nq"),
    "winogrande": jsonl(
        "winogrande/dev.jsonl",
        lambda n: {
            "sentence": f"The lamp fits the box as _ is small ({n}). {clue(pick(n))}",
            "option1": "lamp",
            "option2": "box",
            "answer": str("AB".index(pick(n)) + 1),
        },
    ),
    "BoolQ": jsonl(
        "SuperGLUE/BoolQ/val.jsonl",
        lambda n: {
            "passage": f"The {word(n)} is old.",
            "question": f"is it {n}? {clue(TRUE[('true', 'false')[n % 2]])}",
            "label": ("true", "false")[n % 2],
        },
    ),
    "cluewsc": few_clue("cluewsc", spans),
    "ocnli": jsonl("CLUE/OCNLI/dev.json", lambda n: labelled(n, THREE)),
    "lambada": jsonl(
        "lambada/test.jsonl", lambda n: {"prompt": f"Nobody saw the ({n}) {clue(word(n))}", "label": word(n)}
    ),
    "CMRC": reading("CLUE/CMRC/dev.json"),
    "csl": few_clue(
        "csl",
        lambda n: {"abst": f"摘要{n}。{clue('AB'[n % 2])}", "keyword": ["河", "灯"], "label": str(n % 2)},
    ),
    "cmnli": jsonl("CLUE/cmnli/cmnli_public/dev.json", lambda n: labelled(n, THREE)),
    "ReCoRD": record,
    "math": math,
    "eprstmt": few_clue(
        "eprstmt",
        lambda n: {"sentence": f"很好{n}。{clue('AB'[n % 2])}", "label": ("Positive", "Negative")[n % 2]},
    ),
    "WSC": jsonl("SuperGLUE/WSC/val.jsonl", spans),
    "storycloze": storycloze,
    "MultiRC": multirc,
    "RTE": jsonl("SuperGLUE/RTE/val.jsonl", superglue),
    "chid": few_clue(
        "chid",
        lambda n: {
            "content": f"他#idiom#（{n}）。{clue(LETTERS[n % 7])}",
            "candidates": [f"成语{i}" for i in range(7)],
            "answer": n % 7,
        },
    ),
    "AX_g": jsonl("SuperGLUE/AX-g/AX-g.jsonl", superglue),
    "bustm": few_clue("bustm", lambda n: labelled(n, SAME)),
    "afqmc": jsonl("CLUE/AFQMC/dev.json", lambda n: labelled(n, SAME)),
    "piqa": piqa,
    "lcsts": lcsts,
    "strategyqa": strategyqa,
    "Xsum": jsonl(
        "Xsum/dev.jsonl",
        lambda n: {
            "dialogue": f"It rained on day {n}. {clue(f'rain fell on day {n}')}",
            "summary": f"rain fell on day {n}",
        },
    ),
    "agieval": agieval,
    "ocnli_fc": few_clue("ocnli", lambda n: labelled(n, THREE)),
    "C3": c3,
    "tnews": few_clue(
        "tnews",
        lambda n: {"sentence": f"新闻{n} {clue(list(NEWS.values())[n % 4])}", "label_desc": list(NEWS)[n % 4]},
    ),
    "race": race,
    "triviaqa": open_questions("triviaqa", "trivia"),
    "CB": jsonl(
        "SuperGLUE/CB/val.jsonl",
        lambda n: labelled(n, {"contradiction": "A", "entailment": "B", "neutral": "C"}, "premise", "hypothesis"),
    ),
    "WiC": jsonl(
        "SuperGLUE/WiC/val.jsonl",
        lambda n: {**labelled(n, TRUE), "word": word(n)},
    ),
    "summedits": jsonl(
        "summedits/summedits.jsonl",
        lambda n: {"doc": f"It rained ({n}).", "summary": f"Rain. {clue('BA'[n % 2])}", "label": n % 2},
    ),
    "GaokaoBench": gaokao,
    "COPA": jsonl(
        "SuperGLUE/COPA/val.jsonl",
        lambda n: {
            "premise": f"The {word(n)} broke. {clue('AB'[n % 2])}",
            "choice1": "it fell",
            "choice2": "it sang",
            "question": "cause",
            "label": n % 2,
        },
    ),
    "DRCD": reading("CLUE/DRCD/dev.json"),
    "cmmlu": cmmlu,
    "commonsenseqa": commonsenseqa,
    "TheoremQA": theoremqa,
    "IFEval": ifeval,
    "hellaswag": hellaswag,
}
"""Of all names but those that ``opencompass_toys`` writes."""
