"""The same questions through EvalScope 1.14.1 and through native: the same score where the definition is the same.

    pytest -m bench tests/bench/test_same_as_evalscope.py -s

The model answers by the question's number alone, so that both get the same answers although they ask in other words
(EvalScope in Chinese). Its environment is large, so this is not part of the usual checks.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from server_thread import serving

sys.path.insert(0, str(Path(__file__).parent))

from peers import PEERS, Scene, whole_environment
from test_peers_bench import choices, problems

pytestmark = pytest.mark.bench

SAID_ALIKE = ("答案：{}", "ANSWER: {}", "{}", "The answer is {}.", "答案: {}。")
"""Phrasings that both read as the letter."""
SAID_OTHERWISE = ("答案：{}", "The answer is {}. I am sure, A. Reader", "({}) is right, as the Duke says")
"""After the last two, EvalScope takes the last capital that is a letter of a choice."""


def by_number(phrases: tuple[str, ...]) -> FaultServer:
    def answer(prompt: str) -> str:
        at = int(re.findall(r"Item (\d+)", prompt)[-1])
        drawn = hashlib.sha256(str(at).encode()).digest()
        return phrases[drawn[0] % len(phrases)].format("ABCD"[drawn[1] % 4])

    return FaultServer(model="mock-model", answer=answer)


def problem_solver() -> FaultServer:
    """Right two times out of three, in three ways of saying it; numbers with commas and points among them."""
    rows = {row["question"]: row["answer"].rpartition("####")[2].strip() for row in problems(200)}

    def answer(prompt: str) -> str:
        question = next(question for question in rows if question in prompt)
        drawn = hashlib.sha256(question.encode()).digest()
        number = rows[question] if drawn[0] % 3 else "12,345"
        return [f"So it is \\boxed{{{number}}}.", f"... ANSWER: \\boxed{{{number}}}", f"\\boxed{{{number}}}"][
            drawn[1] % 3
        ]

    return FaultServer(model="mock-model", answer=answer)


@pytest.mark.parametrize("phrases", [SAID_ALIKE, SAID_OTHERWISE], ids=["alike", "otherwise"])
def test_multiple_choice(phrases: tuple[str, ...], tmp_path: Path) -> None:
    ours, theirs = both(Scene("mcq", choices()[:300], 16), by_number(phrases), tmp_path)
    print(f"\ngeneral_mcq, 300 rows: native {ours:.4f}, EvalScope {theirs:.4f}")
    if phrases is SAID_ALIKE:
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_gsm8k(tmp_path: Path) -> None:
    ours, theirs = both(Scene("gsm8k", problems(200), 16), problem_solver(), tmp_path)
    print(f"\ngsm8k, 200 rows: native {ours:.4f}, EvalScope {theirs:.4f}")
    assert ours == pytest.approx(theirs, abs=1e-4)


def both(scene: Scene, server: FaultServer, folder: Path) -> tuple[float, float]:
    """The scores of native and of EvalScope, which rounds to four digits."""
    with serving(server) as thread:
        for name in ("bridge", "EvalScope"):
            (folder / name).mkdir()
            run = PEERS[name](scene, thread.server.base_url, folder / name)
            done = subprocess.run(
                run.argv, cwd=run.folder, env=whole_environment(run), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr[-1000:]
    report: dict[str, Any] = json.loads((folder / "bridge/run/report.json").read_text(encoding="utf-8"))
    ours = next(row["value"] for row in report["results"] if row["primary"])
    (path,) = (folder / "EvalScope/out/reports/mock-model").glob("*.json")
    return ours, float(_score(json.loads(path.read_text(encoding="utf-8"))))


def _score(report: dict[str, Any]) -> float:
    return float(report["score"] if "score" in report else report["metrics"][0]["score"])
