"""vLLM, SGLang and LMDeploy by their own commands; what is started here is a stand-in with their arguments."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from serve.live import ask, deployed, failure, killed_bridge_leaves, logged, processes, serving

from bridge.serve import check, describe, environment_of, own_servers
from bridge.serve.own_servers import OWN_SERVERS
from bridge.spec import DeploySpec

STAND_IN = """
import http.server, json, os, subprocess, sys, time
words = sys.argv[1:]
print("argv:", json.dumps(words), flush=True)
if os.environ.get("FAKE") == "dies":
    print("Traceback (most recent call last):", file=sys.stderr)
    sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB.")
if os.environ.get("FAKE") == "child":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", *words])
def of(*names):
    return next(words[words.index(name) + 1] for name in names if name in words)
ids = [of("--served-model-name", "--model-name")]
for switch in ("--lora-modules", "--adapters"):
    at = words.index(switch) + 1 if switch in words else len(words)
    while at < len(words) and not words[at].startswith("--"):
        ids.append(words[at].split("=")[0])
        at += 1

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({"data": [{"id": one} for one in ids]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        self.reply({"choices": [{"message": {"content": str(ids.index(asked))}}]})

    def reply(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass

time.sleep(0.1)
http.server.ThreadingHTTPServer(("127.0.0.1", int(of("--port", "--server-port"))), Handler).serve_forever()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "engine"
    path.write_text(f"#!{sys.executable}\n{STAND_IN}", encoding="utf-8")
    path.chmod(0o755)
    return path


def line(deploy: DeploySpec, adapters: dict[str, str] | None = None) -> tuple[str, ...]:
    settings = own_servers.settings_of(deploy, path="/m", adapters=adapters or {})
    return own_servers.command_line(deploy, settings, port=1234, served_name="tiny-1")


def test_command_lines(adapter: Path) -> None:
    """As the engines' documentation has them, and everything that bridge can be told."""
    (adapter / "adapter_config.json").write_text(json.dumps({"r": 24}), encoding="utf-8")
    common: dict[str, Any] = {"path": "/m", "dtype": "bfloat16", "tensor_parallel": 2, "chat_template": "/t.jinja"}
    args = {"--max-model-len": 512, "enable_prefix_caching": False, "hf_overrides": {"a": 1}}
    assert line(DeploySpec(engine="vllm", args=args, **common), {"tuned": str(adapter)}) == (
        *("vllm", "serve", "/m", "--dtype", "bfloat16", "--tensor-parallel-size", "2", "--chat-template", "/t.jinja"),
        *("--enable-lora", "--lora-modules", f"tuned={adapter}", "--max-lora-rank", "32", "--max-loras", "1"),
        *("--max-model-len", "512", "--no-enable-prefix-caching", "--hf-overrides", '{"a": 1}'),
        *("--host", "127.0.0.1", "--port", "1234", "--served-model-name", "tiny-1"),
    )
    assert line(
        DeploySpec(engine="sglang", args={"mem_fraction_static": 0.8, "disable_radix_cache": True}, **common)
    ) == (
        *("python", "-m", "sglang.launch_server", "--model-path", "/m", "--dtype", "bfloat16", "--tp-size", "2"),
        *("--chat-template", "/t.jinja", "--mem-fraction-static", "0.8", "--disable-radix-cache"),
        *("--host", "127.0.0.1", "--port", "1234", "--served-model-name", "tiny-1"),
    )
    assert line(DeploySpec(engine="lmdeploy", args={"backend": "pytorch"}, **common), {"tuned": "/a"}) == (
        *("lmdeploy", "serve", "api_server", "/m", "--dtype", "bfloat16", "--tp", "2", "--chat-template", "/t.jinja"),
        *("--adapters", "tuned=/a", "--backend", "pytorch"),
        *("--server-name", "127.0.0.1", "--server-port", "1234", "--model-name", "tiny-1"),
    )
    own = DeploySpec(
        engine="vllm", path="/m", command=("/opt/vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server")
    )
    assert line(own)[:3] == own.command


@pytest.mark.parametrize("engine", OWN_SERVERS)
async def test_it_is_started_answers_and_is_gone(engine: Any, tmp_path: Path, weights: Path, program: Path) -> None:
    model = deployed(weights, engine=engine, command=(str(program),), env={"FAKE": "child"})
    assert check(model) == []
    assert environment_of(model).lock is None
    async with serving(model, tmp_path) as served:
        assert await ask(served) == "0"
        assert served.identity.startswith(f"{engine}:")
        assert served.model in logged(tmp_path, "argv")
        assert len(processes(served.model)) >= 3
    assert processes(served.model) == []
    assert describe(model).engine == engine


async def test_an_adapter_has_a_name_of_its_own(tmp_path: Path, weights: Path, adapter: Path, program: Path) -> None:
    model = deployed(weights, engine="vllm", command=(str(program),), adapters=(str(adapter),))
    async with serving(model, tmp_path) as served:
        assert await ask(served) == "1"
        argv = logged(tmp_path, "argv")
        assert argv[argv.index("--lora-modules") + 1] == f"{served.model}={adapter}"
        assert argv[argv.index("--served-model-name") + 1] != served.model


async def test_out_of_memory_is_told_with_what_to_do(tmp_path: Path, weights: Path, program: Path) -> None:
    said = await failure(deployed(weights, engine="vllm", command=(str(program),), env={"FAKE": "dies"}), tmp_path)
    assert said.splitlines()[0] == (
        "vllm with tiny model ended with exit code 1 before it answered; torch.OutOfMemoryError: CUDA out of memory. "
        "Tried to allocate 20.00 GiB.; lower deploy.args.max_batch_size or max_model_len, or use a smaller model"
    )


async def test_a_killed_bridge_leaves_no_server(tmp_path: Path, weights: Path, program: Path) -> None:
    model = deployed(weights, engine="sglang", command=(str(program),), env={"FAKE": "child"})
    assert await killed_bridge_leaves(model, tmp_path, Path(sys.executable)) == []


async def test_a_server_that_ends_by_itself_is_noticed(tmp_path: Path, weights: Path, program: Path) -> None:
    model = deployed(weights, engine="lmdeploy", command=(str(program),))
    async with serving(model, tmp_path) as served:
        for pid in processes(served.model):
            if Path(f"/proc/{pid}/cmdline").read_text().split("\0")[1] == str(program):
                os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(served.died.wait(), 10)
    assert served.reason[0].startswith("lmdeploy with tiny model was ended by signal 9")


def problems(weights: Path | str, **fields: Any) -> list[str]:
    return [str(problem) for problem in check(deployed(weights, **fields))]


def test_what_is_refused(weights: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert problems(weights, engine="vllm") == [
        "model.deploy.engine: there is no program vllm on PATH "
        "(install vllm in an environment of its own, and name its program: deploy.command)"
    ]
    found = problems(weights, engine="vllm", command=("/no/vllm", "serve"))
    assert found[0].startswith("model.deploy.command: there is no program /no/vllm (install vllm")
    monkeypatch.setattr(shutil, "which", str)
    found = problems(weights, engine="sglang", adapters=(str(adapter),), args={"x": False}, model_type="qwen2")
    assert [one.partition(" (")[0] for one in found] == [
        "model.deploy.adapters: sglang is told by a field of its own which adapter a request means, and none is sent",
        "model.deploy.model_type: is ms-swift's word; sglang has none",
        "model.deploy.args.x: sglang has no switch that turns something off",
    ]
    assert "vllm applies one adapter" in problems(weights, engine="vllm", adapters=(str(adapter), str(adapter)))[0]
    assert problems(
        weights, engine="vllm", args={"served_model_name": "x", "tensor-parallel-size": 2, "api_key": "k"}
    ) == [
        "model.deploy.args.served_model_name: bridge sets this itself (leave it out)",
        "model.deploy.args.tensor-parallel-size: bridge sets this itself (use deploy.tensor_parallel)",
        "model.deploy.args.api_key: bridge sets this itself (leave it out)",
    ]
    assert "there is no folder /no/model" in problems("/no/model", engine="lmdeploy")[0]


def test_through_ms_swift(weights: Path, program: Path) -> None:
    """Its environment has no engine but transformers; one that has is named."""
    found = problems(weights, args={"infer_backend": "vllm"})
    assert len(found) == 1 and "bridge's environment for ms-swift has no vllm (name yours: deploy.command" in found[0]
    mine = {"command": (str(program), "-m", "swift.cli.deploy"), "args": {"infer_backend": "vllm"}}
    assert problems(weights, tensor_parallel=2, **mine) == []
    assert environment_of(deployed(weights, **mine)).lock is None
    assert "is 'vlm'; allowed: transformers, vllm" in problems(weights, args={"infer_backend": "vlm"})[0]
    assert "splits no layers" in problems(weights, tensor_parallel=2)[0]
    assert "use deploy.template" in problems(weights, chat_template="x")[0]
