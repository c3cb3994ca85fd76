"""``docs/architecture.md`` names every part of the package."""

from __future__ import annotations

from markdown_blocks import ROOT


def test_every_module_of_the_pipeline_is_named() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    parts = [
        path for path in (ROOT / "bridge").iterdir() if not path.name.startswith(("_", ".")) and not path.is_symlink()
    ]
    names = [f"`{path.name}/`" if path.is_dir() else f"`{path.name}`" for path in parts if path.suffix in ("", ".py")]
    assert [name for name in names if name not in page] == []
    assert len(names) > 20
