"""How many words make a prompt of so many tokens: by the tokenizer that is named, else by asking the server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bridge.native.perf.job import PerfJob
from bridge.native.perf.prompts import Lengths, by_tokenizer, measured, probe_body
from bridge.native.perf.sse import read_stream
from bridge.native.perf.watch import Watchful
from bridge.native.perf.wire import Pool, Target, reaching

FEW, MANY = 8, 128
"""Words of the two prompts by which the server's counting is seen."""
PATIENCE_S = 60.0


async def measure_lengths(job: PerfJob, target: Target, watchful: Watchful) -> Lengths:
    """Raises ServeError where the server cannot be reached, SpecError where a tokenizer cannot be used."""
    prompts = job.perf.prompts
    if prompts.tokenizer is not None:
        return by_tokenizer(Path(prompts.tokenizer))
    if prompts.kind == "jsonl":
        return Lengths()
    pool = Pool(target, watchful)
    try:
        with reaching():
            few, many = await asyncio.gather(*(_counted(pool, job.served_model, words) for words in (FEW, MANY)))
    finally:
        pool.close()
    return measured((FEW, few), (MANY, many))


async def _counted(pool: Pool, model: str, words: int) -> int | None:
    """Tokens of the prompt as the server counts them; None where it does not say."""
    wire = pool.take() or await pool.open()
    exchange = wire.send(pool.target.request(probe_body(model, words)))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await exchange.ended
    except TimeoutError:
        wire.close()
        return None
    pool.give_back(wire)
    *_, answer = read_stream(exchange.pieces, exchange.read_at)
    return answer.prompt_tokens if exchange.status == 200 else None
