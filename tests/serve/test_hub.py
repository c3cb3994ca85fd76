from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from aiohttp import web
from serve.live import deployed, failure

from bridge.errors import ServeError
from bridge.serve import hub


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MODELSCOPE_ENDPOINT", "HF_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("USE_HF", "MODELSCOPE_CACHE", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


async def test_offline_an_id_fails_at_once(tmp_path: Path, no_hub: None) -> None:
    began = time.monotonic()
    said = await failure(deployed("Qwen/Qwen3-0.6B"), tmp_path)
    assert said == (
        "model tiny model: Qwen/Qwen3-0.6B is no folder on this machine, and ModelScope cannot be reached "
        "(offline? MODELSCOPE_ENDPOINT names a mirror); give the folder of a copy"
    )
    assert time.monotonic() - began < 20
    hugging = deployed("Qwen/Qwen3-0.6B", env={"USE_HF": "1"})
    assert "Hugging Face cannot be reached (offline? HF_ENDPOINT" in await failure(hugging, tmp_path)


@pytest.mark.parametrize(
    "layout",
    [
        ".cache/modelscope/models/Qwen--Qwen3-0.6B/snapshots/master",
        ".cache/modelscope/models/Qwen/Qwen3-0___6B",
        ".cache/modelscope/hub/models/Qwen/Qwen3-0___6B",
        ".cache/huggingface/hub/models--Qwen--Qwen3-0.6B/snapshots/abc",
    ],
)
async def test_offline_a_copy_in_a_hubs_cache_is_used(tmp_path: Path, no_hub: None, layout: str) -> None:
    copy = tmp_path / "home" / layout
    copy.mkdir(parents=True)
    with pytest.raises(ServeError):
        await hub.locate("Qwen/Qwen3-0.6B", "m", os.environ)
    (copy / "config.json").write_text("{}", encoding="utf-8")
    assert await hub.locate("Qwen/Qwen3-0.6B", "m", os.environ) == str(copy)


async def test_online_the_hub_is_asked_whether_it_has_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    async def model(request: web.Request) -> web.Response:
        return web.json_response(
            {}, status={"there": 200, "private": 403, "broken": 500}.get(request.match_info["m"], 404)
        )

    app = web.Application()
    app.router.add_get("/api/v1/models/org/{m}", model)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    environ = {"MODELSCOPE_ENDPOINT": f"http://127.0.0.1:{runner.addresses[0][1]}/", "HOME": "/nowhere"}
    try:
        assert await hub.locate("org/there", "m", environ) == "org/there"
        assert await hub.locate("org/private", "m", environ) == "org/private"
        with pytest.raises(ServeError, match="ModelScope has no model of that name"):
            await hub.locate("org/gone", "m", environ)
        with pytest.raises(ServeError, match="ModelScope answers HTTP 500"):
            await hub.locate("org/broken", "m", environ)
    finally:
        await runner.cleanup()
