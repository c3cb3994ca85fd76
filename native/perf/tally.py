"""Numbers of which there may be millions, kept in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Sequence


class Tally:
    """When there are too many, every second one is kept from then on."""

    LIMIT = 100_000

    def __init__(self) -> None:
        self.values = array("f")
        self._stride = 1
        self._seen = 0

    def extend(self, values: Sequence[float]) -> None:
        if self._stride == 1 and len(self.values) + len(values) < self.LIMIT:
            self.values.extend(values)
            self._seen += len(values)
            return
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        self._seen += 1
        if self._seen % self._stride == 0:
            self.values.append(value)
            if len(self.values) >= self.LIMIT:
                self.values = self.values[::2]
                self._stride *= 2
