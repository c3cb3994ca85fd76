"""Trains a tiny model with transformers' own Trainer, which logs to TensorBoard; prints what TensorBoard then has.

``PYTHON real_trainer.py CALLBACK BRIDGE OUTPUT``, by the interpreter of the environment ``test-trainer``.
"""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments


def callback_module(path):
    spec = spec_from_file_location("trainer_callback", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(callback, bridge, output):
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=32, max_position_embeddings=16, **sizes))
    rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 32, (64, 8))]
    arguments = TrainingArguments(
        output_dir=output,
        max_steps=6,
        save_steps=2,
        logging_steps=1,
        per_device_train_batch_size=4,
        report_to=["tensorboard"],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model, arguments, train_dataset=rows)
    made = callback_module(callback).BridgeCallback(trainer, [sys.executable, bridge], ["--every", "1"])
    trainer.add_callback(made)
    trainer.train()
    found = {}
    for file in Path(output).rglob("events.out.tfevents.*"):
        events = EventAccumulator(str(file))
        events.Reload()
        for tag in events.Tags()["scalars"]:
            found.setdefault(tag, []).extend([event.step, round(event.value, 6)] for event in events.Scalars(tag))
    history = [entry for entry in trainer.state.log_history if "bridge/step" in entry]
    print(json.dumps({"tensorboard": found, "history": history, "steps": trainer.state.global_step}))


main(*sys.argv[1:])
