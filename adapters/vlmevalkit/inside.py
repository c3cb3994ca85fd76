"""Runs in VLMEvalKit's environment, by its path: ``python inside.py job.json``, or ``--check`` with stand-ins.

Makes ``launcher`` beside it a package of its own name, for bridge is not installed in that environment.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_PACKAGE = "bridge_vlmevalkit_launcher"


def launcher(name: str) -> Any:
    """A module of the launcher."""
    folder = Path(__file__).parent / "launcher"
    if _PACKAGE not in sys.modules:
        spec = spec_from_file_location(_PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder} is not a package")
        sys.modules[_PACKAGE] = module = module_from_spec(spec)
        spec.loader.exec_module(module)
    return import_module(f"{_PACKAGE}.{name}")


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        launcher("main").check(sys.argv[2:])
    else:
        sys.exit(launcher("main").main(sys.argv[1]))
