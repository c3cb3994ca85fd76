"""Log-likelihoods by transformers alone, one text at a time: run by the interpreter of the environment ``local``.

``PYTHON likelihood_by_hand.py make TOKENIZER-FOLDER OUT``: a Llama with random weights, about the tokenizer.
``PYTHON likelihood_by_hand.py score MODEL TEXTS.json``: ``[[context, continuation], …]`` → their log-likelihoods.
``PYTHON likelihood_by_hand.py echo MODEL``: a server that has OpenAI's ``echo`` and nothing else; prints its port.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM


def make(tokenizer_folder, out):
    torch.manual_seed(11)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=8192,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(out)
    tokenizer.save_pretrained(out)


def log_probabilities(model, ids):
    """Of each token but the first, from the whole text in one pass without padding."""
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, :-1].double()
    return torch.log_softmax(logits, -1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].tolist()


def score(folder, texts):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    found = []
    for context, continuation in json.loads(Path(texts).read_text(encoding="utf-8")):
        before = len(tokenizer(context)["input_ids"])
        ids = tokenizer(context + continuation)["input_ids"]
        found.append(sum(log_probabilities(model, ids)[before - 1 :]))
    sys.stdout.write(json.dumps(found))


def echo(folder):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.reply(200, {"data": [{"id": "tiny"}]})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "prompt_logprobs" in body:
                self.reply(400, {"error": {"message": "prompt_logprobs: no such field"}})
                return
            ids = tokenizer(body["prompt"])["input_ids"]
            choice = {"text": "x", "finish_reason": "length"}
            if body.get("echo"):
                values = [None, *log_probabilities(model, ids), -1.0]
                choice = {
                    "text": body["prompt"] + "x",
                    "logprobs": {"token_logprobs": values},
                    "finish_reason": "length",
                }
            self.reply(200, {"choices": [choice], "usage": {"prompt_tokens": len(ids), "completion_tokens": 1}})

        def reply(self, status, body):
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    {"make": make, "score": score, "echo": echo}[sys.argv[1]](*sys.argv[2:])
