"""Where bridge keeps what all runs share: environments, indexes, comparisons."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``BRIDGE_HOME``, or ``evalbridge`` in the user's cache folder."""
    if given := os.environ.get("BRIDGE_HOME"):
        return Path(given).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "evalbridge"
