"""Whether the folder of a run is whole and as it was when its report was written."""

from bridge.verify.check import verify
from bridge.verify.schema import Finding, Verification

__all__ = ["Finding", "Verification", "verify"]
