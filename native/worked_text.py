"""Worked examples in running text, as BIG-Bench Hard has them:

    (a notice)
    -----
    What the task is.

    Q: …
    A: … So the answer is X.

with a blank line before each ``Q:``. Each example is a row with task, input, reasoning and target.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

SUFFIX = ".txt"


def worked_examples(path: Path) -> Iterator[dict[str, str]]:
    """The examples of a file. Raises OSError, and ValueError where it is in another form."""
    text = path.read_text(encoding="utf-8").partition("-----\n")[2]
    task, *blocks = text.strip().split("\n\nQ: ")
    if not blocks:
        raise ValueError("has no worked examples: a line '-----', the task, then 'Q: …' and 'A: …'")
    for block in blocks:
        question, answers, reasoning = block.partition("\nA: ")
        _, says, target = reasoning.rpartition("the answer is ")
        if not answers or not says:
            raise ValueError(f"'Q: {question[:40]}' is not followed by 'A: … the answer is …'")
        target = target.strip().removesuffix(".")
        yield {"task": task, "input": question.strip(), "reasoning": reasoning.strip(), "target": target}
