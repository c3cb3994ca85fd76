"""System calls that no program needs and that reach deep into the kernel: refused with EPERM, for good.

Namespaces of its own, tracing and other processes' memory, the kernel's key rings, modules, io_uring and the like. On
processors other than those listed nothing is refused: namespaces and lost rights have to do.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from ctypes import c_uint16, c_ulong, c_void_p

REFUSED = (
    ("ptrace", 101, 117),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("swapon", 167, 224),
    ("init_module", 175, 105),
    ("delete_module", 176, 106),
    ("kexec_load", 246, 104),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    ("unshare", 272, 97),
    ("perf_event_open", 298, 241),
    ("open_by_handle_at", 304, 265),
    ("setns", 308, 268),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("finit_module", 313, 273),
    ("bpf", 321, 280),
    ("userfaultfd", 323, 282),
    ("io_uring_setup", 425, 425),
)
"""Name, and number on x86_64 and on aarch64."""
CLONE, CLONE3 = (56, 220), (435, 435)
MACHINES = ("x86_64", "aarch64")
ARCHITECTURES = (0xC000003E, 0xC00000B7)
NEW_NAMESPACES = 0x7E020000
"""Flags of ``clone`` that make namespaces."""
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", c_uint16), ("filter", c_void_p))


def refuse() -> None:
    """For this process and all that it starts. Raises OSError where the kernel does not take the filter."""
    filter_ = program(os.uname().machine)
    if not filter_:
        return
    code = ctypes.create_string_buffer(filter_, len(filter_))
    described = _Program(len(filter_) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, c_ulong(_MODE_FILTER), ctypes.byref(described), c_ulong(0), c_ulong(0)):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def program(machine: str) -> bytes:
    """The filter for a processor, as the kernel's BPF machine reads it; empty where its numbers are not known."""
    if machine not in MACHINES:
        return b""
    at = MACHINES.index(machine)
    lines = [
        *(_line(_LOAD, _ARCHITECTURE), _line(_EQUAL, ARCHITECTURES[at], 1, 0), _refused(errno.EPERM)),
        *(_line(_LOAD, _NUMBER), _line(_AT_LEAST, _X32, 0, 1), _refused(errno.EPERM)),
    ]
    for _, *number in REFUSED:
        lines += [_line(_EQUAL, number[at], 0, 1), _refused(errno.EPERM)]
    # Its flags are in memory, where a filter cannot look: the C library then takes ``clone``.
    lines += [_line(_EQUAL, CLONE3[at], 0, 1), _refused(errno.ENOSYS)]
    lines += [_line(_EQUAL, CLONE[at], 0, 3), _line(_LOAD, _FIRST_ARGUMENT)]
    lines += [_line(_ANY_BIT, NEW_NAMESPACES, 0, 1), _refused(errno.EPERM), _line(_RETURN, _ALLOW)]
    return b"".join(lines)


def _line(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_so, if_not, value)


def _refused(number: int) -> bytes:
    return _line(_RETURN, _ERRNO | number)
