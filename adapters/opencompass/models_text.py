"""The models file: the model once for each set of sampling settings, and the judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.adapters.opencompass.asked import options
from bridge.backend import Endpoint, Task
from bridge.spec import GenerationSpec, JsonObject, TaskSpec

DEFAULT_MAX_OUT_LEN = 2048
"""Where neither the spec nor the dataset's configuration sets one: as in OpenCompass's own for API models."""

DEFAULT_JUDGE_OUT_LEN = 16384
"""As OpenCompass has it for a judge whose configuration says nothing."""

_META: JsonObject = {
    "round": [
        {"role": "HUMAN", "api_role": "HUMAN"},
        {"role": "BOT", "api_role": "BOT", "generate": True},
    ],
    "reserved_roles": [{"role": "SYSTEM", "api_role": "SYSTEM"}],
}


def models_text(task: Task, generations: Sequence[GenerationSpec], endpoint: Endpoint) -> str:
    """One model for each set of sampling settings, as OpenCompass has them on the model."""
    entries = "".join(
        f"    dict(\n{''.join(_arguments(_model(task, generation, endpoint, number)))}    ),\n"
        for number, generation in enumerate(generations)
    )
    judge = _judge(task)
    judging = f"judge = dict(\n{''.join(_arguments(judge))})\n" if judge else ""
    return f"models = [\n{entries}]\n{judging}"


def model_abbr(number: int) -> str:
    """The folder of a model's output."""
    return "model" if not number else f"model-{number + 1}"


def _judge(task: Task) -> JsonObject | None:
    """The judge in the place of every ``judge_cfg``, as OpenCompass has it where that is empty."""
    spec = task.spec
    if spec.judge is None:
        return None
    generation = spec.judge.generation or GenerationSpec()
    return {
        "type": "ocbridge.chat.BridgeJudge",
        "abbr": "judge",
        "path": spec.judge.name,
        "meta_template": _META,
        **_sampling(generation),
        "max_out_len": generation.max_tokens or DEFAULT_JUDGE_OUT_LEN,
        "max_workers": task.concurrency,
        "batch_size": 1024,
        "query_per_second": 1000,
        "retry": 1,
        "timeout": _timeout_s(spec),
    }


def _timeout_s(spec: TaskSpec) -> float:
    """The gateway retries; it needs the time of all its tries, and that of waiting between them."""
    return spec.request_timeout_s * (spec.max_retries + 1) + 600


def _sampling(generation: GenerationSpec) -> JsonObject:
    extra = {
        **({"top_p": generation.top_p} if generation.top_p is not None else {}),
        **({"seed": generation.seed} if generation.seed is not None else {}),
        **({"stop": list(generation.stop)} if generation.stop else {}),
    }
    body = {**({"top_k": generation.top_k} if generation.top_k is not None else {}), **generation.extra_body}
    return {"temperature": generation.temperature, "openai_extra_kwargs": extra or None, "extra_body": body or None}


def _model(task: Task, generation: GenerationSpec, endpoint: Endpoint, number: int) -> JsonObject:
    spec = task.spec
    return {
        "type": "ocbridge.chat.BridgeChat",
        "abbr": model_abbr(number),
        "path": endpoint.model,
        "key": "ENV",
        "meta_template": _META,
        **_sampling(generation),
        "max_out_len": generation.max_tokens or DEFAULT_MAX_OUT_LEN,
        "max_workers": task.concurrency,
        "query_per_second": 1000,
        "retry": 1,
        "timeout": _timeout_s(spec),
        "run_cfg": {"num_gpus": 0},
        **options(task).get("model", {}),
    }


def _arguments(model: JsonObject) -> Iterator[str]:
    for name, value in model.items():
        yield f"        {name}={value!r},\n"
