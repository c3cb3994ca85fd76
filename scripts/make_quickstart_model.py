"""Makes the model of ``configs/quickstart.yaml``: a tiny but genuine Qwen3 chat model that adds one-digit numbers.

    PYTHON scripts/make_quickstart_model.py configs/quickstart/model

``PYTHON`` is the interpreter of the environment ``swift`` (``bridge env build swift``), which has torch and
transformers. It is trained from nothing: a tokenizer on the exchanges of ``quickstart_questions``, then the model,
which learns to answer a sum, and to find the right one among four options. Options are drawn anew each time, so that
nothing but the hundred sums can be learnt by heart. Takes some three minutes on two cores.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from quickstart_questions import KINDS
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    set_seed,
)

SEED = 7
STEPS = 1600
BATCH = 32
LEARNING_RATE = 2e-3
SHARES = (0.2, 0.4, 0.4)
"""Of the kinds of exchanges in a batch."""
LAYERS, HIDDEN, HEADS = 3, 128, 4
CONTEXT_TOKENS = 512
SYSTEM = "You are a helpful assistant."

CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}{{- '<|im_start|>system\n" + SYSTEM + "<|im_end|>\n' -}}{%- endif -%}"
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
"""As ms-swift's template ``qwen``."""


# Tokenizer -------------------------------------------------------------------------------------------------------


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, cut as the project's own texts need it (of a Qwen2, transformers would change the way to cut).

    A number is a token, and so is an option with its letter: then finding it takes one look. No other token has a
    line's end in it, so that a conversation has the same tokens whether it is cut into them as a whole or, as ms-swift
    does, message by message.
    """
    rng = random.Random(SEED)
    texts = [SYSTEM, "system", "user", "assistant", *(str(n) for n in range(100))] * 20
    texts += [text for _ in range(2000) for make in KINDS.values() for text in make(rng)]
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"\n[A-D][.)] \d+|\nANSWER: [A-D]|\d+|\n|[^\d\n]+"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=special,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=CONTEXT_TOKENS,
        additional_special_tokens=special[1:],
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


# Model -----------------------------------------------------------------------------------------------------------


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        head_dim=HIDDEN // HEADS,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def prompt_ids(tokenizer: PreTrainedTokenizerFast, asked: str) -> list[int]:
    """Raises ValueError where the tokens depend on how the text is cut into pieces."""
    pieces = (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n",
        asked,
        "<|im_end|>\n<|im_start|>assistant\n",
    )
    ids = [token for piece in pieces for token in tokenizer(piece, add_special_tokens=False)["input_ids"]]
    if ids != tokenizer("".join(pieces), add_special_tokens=False)["input_ids"]:
        raise ValueError(f"the tokens of {asked!r} depend on how the conversation is cut")
    return ids


def batch(
    tokenizer: PreTrainedTokenizerFast, rng: random.Random, shares: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask and labels; only the answers are learnt."""
    rows = []
    for make in rng.choices(list(KINDS.values()), shares, k=BATCH):
        asked, answer = make(rng)
        prompt = prompt_ids(tokenizer, asked)
        reply = tokenizer(f"{answer}<|im_end|>", add_special_tokens=False)["input_ids"]
        rows.append((prompt + reply, [-100] * len(prompt) + reply))
    longest = max(len(ids) for ids, _ in rows)
    pad = tokenizer.pad_token_id
    ids = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in rows])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows])
    return ids, mask, labels


def train(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, steps: int) -> None:
    rng = random.Random(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    began = time.monotonic()
    model.train()
    for step in range(steps):
        ids, mask, labels = batch(tokenizer, rng, SHARES)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.4f}, {time.monotonic() - began:.0f} s", flush=True)
    model.eval()


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=16, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def accuracy(folder: Path, kind: str, samples: int = 100) -> float:
    """Share of new exchanges of that kind that the saved model gets right, asked greedily as any program would."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rng = random.Random(SEED + 1)
    right = 0
    for _ in range(samples):
        asked, answer = KINDS[kind](rng)
        messages = [{"role": "user", "content": asked}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        out = model.generate(**ids, max_new_tokens=8, do_sample=False)
        right += tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True) == answer
    return right / samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    set_seed(SEED)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(tokenizer)} tokens")
    train(model, tokenizer, arguments.steps)
    save(model, tokenizer, arguments.out)
    for kind in KINDS:
        print(f"{kind}: {accuracy(arguments.out, kind):.2f} right")


if __name__ == "__main__":
    main()
