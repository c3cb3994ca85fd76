from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml
from finetuned.fake_server import make_sums, write_fake_server

import bridge.execute
from bridge.backend import EnvSpec
from bridge.envs import ensure


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the made-up ms-swift, in place of the environment with the real one."""
    folder = write_fake_server(tmp_path / "server")

    async def made_up(spec: EnvSpec, **settings: object) -> Path:
        return Path(sys.executable) if spec.name == "swift" else await ensure(spec)

    monkeypatch.setattr(bridge.execute, "ensure", made_up)
    return folder


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    sums = {"name": "general_qa", "alias": "sums", "path": str(make_sums(tmp_path / "sums"))}
    path.write_text(yaml.safe_dump({"backend": "native", "datasets": [sums]}), encoding="utf-8")
    return path
