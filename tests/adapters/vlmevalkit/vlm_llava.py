"""A LLaVA with random weights (0.2 million) around the tokenizer of the quickstart's model.

SWIFT-ENVIRONMENT/bin/python vlm_llava.py TOKENIZER-FOLDER OUT
"""

from __future__ import annotations

import sys

import torch
import transformers

PROMPT = """\
{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>
{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def main(tokenizer_folder: str, out: str) -> None:
    torch.manual_seed(5)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<image>"]})
    image = tokenizer.convert_tokens_to_ids("<image>")
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2}
    eye = transformers.CLIPVisionConfig(hidden_size=32, intermediate_size=64, image_size=56, patch_size=14, **sizes)
    text = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **sizes,
    )
    select = {"vision_feature_select_strategy": "default"}
    config = transformers.LlavaConfig(
        vision_config=eye,
        text_config=text,
        image_token_index=image,
        image_token_id=image,
        vision_feature_layer=-1,
        **select,
    )
    transformers.LlavaForConditionalGeneration(config).save_pretrained(out)
    square = {"height": 56, "width": 56}
    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=square),
        tokenizer=tokenizer,
        patch_size=14,
        num_additional_image_tokens=1,
        chat_template=PROMPT,
        **select,
    )
    processor.save_pretrained(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
