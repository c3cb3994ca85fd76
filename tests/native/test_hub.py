"""Without a network: what is said then, and that the hubs' libraries are called as they are to be."""

from __future__ import annotations

import json
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from bridge.native import hub
from bridge.native.benchmarks import benchmark
from bridge.native.hub import hub_tables
from bridge.native.readers import DataError

ROW = {"question": "q", "answer": "#### 1"}
CARD = "---\nconfigs:\n- config_name: main\n  data_files:\n  - {split: test, path: main/t*}\n---\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A repository of gsm8k in the hubs' layout."""
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / "t.jsonl").write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    (tmp_path / "README.md").write_text(CARD, encoding="utf-8")
    return tmp_path


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch, copy: Path) -> list[tuple[Any, ...]]:
    """Stands in for both libraries, which would need a network; holds how they were called."""
    called: list[tuple[Any, ...]] = []

    def load_dataset(*args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        called.append((*args, kwargs))
        return [ROW]

    def dataset_snapshot_download(*args: Any) -> str:
        called.append(args)
        return str(copy)

    modules = {"datasets": {"load_dataset": load_dataset}, "modelscope": {}, "modelscope.hub": {}}
    modules["modelscope.hub.snapshot_download"] = {"dataset_snapshot_download": dataset_snapshot_download}
    for name, members in modules.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(hub, "is_installed", lambda name: True)
    monkeypatch.setattr(hub, "_reachable", lambda name, mark: None)
    return called


def test_without_a_network_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "is_installed", lambda name: True)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    started = time.monotonic()
    with pytest.raises(DataError, match=r"cannot be reached .*; give 'path' .*BRIDGE_DATA\) a folder with test\.jsonl"):
        hub_tables("huggingface", benchmark("gsm8k"), "test", ())
    assert time.monotonic() - started < 10


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "is_installed", lambda name: False)
    with pytest.raises(DataError, match=r"pip install 'evalbridge\[hub\]'; or give 'path'"):
        hub_tables("modelscope", benchmark("gsm8k"), "test", ())


def test_own_data_is_on_no_hub() -> None:
    with pytest.raises(DataError, match="the data is your own"):
        hub_tables("modelscope", benchmark("general_qa"), "test", ())


def test_hugging_face_is_asked_for_configuration_and_split(libraries: list[tuple[Any, ...]]) -> None:
    (table,) = hub_tables("huggingface", benchmark("gsm8k"), "test", ())
    assert libraries == [("openai/gsm8k", "main", {"split": "test"})]
    assert [line.row for line in table.lines()] == [ROW]
    assert table.count(None) == 1
    libraries.clear()
    tables = hub_tables("huggingface", benchmark("arc"), "test", ("ARC-Easy",))
    assert [table.subset for table in tables] == ["ARC-Easy"]
    assert libraries == [("allenai/ai2_arc", "ARC-Easy", {"split": "test"})]


def test_modelscope_is_asked_for_the_repository(libraries: list[tuple[Any, ...]], copy: Path) -> None:
    (table,) = hub_tables("modelscope", benchmark("gsm8k"), "test", ())
    assert libraries == [("AI-ModelScope/gsm8k",)]
    assert table.name == str(copy / "main" / "t.jsonl")
    assert [line.row for line in table.lines()] == [ROW]


def test_what_the_library_says_is_passed_on(libraries: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such\n  split")

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", refuse)
    with pytest.raises(DataError, match=r"huggingface:openai/gsm8k/main/test: cannot be fetched: no such split; give"):
        hub_tables("huggingface", benchmark("gsm8k"), "test", ())


def test_the_real_library_takes_the_call(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets", reason="the extra [hub] is not installed")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(copy / "hf"))
    assert list(hub._load(str(copy), "main", "test")) == [ROW]
