"""The ``opencompass`` command as a user would run it: its own environment, model class, configuration and layout."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import opencompass_toys as toys

from bridge import envs
from bridge.adapters.opencompass.catalog import Chosen
from bridge.process import clean_env
from bridge.registry import backend

TORCH = "torch==2.13.0"
CONFIG = """
from mmengine.config import read_base
from opencompass.models import OpenAISDK
from opencompass.partitioners import NaivePartitioner
from opencompass.runners import LocalRunner
from opencompass.tasks import OpenICLEvalTask
from opencompass.tasks.openicl_infer_concurrent import OpenICLInferConcurrentTask

with read_base():
    from opencompass.configs.datasets.gsm8k.gsm8k_gen_1d7fe4 import gsm8k_datasets
    from opencompass.configs.datasets.mmlu.mmlu_gen_4d595a import mmlu_datasets
    from opencompass.configs.datasets.ARC_c.ARC_c_gen_1e0de5 import ARC_c_datasets
    from opencompass.configs.datasets.ARC_e.ARC_e_gen_1e0de5 import ARC_e_datasets
    from opencompass.configs.datasets.hellaswag.hellaswag_gen_6faab5 import hellaswag_datasets
    from opencompass.configs.datasets.bbh.bbh_gen_4a31fa import bbh_datasets
    from opencompass.configs.datasets.ceval.ceval_gen_5f30c7 import ceval_datasets
    from opencompass.configs.datasets.obqa.obqa_gen_9069e4 import obqa_datasets
    from opencompass.configs.datasets.winogrande.winogrande_gen_458220 import winogrande_datasets
    from opencompass.configs.datasets.piqa.piqa_gen_1194eb import piqa_datasets
    from opencompass.configs.datasets.triviaqa.triviaqa_gen_2121ce import triviaqa_datasets
    from opencompass.configs.datasets.lambada.lambada_gen_217e11 import lambada_datasets
    from opencompass.configs.datasets.SuperGLUE_BoolQ.SuperGLUE_BoolQ_gen_883d50 import BoolQ_datasets

datasets = [*gsm8k_datasets, *mmlu_datasets, *ARC_c_datasets, *ARC_e_datasets, *hellaswag_datasets, *bbh_datasets,
            *ceval_datasets, *obqa_datasets, *winogrande_datasets, *piqa_datasets, *triviaqa_datasets,
            *lambada_datasets, *BoolQ_datasets]
datasets = [d for d in datasets if d['abbr'] in {abbrs!r}]
for d in datasets:
    d['reader_cfg']['test_range'] = '[:{limit}]'
datasets += [
    dict(abbr=name, path={custom!r} + '/' + name + '.jsonl', data_type=kind, infer_method='gen',
         test_range='[:{limit}]')
    for name, kind in {own!r}
]
{models}
{partition}
"""
MODELS = """
models = [dict(
    type=OpenAISDK,
    abbr='tiny',
    path='tiny',
    openai_api_base={base_url!r},
    key='ENV',
    tokenizer_path={tokenizer!r},
    meta_template=dict(round=[dict(role='HUMAN', api_role='HUMAN'), dict(role='BOT', api_role='BOT', generate=True)],
                       reserved_roles=[dict(role='SYSTEM', api_role='SYSTEM')]),
    query_per_second=1000,
    max_workers=8,
    batch_size=64,
    max_seq_len=32768,
    max_out_len=2048,
    temperature=0.0,
    retry=2,
    timeout=60,
    run_cfg=dict(num_gpus=0),
)]
"""
ONE_TASK = """
infer = dict(partitioner=dict(type=NaivePartitioner, n=1000),
             runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLInferConcurrentTask)))
eval = dict(partitioner=dict(type=NaivePartitioner, n=1000),
            runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLEvalTask, dump_details=True)))
"""
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
}


def write_tokenizer(folder: Path) -> Path:
    """OpenAISDK insists on a tokenizer, and takes its length of every message."""
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def opencompass_layout(source: Path, cache: Path) -> None:
    """The original files as OpenCompass's documentation has them, converted here a second time."""
    data = cache / "data"
    shutil.copytree(source / "gsm8k", data / "gsm8k")
    shutil.copytree(source / "mmlu", data / "mmlu")
    if (source / "ceval").exists():
        shutil.copytree(source / "ceval", data / "ceval" / "formal_ceval")
    shutil.copytree(source / "bbh" / "bbh", data / "BBH" / "data")
    for part, folder in (("Challenge", "ARC-c"), ("Easy", "ARC-e")):
        if (source / "arc" / f"ARC-{part}-Dev.jsonl").exists():
            (data / "ARC" / folder).mkdir(parents=True)
            shutil.copy(source / "arc" / f"ARC-{part}-Dev.jsonl", data / "ARC" / folder)
    (original,) = (source / "hellaswag").glob("*.jsonl")
    rows = [json.loads(line) for line in original.read_text(encoding="utf-8").splitlines()]
    toys.write_jsonl(data / "hellaswag" / "hellaswag.jsonl", [hellaswag_by_hand(row) for row in rows])
    if (source / "piqa").exists():
        _more_by_hand(source, data)


def _more_by_hand(source: Path, data: Path) -> None:
    """Those of which there are real rows, each in a form of its own."""

    def rows_of(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (source / name).read_text(encoding="utf-8").splitlines()]

    for folder in ("winogrande", "piqa"):
        (data / folder).mkdir()
    shutil.copy(source / "winogrande/dev_reconstructed.jsonl", data / "winogrande/dev.jsonl")
    for split in ("train", "dev"):
        shutil.copy(source / "piqa/valid-labels.lst", data / f"piqa/{split}-labels.lst")
        toys.write_jsonl(data / f"piqa/{split}.jsonl", [{**row, "id": "x"} for row in rows_of("piqa/valid.jsonl")])
    trivia = rows_of("triviaqa/triviaqa_sm_sub.jsonl")
    for split in ("dev", "test"):
        lines = [
            (
                row["context"][len("Question: ") : -len("\nAnswer:")].removesuffix("?"),
                str(list(dict.fromkeys([row["answer"], *row["aliases"]]))),
            )
            for row in trivia
        ]
        (data / "triviaqa").mkdir(exist_ok=True)
        with (data / f"triviaqa/trivia-{split}.qa.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t").writerows(lines)
    words = [
        {"prompt": row["context"], "label": row["continuation"]} for row in rows_of("lambada/lambada_openai.jsonl")
    ]
    toys.write_jsonl(data / "lambada/test.jsonl", words)
    asked = [(row["query"][len("Passage: ") :].split("\nQuestion: "), row) for row in rows_of("boolq/boolq.jsonl")]
    toys.write_jsonl(
        data / "SuperGLUE/BoolQ/val.jsonl",
        [
            {"passage": passage, "question": question.rstrip("?"), "label": ["false", "true"][row["gold"]]}
            for (passage, question), row in asked
        ],
    )
    with (source / "openbookqa/test.tsv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    toys.write_jsonl(data / "openbookqa/Main/test.jsonl", map(_obqa_by_hand, table))


def _obqa_by_hand(row: dict[str, str]) -> dict[str, Any]:
    texts = [part.partition(")")[2].strip() for part in row["Choices"].split("(")[1:]]
    choices = [{"text": text, "label": letter} for text, letter in zip(texts, "ABCD", strict=True)]
    return {"question": {"stem": row["Question Stem"], "choices": choices}, "answerKey": row["Answer Key"]}


def hellaswag_by_hand(row: dict[str, Any]) -> dict[str, Any]:
    def clean(text: str) -> str:
        text = text.strip().replace(" [title]", ". ")
        while "[" in text and "]" in text[text.index("[") :]:
            head, _, tail = text.partition("[")
            text = head + tail.partition("]")[2]
        return text.replace("  ", " ")

    query = clean(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}")
    return {"query": query, "choices": [clean(ending) for ending in row["endings"]], "gold": row["label"]}


def custom_by_hand(source: Path, folder: Path) -> None:
    for subset in ("bank", "shop"):
        lines = (source / "general_mcq" / f"{subset}_val.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [{key: row[key] for key in ("question", "A", "B", "C", "answer")} for row in map(json.loads, lines)]
        toys.write_jsonl(folder / f"{subset}.jsonl", rows)
    lines = (source / "general_qa" / "sums.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{"question": row["query"], "answer": row["response"]} for row in map(json.loads, lines)]
    toys.write_jsonl(folder / "sums.jsonl", rows)


def config_by_hand(
    *,
    abbrs: Sequence[str],
    limit: int,
    base_url: str,
    tokenizer: Path,
    custom: Path = Path(),
    own: Sequence[tuple[str, str]] = (),
) -> str:
    """One task that infers and one that scores, which is the fastest that the command has to offer."""
    return CONFIG.format(
        abbrs=list(abbrs),
        limit=limit,
        custom=str(custom),
        own=list(own),
        models=MODELS.format(base_url=base_url, tokenizer=str(tokenizer)),
        partition=ONE_TASK,
    )


def chosen_by_hand(
    chosen: Sequence[Chosen], changes: str, base_url: str, tokenizer: Path, partition: str = ONE_TASK
) -> str:
    """Any pinned configurations, as a user imports them; ``changes`` is done to the list ``all_datasets``.

    ``all_datasets`` holds pairs: the module and the dataset.
    """
    imports, pairs = "", ""
    for config in dict.fromkeys((config.module, config.variables) for one in chosen for config in one.configs):
        module, variables = config
        for variable in variables:
            name = f"{module.replace('.', '_')}__{variable}"
            imports += f"    from opencompass.configs.datasets.{module} import {variable} as {name}\n"
            pairs += f"all_datasets += [({module!r}, d) for d in {name}]\n"
    head = CONFIG[: CONFIG.index("with read_base")]
    models = MODELS.format(base_url=base_url, tokenizer=str(tokenizer))
    text = f"{head}with read_base():\n{imports}\nall_datasets = []\n{pairs}{changes}\n"
    return f"{text}datasets = [d for _, d in all_datasets]\ndel all_datasets\n{models}{partition}"


def by_hand(reference: Path, config: str, folder: Path, base_url: str, cache: Path) -> Path:
    """``opencompass`` as on a command line; returns the folder with predictions and results."""
    folder.mkdir(parents=True)
    (folder / "by_hand.py").write_text(config, encoding="utf-8")
    (folder / "data").symlink_to(cache / "data")  # some loaders take no notice of COMPASS_DATA_CACHE
    env = {
        **clean_env({}),
        "COMPASS_DATA_CACHE": str(cache),
        "OPENAI_API_KEY": "token",
        "OPENAI_BASE_URL": base_url,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    command = [str(reference.with_name("opencompass")), "by_hand.py", "-w", "out"]
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        subprocess.run(command, cwd=folder, env=env, stdout=log, stderr=log, check=True, timeout=900)
    (found,) = (folder / "out").iterdir()
    return found


def reference_python() -> Path:
    """The environment with torch, for the command as a user has it; made once and kept beside the others."""
    spec = backend("opencompass").env
    assert spec.lock is not None
    key = hashlib.sha256(spec.lock.read_bytes() + TORCH.encode()).hexdigest()[:16]
    folder = envs.env_path(spec).parent / f"reference-opencompass-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run beside each other wait for the one that makes it
        if not (folder / "is-whole").exists():
            _make(folder, spec.lock, spec.python)
    return folder / "bin" / "python"


def _make(folder: Path, lock: Path, version: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    uv = str(Path(sys.executable).with_name("uv"))
    python = str(folder / "bin" / "python")
    find_links = _find_links()
    for argv in (
        [uv, "venv", "-q", "--python", version, str(folder)],
        [uv, "pip", "sync", "-q", "--compile-bytecode", "--python", python, *find_links, str(lock)],
        [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, *find_links, TORCH],
    ):
        subprocess.run(argv, check=True)
    (folder / "is-whole").touch()


def _find_links() -> list[str]:
    where = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS")
    return ["--find-links", where] if where else []
