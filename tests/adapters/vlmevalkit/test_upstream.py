"""An upstream checkout in place of ms-vlmeval: set ``EVALBRIDGE_VLMEVALKIT`` to its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import FaultServer
from server_thread import serving

SOURCE = os.environ.get("EVALBRIDGE_VLMEVALKIT", "")
pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(not SOURCE, reason="EVALBRIDGE_VLMEVALKIT names no checkout of VLMEvalKit"),
]
NAMES = ("MMBench_DEV_EN", "MMStar", "POPE", "ChartQA_TEST", "OCRBench", "MMMU_DEV_VAL")


def test_it_is_used_and_scores_as_the_package_does(tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    tables = vlm_toys.write_all(tmp_path / "tables", *NAMES)
    datasets = [{"name": name, "path": str(tables)} for name in NAMES]
    with serving(FaultServer(answer=vlm_toys.answer)) as server:
        package = kit_run(kit_task(datasets), server.server.base_url, tmp_path / "package")
        task = kit_task(datasets, options={"vlmevalkit": {"source": SOURCE}})
        upstream = kit_run(task, server.server.base_url, tmp_path / "upstream")
    assert [folder.name for folder in upstream.folders] == ["vlmevalkit-full"]
    for name in NAMES:
        row = upstream.primary(name)
        assert row.value == package.primary(name).value and row.status == "complete"
        assert row.backend_version.endswith(f"from {SOURCE}")
        assert row.settings["source"] == SOURCE
