"""A few rows of every benchmark that OpenCompass has judged, in the layout that it reads, and a scripted judge.

The questions are made up; an answer is as good as its digest says, and a judge says it in the words of the benchmark.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import opencompass_rows as rows
import opencompass_toys as toys

CAPABILITIES = ("数学计算", "逻辑推理", "基本任务", "中文理解", "综合问答", "文本写作", "角色扮演", "专业能力")
"""All that AlignBench's score is made of."""
SUBSETS = {
    "cmmlu.cmmlu_0shot_nocot_llmjudge_gen_e1cd9a": rows.CMMLU,
    "cmmlu.cmmlu_stem_0shot_nocot_llmjudge_gen_3653db": ("anatomy",),
    "mmlu.mmlu_openai_0shot_nocot_llmjudge_gen_216503": ("astronomy", "anatomy"),
}
RATED = (
    "SimpleQA.simpleqa_gen_0283c3",
    "chinese_simpleqa.chinese_simpleqa_gen",
    "cmmlu.cmmlu_0shot_nocot_llmjudge_gen_e1cd9a",
    "gpqa.gpqa_0shot_nocot_llmjudge_gen_772ea0",
    "livereasonbench.livereasonbench_gen_f990de",
    "math.math_prm800k_500_0shot_nocot_llmjudge_gen_63a000",
    "mmlu.mmlu_openai_0shot_nocot_llmjudge_gen_216503",
    "subjective.alignbench.alignbench_judgeby_critiquellm_new",
    "subjective.alignbench.alignbench_v1_1_judgeby_critiquellm_new",
    "subjective.compass_arena_subjective_bench.singleturn.pointwise_judge",
    "subjective.compass_arena_subjective_bench.multiturn.pointwise_judge",
    "subjective.fofo.fofo_bilingual_judge_new",
    "subjective.followbench.followbench_llmeval_new",
    "subjective.hellobench.hellobench",
    "subjective.multiround.mtbench101_judge_new",
    "subjective.multiround.mtbench_single_judge_diff_temp_new",
    "subjective.writingbench.writingbench_judge",
    "korbench.korbench_single_0shot_llmjudge_gen",
)
"""One model's answers, each by itself; one configuration for each benchmark and post-processor."""
COMPARED = (
    "subjective.alpaca_eval.alpacav2_judgeby_gpt4_new",
    "subjective.arena_hard.arena_hard_compare_new",
    "subjective.compass_arena_subjective_bench.singleturn.pairwise_judge",
    "subjective.compass_arena_subjective_bench.multiturn.pairwise_judge",
    "subjective.wildbench.wildbench_pair_judge_new",
)
"""With the answers of another model, which come with the data."""
RAW_PROMPTS = (
    "SimpleQA.simpleqa_rawprompt_gen",
    "chinese_simpleqa.chinese_simpleqa_rawprompt_gen",
    "subjective.alignbench.alignbench_judgeby_critiquellm_rawprompt",
    "subjective.alpaca_eval.alpacav2_judgeby_gpt4_rawprompt",
    "subjective.arena_hard.arena_hard_compare_rawprompt",
    "subjective.fofo.fofo_bilingual_judge_rawprompt",
    "subjective.followbench.followbench_llmeval_rawprompt",
    "subjective.multiround.mtbench101_judge_new_rawprompt",
    "subjective.wildbench.wildbench_pair_judge_rawprompt",
)
"""The same benchmarks, with their prompts as lists of messages."""


def asked(name: str) -> dict[str, Any]:
    """The entry of a spec."""
    entry = {"name": f"opencompass:{name}", "alias": name.replace(".", "-")}
    return {**entry, "subsets": list(SUBSETS[name])} if name in SUBSETS else entry


def write_all(root: Path, count: int) -> None:
    """OpenCompass's data folder, as ``root/data``."""
    data = root / "data"
    rows.cmmlu(data, count)
    rows.math(data, count)
    toys.write_mmlu(data / "mmlu", count)
    _questions_of_facts(data, count)
    _korbench(data / "korbench", count)
    _alignbench(data / "subjective" / "alignment_bench", count)
    _compass_arena(data / "subjective" / "CompassArenaSubjectiveBench", count)
    _fofo(data / "subjective" / "fofo", count)
    _followbench(data / "subjective" / "followbench" / "converted_data", count)
    _hellobench(data / "HelloBench", count)
    _dialogues(data / "subjective", count)
    _writingbench(data / "subjective" / "writingbench", count)
    _with_baselines(data / "subjective", count)
    _wildbench(data / "subjective" / "WildBench", count)


def answer(prompt: str) -> str:
    """Of the model: with the right word two times of three."""
    found = re.findall(r"\[clue ([^\]]+)\]", prompt)
    said = found[-1] if found and _chance(prompt) % 3 else "I do not know"
    return f"It is {said}, I think; {prompt[-20:]!r} was the question."


def judgement(prompt: str) -> str:
    """As the benchmark's prompt wants it."""
    chance = _chance(prompt)
    for sign, say in _WORDS.items():
        if sign in prompt:
            return say(prompt, chance)
    raise AssertionError(f"no benchmark's prompt: {prompt[:300]}")


def _chance(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]


def _letter(prompt: str, chance: int) -> str:
    """Whether the gold target stands in the prediction."""
    told = re.split(r"Predicted [Aa]nswer(?: Begin>)?:|预测答案:", prompt)[-1]
    return "A" if "I do not know" not in told else "BC"[chance % 2 if "NOT_ATTEMPTED" in prompt else 0]


def _checks(prompt: str, chance: int) -> str:
    wanted = int(re.findall(r"There are total (\d+) checklists", prompt)[0])
    points = [{"checklist_id": n, "reason": "so", "evaluation_score": ((chance + n) % 5) / 4} for n in range(wanted)]
    return f"```json\n{json.dumps(points)}\n```"


def _followed(prompt: str, chance: int) -> str:
    level = int(re.findall(r"level (\d)", prompt)[0])
    if level == 1:
        return f"It does.\n{'YES' if chance % 3 else 'NO'}"
    return f"One by one.\n{['YES' if (chance + n) % 4 else 'NO' for n in range(level)]}"


_SIDES = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
_CHOICES = ("A++", "A+", "A=B", "B+", "B++")
_WORDS = {
    "<|begin_of_history|>": lambda prompt, chance: f'{{"choice": "{_CHOICES[chance % 5]}"}}',
    "综合得分": lambda prompt, chance: f"不错。{{'事实正确性': {chance % 10}, '综合得分': {1 + chance % 10}}}",
    "[[A>>B]]：": lambda prompt, chance: f"因此，我的最终选择是[[{_SIDES[chance % 5]}]]",
    "分]]": lambda prompt, chance: f"综合来看，尚可。因此，我的最终打分是[[{chance % 6}分]]",
    "format_correctness": lambda prompt, chance: f"[{{'model': 'model', 'format_correctness': {chance % 2}}}]",
    "FOLLOW": _followed,
    "checklists": _checks,
    "The dialogue need to be judged is": lambda prompt, chance: f"Well done. Rating: [[{1 + chance % 10}]]",
    "Assistant A's Conversation with User": lambda prompt, chance: f"Helpful. Rating: [[{1 + chance % 10}]]",
    "Provide your evaluation based on the criteria": lambda prompt, chance: f'{{"score": {1 + chance % 10}}}',
    "## Best Model Identifier": lambda prompt, chance: "mM"[chance % 2],
    "<|The Start of Assistant A's Answer|>": lambda prompt, chance: f"My final verdict: [[{_SIDES[chance % 5]}]]",
    "Gold target": _letter,
    "Gold Target": _letter,
    "正确答案": _letter,
}


def _table(path: Path, header: list[str], lines: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *lines])


def _questions_of_facts(data: Path, count: int) -> None:
    facts = [(f"What stood by the {rows.word(n)} ({n})? {rows.clue(f'tree {n}')}", f"tree {n}") for n in range(count)]
    _table(
        data / "simpleqa" / "simple_qa_test_set.csv", ["metadata", "problem", "answer"], [["{}", *one] for one in facts]
    )
    toys.write_jsonl(
        data / "chinese_simpleqa" / "chinese_simpleqa.jsonl",
        [
            {"id": n, "primary_category": "自然", "question": f"第{n}棵树？{rows.clue(n)}", "answer": str(n)}
            for n in range(count)
        ],
    )
    rows.write_json(
        data / "LiveReasonBench" / "livereasonbench-20241202.json",
        [{"question": f"Then? {question}", "answer": right} for question, right in facts],
    )
    options = [[*[""] * 7, f"Which? {rows.clue('oak')} {n}", "oak", "ash", "elm", "fir"] for n in range(count)]
    _table(data / "gpqa" / "gpqa_diamond.csv", [*[""] * 7, "Question", "1", "2", "3", "4"], options)


def _korbench(folder: Path, count: int) -> None:
    for category in ("cipher", "counterfactual", "logic", "operation", "puzzle"):
        rule = {"idx": "1", "title": category, "rule_content": f"Turn every word of {category} round."}
        questions = [
            {"idx": str(n), "rule_id": "1", "question": f"{category} {n} {rows.clue(f'[[{n}]]')}", "answer": f"[[{n}]]"}
            for n in range(count)
        ]
        toys.write_jsonl(folder / category / "rule.jsonl", [rule])
        toys.write_jsonl(folder / category / "sample.jsonl", questions)


def _alignbench(folder: Path, count: int) -> None:
    for name in ("alignment_bench", "alignment_bench_v1_1"):
        questions = [
            {
                "question": f"{name}：请说说{capability}（{n}）。",
                "capability": capability,
                "others": {"subcategory": "写作", "reference": f"参考 {n}", "question_id": n},
            }
            for n in range(-(-count // 4))
            for capability in CAPABILITIES
        ]
        rows.write_json(folder / f"{name}.json", questions)
    places = {
        "dimension_set_filepath": "sets.json",
        "dimension_def_filepath": "definitions.json",
        "subcategory_mapping": "kinds.json",
    }
    rows.write_json(folder / "config" / "multi-dimension.json", {"Paths": places})
    rows.write_json(folder / "config" / "sets.json", {"生成型回答": ["事实正确性"]})
    rows.write_json(folder / "config" / "definitions.json", {"事实正确性": "回答是否属实。"})
    rows.write_json(folder / "config" / "kinds.json", {"写作": "生成型回答"})


def _compass_arena(folder: Path, count: int) -> None:
    kinds = ("重写", "领域知识问答", "推理", "角色扮演")
    single = [
        {
            "category": kinds[n % 4],
            "difficulty": "易难"[n % 2],
            "question": {"content": f"请写一句话（{n}）。"},
            "answer": {"content": "好。"},
        }
        for n in range(count)
    ]
    several = [
        {"category": kinds[n % 4], "difficulty": "中", "conversation": _turns(f"请写两句话（{n}）。", "再写一句。")}
        for n in range(count)
    ]
    rows.write_json(folder / "singleturn.json", single)
    rows.write_json(folder / "multiturn.json", several)
    rows.write_json(folder / "Qwen-2.5-72B-Instruct" / "singleturn.json", _given(count))
    turns = [{"round": at, "user": f"question {at}", "assistant": f"answer {at}"} for at in (1, 2)]
    rows.write_json(
        folder / "Qwen-2.5-72B-Instruct" / "multiturn.json", {str(n): {"prediction": turns} for n in range(count)}
    )


def _turns(*questions: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for one in questions for role, text in (("user", one), ("assistant", ""))]


def _fofo(folder: Path, count: int) -> None:
    for name in ("fofo_test_prompts", "fofo_test_prompts_cn"):
        prompts = [
            {
                "id": n,
                "instruction": f"Write a table about the {rows.word(n)} ({name}).",
                "domain": ("Healthcare", "Management")[n % 2],
                "sub_domain": "notes",
                "format": ("Markdown", "CSV")[n % 2],
                "format_type": ("general", "domain-specific")[n % 2],
            }
            for n in range(count)
        ]
        rows.write_json(folder / f"{name}.json", prompts)


def _followbench(folder: Path, count: int) -> None:
    for name in ("cn", "en"):
        prompts = [
            {
                "instruction": f"Write {level} lines about the {rows.word(n)} ({name} {n}).",
                "judge_prompt": f"FOLLOW level {level}, {name} {n}: {{prediction}}",
                "level": level,
            }
            for n in range(-(-count // 4))
            for level in range(1, 6)
        ]
        rows.write_json(folder / f"followbench_llmeval_{name}.json", prompts)


def _hellobench(folder: Path, count: int) -> None:
    kinds = {
        "open_ended_qa": ("travel", 7),
        "summarization": ("blogs", 6),
        "chat": ("rewrite", 6),
        "text_completion": ("continuation", 5),
        "heuristic_text_generation": ("story_writing", 5),
    }
    for name, (kind, points) in kinds.items():
        lists = [
            {
                "instruction": f"Write a long {name} about the {rows.word(n)} ({n}).",
                "formatted_checklists": [f"point {at}" for at in range(points)],
                "num_checklist": points,
                "category": kind,
            }
            for n in range(count)
        ]
        toys.write_jsonl(folder / f"{name}.jsonl", lists)


def _dialogues(folder: Path, count: int) -> None:
    for temperature in ("0.0", "0.1", "0.7"):
        dialogues = [
            {
                "dialogue": _turns(f"Tell me about the {rows.word(n)} ({temperature} {n}).", "Once more, shorter."),
                "capability": ("stem", "math")[n % 2],
                "others": {"reference": ["one", "two"], "question_id": n},
            }
            for n in range(count)
        ]
        rows.write_json(folder / "mtbench" / f"mtbench_{temperature}.json", dialogues)
    histories = [
        {
            "id": n,
            "task": ("TS", "GR", "CM")[n % 3],
            "history": [
                {"user": f"Where is the {rows.word(n)} ({n})?", "bot": "There."},
                {"user": "And where was it?", "bot": "Here."},
            ],
        }
        for n in range(count)
    ]
    toys.write_jsonl(folder / "mtbench101.jsonl", histories)


def _writingbench(folder: Path, count: int) -> None:
    queries = [
        {
            "index": n,
            "domain1": ("Academic & Engineering", "Finance & Business")[n % 2],
            "domain2": "Notes",
            "query": f"Write about the {rows.word(n)} ({n}).",
            "criteria": [{"name": f"criterion {at}", "criteria_description": "good"} for at in range(5)],
        }
        for n in range(count)
    ]
    toys.write_jsonl(folder / "writingbench.jsonl", queries)


def _with_baselines(folder: Path, count: int) -> None:
    alpaca = [
        {"question": f"Why is the {rows.word(n)} old ({n})?", "capability": ("koala", "vicuna")[n % 2], "others": {}}
        for n in range(count)
    ]
    alpaca = [{**one, "others": {"id": n}} for n, one in enumerate(alpaca)]
    rows.write_json(folder / "alpaca_eval" / "alpaca_eval.json", alpaca)
    rows.write_json(folder / "alpaca_eval" / "gpt4-turbo" / "alpaca_eval.json", _given(count))
    hard = [
        {"question_id": str(n), "cluster": "towers", "turns": [{"content": f"Build the {rows.word(n)} ({n})."}]}
        for n in range(count)
    ]
    toys.write_jsonl(folder / "arena_hard" / "arenahard.jsonl", hard)
    rows.write_json(folder / "arena_hard" / "arenahard.json", _given(count))


def _wildbench(folder: Path, count: int) -> None:
    conversations = [
        {
            "session_id": str(n),
            "turn": [
                {"role": "user", "content": f"Do you see the {rows.word(n)}?"},
                {"role": "assistant", "content": "Yes."},
                {"role": "user", "content": f"Then draw it ({n})."},
            ],
            "checklist": ["It is drawn."],
            "primary_tag": ("Reasoning", "Math")[n % 2],
            "secondary_tag": ["Editing"],
        }
        for n in range(count)
    ]
    toys.write_jsonl(folder / "wildbench.jsonl", conversations)
    for name in ("gpt4", "llama2-70b", "claude"):
        rows.write_json(folder / name / "wildbench.json", _given(count, name))


def _given(count: int, who: str = "other model") -> dict[str, Any]:
    """Predictions as OpenCompass leaves them."""
    return {str(n): {"origin_prompt": "", "prediction": f"The {who}'s answer {n}."} for n in range(count)}
