"""Runs in OpenCompass's environment, by path: ``python inside.py manifest.json`` in the job's folder.

    --check   only imports what a job imports; fails where the environment is broken

Ends with 0 where every unit was inferred and scored, with 1 where any was not; ``ledger.json`` says which, and why.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

PACKAGE = Path(__file__).resolve().with_name("ocbridge")
WORK_DIR = "out"


def register() -> None:
    """Makes ``import ocbridge`` find the package beside this file, and nothing else that lies there."""
    where = [str(PACKAGE)]
    spec = importlib.util.spec_from_file_location("ocbridge", PACKAGE / "__init__.py", submodule_search_locations=where)
    if spec is None or spec.loader is None:
        raise ImportError(f"{PACKAGE}: not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules["ocbridge"] = module
    spec.loader.exec_module(module)


def import_framework(lean: bool) -> str:
    """Imports OpenCompass, once, and returns its version; ``lean``: without the datasets and models, which follow."""
    from importlib.metadata import version

    from ocbridge import lean as parts
    from ocbridge import torch_absent

    if importlib.util.find_spec("torch") is None:
        os.environ |= {"USE_TORCH": "0", "USE_TF": "0", "USE_JAX": "0"}
        torch_absent.install()
    if lean:
        parts.install()
    import opencompass.datasets
    import opencompass.tasks
    import opencompass.tasks.openicl_infer_concurrent  # noqa: F401
    from ocbridge import no_download

    no_download.install()
    return version("opencompass")


def isolated(load: Callable[[], Any]) -> Any:
    """What ``load`` returns, or a line about what it raised: a configuration is a program and may raise anything."""
    from ocbridge.infer import one_line

    try:
        return load()
    except Exception as error:  # noqa: BLE001 - one dataset's configuration takes no other with it
        traceback.print_exc()
        return one_line(error)


def run(manifest_path: str) -> int:
    version = import_framework(lean=True)
    from ocbridge import units
    from ocbridge.lean import preload
    from ocbridge.ledger import Ledger
    from ocbridge.schedule import Schedule

    manifest = json.loads(Path(manifest_path).read_text(encoding="utf-8"))
    shutil.rmtree(WORK_DIR, ignore_errors=True)  # OpenCompass would take what lies there for this run's
    work = units.load(manifest, isolated)
    isolated(lambda: preload([*work.models, *(unit.config for unit in work.units)]))
    ledger = Ledger(version, work)
    ledger.write()
    gc.freeze()
    Schedule(work.models, work.units, WORK_DIR, manifest["concurrency"], ledger.touch).run()
    ledger.write()
    return 0 if not work.problems and all(unit.state == "done" for unit in work.units) else 1


def main() -> NoReturn:
    register()
    if sys.argv[1:] == ["--check"]:
        import_framework(lean=False)
        sys.exit(0)
    code = run(sys.argv[1])
    sys.stdout.flush()
    os._exit(code)  # nothing is left to do; taking the framework apart would cost a second


if __name__ == "__main__":
    main()
