"""Which of two answers does a judge prefer, and how far does it agree with people and with itself?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bridge.native.benchmark import Metric, Sample, Verdict, Whole
from bridge.native.scorers.verdict import Unreadable, read_letter

_OTHER = {"A": "B", "B": "A"}


@dataclass(frozen=True)
class Preference:
    """1 where the judge's ``[[A]]`` or ``[[B]]`` is the target, else 0."""

    name: str = "preference"
    metrics: tuple[Metric, ...] = (Metric("accuracy"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        try:
            said = read_letter(answer, ("A", "B"))
        except Unreadable:
            return Verdict(None, {"accuracy": 0.0}, "none")
        return Verdict(said.verdict, {"accuracy": float(said.verdict == sample.target)}, "brackets")

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


@dataclass
class _Pairs:
    """The pairs of one subset. A verdict counts as what it says of the pair as it stands in the file."""

    people: list[tuple[str, str]] = field(default_factory=list)
    """Verdict and label, of every verdict."""
    orders: list[tuple[str, str]] = field(default_factory=list)
    """The verdicts in one order and in the other, of every pair that has both."""
    right_in_both: int = 0
    first: int = 0
    """Verdicts for what was shown first."""

    def add(self, label: str, verdicts: Sequence[str | None]) -> None:
        turned = [said if said is None or not at % 2 else _OTHER[said] for at, said in enumerate(verdicts)]
        self.people += [(said, label) for said in turned if said is not None]
        self.first += sum(said == "A" for said in verdicts)
        for one, other in zip(turned[::2], turned[1::2], strict=True):
            if one is not None and other is not None:
                self.orders.append((one, other))
                self.right_in_both += one == other == label

    def __add__(self, more: _Pairs) -> _Pairs:
        together = _Pairs(self.people + more.people, self.orders + more.orders)
        together.right_in_both, together.first = self.right_in_both + more.right_in_both, self.first + more.first
        return together

    def wholes(self) -> Iterator[Whole]:
        pairs, verdicts = len(self.orders), len(self.people)
        same = sum(one == other for one, other in self.orders)
        yield Whole("consistency", _share(same, pairs), pairs)
        yield Whole("both_right", _share(self.right_in_both, pairs), pairs)
        yield Whole("first_position_share", _share(self.first, verdicts), verdicts)
        yield Whole("kappa", kappa(self.people), verdicts, min_value=-1.0)
        yield Whole("kappa_orders", kappa(self.orders), pairs, min_value=-1.0)


class Agreement:
    """Gathers the verdicts on each pair; memory is a few letters per pair."""

    def __init__(self) -> None:
        self._subsets: dict[str | None, _Pairs] = {}

    def add(self, subset: str | None, target: str, extracted: Sequence[str | None]) -> None:
        """One pair: the label in the first order, and the verdicts, order by order."""
        self._subsets.setdefault(subset, _Pairs()).add(target, extracted)

    def wholes(self) -> Iterator[tuple[str | None, Whole]]:
        """For all pairs, with subset None, and for each subset."""
        together = _Pairs()
        for pairs in self._subsets.values():
            together = together + pairs
        scopes: dict[str | None, _Pairs] = {
            None: together,
            **{name: pairs for name, pairs in self._subsets.items() if name is not None},
        }
        for subset, pairs in scopes.items():
            yield from ((subset, whole) for whole in pairs.wholes())


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's: agreement beyond chance, 1 where all agree. None where chance alone explains all, or without pairs."""
    if not pairs:
        return None
    n = len(pairs)
    names = {name for pair in pairs for name in pair}
    seen = sum(one == other for one, other in pairs) / n
    chance = sum(sum(one == name for one, _ in pairs) * sum(two == name for _, two in pairs) for name in names) / n**2
    return None if chance == 1 else (seen - chance) / (1 - chance)


def _share(count: int, of: int) -> float | None:
    return count / of if of else None
