"""LLMBar: is a model a good judge? Two outputs for an instruction, of which people have said which one follows it.

    {"input": "Sort these words …", "output_1": "apple, …", "output_2": "Sorting is …", "label": 1}

The model that is evaluated is the judge. Every pair is asked in both orders, the second one as a repeat of the first,
so that a taste for what stands first shows: chance is 0.5 and so is a judge that always says A. There is no tie. The
adversarial subsets hold outputs that look better than they are.

Besides the accuracy (over all verdicts) and for each subset: ``consistency``, the share of pairs that get the same
verdict in both orders; ``both_right``, the share that is right in both; ``first_position_share``, how often the output
that is shown first wins, 0.5 without bias; ``kappa``, Cohen's, of verdicts and people; ``kappa_orders``, of the
verdicts in one order and in the other, which the authors publish as agreement. A reply without ``[[A]]`` or ``[[B]]``
is wrong.

EvalScope has no such benchmark. The authors ask in several ways; their plain one wants "Output (a)" or "Output (b)" and
nothing else, while here the judge may reason first.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.native.benchmark import Benchmark, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.preference import Agreement, Preference

ADVERSARIAL = ("Neighbor", "GPTInst", "GPTOut", "Manual")


def to_sample(row: Row) -> Sample:
    label = str(needed(row, "label"))
    if label not in ("1", "2"):
        raise ValueError(f"the label is {label!r}; it is to be 1 or 2")
    return Sample(
        target="A" if label == "1" else "B",
        fields={
            "question": str(needed(row, "input")),
            "answer_a": str(needed(row, "output_1")),
            "answer_b": str(needed(row, "output_2")),
        },
    )


def swapped(sample: Sample) -> Sample:
    """The other order."""
    first, second = sample.fields["answer_b"], sample.fields["answer_a"]
    fields = {**sample.fields, "answer_a": first, "answer_b": second}
    return replace(sample, fields=fields, target="B" if sample.target == "A" else "A")


BENCHMARK = Benchmark(
    name="llmbar",
    description="A judge's agreement with people about which of two outputs follows an instruction",
    paper="https://arxiv.org/abs/2310.07641",
    licence="MIT",
    layout=Layout(
        files=("{subset}/dataset | Adversarial/{subset}/dataset",),
        splits={"test": ("test",)},
        example="Natural/dataset.json, Adversarial/Manual/dataset.json (input, output_1, output_2, label)",
    ),
    to_sample=to_sample,
    swapped=swapped,
    summary=Agreement,
    prompt=Prompt(
        question=(
            "Two outputs were written for an instruction. Which one follows it better? What counts is whether the "
            "output does exactly what the instruction asks for, and does it right; order, length, tone and polish do "
            "not count, and neither do good things that were not asked for.\n\n"
            "# Instruction\n{question}\n\n# Output A\n{answer_a}\n\n# Output B\n{answer_b}\n\n"
            "# Verdict\nGive your reason in one or two sentences. Then end with [[A]] or [[B]]. There is no tie."
        ),
    ),
    scorer=Preference(),
    subsets=("Natural", *ADVERSARIAL),
    categories={"Natural": "Natural", **dict.fromkeys(ADVERSARIAL, "Adversarial")},
    max_tokens=1024,
)
