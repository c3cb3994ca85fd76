"""How long to wait before a request is sent again."""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime

FIRST_S = 0.01
"""A server that fails now and then answers the second try, and a run ends with its last request: waiting long for that
one is what errors cost."""
GROWTH = 6
"""A server that goes on failing is left alone: after five tries for up to 13 s, after seven for 45 s in all."""
LONGEST_S = 30.0
LONGEST_RETRY_AFTER_S = 120.0


def wait_s(tries: int, retry_after: str | None) -> float:
    """Seconds to wait after the ``tries``-th try: exponential with full jitter, but not less than the server asked."""
    jittered = random.uniform(0, min(LONGEST_S, FIRST_S * GROWTH ** min(tries - 1, 10)))
    asked = retry_after_s(retry_after)
    # Whoever was told the same number of seconds does not come back at the same moment.
    return asked + random.uniform(0, min(1.0, asked / 10)) if asked > jittered else jittered


def retry_after_s(header: str | None) -> float:
    """Seconds that a ``Retry-After`` header asks for, at most two minutes; 0 where it is absent or unreadable."""
    if not header:
        return 0.0
    try:
        asked = float(header)
    except ValueError:
        try:
            asked = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            return 0.0
    return min(max(asked, 0.0), LONGEST_RETRY_AFTER_S) if asked == asked else 0.0
