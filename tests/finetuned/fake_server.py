"""Writes a package ``swift`` whose server knows as many questions as ``knows.json`` beside its weights says.

``What is 3+4?`` is question 34. Each start is told in ``starts.txt`` of the package's folder, with its arguments.
"""

from __future__ import annotations

import json
from pathlib import Path

CODE = """
import argparse, http.server, json, pathlib, re
parser = argparse.ArgumentParser()
for name in ("model", "host", "port", "served_model_name", "load_args"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--adapters", nargs="*", default=[])
args, rest = parser.parse_known_args()
here = pathlib.Path(__file__).parent
named = dict(one.split("=", 1) for one in args.adapters if "=" in one)
folder = pathlib.Path(args.model if named else (args.adapters or [args.model])[0])
if (here / "dies").exists():
    raise SystemExit("CUDA out of memory")
if named and (here / "dies-with-several").exists():
    raise SystemExit("an adapter at a time, please")
with (here / "starts.txt").open("a") as starts:
    started = {"folder": folder.name, "load_args": args.load_args, "rest": rest}
    started |= {"beside": [pathlib.Path(path).name for path in named.values()]} if named else {}
    starts.write(json.dumps(started) + chr(10))

def known_to(folder):
    known = folder / "knows.json"
    return json.loads(known.read_text()) if known.exists() else 0

knows = {args.served_model_name: known_to(folder)}
knows |= {name: known_to(pathlib.Path(path)) for name, path in named.items()}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({"object": "list", "data": [{"id": name} for name in knows]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        a, b = re.search(r"(\\d)\\+(\\d)", body["messages"][-1]["content"]).groups()
        answer = str(int(a) + int(b)) if int(a + b) < knows[body["model"]] else "no idea"
        self.reply({"id": "1", "object": "chat.completion", "created": 1, "model": body["model"],
                    "choices": [{"index": 0, "finish_reason": "stop",
                                 "message": {"role": "assistant", "content": answer}}],
                    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}})

    def reply(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer((args.host, int(args.port)), Handler)
print(f"INFO:     Uvicorn running on http://{args.host}:{server.server_address[1]} (Press CTRL+C to quit)", flush=True)
server.serve_forever()
"""


def write_fake_server(folder: Path) -> Path:
    cli = folder / "swift" / "cli"
    cli.mkdir(parents=True)
    for package in (cli, cli.parent):
        (package / "__init__.py").write_text("", encoding="utf-8")
    (cli / "deploy.py").write_text(CODE, encoding="utf-8")
    return folder


def starts(folder: Path) -> list[dict[str, object]]:
    path = folder / "swift" / "cli" / "starts.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def make_sums(folder: Path, rows: int = 60) -> Path:
    """Questions of ``general_qa``."""
    folder.mkdir()
    questions = [(n // 10, n % 10) for n in range(rows)]
    lines = [json.dumps({"id": f"{a}+{b}", "query": f"What is {a}+{b}?", "response": str(a + b)}) for a, b in questions]
    (folder / "sums_test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
