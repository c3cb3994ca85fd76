"""A genuine vision model, served by ms-swift on the CPU, looks at real images of MATH-Vision."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.envs import ensure
from bridge.serve import environment_of
from bridge.spec import ModelSpec

ROOT = Path(__file__).parents[3]
MATH = next(
    (base / "shared" / "data" / "mathvision" for base in (ROOT, ROOT.parent) if (base / "shared").is_dir()), ROOT
)
pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(not (MATH / "testmini.jsonl").is_file(), reason="the folder of shared real rows is not here"),
]


def test_50_images_through_a_served_model(tmp_path: Path) -> None:
    weights = str(tmp_path / "tiny-llava")
    model = {"name": "tiny-llava", "deploy": {"path": weights, "model_type": "llava1_5_hf"}}
    python = asyncio.run(ensure(environment_of(ModelSpec.model_validate(model))))
    maker = [str(python), str(Path(__file__).with_name("vlm_llava.py"))]
    subprocess.run([*maker, str(ROOT / "configs" / "quickstart" / "model"), weights], check=True, capture_output=True)
    shutil.copytree(MATH / "images", tmp_path / "mathvision" / "images")
    lines = (MATH / "testmini.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if (MATH / json.loads(line)["image"]).is_file()]
    (tmp_path / "mathvision" / "testmini.jsonl").write_text("\n".join(kept), encoding="utf-8")
    spec = {
        "model": model,
        "datasets": [{"name": "custom_vqa", "alias": "mathvision", "path": str(tmp_path / "mathvision")}],
        "options": {"vlmevalkit": {"scorer": {"mathvision": "math"}}},
        "generation": {"temperature": 0, "max_tokens": 8},
        "concurrency": 4,
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    argv = [str(Path(sys.executable).with_name("bridge")), "run", str(tmp_path / "spec.json")]
    done = subprocess.run([*argv, "--output", str(tmp_path / "run")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    (row,) = [row for row in report["results"] if row["primary"]]
    assert (row["n"], row["n_errors"], row["status"]) == (50, 0, "complete")
    samples = [json.loads(line) for line in (tmp_path / "run" / row["samples"]).read_text().splitlines()]
    assert all(sample["response"] and sample["usage"]["prompt_tokens"] > 20 for sample in samples)
    assert report["usage"]["requests"] == 50 and report["usage"]["failed"] == 0
