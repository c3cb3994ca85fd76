from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BRIDGE = Path(sys.executable).parent / "bridge"
ROW = {"question": "Which?", "A": "x", "B": "y", "answer": "B"}
SPEC = """\
model: {name: m, endpoint: {base_url: "http://127.0.0.1:9/v1"}}
datasets:
  - {name: general_mcq, alias: mine, path: bank_val.jsonl, prompt: {system: Be brief.}}
"""


def bridge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "bank_val.jsonl").write_text("".join(json.dumps(ROW) + "\n" for _ in range(5)), encoding="utf-8")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    return subprocess.run([str(BRIDGE), "preview", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_it_prints_the_first_samples(tmp_path: Path) -> None:
    done = bridge(tmp_path, "general_mcq", "--path", "bank_val.jsonl", "--n", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--- user\n") == 2
    assert done.stdout.startswith("=== bank/0 · prompt ")
    assert "A) x\nB) y\n--- settings: {" in done.stdout
    assert "--- target: B" in done.stdout


def test_it_takes_a_dataset_of_a_spec_and_prints_requests(tmp_path: Path) -> None:
    done = bridge(tmp_path, "mine", "--spec", "spec.yaml", "--json", "--set", "generation.max_tokens=7")
    requests = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(requests) == 3
    assert requests[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (requests[0]["model"], requests[0]["max_tokens"]) == ("m", 7)


def test_what_it_cannot_show_it_says(tmp_path: Path) -> None:
    for arguments, message in {
        ("mmluu",): "did you mean 'mmlu'?",
        ("min", "--spec", "spec.yaml"): "did you mean 'mine'?",
        ("mine", "--spec", "spec.yaml", "--path", "x"): "--path: is for a preview without a spec",
        ("general_mcq",): "datasets[0].path",
        ("general_mcq", "--path", "not-there"): "no such file or folder",
    }.items():
        done = bridge(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
