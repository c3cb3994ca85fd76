"""Gives up its rights, tries what no room may allow, and says ``confined`` where all of that failed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from bridge.sandbox.inner import namespaces


def main(argv: list[str]) -> None:
    try:
        namespaces.give_up_rights()
    except OSError as error:
        sys.stdout.write(f"no program can give up its rights: {error}\n")
        return
    open_ = [what for what, tried in _TRIALS.items() if tried(int(argv[0]))]
    sys.stdout.write(f"the sandbox lets programs {', '.join(open_)}\n" if open_ else "confined\n")


def _write_root(_: int) -> bool:
    try:
        os.close(os.open("/sandbox-probe", os.O_CREAT | os.O_WRONLY))
    except OSError:
        return False
    return True


def _reach_out(_: int) -> bool:
    return [name for _, name in socket.if_nameindex()] != ["lo"]


def _see_others(_: int) -> bool:
    return len([entry for entry in os.scandir("/proc") if entry.name.isdigit()]) > 3


def _fork_on(most: int) -> bool:
    children = []
    try:
        for _ in range(most):
            pid = os.fork()
            if not pid:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
    except OSError:
        return False
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return True


_TRIALS = {
    "write the root folder": _write_root,
    "use the network": _reach_out,
    "see other processes": _see_others,
    "fork without end": _fork_on,
}
