"""``python -m bridge.native job.json``: evaluates the datasets of one job.

The same job started again goes on where it stopped. Exit codes: 0 every sample has a score, 7 some have none, 5 data
that could not be read, 130 stopped; see ``bridge.errors`` for the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.traffic import judge_traffic
from bridge.errors import EXIT_COMPLETE, EXIT_PARTIAL, BackendFailed, BridgeError, Interrupted, SpecError
from bridge.native.engine import Engine, OpenDataset
from bridge.native.job import BASE_URL_ENV, JudgeJob, NativeJob, read_job, samples_file
from bridge.native.judging import judging_from
from bridge.native.panel import Judge, Panel
from bridge.native.progress import Ledger, read_state
from bridge.native.questions import Questions, questions_of
from bridge.native.readers import DataError
from bridge.native.recipe import recipe
from bridge.native.records import SampleWriter
from bridge.native.scorers.pool import ScorerPool


def main(argv: list[str]) -> int:
    if len(argv) != 1 or BASE_URL_ENV not in os.environ:
        sys.stderr.write(f"usage: {BASE_URL_ENV}=URL python -m bridge.native job.json\n")
        return SpecError.exit_code
    path = Path(argv[0])
    folder = path.absolute().parent
    job = read_job(path)
    ledger = Ledger(folder, {dataset.id: dataset.repeats for dataset in job.datasets})
    opened = _open(job, ledger)
    if _is_finished(folder, ledger):
        return EXIT_COMPLETE
    try:
        return _evaluate(job, folder, opened, ledger)
    except (BridgeError, OSError) as error:
        reason = _one_line(error)
        sys.stderr.write(f"{reason}\n")
        with contextlib.suppress(OSError):
            _count(opened, ledger)
            ledger.tell()
            ledger.close("failed", reason)
        return error.exit_code if isinstance(error, BridgeError) else BackendFailed.exit_code


def _one_line(error: BridgeError | OSError) -> str:
    if isinstance(error, BridgeError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; make room or mend it, then run the same command again to go on"


def _open(job: NativeJob, ledger: Ledger) -> list[Questions]:
    """The datasets whose files are there; what is wrong with the others is in the ledger."""
    opened = []
    for dataset in job.datasets:
        state = ledger.datasets[dataset.id]
        try:
            questions = questions_of(dataset)
            state.recipe = recipe(job, questions)
        except (DataError, OSError) as error:
            state.problems.append(str(error))
            continue
        state.notes += questions.notes
        opened.append(questions)
    return opened


def _is_finished(folder: Path, ledger: Ledger) -> bool:
    status, _, before = read_state(folder)
    same = {name: state.recipe for name, state in before.items()} == {n: s.recipe for n, s in ledger.datasets.items()}
    return status == "finished" and same and all(samples_file(folder, name).exists() for name in ledger.datasets)


def _evaluate(job: NativeJob, folder: Path, opened: list[Questions], ledger: Ledger) -> int:
    with contextlib.ExitStack() as stack:
        _set_aside(folder, ledger)
        ledger.close("running")
        datasets = []
        for questions in opened:
            path = samples_file(folder, questions.dataset.id)
            writer = stack.enter_context(SampleWriter(path, questions.dataset.repeats))
            judging = questions.dataset.judging and judging_from(questions.dataset.judging)
            datasets.append(OpenDataset(questions.dataset, questions, writer, judging or None))
        store = stack.enter_context(RequestStore((folder / job.store).resolve()))
        interrupted, down = asyncio.run(_run(job, datasets, store, ledger))
        if store.warning:
            sys.stderr.write(f"{store.warning}\n")
    if interrupted:
        _count(opened, ledger)
    return _close(ledger, interrupted, down)


def _count(opened: list[Questions], ledger: Ledger) -> None:
    """How much there would have been, where the end came before it was known."""
    for questions in opened:
        state = ledger.datasets[questions.dataset.id]
        if state.expected is None and (expected := questions.expected()) is not None:
            state.expected = list(expected.items())


def _set_aside(folder: Path, ledger: Ledger) -> None:
    """Records of other data, settings or code are not gone on from; their answers are still in the cache."""
    _, _, before = read_state(folder)
    for name, state in ledger.datasets.items():
        path = samples_file(folder, name)
        if path.exists() and (name not in before or before[name].recipe != state.recipe):
            path.replace(path.with_suffix(".superseded"))


async def _run(job: NativeJob, datasets: list[OpenDataset], store: RequestStore, ledger: Ledger) -> tuple[str, str]:
    """Evaluates until the end or a signal. Returns the signal's name, and why the endpoint was given up."""
    stop = asyncio.Event()
    caught: list[str] = []
    loop = asyncio.get_running_loop()

    def catch(name: str) -> None:
        caught.append(name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, catch, number.name)
    workers = job.score_workers or max(1, (os.cpu_count() or 2) - 1)
    names = sorted({one.dataset.benchmark for one in datasets if one.judging is None})
    pool = ScorerPool(names, workers=workers, limit_s=job.score_timeout_s)
    async with _client(job, store, job, BASE_URL_ENV) as client, pool, _panel(job, store) as panel:
        work = asyncio.create_task(Engine(job, datasets, client, pool, panel, ledger).run())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if caught:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return caught[0], client.down_reason or panel.down_reason
        work.result()
        return "", client.down_reason or panel.down_reason


def _client(job: NativeJob, store: RequestStore, whom: NativeJob | JudgeJob, url_env: str) -> Client:
    """For the job's model, or one of its judges."""
    return Client(
        os.environ[url_env],
        api_key=os.environ.get(whom.api_key_env) if whom.api_key_env else None,
        store=store,
        concurrency=job.concurrency,
        max_retries=job.max_retries,
        timeout_s=job.request_timeout_s,
        upstream=whom.identity or None,
        rename={whom.model: whom.served_model or whom.model},
        shown_url=whom.shown_url,
        dialect=whom.dialect,
    )


@contextlib.asynccontextmanager
async def _panel(job: NativeJob, store: RequestStore) -> AsyncIterator[Panel]:
    """The judges, each behind a client of its own."""
    async with contextlib.AsyncExitStack() as stack:
        judges = []
        for at, judge in enumerate(job.judges):
            client = await stack.enter_async_context(_client(job, store, judge, judge.base_url_env))
            judges.append(Judge(judge, client, judge_traffic(job.traffic, at)))
        yield Panel(judges)


def _close(ledger: Ledger, interrupted: str, down: str) -> int:
    ledger.tell()
    states = ledger.datasets.values()
    if interrupted:
        ledger.close("interrupted", f"stopped by {interrupted}; the same command goes on from here")
        return Interrupted.exit_code
    if down:
        ledger.close("endpoint", down)
        return EXIT_PARTIAL
    if any(state.failed or state.problems for state in states):
        ledger.close("incomplete", "some samples have no score")
        return BackendFailed.exit_code if any(state.problems for state in states) else EXIT_PARTIAL
    ledger.close("finished")
    return EXIT_COMPLETE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
