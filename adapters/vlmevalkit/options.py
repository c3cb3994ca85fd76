"""``options.vlmevalkit`` of a spec; the docstrings are their reference."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bridge.adapters.asking.options import Options
from bridge.spec import JsonObject

Scorer = Literal["exact", "containment", "numeric", "anls", "math", "judge"]


class ImageOptions(Options):
    """How images are sent. VLMEvalKit sends every image as JPEG, in its own size."""

    size: Annotated[int, Field(ge=28)] | None = None
    """Longest side in pixels; larger images are scaled down. Default: as they are."""
    detail: Literal["low", "high"] | None = None
    """The field `detail` of OpenAI's API. Default: not sent."""


class VideoOptions(Options):
    """How videos become frames. A preset's name (`Video-MME_8frame`) says it too, and goes first."""

    nframe: Annotated[int, Field(ge=1)] | None = None
    """So many frames of each video, evenly spaced. Default: 8, where `fps` is not given."""
    fps: Annotated[float, Field(gt=0)] | None = None
    """So many frames of each second instead."""
    use_subtitle: bool = False
    """Show the subtitles, where a dataset has them."""


class KitOptions(Options):
    source: str | None = None
    """Folder of an upstream checkout (with `vlmeval/` in it) to use in place of ms-vlmeval."""
    lmu_data: str | None = None
    """Folder of VLMEvalKit's tables; default: the environment variable `LMUData`, else `~/LMUData`."""
    judge_for: Literal["all", "required"] = "all"
    """Where the spec's judge is used: wherever VLMEvalKit can use one, or only where there is no score without."""
    judge_args: dict[str, JsonObject] = Field(default_factory=dict)
    """By dataset: further arguments of its scorer (`--judge-args`), verbatim."""
    scorer: dict[str, Scorer] = Field(default_factory=dict)
    """By dataset, for `custom_vqa`: how an answer is compared. Default: `exact`."""
    image: ImageOptions = ImageOptions()
    """How images are sent."""
    video: VideoOptions = VideoOptions()
    """How videos become frames."""
    split_thinking: bool = False
    """Score what comes after `</think>` only (VLMEvalKit's `SPLIT_THINK`)."""
    system_prompt: str | None = None
    """Sent before every question."""
    custom_prompt: str | None = None
    """VLMEvalKit's prompts for one family of models (`--custom-prompt`): `qwen3`, `internvl3`, …"""
    one_by_one: bool = False
    """Evaluate one dataset at a time; saves memory, takes longer."""
