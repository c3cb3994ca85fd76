"""Task → jobs: OpenCompass's configuration, a manifest for ``inside.py``, and how it is started.  Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bridge.adapters.opencompass import layout
from bridge.adapters.opencompass.asked import Asked, asked
from bridge.adapters.opencompass.catalog import NAME
from bridge.adapters.opencompass.check import static_problems
from bridge.adapters.opencompass.config_text import config_text, dataset_text
from bridge.adapters.opencompass.models_text import models_text
from bridge.backend import Endpoint, EnvSpec, Job, Task
from bridge.errors import Unsupported
from bridge.spec import GenerationSpec

INSIDE = Path(__file__).resolve().with_name("inside.py")
MARKER_ENV = "BRIDGE_FAILED_MARKER"
DATA = "cache"
"""OpenCompass's data folder, in the job's."""

ENVIRONMENT = {
    "COMPASS_DATA_CACHE": DATA,
    "HF_HOME": "hf",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # transformers, datasets: do not look for a framework to compute with.
    "USE_TORCH": "0",
    "USE_TF": "0",
    "USE_JAX": "0",
}


@dataclass
class _Bundle:
    """What goes into one job. No two parts use the same configuration, or other files in the same place."""

    parts: list[Asked] = field(default_factory=list)

    def takes(self, part: Asked) -> bool:
        return not any(_clash(part, other) for other in self.parts)


def translate(task: Task, endpoint: Endpoint, env: EnvSpec) -> list[Job]:
    if problems := list(static_problems(task)):
        raise Unsupported(problems)
    bundles: list[_Bundle] = []
    for part in asked(task):
        bundle = next((bundle for bundle in bundles if bundle.takes(part)), None)
        if bundle is None:
            bundles.append(bundle := _Bundle())
        bundle.parts.append(part)
    return [_job(task, bundle.parts, number, endpoint, env) for number, bundle in enumerate(bundles)]


def _clash(one: Asked, other: Asked) -> bool:
    same_config = {c.module for c in one.chosen.configs} & {c.module for c in other.chosen.configs}
    same_place = _places(one) & _places(other)
    if _runs_answers(one) != _runs_answers(other):
        # What a model wrote is not to reach the answers to other questions.
        return True
    if one.subjective != other.subjective or (one.subjective and not _judged_together(one, other)):
        return True
    return bool(same_config or (same_place and _sources(one) != _sources(other)))


def _judged_together(one: Asked, other: Asked) -> bool:
    """OpenCompass's task for that judges every model on every dataset, and reads their names."""
    return one.generation == other.generation and not one.subsets.keys() & other.subsets.keys()


def _places(part: Asked) -> set[str]:
    return {path for config in part.chosen.configs for path in config.data}


def _runs_answers(part: Asked) -> bool:
    return any(config.runs == "model output" for config in part.chosen.configs)


def _runs(parts: Sequence[Asked]) -> Literal["nothing", "data", "model output"]:
    """The worst of what they run."""
    every = {config.runs for part in parts for config in part.chosen.configs}
    if "model output" in every:
        return "model output"
    return "data" if "data" in every else "nothing"


def _sources(part: Asked) -> tuple[list[str], str | None]:
    return part.roots(), part.dataset.split


def _job(task: Task, parts: Sequence[Asked], number: int, endpoint: Endpoint, env: EnvSpec) -> Job:
    generations = list(dict.fromkeys(_hashable(part.generation) for part in parts))
    models = [generations.index(_hashable(part.generation)) for part in parts]
    files = {
        "config.py": config_text(parts, models, f"{NAME} {env.version}"),
        "models.py": models_text(task, [GenerationSpec.model_validate_json(text) for text in generations], endpoint),
        **{f"dataset_{n}.py": dataset_text(part, n) for n, part in enumerate(parts)},
        "manifest.json": json.dumps(_manifest(task, parts, models), indent=1, ensure_ascii=False) + "\n",
    }
    return Job(
        id=NAME if not number else f"{NAME}-{number + 1}",
        backend=NAME,
        datasets=tuple(part.dataset.id for part in parts),
        argv=("python", str(INSIDE), "manifest.json"),
        env_spec=env,
        files=files,
        env={
            **ENVIRONMENT,
            "OPENAI_BASE_URL": endpoint.base_url,
            "OPENAI_API_KEY": endpoint.api_key,
            MARKER_ENV: endpoint.failed_marker,
            **_judge_env(endpoint),
        },
        timeout_s=task.spec.job_timeout_s,
        runs=_runs(parts),
    )


def _judge_env(endpoint: Endpoint) -> dict[str, str]:
    if endpoint.judge is None:
        return {}
    return {"BRIDGE_JUDGE_URL": endpoint.judge.base_url, "BRIDGE_JUDGE_KEY": endpoint.judge.api_key}


def _hashable(generation: GenerationSpec) -> str:
    return generation.model_dump_json()


def _manifest(task: Task, parts: Sequence[Asked], models: Sequence[int]) -> dict[str, object]:
    return {
        "concurrency": task.concurrency,
        "data": DATA,
        "datasets": [
            {
                "id": part.dataset.id,
                "config": f"dataset_{number}.py",
                "model": model,
                "subsets": {f"{abbr}{part.part}": subset for abbr, subset in part.subsets.items()},
                "files": {
                    f"{abbr}{part.part}": files
                    for abbr, files in layout.files_of(part.chosen, part.folder, part.subsets).items()
                },
                "sources": [[source.to_json() for source in sources] for sources in part.parts()],
            }
            for number, (part, model) in enumerate(zip(parts, models, strict=True))
        ],
    }
