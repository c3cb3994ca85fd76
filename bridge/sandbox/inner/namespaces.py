"""Namespaces of its own for each program of a server, made without any right that the server has not.

What a program then can reach: its own processes, an empty ``/tmp``, what the server's room shows, nothing of ``/proc``.
"""

from __future__ import annotations

import ctypes
import os
import signal
from ctypes import c_int, c_uint32, c_ulong

from bridge.sandbox.inner import seccomp

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV = 1, 2, 4
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES_V3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", c_uint32), ("pid", c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", c_uint32), ("permitted", c_uint32), ("inheritable", c_uint32))


def separate() -> None:
    """From here on, children of this process are in namespaces of their own. Raises OSError where it may not be."""
    uid, gid = os.geteuid(), os.getegid()
    _check(_libc.unshare(c_int(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC)), "unshare")
    _write("setgroups", "deny")
    _write("uid_map", f"{uid} {uid} 1")
    _write("gid_map", f"{gid} {gid} 1")


def furnish(scratch_bytes: int) -> None:
    """An empty ``/tmp`` and ``/dev/shm`` in memory, and no ``/proc``."""
    for target in ("/tmp", "/dev/shm"):
        _mount_empty(target, MS_NOSUID | MS_NODEV, f"size={scratch_bytes},mode=1777")
    _mount_empty("/proc", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4096")
    os.chdir("/tmp")


def give_up_rights() -> None:
    """No capability is left, none can be had again, no other process may look in, and no namespace can be made."""
    sets = (_Sets * 2)()
    header = _Header(_CAPABILITIES_V3, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(sets)), "capset")
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)
    seccomp.refuse()


def die_with_parent() -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def prctl(option: int, value: int) -> None:
    _check(_libc.prctl(c_int(option), c_ulong(value), c_ulong(0), c_ulong(0), c_ulong(0)), "prctl")


def _mount_empty(target: str, flags: int, options: str) -> None:
    done = _libc.mount(b"sandbox", target.encode(), b"tmpfs", c_ulong(flags), options.encode())
    _check(done, f"mount {target}")


def _write(name: str, text: str) -> None:
    fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
