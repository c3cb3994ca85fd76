"""A model that is named by its id is fetched from a hub, by what serves it."""

from __future__ import annotations

from pathlib import Path

import pytest
from serve.hub_server import hub_with
from serve.live import ask

from bridge.envs import ensure
from bridge.errors import ServeError
from bridge.serve import environment_of, serve
from bridge.serve.abilities import likelihood_way
from bridge.spec import ModelSpec

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart" / "model"
pytestmark = pytest.mark.env


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    return cache


async def test_local_weights_and_ms_swift_fetch_it_and_go_on_offline(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = ModelSpec.model_validate({"name": "tiny", "local": {"path": "org/tiny", "device": "cpu"}})
    deploy = {"path": "org/tiny", "model_type": "qwen2", "template": "qwen", "env": {"USE_HF": "1"}}
    served_by_swift = ModelSpec.model_validate({"name": "tiny", "deploy": deploy})
    pythons = {model.model_dump_json(): await ensure(environment_of(model)) for model in (local, served_by_swift)}

    def serving(model: ModelSpec) -> object:
        python = pythons[model.model_dump_json()]
        return serve(model, python=python, concurrency=2, log=tmp_path / "log.txt", progress=lambda line: None)

    with hub_with("org/tiny", QUICKSTART) as (url, asked):
        monkeypatch.setenv("HF_ENDPOINT", url)
        async with serving(served_by_swift) as served:  # type: ignore[attr-defined]
            assert await ask(served)
        assert any(path.endswith("/model.safetensors") for path in asked)
        with pytest.raises(ServeError, match="org/other is no folder on this machine, and Hugging Face has no model"):
            async with serve(
                local.model_copy(update={"local": local.local.model_copy(update={"path": "org/other"})}),  # type: ignore[union-attr]
                python=pythons[local.model_dump_json()],
                concurrency=2,
                log=tmp_path / "log.txt",
                progress=lambda line: None,
            ):
                pass
    async with serving(local) as served:  # type: ignore[attr-defined]
        assert await likelihood_way(served.base_url, served.model, api_key=None, timeout_s=30) == "prompt_logprobs"
