"""Writes docs/spec.md, arena-spec.md and report-schema.md from the models' own docstrings; with --check, only compares.

python scripts/make_docs.py [--check]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from bridge.arena_spec import ArenaSpec
from bridge.described import json_schema
from bridge.report.schema import EXIT_CODES, ErrorKind, Report, SampleRecord, Status
from bridge.spec import TaskSpec

DOCS = Path(__file__).parents[1] / "docs"
Schema = dict[str, Any]

SPEC_INTRO = """\
# The spec

A spec says what to evaluate, on what, and how. It is a YAML or JSON file:

```yaml
name: qwen3-sft
model:
  name: qwen3-0.6b-sft
  endpoint: {base_url: "http://127.0.0.1:8000/v1", api_key_env: OPENAI_API_KEY}
datasets:
  - gsm8k
  - {name: mmlu, backend: opencompass, subsets: [abstract_algebra], num_fewshot: 5, path: ../data/mmlu}
generation: {temperature: 0.0, max_tokens: 512}
limit: 100
```

Unknown fields are refused. A field that a backend cannot honour is refused, never dropped. Relative paths are taken
from the folder of the spec. `--set generation.max_tokens=64` on the command line changes one value. Secrets are named
by their environment variable and never written down. `bridge schema spec` prints the JSON schema.
"""

ARENA_INTRO = """\
# The arena's spec

Which models meet, on which questions, before which judges; [arena.md](arena.md) shows it at work:

```yaml
name: chat
models:
  - {name: tuned, endpoint: {base_url: "http://127.0.0.1:8000/v1"}}
  - {name: llama2, answers: ./answers/llama2.jsonl}
questions: {path: ./question.jsonl, limit: 80}
judge: {name: judge-model, endpoint: {base_url: "http://127.0.0.1:8001/v1", api_key_env: JUDGE_KEY}}
arena:
  mode: pairwise-all
```

What [spec.md](spec.md) says of files, places of problems, paths, `${NAME}` and `--set` holds here, too.
`bridge schema arena` prints the JSON schema.
"""

REPORT_INTRO = """\
# The report

A run's folder holds `report.json`, described here; `report.md` and `report.html` show the same to people. The records
of the single samples are beside it in `samples/<backend>/<dataset>.jsonl` (in a folder per model where there are
several), one [SampleRecord](#samplerecord) a line. `bridge schema report` prints the JSON schema of both;
`bridge report RUN` makes the files again from the run's folder.

- Rates are fractions from 0 to 1. A missing value is `null` and has a `reason`.
- A sample that was not answered, or not scored, is counted in `n_errors` and is part of no value.
- Exactly one row of each model × backend × dataset is `primary`: its overall value. Subsets, categories and further
  metrics are rows of their own.
- With more than one subset there are two overall values: the primary one, and the other average as `<metric>_macro`
  (over subsets) or `<metric>_micro` (over samples).

## Status and exit code

| status | when |
|---|---|
| `complete` | every primary row is complete, and there is no error but warnings |
| `partial` | some primary row has a value, but something is missing or went wrong |
| `failed` | no primary row has a value |
"""

INTERVALS = """\
## Standard errors and intervals

`stderr` is the standard error of the mean over samples. The repeats of one sample are not independent: they form a
cluster, and the error is that of clusters, `sqrt(G/(G-1) · Σ e_g²) / n` with `e_g` the summed deviations of cluster
`g`; without repeats this is the usual `sd/√n`. `ci95` is Wilson's interval where every score is 0 or 1, at the number
of independent samples that the standard error amounts to, and Student's t over the clusters otherwise; it is cut at the
metric's own bounds. A macro average has the standard error `√(Σ se²)/k` over its `k` subsets. Values that are no mean
over samples have neither.
"""


def pages() -> dict[str, str]:
    """File name → text."""
    return {
        "spec.md": "\n".join([SPEC_INTRO, *_models(TaskSpec, "validation")]),
        "arena-spec.md": "\n".join([ARENA_INTRO, *_models(ArenaSpec, "validation")]),
        "report-schema.md": "\n".join(
            [REPORT_INTRO, *_exit_codes(), INTERVALS, *_models(Report, "serialization"), *_sample_record()]
        ),
    }


def main(arguments: list[str]) -> int:
    stale = {name: text for name, text in pages().items() if _read(DOCS / name) != text}
    for name, text in stale.items():
        if "--check" in arguments:
            print(f"docs/{name} is out of date: run python scripts/make_docs.py")
        else:
            (DOCS / name).write_text(text, encoding="utf-8")
            print(f"wrote docs/{name}")
    return 1 if stale and "--check" in arguments else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _exit_codes() -> Iterator[str]:
    yield "| exit code | kind of error |"
    yield "|---:|---|"
    yield f"| 0 | none, or `{ErrorKind.WARNING}` only |"
    for kind, code in EXIT_CODES.items():
        if kind is not ErrorKind.WARNING:
            yield f"| {code} | `{kind}` |"
    yield ""
    yield "A run with errors of several kinds ends with the first of them in this table. (2 is for a spec or a command"
    yield "line that is wrong; such a run never starts.)"
    yield ""


def _sample_record() -> Iterator[str]:
    yield from _described("SampleRecord", json_schema(SampleRecord, "serialization"), _written)


def _models(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> Iterator[str]:
    """The model and all it refers to; of what is read, what may be left out, of what is written, only what it means."""
    schema = json_schema(model, mode)
    definitions = schema.get("$defs", {})
    table = _read_fields if mode == "validation" else _written
    yield from _described(model.__name__, schema, table)
    for name in _in_order(schema, definitions):
        if "properties" in definitions[name]:
            yield from _described(name, definitions[name], table)


def _in_order(schema: Schema, definitions: dict[str, Schema]) -> list[str]:
    """The definitions as they are first referred to, breadth first."""
    found: list[str] = []
    queue = [schema]
    while queue:
        for name in _references(queue.pop(0)):
            if name not in found:
                found.append(name)
                queue.append(definitions[name])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield _name(node["$ref"])
        for key, value in node.items():
            if key != "$defs":
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def _described(name: str, schema: Schema, table: Callable[[Schema], Iterator[str]]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    if schema.get("description"):
        yield _prose(schema["description"])
        yield ""
    yield from table(schema)
    yield ""


def _read_fields(schema: Schema) -> Iterator[str]:
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for field, about in schema["properties"].items():
        default = "required" if field in schema.get("required", []) else _default(about)
        yield f"| `{field}` | {_kind(about)} | {default} | {_meaning(about)} |"


def _written(schema: Schema) -> Iterator[str]:
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field, about in schema["properties"].items():
        yield f"| `{field}` | {_kind(about)} | {_meaning(about)} |"


def _meaning(about: Schema) -> str:
    return _prose(about.get("description", ""))


def _prose(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _default(about: Schema) -> str:
    value = about.get("default")
    return "" if value in (None, [], {}) or isinstance(value, dict) else f"`{json.dumps(value)}`"


def _kind(about: Schema) -> str:
    if "anyOf" in about:
        return " or ".join(_kind(option) for option in about["anyOf"])
    if "$ref" in about:
        return _reference(_name(about["$ref"]))
    if "const" in about:
        return f"`{json.dumps(about['const'])}`"
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if about.get("type") == "array":
        return _list(about)
    if about.get("type") == "object":
        inner = about.get("additionalProperties")
        return f"mapping to {_kind(inner)}" if isinstance(inner, dict) and inner else "mapping"
    return _simple(about)


def _reference(name: str) -> str:
    enums = {"Status": Status, "ErrorKind": ErrorKind}
    if name in enums:
        return ", ".join(f"`{member}`" for member in enums[name])
    return f"[{name}](#{name.lower()})"


def _list(about: Schema) -> str:
    if "prefixItems" in about:
        return "[" + ", ".join(_kind(item) for item in about["prefixItems"]) + "]"
    return f"list of {_kind(about.get('items', {}))}"


def _simple(about: Schema) -> str:
    names = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}
    bounds = [("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<")]
    said = ", ".join(f"{sign} {about[key]:g}" for key, sign in bounds if key in about)
    name = names.get(about.get("type", ""), "anything")
    return f"{name} {said}" if said else name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
