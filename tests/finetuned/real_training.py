"""Real trainings with ms-swift on the CPU: a tiny model learns to add two one-digit numbers."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.envs import ensure
from bridge.serve import swift

HERE = Path(__file__).parent
CALLBACK = HERE.parents[1] / "bridge" / "watch" / "trainer_callback.py"
BRIDGE = Path(sys.executable).with_name("bridge")
COMMON = (
    "--model_type qwen2 --template qwen --torch_dtype float32 --per_device_train_batch_size 32 --max_length 64 "
    "--per_device_eval_batch_size 32 --gradient_accumulation_steps 1 --logging_steps 10 --learning_rate 3e-3 "
    "--lr_scheduler_type cosine --warmup_ratio 0.05 --dataloader_num_workers 0 --dataset_num_proc 1 --report_to none "
    "--split_dataset_ratio 0.01 --eval_strategy steps --eval_steps 50 --save_steps 50 --max_steps 150"
)
FULL = "--tuner_type full"
LORA = (
    "--tuner_type lora --target_modules all-linear --lora_rank 64 --lora_alpha 128 --lora_dropout 0 "
    "--modules_to_save embed_tokens lm_head"
)


def python() -> Path:
    return asyncio.run(ensure(swift.ENV))


def make_base(folder: Path) -> Path:
    _run([str(python()), str(HERE / "tiny_base.py"), str(folder)], folder.parent)
    return folder


def make_rows(path: Path, seed: int = 1) -> Path:
    """All hundred sums, 64 times, in another order each time."""
    rng = random.Random(seed)
    lines = []
    for _ in range(64):
        pairs = [(a, b) for a in range(10) for b in range(10)]
        rng.shuffle(pairs)
        for a, b in pairs:
            messages = [
                {"role": "user", "content": f"What is {a}+{b}?"},
                {"role": "assistant", "content": str(a + b)},
            ]
            lines.append(json.dumps({"messages": messages}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def train(base: Path, output: Path, kind: str, further: Sequence[str] = (), env: Mapping[str, str] = {}) -> Path:
    """Returns ``output``; raises where the training fails."""
    rows = make_rows(output.with_suffix(".jsonl"))
    own = ["--model", str(base), "--dataset", str(rows), "--output_dir", str(output)]
    argv = [str(python()), "-m", "swift.cli.sft", *own, *COMMON.split(), *kind.split(), *further]
    _run(argv, output.parent, env)
    return output


def _run(argv: Sequence[str], folder: Path, env: Mapping[str, str] = {}) -> None:
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, **quiet, **env}, capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
