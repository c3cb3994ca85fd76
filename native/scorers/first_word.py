"""Is the first word of the answer the one that is looked for?  Case and punctuation do not count."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.native.benchmark import Metric, Sample, Verdict
from bridge.native.scorers.exact import normalised


@dataclass(frozen=True)
class FirstWord:
    name: str = "first_word"
    metrics: tuple[Metric, ...] = (Metric("accuracy"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        wanted = normalised(str(sample.target)).split()
        said = normalised(answer).split()[: len(wanted)]
        if not said:
            return Verdict(None, {"accuracy": 0.0}, "none")
        return Verdict(" ".join(said), {"accuracy": float(said == wanted)}, "first_word")

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)
