"""The first program in a room: opens its doors, takes on its limits, and becomes the program that is to run.

python … start {"uid": null, "limits": {…}, "doors": [[SOCKET, PORT]]} ARGV…
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Mapping

LIMITS = {
    "memory_bytes": resource.RLIMIT_AS,
    "cpu_s": resource.RLIMIT_CPU,
    "processes": resource.RLIMIT_NPROC,
    "file_bytes": resource.RLIMIT_FSIZE,
    "open_files": resource.RLIMIT_NOFILE,
}


def main(argv: list[str]) -> None:
    orders = json.loads(argv[0])
    if orders["doors"]:
        from bridge.sandbox.inner.relay import open_doors

        open_doors([(path, port) for path, port in orders["doors"]])
    die_first("500")
    if orders["uid"] is not None:
        become(orders["uid"])
    limit(orders["limits"])
    try:
        os.execvp(argv[1], argv[1:])
    except OSError as error:
        sys.stderr.write(f"cannot start {argv[1]}: {error.strerror}\n")
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def become(uid: int) -> None:
    """Gives up being root, for good."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def limit(limits: Mapping[str, int | None]) -> None:
    """Soft and hard limit alike, so that no handler gets a say."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, value in limits.items():
        if value is not None:
            _, hard = resource.getrlimit(LIMITS[name])
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(LIMITS[name], (most, most))


def die_first(score: str) -> None:
    """Where memory runs out, the kernel is to end this process rather than another one's."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - as it says
        file.write(score)
