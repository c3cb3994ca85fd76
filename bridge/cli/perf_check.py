"""``bridge perf check``"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.errors import EXIT_COMPLETE, EXIT_PARTIAL

if TYPE_CHECKING:
    from bridge.native.perf.check import Checked


def check(*, as_json: bool) -> int:
    """Exit code 7 where not even one stream can be measured cleanly enough to be believed."""
    from bridge.native.perf.check import check as measure
    from bridge.native.perf.check import plain

    found = measure()
    if as_json:
        print(json.dumps(plain(found)))
    else:
        _print(found)
    return EXIT_PARTIAL if found[0].verdict == "saturated" else EXIT_COMPLETE


def _print(found: list[Checked]) -> None:
    print("against a server on this machine that knows the truth; times in milliseconds\n")
    print("streams   req/s    tok/s   ttft error   gap p99 error   read late p99   cpu   client")
    for one in found:
        gap = "–" if one.gap_p99_error is None else f"{1e3 * one.gap_p99_error:+.2f}"
        late = "–" if one.late_p99 is None else f"{1e3 * one.late_p99:.2f}"
        print(
            f"{one.streams:7} {one.req_s:7,.0f} {one.tok_s:8,.0f} {1e3 * one.ttft_error:+12.2f} {gap:>15} {late:>15} "
            f"{100 * one.cpu:4.0f} %   {one.verdict}"
        )
    clean = [one for one in found[:-1] if one.verdict == "clean"]
    best = max(clean, key=lambda one: one.streams, default=None)
    print(f"\nclock: {found[0].clock}; most requests a second: {found[-1].req_s:,.0f}")
    if best is None:
        print("not one load was clean: this machine is too busy now, or too slow, to measure with")
    else:
        print(f"clean up to {best.streams} streams, {best.tok_s:,.0f} tokens a second")
