"""Writes a package ``swift`` whose ``swift.cli.deploy`` takes ms-swift's arguments and serves like it, in milliseconds.

``FAKE`` in its environment: ``dies``, ``dies-later`` (on the first chat request), ``never`` (listens, but lists
nothing), ``moves`` (to another port than the one asked for), ``child`` (has a child process, as engines have),
``one-adapter`` (refuses several). Where adapters have names it answers with the folder that the request's name means.
"""

from __future__ import annotations

from pathlib import Path

CODE = """
import argparse, http.server, json, os, subprocess, sys, time
parser = argparse.ArgumentParser()
for name in ("model", "host", "port", "served_model_name"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--adapters", nargs="*", default=[])
args, rest = parser.parse_known_args()
fake = os.environ.get("FAKE", "")
print("argv:", json.dumps(sys.argv[1:]), flush=True)
print("env:", json.dumps(dict(os.environ)), flush=True)
if fake == "dies":
    print("Traceback (most recent call last):", file=sys.stderr)
    sys.exit("ValueError: Failed to automatically match `model_type` for `/m`. Multiple possible types found: "
             "['qwen2', 'qwen2_gte']. Please specify")
if fake == "child":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)", args.served_model_name])

named = dict(one.split("=", 1) for one in args.adapters if "=" in one)
if fake == "one-adapter" and len(named) > 1:
    sys.exit("ValueError: this engine has room for one adapter")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ids = ["somebody-else"] if fake == "never" else [args.served_model_name, *named]
        self.reply({"object": "list", "data": [{"id": one} for one in ids]})

    def do_POST(self):
        if fake == "dies-later":
            os._exit(9)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        content = os.path.basename(named.get(asked, args.model)) if named else "7"
        self.reply({"choices": [{"message": {"content": content}}]})

    def reply(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass

time.sleep(0.1)
server = http.server.ThreadingHTTPServer((args.host, 0 if fake == "moves" else int(args.port)), Handler)
print(f"INFO:     Uvicorn running on http://{args.host}:{server.server_address[1]} (Press CTRL+C to quit)", flush=True)
server.serve_forever()
"""


def write_fake_swift(folder: Path) -> Path:
    (folder / "swift" / "cli").mkdir(parents=True)
    for package in ("swift", "swift/cli"):
        (folder / package / "__init__.py").write_text("", encoding="utf-8")
    (folder / "swift" / "cli" / "deploy.py").write_text(CODE, encoding="utf-8")
    return folder
