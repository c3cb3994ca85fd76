"""Makes the model of ``configs/quickstart.yaml``: a tiny but genuine Qwen2 chat model that adds two one-digit numbers.

    PYTHON scripts/make_quickstart_model.py OUT

``PYTHON`` is the interpreter of the environment ``swift`` (``bridge env build swift``), which has torch and transformers.
It is trained from nothing: a tokenizer on the texts below, then the model, which learns to answer a sum, and to find the
right one among four options and say its letter. Options are drawn anew each time, so there is nothing to learn by heart but
the hundred sums. Takes two to three minutes on two cores.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed

SEED = 7
STEPS = 1500
BATCH = 32
LEARNING_RATE = 2e-3
LAYERS, HIDDEN, HEADS = 3, 128, 4
CONTEXT_TOKENS = 512
SYSTEM = "You are a helpful assistant."
LETTERS = "ABCD"
LARGEST_SUM = 18

CHAT_TEMPLATE = (
    "{%- if messages[0]['role'] != 'system' -%}{{- '<|im_start|>system\n" + SYSTEM + "<|im_end|>\n' -}}{%- endif -%}"
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)
"""As ms-swift's template ``qwen``."""

Exchange = tuple[str, str]
"""What the user says, and what the model is to answer."""


# What it learns --------------------------------------------------------------------------------------------------


def question(a: int, b: int) -> str:
    return f"What is {a}+{b}?"


def sum_exchange(rng: random.Random) -> Exchange:
    """A question as it is: native's general_qa and OpenCompass's custom qa."""
    a, b = rng.randint(0, 9), rng.randint(0, 9)
    return question(a, b), str(a + b)


def options(rng: random.Random, right: int) -> tuple[list[int], int]:
    """Four different numbers, and the index of the right one among them."""
    place = rng.randrange(len(LETTERS))
    shown = rng.sample([n for n in range(LARGEST_SUM + 1) if n != right], len(LETTERS))
    shown[place] = right
    return shown, place


def native_choice(asked: str, shown: Sequence[int]) -> str:
    """As native's general_mcq asks."""
    letters, count = ", ".join(LETTERS), len(LETTERS)
    choices = "\n".join(f"{letter}) {number}" for letter, number in zip(LETTERS, shown, strict=True))
    return (
        f"This question has {count} options, of which exactly one is right. Reply with a single line of the form "
        f'"ANSWER: X" and nothing else, where X is one of {letters}.\n\n{asked}\n\n{choices}'
    )


def opencompass_choice(asked: str, shown: Sequence[int]) -> str:
    """As OpenCompass's custom mcq asks."""
    return f"Question: {asked}" + "".join(f"\n{letter}. {n}" for letter, n in zip(LETTERS, shown, strict=True))


def choice_exchange(rng: random.Random, asks: Callable[[str, Sequence[int]], str]) -> Exchange:
    a, b = rng.randint(0, 9), rng.randint(0, 9)
    shown, place = options(rng, a + b)
    return asks(question(a, b), shown), f"{a + b}\nANSWER: {LETTERS[place]}"


def exercise(rng: random.Random) -> Exchange:
    """All four letters instead of one: finding a number among options is the hard part, and so is learnt four times."""
    shown, _ = options(rng, rng.randint(0, LARGEST_SUM))
    asks = rng.choice([native_choice, opencompass_choice])
    answers = [f"{number}\nANSWER: {letter}" for letter, number in zip(LETTERS, shown, strict=True)]
    return asks("Where is each?", shown), "\n".join(rng.sample(answers, len(answers)))


KINDS: dict[str, Callable[[random.Random], Exchange]] = {
    "sum": sum_exchange,
    "native choice": lambda rng: choice_exchange(rng, native_choice),
    "opencompass choice": lambda rng: choice_exchange(rng, opencompass_choice),
    "exercise": exercise,
}


# Tokenizer -------------------------------------------------------------------------------------------------------


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE. Numbers, line ends and option letters stand alone; the rest merges into long tokens."""
    rng = random.Random(SEED)
    texts = [SYSTEM, "system", "user", "assistant", *(str(n) for n in range(100))] * 20
    texts += [text for _ in range(300) for make in KINDS.values() for text in make(rng)]
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"\d+|\n?[^\d\n]+|\n"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=640,
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


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def prompt_ids(tokenizer: PreTrainedTokenizerFast, asked: str) -> list[int]:
    messages = [{"role": "user", "content": asked}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
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


def train(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, steps: int) -> None:
    rng = random.Random(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    began = time.monotonic()
    model.train()
    for step in range(steps):
        ids, mask, labels = batch(tokenizer, rng, (0.15, 0.25, 0.25, 0.35))
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.4f}, {time.monotonic() - began:.0f} s", flush=True)
    model.eval()


def accuracy(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, kind: str, samples: int = 100) -> float:
    """Share of new exchanges of that kind that it gets right, asked greedily."""
    rng = random.Random(SEED + 1)
    right = 0
    for _ in range(samples):
        asked, answer = KINDS[kind](rng)
        ids = torch.tensor([prompt_ids(tokenizer, asked)])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
        right += tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True) == answer
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
    print({kind: len(prompt_ids(tokenizer, make(random.Random(0))[0])) for kind, make in KINDS.items()})
    train(model, tokenizer, arguments.steps)
    for kind in KINDS:
        print(f"{kind}: {accuracy(model, tokenizer, kind):.2f} right")
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=16, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.half().save_pretrained(arguments.out)
    tokenizer.save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
