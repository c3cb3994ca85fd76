"""Folders as ms-swift 4.6 leaves them after a training, made of a few bytes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

Shapes = Mapping[str, Sequence[int]]
BASE_SHAPES: Shapes = {"model.layers.0.self_attn.q_proj.weight": (8, 8)}
LORA_SHAPES: Shapes = {
    "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": (2, 8),
    "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": (8, 2),
}


def write_weights(path: Path, shapes: Shapes) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        size = 4
        for length in shape:
            size *= length
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def make_base(folder: Path, shapes: Shapes = BASE_SHAPES) -> Path:
    write_json(folder / "config.json", {"model_type": "qwen2"})
    write_weights(folder / "model.safetensors", shapes)
    return folder


def make_checkpoint(
    folder: Path, *, kind: Literal["lora", "full"], base: Path, best: Path | None = None, knows: int = 0
) -> Path:
    """``knows``: how many of the questions the made-up server answers when it serves this folder."""
    folder.mkdir(parents=True)
    if kind == "lora":
        write_json(folder / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": str(base)})
        write_weights(folder / "adapter_model.safetensors", LORA_SHAPES)
    else:
        make_base(folder)
    write_json(folder / "knows.json", knows)
    step = int(folder.name.rpartition("-")[2])
    write_json(
        folder / "trainer_state.json",
        {"global_step": step, "best_model_checkpoint": str(best) if best else None, "log_history": []},
    )
    return folder


def make_training(
    output: Path,
    *,
    kind: Literal["lora", "full"] = "lora",
    base: Path | None = None,
    knows: Mapping[int, int] = {10: 0, 20: 30, 30: 40},
    best: int | None = 20,
    ended: bool = True,
    run: str = "v0-20261121-120000",
    arguments: Mapping[str, Any] = {},
) -> Path:
    """Returns the run's folder."""
    base = base or make_base(output.parent / "base-model")
    folder = output / run
    told_best = Path("/where/it/was/trained") / f"checkpoint-{best}" if best is not None else None
    write_json(
        folder / "args.json",
        {
            "model": "base-model",
            "model_dir": str(base),
            "model_type": "qwen2",
            "template": "qwen",
            "tuner_type": kind,
            "task_type": "causal_lm",
            "torch_dtype": "float32",
            "system": None,
            "adapters": [],
            "external_plugins": [],
            "swift_version": "4.6.0",
            **arguments,
        },
    )
    for step, known in knows.items():
        made = make_checkpoint(folder / f"checkpoint-{step}", kind=kind, base=base, best=told_best, knows=known)
        (made / "args.json").write_bytes((folder / "args.json").read_bytes())
    lines: list[dict[str, Any]] = [{"loss": 2.5, "global_step/max_steps": "5/30"}]
    if ended:
        lines.append(
            {
                "last_model_checkpoint": str(folder / f"checkpoint-{max(knows, default=0)}"),
                "best_model_checkpoint": str(told_best) if told_best else None,
                "global_step": max(knows, default=0),
            }
        )
    (folder / "logging.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if knows:
        (folder / "last-checkpoint").symlink_to(f"checkpoint-{max(knows)}")
    return folder


def age(folder: Path, seconds: float) -> None:
    """As if nothing had been written for so long."""
    when = time.time() - seconds
    for path in (*folder.iterdir(), folder):
        os.utime(path, (when, when), follow_symlinks=False)
