"""Writes which module of OpenCompass has which name: ``adapters/opencompass/ocbridge/modules.json``.

    <environment>/bin/python scripts/index_opencompass.py

Runs in OpenCompass's environment and imports all of it, as a job does where it needs more than single modules.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

ADAPTER = Path(__file__).resolve().parents[1] / "adapters" / "opencompass"
sys.path.insert(0, str(ADAPTER))

import inside  # noqa: E402


def main() -> None:
    inside.register()
    inside.import_framework(lean=False)
    from ocbridge.lean import INDEX, PACKAGES

    index = {package: names_of(package) for package in PACKAGES}
    INDEX.write_text(json.dumps(index, indent=0, sort_keys=True) + "\n", encoding="utf-8")


def names_of(package: str) -> dict[str, str]:
    """Name → submodule, for what the package has from its submodules under the name that it has there."""
    found = {}
    for name, value in vars(sys.modules[package]).items():
        module = getattr(value, "__module__", None)
        if name.startswith("_") or isinstance(value, ModuleType) or not isinstance(module, str):
            continue
        if module.startswith(f"{package}.") and getattr(sys.modules.get(module), name, None) is value:
            found[name] = module.removeprefix(f"{package}.")
    return found


if __name__ == "__main__":
    main()
