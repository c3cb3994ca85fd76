"""Tables in plain text, for listings: quick to make, easy to grep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.report.text import visible


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of left-aligned columns, the header first."""
    table = [header, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(header))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
