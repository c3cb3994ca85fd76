"""A backend for tests of the pipeline: a real subprocess that asks the model a few sums through the gateway.

Its job is thirty lines of standard library; what it does wrong is set by ``options.fake``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Literal

from bridge.backend import (
    FULL,
    BenchmarkResult,
    DatasetInfo,
    Endpoint,
    EnvSpec,
    Feature,
    Gap,
    Job,
    Level,
    Outcome,
    Support,
    Task,
)
from bridge.errors import Problem
from bridge.report.aggregate import MetricInfo, aggregate
from bridge.report.schema import ErrorKind, ReportError, ResultRow, SampleRecord

ROWS = 12
SCRIPT = """
import json, os, sys, time, urllib.error, urllib.request
job = json.load(open("job.json"))
if job.get("crash"):
    print("the framework fell over", file=sys.stderr)
    sys.exit(3)
with open("out.jsonl", "w") as out:
    for dataset in job["datasets"]:
        for i in range(job["rows"]):
            time.sleep(job.get("pause_s", 0))
            messages = [{"role": "user", "content": f"{dataset} {i}"}]
            body = json.dumps({"model": job["model"], "temperature": 0.0, "messages": messages})
            request = urllib.request.Request(job["base_url"] + "/chat/completions", body.encode(),
                {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["FAKE_KEY"]})
            try:
                answer = json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"]
            except (urllib.error.URLError, OSError):
                answer = None
            out.write(json.dumps({"dataset": dataset, "id": i, "answer": answer}) + "\\n")
            out.flush()
"""


class FakeBackend:
    name = "fake"
    env = EnvSpec("fake", version="1.2.3")
    support: Support = dict.fromkeys(Feature, FULL) | {Feature.SEED: Gap(Level.NEVER, "it has no dice")}
    route: Literal["gateway", "direct"] = "gateway"
    on_failed_request: Literal["error", "placeholder"] = "placeholder"

    def datasets(self) -> Mapping[str, DatasetInfo]:
        return {name: DatasetInfo(name, self.name) for name in ("sums", "words")}

    def resolve(self, name: str) -> DatasetInfo | None:
        return self.datasets().get(name)

    def check(self, task: Task) -> list[Problem]:
        return []

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        job = {
            "base_url": endpoint.base_url,
            "model": endpoint.model,
            "datasets": [dataset.id for dataset in task.datasets],
            "rows": task.spec.limit or ROWS,
            **task.spec.options.get(self.name, {}),
        }
        return [
            Job(
                id=self.name,
                backend=self.name,
                datasets=tuple(dataset.id for dataset in task.datasets),
                argv=("python", "job.py"),
                env_spec=self.env,
                files={"job.json": json.dumps(job), "job.py": SCRIPT},
                env={"FAKE_KEY": endpoint.api_key},
                timeout_s=task.spec.job_timeout_s,
            )
        ]

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        return [self._result(dataset.id, outcome, task) for dataset in task.datasets]

    def _result(self, dataset: str, outcome: Outcome, task: Task) -> BenchmarkResult:
        records = list(_records(dataset, outcome, task.spec.limit or ROWS))
        template = ResultRow(
            model=outcome.model, backend=self.name, backend_version="1.2.3", dataset=dataset, metric="", value=None, n=0
        )
        rows = aggregate(records, template=template, metrics=[MetricInfo("answered", primary=True)])
        missing = sum(record.error is not None for record in records)
        failed = outcome.exit_code not in (0, None) and outcome.stopped is None
        kind = ErrorKind.BACKEND if failed else ErrorKind.UNANSWERED
        errors = [ReportError(kind=kind, message=outcome.reason or "not answered", count=missing, dataset=dataset)]
        return BenchmarkResult(dataset, rows, records, tuple(errors) if missing else ())


def _records(dataset: str, outcome: Outcome, rows: int) -> Iterable[SampleRecord]:
    path = outcome.dir / "out.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    answers = {line["id"]: line["answer"] for line in lines if line["dataset"] == dataset}
    for i in range(rows):
        answer = answers.get(i)
        lost = answer is None or (outcome.failed_marker and outcome.failed_marker in answer)
        yield SampleRecord(
            model=outcome.model,
            dataset=dataset,
            sample_id=str(i),
            input=f"{dataset} {i}",
            response=None if lost else answer,
            scores={} if lost else {"answered": 1.0},
            error="not answered" if lost else None,
        )
