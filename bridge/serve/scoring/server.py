"""``python server.py --model DIR …``: tells the log-probability of each token of a text, as vLLM does.

It writes nothing: ``/v1/completions`` takes at most one new token and gives none back. Requests that are waiting are
scored together, the longest ones first so that a batch is little padded.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

GATHER_S = 0.01
"""How long a batch that is not full waits for company."""


@dataclass
class Waiting:
    """A text that is to be scored."""

    ids: list[int]
    done: Future[list[float]] = field(default_factory=Future)


class Scorer:
    """The model, and the queue in front of it."""

    def __init__(self, path: str, dtype: str, device: str, batch_size: int, arguments: dict[str, Any]) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.device = _device(device)
        model = AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **arguments)
        self.model = model.to(self.device).eval()
        self.longest = getattr(model.config, "max_position_embeddings", None)
        self.batch_size = batch_size
        self._queue: list[Waiting] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def encode(self, prompt: str | list[int]) -> list[int]:
        return prompt if isinstance(prompt, list) else list(self.tokenizer(prompt)["input_ids"])

    def score(self, ids: list[int]) -> list[float]:
        """Natural logarithms, of every token but the first."""
        one = Waiting(ids)
        with self._changed:
            self._queue.append(one)
            self._changed.notify()
        return one.done.result()

    def _work(self) -> None:
        while True:
            batch = self._next_batch()
            try:
                for one, values in zip(batch, self._forward([one.ids for one in batch]), strict=True):
                    one.done.set_result(values)
            except Exception as error:  # noqa: BLE001 - a batch that is too large must not end the server
                for one in batch:
                    if not one.done.done():
                        one.done.set_exception(error)

    def _next_batch(self) -> list[Waiting]:
        with self._changed:
            while not self._queue:
                self._changed.wait()
        if len(self._queue) < self.batch_size:
            time.sleep(GATHER_S)
        with self._changed:
            self._queue.sort(key=lambda one: -len(one.ids))
            batch, self._queue = self._queue[: self.batch_size], self._queue[self.batch_size :]
            return batch

    def _forward(self, texts: list[list[int]]) -> list[list[float]]:
        """Padded on the right: what follows a text cannot be seen from it, and its positions start at 0."""
        width = max(map(len, texts))
        ids = torch.zeros((len(texts), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1
        with torch.inference_mode():
            logits = self.model(ids.to(self.device), attention_mask=mask.to(self.device)).logits
            return [self._of_row(logits[row, : len(text) - 1], text) for row, text in enumerate(texts)]

    def _of_row(self, logits: torch.Tensor, text: list[int]) -> list[float]:
        """In single precision whatever the weights are in; a row at a time, since a vocabulary is wide."""
        wide = logits.float()
        chosen = wide.gather(1, torch.tensor(text[1:], device=wide.device)[:, None])[:, 0]
        found: list[float] = (chosen - wide.logsumexp(-1)).tolist()
        return found


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


class Refused(Exception):
    """What this server cannot do; one line."""


def completion(scorer: Scorer, asked: dict[str, Any]) -> dict[str, Any]:
    prompt = asked.get("prompt")
    if not isinstance(prompt, str) and not (isinstance(prompt, list) and all(isinstance(one, int) for one in prompt)):
        raise Refused("'prompt' is to be a text, or a list of token ids")
    if asked.get("max_tokens", 16) > 1 or asked.get("stream"):
        raise Refused("this server scores texts and writes none: set max_tokens to 1")
    ids = scorer.encode(prompt)
    if scorer.longest is not None and len(ids) > scorer.longest:
        raise Refused(f"maximum context length is {scorer.longest} tokens, the prompt has {len(ids)}")
    choice: dict[str, Any] = {"index": 0, "text": "", "finish_reason": "length"}
    if asked.get("prompt_logprobs") is not None:
        told = scorer.score(ids) if len(ids) > 1 else []
        choice["prompt_logprobs"] = [None, *({str(token): {"logprob": v}} for token, v in zip(ids[1:], told))]  # noqa: B905
    return {
        "object": "text_completion",
        "model": asked.get("model"),
        "choices": [choice],
        "usage": {"prompt_tokens": len(ids), "completion_tokens": 0, "total_tokens": len(ids)},
    }


def handler(scorer: Scorer, served_name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(200, {"object": "list", "data": [{"id": served_name, "object": "model"}]})

        def do_POST(self) -> None:
            try:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
                if self.path != "/v1/completions":
                    raise Refused("this server scores texts: it has /v1/completions and nothing else")
                self._reply(200, completion(scorer, body))
            except (Refused, ValueError, TypeError, AttributeError, LookupError) as error:
                self._reply(400, {"error": {"message": str(error), "type": "invalid_request_error"}})
            except (RuntimeError, MemoryError) as error:
                self._reply(500, {"error": {"message": str(error).partition("\n")[0], "type": "server_error"}})

        def _reply(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """A line per request would be all that the log holds."""

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--model", "--served-name", "--dtype", "--device", "--arguments"):
        parser.add_argument(name, required=True)
    for name in ("--port", "--batch-size"):
        parser.add_argument(name, type=int, required=True)
    given = parser.parse_args()
    scorer = Scorer(given.model, given.dtype, given.device, given.batch_size, json.loads(given.arguments))
    server = Server(("127.0.0.1", given.port), handler(scorer, given.served_name))
    sys.stdout.write(f"scores on http://127.0.0.1:{server.server_address[1]}, {scorer.device}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
