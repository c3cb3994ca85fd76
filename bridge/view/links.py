"""The addresses of the pages: each holds the page's whole state, and none a path of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from bridge.report.text import visible
from bridge.view.library import Column, Run
from bridge.view.samples import Filter

EVERYTHING = Filter()


@dataclass(frozen=True)
class Links:
    """Of a server."""

    live: bool = True

    def home(self) -> str:
        return "/"

    def run(self, run: Run) -> str:
        return f"/runs/{quote(run.key)}"

    def section(self, run: Run, name: str) -> str:
        return f"{self.run(run)}/sections/{quote(name)}"

    def curve(self, run: Run) -> str:
        return f"{self.run(run)}/curve"

    def dataset(self, run: Run, column: Column | str) -> str:
        """The column, or its key."""
        key = column if isinstance(column, str) else column.key
        return f"{self.run(run)}/datasets/{quote(key)}"

    def samples(self, run: Run, column: Column, chosen: Filter = EVERYTHING, after: int = 0) -> str:
        """``after``: the number of the record that the page begins behind."""
        return f"{self.dataset(run, column)}/samples{_query(chosen, after=after)}"

    def sample(self, run: Run, column: Column, number: int, chosen: Filter = EVERYTHING) -> str:
        return f"{self.dataset(run, column)}/samples/{number}{_query(chosen)}"

    def compare(self, sides: Sequence[str]) -> str:
        return f"/compare?{urlencode([('side', side) for side in sides])}"

    def flips(
        self, sides: Sequence[str], against: int, dataset: int, kind: str, reason: str = "", after: int = 0
    ) -> str:
        """``against``, ``dataset``: places in the comparison; ``kind``: lost or won."""
        told: list[tuple[str, str | int]] = [("side", side) for side in sides]
        told += [("against", against), ("dataset", dataset), ("kind", kind)]
        told += [("reason", reason)] if reason else []
        told += [("after", after)] if after else []
        return f"/flips?{urlencode(told)}"


@dataclass(frozen=True)
class FileLinks(Links):
    """Of a folder of files: each run is one file, and its samples are in it."""

    live: bool = False

    def home(self) -> str:
        return "index.html"

    def run(self, run: Run) -> str:
        return quote(f"{run.key}.html")

    def curve(self, run: Run) -> str:
        return quote(f"{run.key}.curve.html")

    def compare(self, sides: Sequence[str]) -> str:
        return "compare.html"


def _query(chosen: Filter, after: int = 0) -> str:
    told = {
        "state": chosen.state,
        "flag": chosen.flag,
        "subset": visible(chosen.subset),
        "q": chosen.text,
        "after": after or "",
    }
    given = {name: value for name, value in (*told.items(), ("after", after)) if value}
    return f"?{urlencode(given)}" if given else ""
