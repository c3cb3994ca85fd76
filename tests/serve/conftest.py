from __future__ import annotations

from pathlib import Path

import pytest
from serve.fake_swift import write_fake_swift


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_text("x", encoding="utf-8")
    return folder


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    (folder / "adapter_model.safetensors").write_text("x", encoding="utf-8")
    return folder


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    return write_fake_swift(tmp_path / "fake")
