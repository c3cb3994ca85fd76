"""What uv's last lines mean: one line that says what is wrong, and one that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

ANOTHER_INDEX = "set PIP_INDEX_URL to an index, or PIP_FIND_LINKS to a folder of wheels, that has it"
NO_NETWORK = "without a network, set PIP_INDEX_URL to a mirror or PIP_FIND_LINKS to a folder with the wheels"

MEANINGS = (
    (
        r"No space left on device|os error 28",
        "the disk is full",
        "make room, or set BRIDGE_HOME and UV_CACHE_DIR to another disk",
    ),
    (
        r"No interpreter found for Python (?P<it>\S+)",
        "there is no Python {it} on this machine",
        "install it, or let uv fetch one: UV_PYTHON_DOWNLOADS=automatic",
    ),
    (
        r"Failed to inspect Python interpreter from .* at `(?P<it>[^`]+)`",
        "{it} does not work",
        "put a Python that works first on PATH, or let uv fetch one: UV_PYTHON_DOWNLOADS=automatic",
    ),
    (r"Couldn't parse requirement in `(?P<it>[^`]+)`", "the lock {it} is broken", "install bridge again"),
    (r"there (?:is|are) no versions? of (?P<it>[^\s,]+)", "{it} is not in the package index", ANOTHER_INDEX),
    (
        r"(?P<it>\S+) was not found in the (?:package registry|provided package locations)",
        "{it} is not in the package index",
        ANOTHER_INDEX,
    ),
    (
        r"(?P<it>\S+) has no wheels with a matching|no wheels are available|no usable wheels|doesn't have a .*wheel",
        "a package has no wheel for this machine",
        ANOTHER_INDEX,
    ),
    (
        r"(?P<it>\S+) was not found in the cache|network was disabled",
        "uv is told to stay offline (UV_OFFLINE), and its cache does not hold every package",
        "unset UV_OFFLINE, or set PIP_FIND_LINKS to a folder with the wheels",
    ),
    (
        r"invalid peer certificate|UnknownIssuer|certificate verify failed",
        "the package index shows a certificate that is not trusted",
        "set PIP_CERT to the file of your certificate authority",
    ),
    (
        r"40[13] (?:Unauthorized|Forbidden)|Missing credentials",
        "the package index refuses access",
        "put user and password into PIP_INDEX_URL or ~/.netrc",
    ),
    (
        r"[Hh]ash mismatch",
        "a package is not the one that was locked (hash mismatch)",
        "clear uv's cache: `uv cache clean`",
    ),
    (r"Failed to fetch: `?(?P<it>[^`\s]+)", "cannot fetch {it}{cause}", NO_NETWORK),
    (
        r"Failed to (?:download and )?build `?(?P<it>[^`\s]+)",
        "cannot build {it} from its source",
        "see the last lines; a compiler may be missing",
    ),
)
"""Pattern, what, what to do; the first that fits."""


def explain(lines: Sequence[str]) -> tuple[str, str]:
    """What went wrong and what to do about it, from the last lines that uv wrote."""
    text = "\n".join(lines)
    for pattern, what, hint in MEANINGS:
        if found := re.search(pattern, text):
            return what.format(it=found.groupdict().get("it"), cause=_root_cause(lines)), hint
    said = [line.removeprefix("error:").strip() for line in lines if line.startswith("error:")]
    return (said or list(lines) or ["uv failed and said nothing"])[-1], ""


def _root_cause(lines: Sequence[str]) -> str:
    causes = [line.strip().removeprefix("cause:").strip() for line in lines if line.strip().startswith("cause:")]
    return f" ({causes[-1]})" if causes else ""
