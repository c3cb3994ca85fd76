"""A video dataset whose files are there: frames are cut out of them and sent as images."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import FaultServer
from server_thread import serving
from vlm_runs import python_of

from bridge.adapters.vlmevalkit.translate import FULL

pytestmark = pytest.mark.env

DRAW = """
import sys
import cv2, numpy
for number in range(3):
    out = cv2.VideoWriter(f"{sys.argv[1]}/v{number}.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 10, (128, 128))
    for frame in range(40):
        out.write(numpy.full((128, 128, 3), (frame * 6, number * 80, 40), dtype=numpy.uint8))
    out.release()
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Video-MME's own layout."""
    folder = tmp_path_factory.mktemp("Video-MME")
    (folder / "video").mkdir()
    subprocess.run([str(python_of(FULL)), "-c", DRAW, str(folder / "video")], check=True, capture_output=True)
    options = ["A. red", "B. green", "C. blue", "D. grey"]
    rows = [
        {
            "index": at,
            "video": f"v{at}",
            "video_path": f"./video/v{at}.mp4",
            "duration": ["short", "medium", "long"][at],
            "domain": "Knowledge",
            "candidates": str(options),
            "sub_category": "Astronomy",
            "task_type": "Object Recognition",
            "subtitle_path": f"./subtitle/v{at}.srt",
            "question": f"Item {at}: which colour?",
            "answer": "ABC"[at],
        }
        for at in range(3)
    ]
    vlm_toys.write(folder / "Video-MME.tsv", rows)
    return folder


def test_frames_are_sent(videos: Path, tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    datasets = [
        {"name": "Video-MME", "path": str(videos)},
        {"name": "Video-MME_8frame", "alias": "preset", "path": str(videos), "limit": 2},
    ]
    task = kit_task(datasets, options={"vlmevalkit": {"video": {"nframe": 4}}})
    with pytest.raises(Exception, match="a preset that says itself which frames"):
        kit_run(task, "http://127.0.0.1:9/v1", tmp_path)
    for number, (dataset, frames, options) in enumerate(
        [(datasets[0], 4, {"video": {"nframe": 4}}), (datasets[1], 8, {}), (datasets[0], 4, {"video": {"fps": 1.0}})]
    ):
        with serving(FaultServer(answer=lambda _: "A")) as server:
            task = kit_task([dataset], options={"vlmevalkit": options})
            ran = kit_run(task, server.server.base_url, tmp_path / str(number))
            bodies = [asked.body for asked in server.server.journal]
        name = dataset.get("alias", dataset["name"])
        row = ran.primary(name)
        assert row.n == len(bodies) == (2 if number == 1 else 3), row.reason
        for body in bodies:
            parts = body["messages"][0]["content"]
            assert sum(part["type"] == "image_url" for part in parts) == frames
        assert not list((videos / "video").glob("*.jpg"))
        assert {sample.response for sample in ran.samples(name).values()} == {"A"}


def test_files_that_are_not_there(tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    """Nothing is downloaded beside a folder that the user has named."""
    rows = [{"index": 0, "video": "v0", "video_path": "./video/v0.mp4", "question": "?", "answer": "A"}]
    vlm_toys.write(tmp_path / "data" / "Video-MME.tsv", rows)
    task = kit_task([{"name": "Video-MME", "path": str(tmp_path / "data")}])
    ran = kit_run(task, "http://127.0.0.1:9/v1", tmp_path / "run")
    assert "does not hold all files of this dataset, and nothing is downloaded" in ran.primary("Video-MME").reason
