"""``bridge serve --check`` at a genuine vision model behind the real ms-swift."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from command import bridge

from bridge.envs import ensure
from bridge.serve import serve, swift
from bridge.spec import ModelSpec

ROOT = Path(__file__).parents[2]
LLAVA = ROOT / "tests" / "adapters" / "vlmevalkit" / "vlm_llava.py"
pytestmark = pytest.mark.env


async def test_what_a_vision_model_behind_ms_swift_can_do(tmp_path: Path) -> None:
    python = await ensure(swift.ENV)
    weights = tmp_path / "tiny-llava"
    tokenizer = ROOT / "configs" / "quickstart" / "model"
    subprocess.run([str(python), str(LLAVA), str(tokenizer), str(weights)], check=True, capture_output=True)
    deploy = {"path": str(weights), "model_type": "llava1_5_hf"}
    model = ModelSpec.model_validate({"name": "tiny-llava", "deploy": deploy})
    log = tmp_path / "log.txt"
    async with serve(model, python=python, concurrency=2, log=log, progress=lambda line: None) as served:
        done = await asyncio.to_thread(bridge, "serve", "--check", served.base_url)
    assert done.exit_code == 0, done.stderr
    said = {line[2:24].strip(): line[24:].strip() for line in done.stdout.splitlines()[1:]}
    assert said["images"].startswith("yes") and "a red one" in said["images"], done.stdout
    assert said["chat"].startswith("yes") and said["streaming"].startswith("yes")
    assert said["prompt logprobs"].startswith("ignored")
    assert said["max_completion_tokens"].startswith("ignored")
