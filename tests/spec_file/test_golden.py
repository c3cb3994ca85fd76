"""Broken specs and what bridge says about them, word for word.

``tests/golden/spec_file/<case>.yaml`` (or ``.json``) is the spec, ``<case>.txt`` the message. After a change of words,
``BRIDGE_UPDATE_GOLDEN=1 pytest tests/spec_file/test_golden.py`` writes the messages anew; read them before a commit.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.errors import SpecError
from bridge.spec_file import load_spec

CASES = Path(__file__).parents[1] / "golden" / "spec_file"
SPECS = sorted(path for path in CASES.iterdir() if path.suffix in (".yaml", ".json"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_message(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.delenv("BRIDGE_DATA", raising=False)
    monkeypatch.setenv("SOME_NAME", "value")
    expected = path.with_suffix(f"{path.suffix}.txt")
    with pytest.raises(SpecError) as error:
        load_spec(Path(path.name))
    said = f"{error.value}\n"
    if os.environ.get("BRIDGE_UPDATE_GOLDEN"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


def test_there_are_cases() -> None:
    assert len(SPECS) > 20
    assert {path.stem for path in CASES.glob("*.txt")} == {path.name for path in SPECS}
