"""Every check of the project, one after the other: ``python scripts/check.py``; ``--quick`` leaves out ``-m env``.

All of them run, whatever fails, and the exit code is 1 where one did.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile"]
"""Most tests wait for processes; a file's tests stay together, since they share servers."""

CHECKS = {
    "ruff": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "imports": ["lint-imports"],
    "tests": ["pytest", *SIDE_BY_SIDE],
    "tests in the frameworks' environments": ["pytest", *SIDE_BY_SIDE, "-m", "env"],
}
QUICK = [name for name, argv in CHECKS.items() if argv[-1] != "env"]


def main() -> int:
    failed = [name for name in (QUICK if "--quick" in sys.argv[1:] else CHECKS) if not check(name)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


def check(name: str) -> bool:
    tool, *arguments = CHECKS[name]
    argv = [shutil.which(tool, path=str(BIN)) or tool, *arguments]
    print(f"\n== {name}: {' '.join([tool, *arguments])}", flush=True)
    started = time.monotonic()
    code = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    print(
        f"== {name}: {'passed' if code == 0 else f'FAILED with exit code {code}'}, {time.monotonic() - started:.0f} s"
    )
    return code == 0


if __name__ == "__main__":
    raise SystemExit(main())
