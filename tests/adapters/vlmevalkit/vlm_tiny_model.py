"""TORCH-ENVIRONMENT/bin/python vlm_tiny_model.py ADAPTER job.json: the job, with a class for the CPU as ``SmolVLM``."""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import Any

sys.path.insert(0, sys.argv[1])
launcher = import_module("inside").launcher
main, kit = launcher("main"), launcher("kit")
load = main.load


def load_with_tiny(*args: Any) -> None:
    load(*args)
    transformers = import_module("transformers")
    open_image = import_module("PIL.Image").open

    class TinyLlava(kit.module("vlm.base").BaseModel):  # type: ignore[misc]
        INTERLEAVE = True

        def __init__(self, model_path: str, max_new_tokens: int = 4) -> None:
            # What AutoProcessor would take wants torchvision, which needs CUDA's torch.
            self.processor = transformers.LlavaProcessor.from_pretrained(
                model_path, image_processor=transformers.CLIPImageProcessorPil.from_pretrained(model_path)
            )
            self.model = transformers.LlavaForConditionalGeneration.from_pretrained(model_path)
            self.max_new_tokens = max_new_tokens

        def generate_inner(self, message: Any, dataset: Any = None) -> str:
            shown = [open_image(part["value"]).convert("RGB") for part in message if part["type"] == "image"]
            parts = [{"type": part["type"], "text": part["value"]} for part in message]
            text = self.processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
            inputs = self.processor(text=text, images=shown, return_tensors="pt")
            ids = self.model.generate(**inputs, do_sample=False, max_new_tokens=self.max_new_tokens)
            answer: str = self.processor.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
            return answer or "-"

    kit.module("config").supported_VLM["SmolVLM"] = partial(TinyLlava, model_path="nowhere")


main.load = load_with_tiny
sys.exit(main.main(sys.argv[2]))
