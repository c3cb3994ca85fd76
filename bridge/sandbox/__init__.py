"""Programs that nobody has read run in here: in namespaces of their own, made by bubblewrap, within limits.

``room``        what a program sees of the machine, and the command line that runs it there
``trial``       whether that works on this machine, found out by doing it
``programs``    short Python programs, each from a warm interpreter, each with a verdict
``inner``       what runs inside: standard library only
"""

from __future__ import annotations

UNSAFE_ENV = "BRIDGE_UNSAFE"
"""Set in a job's environment where the user has said that code may run without a sandbox, and there is none."""
