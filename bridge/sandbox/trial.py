"""Whether programs can be confined on this machine: found out by confining one."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

from bridge.sandbox.room import PROGRAM, Limits, Room, command, python

_LIMIT_S = 60.0
_PROCESSES = 24
_INSTALL = "install it: apt install bubblewrap, or dnf install bubblewrap"
_ALLOW = (
    "it needs user namespaces: sysctl kernel.unprivileged_userns_clone=1, or "
    "sysctl kernel.apparmor_restrict_unprivileged_userns=0; in a container, docker run --privileged"
)


@cache
def why_not() -> str:
    """One line on why there is no sandbox and what to do about it; empty where there is one. Takes 0.2 s, once."""
    if shutil.which(PROGRAM) is None:
        return f"bubblewrap ({PROGRAM}) is not installed; {_INSTALL}"
    room = Room("system", nobody=True, limits=Limits(processes=_PROCESSES))
    argv = command(room, [*python("probe"), str(_PROCESSES)])
    try:
        tried = subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not run: {str(error)[-200:]}; {_INSTALL}"
    if tried.returncode == 0 and tried.stdout.strip() == "confined":
        return ""
    said = (tried.stderr.strip() or tried.stdout.strip() or f"exit code {tried.returncode}").splitlines()[-1]
    return f"bubblewrap does not work here ({said}); {_ALLOW}"
