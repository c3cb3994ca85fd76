"""``python -m bridge.view.index_job RUN ASIDE``: the index of a run, in its folder or else at ``ASIDE``."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from bridge.report.read import read_report
from bridge.report.sample_index import index_path, sources, write_index


def make_index(root: Path, aside: Path) -> Path:
    """Where it is now. Raises OutputError, OSError or sqlite3.Error."""
    files = sources(read_report(root), root)
    try:
        write_index(files, index_path(root))
    except (OSError, sqlite3.Error):
        write_index(files, aside)
        return aside
    return index_path(root)


if __name__ == "__main__":
    make_index(Path(sys.argv[1]), Path(sys.argv[2]))
