"""What a verification says; ``bridge verify --json`` prints it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Finding(BaseModel):
    model_config = ConfigDict(frozen=True)

    state: Literal["wrong", "note"]
    """``wrong``: the run is not whole, or was changed; ``note``: worth knowing, nothing is wrong with the run."""
    file: str
    """Relative to the run directory."""
    message: str


class Verification(BaseModel):
    model_config = ConfigDict(frozen=True)

    run: str
    digest: str | None
    """Of the seal; null where the run has none."""
    n_files: int
    """Files that were compared with the seal."""
    n_samples: int
    """Sample records that were read."""
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.state != "wrong" for finding in self.findings)
