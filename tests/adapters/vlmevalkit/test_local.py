"""Models that VLMEvalKit loads itself: what is refused, what is listed, and one that really looks at images."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from command import bridge
from job_runner import outcome_of, prepare
from vlm_runs import BACKEND, make_task, python_of

from bridge.adapters.vlmevalkit.environments import WITH_TORCH
from bridge.adapters.vlmevalkit.translate import INSIDE
from bridge.backend import BenchmarkResult, Endpoint
from bridge.process import clean_env
from bridge.report.schema import ResultRow
from bridge.serve import swift

HERE = Path(__file__).parent
TOKENIZER = HERE.parents[2] / "configs" / "quickstart" / "model"


def test_it_is_told_nothing_of_an_endpoint() -> None:
    task = make_task(["MMStar"], model={"name": "mine", "local": {"name": "SmolVLM", "device": "cuda:1"}})
    (job,) = BACKEND.translate(task, Endpoint("", "mine"))
    assert job.env == {"CUDA_VISIBLE_DEVICES": "1"}
    assert job.env_spec == WITH_TORCH
    assert "HF_TOKEN" in job.pass_env


@pytest.mark.parametrize(
    ("local", "more", "told"),
    [
        ({"path": "/w"}, {}, "model.local.name: VLMEvalKit loads the models that it knows by name"),
        ({"name": "Qwen2-VL-2B-Instuct"}, {}, "of its own (did you mean 'Qwen2-VL-2B-Instruct'?)"),
        ({"name": "GPT4o"}, {}, "model.local.name: VLMEvalKit has no model 'GPT4o' of its own"),
        ({"name": "AKI", "path": "/w"}, {}, "model.local.path: AKI takes no folder of weights"),
        ({"name": "SmolVLM", "dtype": "float16"}, {}, "model.local.dtype: "),
        ({"name": "SmolVLM", "batch_size": 4}, {}, "model.local.batch_size: "),
        ({"name": "SmolVLM", "device": "mps"}, {}, "model.local.device: "),
        ({"name": "SmolVLM"}, {"generation": {"max_tokens": 5}}, "generation.max_tokens: how VLMEvalKit's own models"),
        ({"name": "SmolVLM"}, {"generation": {"temperature": 0.5}}, "generation.temperature: how VLMEvalKit's own"),
        (
            {"name": "SmolVLM"},
            {"options": {"vlmevalkit": {"system_prompt": "x"}}},
            "options.vlmevalkit.system_prompt: ",
        ),
        ({"name": "SmolVLM"}, {"options": {"vlmevalkit": {"image": {"size": 99}}}}, "options.vlmevalkit.image: "),
    ],
)
def test_what_it_cannot_take(local: dict[str, Any], more: dict[str, Any], told: str) -> None:
    task = make_task(["MMStar"], model={"name": "mine", "local": local}, **more)
    problems = [str(problem) for problem in BACKEND.check(task)]
    assert len(problems) == 1, problems
    assert told in problems[0]


def test_its_own_models_are_listed_offline() -> None:
    done = bridge("datasets", "--models", "--search", "qwen2-vl 2b")
    assert done.exit_code == 0, done.stderr
    assert all(part in done.stdout for part in ("Qwen2-VL-2B-Instruct ", "Qwen2VLChat", "Qwen/Qwen2-VL-2B-Instruct"))
    everything = json.loads(bridge("datasets", "--models", "--backend", "vlmevalkit", "--json").stdout)
    assert len(everything) == 401
    assert not [one for one in everything if one["name"].startswith("GPT4")]


def test_the_environments_are_all_known() -> None:
    listed = {one["name"] for one in json.loads(bridge("env", "list", "--json").stdout)}
    assert {"vlmevalkit", "vlmevalkit-full", "vlmevalkit-torch", "swift", "local"} <= listed


@pytest.mark.env
def test_a_model_with_weights_looks_at_images(tmp_path: Path) -> None:
    """The class is of VLMEvalKit's shape, and takes the place of one of its own: those all want CUDA."""
    weights = tmp_path / "tiny-llava"
    maker = [str(python_of(swift.ENV)), str(HERE / "vlm_llava.py"), str(TOKENIZER), str(weights)]
    subprocess.run(maker, check=True, capture_output=True)
    result, row = ran(tmp_path, weights, str(HERE / "vlm_tiny_model.py"), str(INSIDE.parent))
    samples = list(result.samples)
    assert (row.n, row.n_errors) == (8, 0), result.errors
    assert all(sample.response and sample.latency_s for sample in samples)
    assert row.value == pytest.approx(sum(sample.scores[row.metric] for sample in samples) / 8)


def ran(tmp_path: Path, weights: Path, *program: str) -> tuple[BenchmarkResult, ResultRow]:
    data = vlm_toys.write_all(tmp_path / "data", "MMStar")
    local = {"name": "SmolVLM", "path": str(weights), "device": "cpu", "args": {"max_new_tokens": 6}}
    options = {"vlmevalkit": {"lmu_data": str(data)}}
    task = make_task(["MMStar"], model={"name": "mine", "local": local}, options=options)
    (job,) = BACKEND.translate(task, Endpoint("", "mine"))
    folder = tmp_path / "job"
    prepare(job, folder)
    argv = [str(python_of(WITH_TORCH)), *program, "job.json"]
    done = subprocess.run(argv, cwd=folder, env=clean_env(job.env), capture_output=True, text=True, check=False)
    (result,) = BACKEND.collect(outcome_of(job, folder, done.returncode, done.stdout + done.stderr, "mine"), task)
    (row,) = [row for row in result.rows if row.primary]
    return result, row
