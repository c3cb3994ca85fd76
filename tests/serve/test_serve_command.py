"""``bridge serve SPEC``: the URL, and then it stays; the server is made up."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from threading import Thread

import pytest
from command import bridge

from bridge import envs
from bridge.backend import EnvSpec


@pytest.fixture
def spec(tmp_path: Path, weights: Path, fake: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    async def made_up(spec: EnvSpec, **settings: object) -> Path:
        return Path(sys.executable)

    monkeypatch.setattr(envs, "ensure", made_up)
    deploy = {"path": str(weights), "env": {"PYTHONPATH": str(fake), "FAKE": "dies-later"}}
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"model": {"name": "tiny", "deploy": deploy}, "datasets": ["gsm8k"]}))
    return path


def kill_it(log: Path) -> None:
    """The made-up server dies on the first chat."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = re.search(r"http://[\d.]+:\d+", log.read_text()) if log.exists() else None
        if found:
            time.sleep(1)
            try:
                urllib.request.urlopen(f"{found[0]}/v1/chat/completions", b"{}")
            except (urllib.error.URLError, ConnectionError):
                return
        time.sleep(0.1)


def test_it_says_where_the_model_is_and_stays_until_it_dies(tmp_path: Path, spec: Path) -> None:
    log = tmp_path / "logs" / "serve.log"
    killer = Thread(target=kill_it, args=(log,))
    killer.start()
    done = bridge("serve", spec, "--log", log)
    killer.join()
    assert done.exit_code == 4
    assert re.search(r"base_url: http://127\.0\.0\.1:\d+/v1\nmodel: tiny-[0-9a-f]{12}\n", done.stdout)
    assert "during the run" in done.stderr


def test_which_model(tmp_path: Path, spec: Path) -> None:
    done = bridge("serve", spec, "--model", "tinny")
    assert done.exit_code == 2
    assert "did you mean 'tiny'" in done.stderr


def test_an_endpoint_is_not_served_again(tmp_path: Path, spec: Path) -> None:
    value = {"model": {"name": "m", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}, "datasets": ["gsm8k"]}
    spec.write_text(json.dumps(value))
    done = bridge("serve", spec)
    assert done.exit_code == 2
    assert "is served already" in done.stderr
