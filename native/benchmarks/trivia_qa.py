"""TriviaQA: quiz questions; the answer is a name, a thing or a number with its aliases.

    {"Data": [{"QuestionId": "tc_33", "Question": "Which …?", "Answer": {"Value": "…", "Aliases": […], …}}, …]}

Also in the hubs' form (question, answer with ``normalized_aliases``) and as context, answer, aliases. Asked without
examples and, unless the row brings the text of its pages (``entity_pages.wiki_context``), without a text to read. Right
where the answer equals an alias, as TriviaQA's own script compares them; the overlap of words (F1) stands beside it.

EvalScope compares in the same way, and always shows the pages of ``rc.wikipedia``.
"""

from __future__ import annotations

from typing import Any

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.trivia import Trivia


def to_sample(row: Row) -> Sample:
    aliases = _aliases(needed(row, "Answer", "answer"), row.get("aliases") or [])
    if not any(alias.strip() for alias in aliases):
        raise ValueError("the answer is empty; the test split has none")
    asked = str(needed(row, "Question", "question", "context")).strip()
    asked = asked.removeprefix("Question:").removesuffix("Answer:").strip()
    pages = row.get("entity_pages") or {}
    texts = [str(text) for text in pages.get("wiki_context", []) if text] if isinstance(pages, dict) else []
    id_ = row.get("QuestionId") or row.get("question_id")
    return Sample(
        target=aliases,
        fields={
            "question": asked,
            "pages": "Read this first:\n\n" + "\n\n".join(texts) + "\n\n" if texts else "",
            "target": aliases[0],
        },
        id=str(id_) if id_ else None,
    )


def _aliases(answer: Any, more: list[Any]) -> list[str]:
    if not isinstance(answer, dict):
        return [str(answer), *map(str, more)]
    named = [answer.get("Value") or answer.get("value")]
    for key in ("NormalizedAliases", "normalized_aliases", "Aliases", "aliases", "HumanAnswers"):
        named += list(answer.get(key) or [])
    return [str(name) for name in dict.fromkeys(named) if name] or [""]


BENCHMARK = Benchmark(
    name="trivia_qa",
    description="Quiz questions; the answer is a name, a thing or a number",
    paper="https://arxiv.org/abs/1705.03551",
    licence="Apache-2.0",
    layout=Layout(
        files=("wikipedia-{split}", "qa/wikipedia-{split}", "unfiltered-web-{split}", "triviaqa_sm_sub", "{split}"),
        splits={"validation": ("dev", "validation"), "train": ("train",)},
        example="wikipedia-dev.json (Data: Question, Answer)",
    ),
    to_sample=to_sample,
    prompt=Prompt(
        question=(
            "{pages}Answer this question with a name or a few words. End with a line of its own of the form "
            '"ANSWER: …".\n\n{question}'
        ),
        demo="{question}\nANSWER: {target}",
        demos_intro="Solved examples:",
        question_intro="Now it is your turn.",
    ),
    scorer=Trivia(),
    split="validation",
    hub=Hub("evalscope/trivia_qa", "mandarjoshi/trivia_qa", config="rc.wikipedia.nocontext"),
    fewshot_splits=("train",),
)
