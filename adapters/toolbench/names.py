"""Names, for whoever only lists."""

from __future__ import annotations

from typing import Final, Literal

BACKEND: Final = "toolbench"
Kind = Literal["toolbench_static", "toolbench_pass_rate", "toolbench_win_rate"]
STATIC: Final = "toolbench_static"
PASS_RATE: Final = "toolbench_pass_rate"
WIN_RATE: Final = "toolbench_win_rate"
SUBSETS = ("in_domain", "out_of_domain")
HUB_ID = "AI-ModelScope/ToolBench-Static"
