"""TaskSpec → jobs, compared with ``tests/golden/vlmevalkit/translate``; ``EVALBRIDGE_GOLDEN=write`` writes it anew."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from vlm_runs import BACKEND, make_task

from bridge.adapters.vlmevalkit.translate import INSIDE
from bridge.backend import Endpoint, Job

GOLDEN = Path(__file__).parents[2] / "golden" / "vlmevalkit" / "translate"
JUDGE: dict[str, Any] = {"name": "org/judge", "endpoint": {"base_url": "https://judge.example/v1", "api_key_env": "JK"}}
CASES: dict[str, dict[str, Any]] = {
    "smallest": {"datasets": ["MMStar"]},
    "everything": {
        "datasets": [
            {
                "name": "MMMU_DEV_VAL",
                "alias": "mmmu",
                "path": "DATA",
                "split": "validation",
                "subsets": ["Art"],
                "num_fewshot": 0,
                "limit": 20,
                "repeats": 3,
                "generation": {
                    "temperature": 0.6,
                    "max_tokens": 512,
                    "top_p": 0.9,
                    "top_k": 20,
                    "seed": 7,
                    "stop": ["END"],
                    "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
                },
            },
            {"name": "vlmevalkit:MMBench_DEV_EN", "alias": "mmbench"},
            "MathVision_MINI",
            {"name": "custom_vqa", "alias": "mine", "path": "DATA/MMStar.tsv"},
            {"name": "custom_vqa", "alias": "judged", "path": "DATA/MMStar.tsv"},
            {"name": "Video-MME_8frame", "alias": "video", "path": "DATA"},
            {"name": "MMMB", "path": "DATA"},
        ],
        "judge": JUDGE,
        "concurrency": 48,
        "job_timeout_s": 3600,
        "options": {
            "vlmevalkit": {
                "lmu_data": "DATA",
                "judge_args": {"mmbench": {"use_verifier": False}},
                "scorer": {"mine": "anls", "judged": "judge"},
                "image": {"size": 1024, "detail": "high"},
                "split_thinking": True,
                "system_prompt": "Be brief.",
                "custom_prompt": "qwen3",
                "one_by_one": True,
            }
        },
    },
    "local": {
        "model": {
            "name": "mine",
            "local": {"name": "SmolVLM", "path": "DATA", "device": "cuda:1", "args": {"max_new_tokens": 64}},
        },
        "datasets": ["MMStar", {"name": "vlmevalkit:MathVision_MINI", "alias": "mathvision"}],
        "judge": JUDGE,
    },
    "judge_where_needed": {
        "datasets": ["MMStar", "MathVista_MINI", {"name": "Video-MME-v2", "path": "DATA"}],
        "judge": JUDGE,
        "options": {"vlmevalkit": {"judge_for": "required", "video": {"fps": 0.5, "use_subtitle": True}}},
    },
}


def jobs_of(case: str, data: Path) -> list[Job]:
    task = make_task(**json.loads(json.dumps(CASES[case]).replace('"DATA', f'"{data}')))
    judge = Endpoint("http://127.0.0.1:1/s/x/v1", "org/judge", api_key="tk-judge") if "judge" in CASES[case] else None
    return BACKEND.translate(task, Endpoint("http://127.0.0.1:1/s/j/v1", "org/tiny", api_key="tk-model", judge=judge))


def shown(job: Job, data: Path) -> dict[str, Any]:
    described = {
        "id": job.id,
        "datasets": job.datasets,
        "argv": ["INSIDE" if part == str(INSIDE) else part for part in job.argv],
        "env_spec": job.env_spec.name,
        "files": {name: json.loads(text) for name, text in job.files.items()},
        "env": dict(job.env),
        "pass_env": job.pass_env,
        "timeout_s": job.timeout_s,
        "keep": job.keep,
    }
    return dict(json.loads(json.dumps(described).replace(str(data), "DATA")))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return vlm_toys.write_all(tmp_path, "MMStar")


@pytest.mark.parametrize("case", CASES)
def test_translation(case: str, data: Path) -> None:
    found = [shown(job, data) for job in jobs_of(case, data)]
    path = GOLDEN / f"{case}.jobs.json"
    if os.environ.get("EVALBRIDGE_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(path.read_text(encoding="utf-8"))


def test_tokens_are_told_by_environment_only(data: Path) -> None:
    for job in jobs_of("everything", data):
        assert "tk-" not in json.dumps([job.argv, dict(job.files)])
        assert (job.env["BRIDGE_MODEL_KEY"], job.env["BRIDGE_JUDGE_KEY"]) == ("tk-model", "tk-judge")


def test_nothing_is_kept_from_an_earlier_job(data: Path) -> None:
    """VLMEvalKit takes predictions that lie about, whatever was changed since; the gateway's cache knows better."""
    assert all(job.keep == () for case in CASES for job in jobs_of(case, data))


def test_the_judge_is_always_explicit(data: Path) -> None:
    """Without a name VLMEvalKit would ask gpt-4o-mini at api.openai.com."""
    for case in CASES:
        for job in jobs_of(case, data):
            for item in json.loads(job.files["job.json"])["datasets"]:
                assert item["judge_name"] and (item["judge"] == "judge" or item["judge_name"] == "exact_matching")
