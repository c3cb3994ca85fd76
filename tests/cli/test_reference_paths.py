"""``${NAME}`` in paths: every backend finds its files, and the spec keeps the name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.plan import make_plan
from bridge.spec_file import spec_from_mapping

ROW = {"question": "Which is a colour?", "A": "red", "B": "two", "C": "run", "D": "up", "answer": "A"}


@pytest.mark.parametrize("backend", ["native", "opencompass"])
@pytest.mark.parametrize("given", [{"path": "${ROOT}/general_mcq"}, {"data": "${ROOT}"}], ids=["path", "data"])
def test_paths(backend: str, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "general_mcq"
    folder.mkdir()
    (folder / "bank_val.jsonl").write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    monkeypatch.setenv("ROOT", str(tmp_path))
    dataset = {"name": "general_mcq"} | {name: text for name, text in given.items() if name == "path"}
    spec = spec_from_mapping(
        {
            "model": {"name": "m", "endpoint": {"base_url": "http://127.0.0.1:1/v1"}},
            "backend": backend,
            "datasets": [dataset],
        }
        | {name: text for name, text in given.items() if name == "data"}
    )
    assert str(tmp_path) not in spec.model_dump_json()
    [planned] = make_plan(spec).tasks
    [job] = planned.jobs()
    assert any(str(tmp_path) in text for text in job.files.values())
