"""The ``arena`` part of a report: what an arena found beyond the rows of ``results``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        json_schema_serialization_defaults_required=True,
    )


class ArenaModel(_Part):
    """One model's place; ratings of different components are on different scales."""

    model: str
    component: int
    """Models that no chain of comparisons joins are in different components; 0 holds the anchor, or the most."""
    rating: float | None
    stderr: float | None = None
    interval: tuple[float, float] | None = None
    """At ``settings.ci.level``."""
    ci95: tuple[float, float] | None = None
    """The same where the level is 0.95, else null."""
    unbounded: Literal["above", "below"] | None = None
    """The model never lost against the rest (above) or never won (below): the rating comes from a prior."""
    bound: float | None = None
    """Of an unbounded model: the end of the 95 % interval on its closed side."""
    rank: int | None = None
    """1 + how many of the component are rated higher."""
    rank_low: int | None = None
    """Best place that the intervals leave open: 1 + how many lie wholly above."""
    rank_high: int | None = None
    """Worst place that they leave open."""
    n: int = 0
    """Decided comparisons."""
    wins: int = 0
    ties: int = 0
    losses: int = 0
    rating_style: float | None = None
    """The rating at equal style (see ``style``); beside ``rating``, never in its place."""
    rating_style_ci95: tuple[float, float] | None = None
    win_rate: float | None = None
    """Against the baseline, a tie half."""
    win_rate_ci95: tuple[float, float] | None = None
    win_rate_adjusted: float | None = None
    """The same at equal style, from the ratings."""
    elo: float | None = None
    elo_spread: float | None = None
    """Standard deviation of ``elo`` over shuffles of the same battles: Elo depends on their order."""
    reason: str | None = None
    """Why something is null, or not what it seems."""


class ArenaPair(_Part):
    """Two models against each other."""

    model_a: str
    model_b: str
    wins_a: int
    wins_b: int
    ties: int
    p_better: float | None = None
    """Probability that ``model_a`` is the better one, by the difference of the ratings."""
    p_holm: float | None = None
    """Of "no difference", two-sided, adjusted by Holm for all pairs."""


class ArenaAgreement(_Part):
    """Of a judge with the majority of people."""

    n: int
    accuracy: float
    accuracy_no_ties: float | None = None
    cohen: float | None = None


class ArenaJudge(_Part):
    """One judge, measured."""

    judge: str
    kind: Literal["llm", "human", "imported", "dry_run"]
    calls: int
    unparsed: int = 0
    failed: int = 0
    not_played: int = 0
    """Battles that nobody was asked about, because an answer is missing."""
    ambiguous: int = 0
    """Judgments with several different verdicts; the last one counts."""
    ties: float | None = None
    """Share of verdicts."""
    pairs: int = 0
    """Comparisons that were judged in both orders."""
    consistency: float | None = None
    """Share of these with the same verdict in both."""
    kappa_orders: float | None = None
    """Cohen's κ between the two orders."""
    first_position_share: float | None = None
    """Of verdicts that are no ties, those for the answer shown first; 0.5 is fair."""
    longer_share: float | None = None
    """Of verdicts that are no ties, those for the longer answer."""
    cost: float | None = None
    """US dollars; null where no price is given."""
    mean_latency_s: float | None = None
    with_people: ArenaAgreement | None = None


class ArenaPanel(_Part):
    """How far the judges of a panel agree with each other."""

    judges: int
    alpha: float | None = None
    """Krippendorff's, nominal."""
    fleiss: float | None = None


class ArenaTerm(_Part):
    """What a covariate of the rating model is worth."""

    name: str
    points: float
    """Lead of a model that has one standard deviation more of it."""
    stderr: float | None = None


class ArenaCycle(_Part):
    """Each model won more often than it lost against the next, the last one against the first."""

    models: tuple[str, ...]
    margin: int
    """By at least so many wins."""


class ArenaCounts(_Part):
    questions: int
    battles: int
    """Calls of judges, votes of people, and battles that were not played."""
    comparisons: int
    """Question × pair × turn; in single mode question × model × turn."""
    undecided: int
    why: dict[str, int] = Field(default_factory=dict)
    """The undecided ones by reason."""
    superseded: int = 0
    """Rows that a later row of the same call replaced."""
    stale: int = 0
    """Rows about answers that have changed since."""


class ArenaReport(_Part):
    mode: Literal["single", "pairwise-baseline", "pairwise-all"]
    baseline: dict[str, str] | None = None
    dry_run: bool = False
    """Verdicts were drawn, no judge was asked."""
    counts: ArenaCounts
    models: tuple[ArenaModel, ...]
    """In pairwise modes; by component, best first."""
    components: tuple[tuple[str, ...], ...] = ()
    pairs: tuple[ArenaPair, ...] = ()
    judges: tuple[ArenaJudge, ...] = ()
    panel: ArenaPanel | None = None
    style: tuple[ArenaTerm, ...] = ()
    """Terms of ``rating_style``."""
    first_position: ArenaTerm | None = None
    """What being shown first is worth, where only one order was asked; in the ratings it is taken out."""
    davidson_nu: float | None = None
    cycle: ArenaCycle | None = None
    """The strongest; null where the majorities have no circle."""
    misfit_chi2: float | None = None
    """Pearson's χ² of the pairs against the ratings; comparisons on one question are not independent, so that it is
    large for correlated questions, too."""
    misfit_df: int | None = None
    separability: float | None = None
    """Share of pairs of models whose intervals do not overlap."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """How battles became decisions and decisions ratings."""

    @property
    def level(self) -> float:
        """Of the intervals."""
        ci = self.settings.get("ci")
        level = ci.get("level") if isinstance(ci, dict) else None
        return float(level) if isinstance(level, int | float) else 0.95
