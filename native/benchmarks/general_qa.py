"""Your own questions with reference answers in free text.

    {"id": "7", "system": "You are …", "query": "What is …?", "response": "It is …"}
    {"messages": [{"role": "user", "content": "What is …?"}], "answer": ["It is …", "That is …"]}

``question`` and ``query``, ``answer`` and ``response`` are the same; a list of answers holds several references, of
which the best one counts. The question is sent as it is, behind ``system`` where there is one; ``messages`` is sent as
it is. Each ``<name>_test`` or ``<name>`` file is a subset of that name.

Scored by the words shared with the reference (see ``scorers.overlap``): ROUGE-L F (primary), ROUGE-1, ROUGE-2, sentence
BLEU, and exact match up to case and punctuation; or by a judge (``judging`` in the spec), which for ``rating`` and
``rubric`` needs no reference. EvalScope quotes the recall of ROUGE-L, which long answers win, and
BLEU orders on their own.
"""

from __future__ import annotations

from typing import Any

from bridge.native.benchmark import Benchmark, Layout, Message, Prompt, Row, Sample, needed
from bridge.native.scorers.overlap import TextOverlap


def to_sample(row: Row) -> Sample:
    references = _references(row)
    messages = _messages(row["messages"]) if row.get("messages") else []
    question = "" if messages else str(needed(row, "question", "query", "messages"))
    if not messages and not question.strip():
        raise ValueError("the question is empty")
    return Sample(
        target=(list(references) if len(references) > 1 else references[0]) if references else None,
        fields={
            "question": question,
            "target": references[0] if references else "",
            "system": str(row.get("system") or ""),
        },
        id=None if row.get("id") in (None, "") else str(row["id"]),
        messages=messages,
    )


def _references(row: Row) -> tuple[str, ...]:
    """None where the row has no column for them: then only a judge can rate the answers."""
    value = next((row[name] for name in ("answer", "response") if row.get(name) is not None), None)
    if value is None:
        return ()
    references = tuple(str(one) for one in value) if isinstance(value, list) else (str(value),)
    if not references or not all(one.strip() for one in references):
        raise ValueError("a reference answer is empty; answers without a reference need a judge")
    return references


def _messages(value: Any) -> list[Message]:
    fits = isinstance(value, list) and all(isinstance(m, dict) and {"role", "content"} <= m.keys() for m in value)
    if not fits:
        raise ValueError("messages is to be a list of objects with role and content")
    given: list[Message] = list(value)
    if given[-1]["role"] == "assistant":
        raise ValueError("the last of the messages is the assistant's; give it as the answer")
    return given


BENCHMARK = Benchmark(
    name="general_qa",
    description="Your own questions with reference answers in free text",
    paper="",
    licence="",
    layout=Layout(
        files=("{subset}_{split}", "{subset}"),
        splits={"test": ("test",), "dev": ("dev",)},
        example="<name>_test.jsonl or <name>.jsonl (question, answer)",
    ),
    to_sample=to_sample,
    prompt=Prompt(question="{question}", demo="{question}\n{target}"),
    scorer=TextOverlap(),
    fewshot_splits=("dev",),
)
