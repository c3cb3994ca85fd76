"""Answer files of ToolBench and StableToolBench → what ToolEval judges.

Two forms are read. *Raw*: ``<set>/<query>_<method>.json``, as the search leaves them. *Converted*: ``<set>.json``, as
their converter makes them, ``{query id: {query, available_tools, answer: {method, total_steps, final_answer,
answer_details}}}``. Either may lie below a folder named after the model, and in a run tree of StableToolBench:

    data/answer/<model>/<set>/<query>_<method>.json
    data/model_predictions_converted/<model>/<set>.json
    data/test_query_ids/<set>.json          (or solvable_queries/…): the queries that there should be answers to
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.adapters.toolbench.convert import is_trajectory
from bridge.adapters.toolbench.react import FINISH
from bridge.adapters.toolbench.rows import DataError, load_json
from bridge.spec import JsonObject

ANSWER_FOLDERS = ("model_predictions_converted", "answer", "model_predictions")
ID_FOLDERS = ("test_query_ids", "solvable_queries/test_query_ids", "../solvable_queries/test_query_ids")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model did about one query."""

    subset: str
    query_id: str
    query: str
    tools: tuple[str, ...]
    method: str
    steps: tuple[JsonObject, ...]
    """In order: ``{"name", "arguments", "response"}`` of a call, ``{"thought"}`` of what is said between."""
    final_answer: str
    """What the user gets to read; empty where there is none or where it gives up."""
    finished: bool
    """Its last step is a call of Finish."""

    @property
    def key(self) -> str:
        return f"{self.subset}/{self.query_id}"

    def to_json(self) -> JsonObject:
        return asdict(self)


@dataclass(frozen=True)
class Answers:
    """The answers of one model."""

    by_key: Mapping[str, Answer]
    expected: tuple[str, ...]
    """Keys of the queries that there should be answers to, in order: those listed, or else those there are."""
    subsets: tuple[str, ...]


def read_answers(root: Path, model: str, subsets: Sequence[str] = ()) -> Answers:
    """Raises DataError."""
    sources = _sources(root, model)
    found = {subset: source for subset, source in sources.items() if not subsets or subset in subsets}
    if missing := [subset for subset in subsets if subset not in found]:
        raise DataError(f"{root}: has no answers of {missing[0]}; there are: {', '.join(sources) or 'none'}")
    if not found:
        raise DataError(f"{root}: no answers; expected <set>.json or <set>/<query>_<method>.json, also below {model}/")
    by_key: dict[str, Answer] = {}
    expected: list[str] = []
    for subset, source in found.items():
        answers = _by_key(source, subset)
        expected += _listed(root, subset) or list(answers)
        by_key |= answers
    return Answers(by_key, tuple(expected), tuple(found))


def first_of_each(keys: Sequence[str], limit: int | None) -> list[str]:
    """The first ``limit`` keys of each subset."""
    seen: Counter[str] = Counter()
    chosen = []
    for key in dict.fromkeys(keys):
        subset = key.partition("/")[0]
        seen[subset] += 1
        if limit is None or seen[subset] <= limit:
            chosen.append(key)
    return chosen


def _by_key(source: Path, subset: str) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for answer in _read(source, subset):
        if other := found.get(answer.key):
            methods = f"{other.method} and {answer.method}"
            raise DataError(
                f"{source}: query {answer.query_id} has two answers ({methods}); a folder is for one method"
            )
        found[answer.key] = answer
    return found


def _sources(root: Path, model: str) -> dict[str, Path]:
    """Subset → its file or folder."""
    if root.is_file():
        return {root.stem: root}
    homes = [home / model for home in (root, *(root / name for name in ANSWER_FOLDERS))]
    home = next((folder for folder in homes if folder.is_dir()), root)
    found = {path.stem: path for path in sorted(home.glob("*.json")) if _is_converted(path)}
    for folder in sorted(path for path in home.iterdir() if path.is_dir()):
        if _raw_files(folder):
            found.setdefault(folder.name, folder)
    if not found and _raw_files(home):
        found[home.name] = home
    return found


def _raw_files(folder: Path) -> list[Path]:
    files = (path for path in folder.glob("*_*.json") if path.stem.partition("_")[0].isdigit())
    return sorted(files, key=lambda path: (int(path.stem.partition("_")[0]), path.name))


def _is_converted(path: Path) -> bool:
    value = load_json(path)
    first = next(iter(value.values()), None) if isinstance(value, dict) else None
    return isinstance(first, dict) and "answer" in first and "query" in first


def _listed(root: Path, subset: str) -> list[str]:
    """The queries of a test set, where the run tree lists them."""
    folder = root if root.is_dir() else root.parent
    for name in ID_FOLDERS:
        path = folder / name / f"{subset}.json"
        if path.is_file():
            return [f"{subset}/{query_id}" for query_id in load_json(path)]
    return []


def _read(source: Path, subset: str) -> Iterator[Answer]:
    if source.is_dir():
        for path in _raw_files(source):
            yield _guarded(path, subset, path.stem, load_json(path))
        return
    value = load_json(source)
    if is_trajectory(value):
        yield _guarded(source, source.parent.name, source.stem, value)
        return
    for query_id, answer in value.items():
        yield _guarded(source, subset, str(query_id), answer)


def _guarded(path: Path, subset: str, name: str, value: Mapping[str, Any]) -> Answer:
    try:
        return raw_answer(value, subset, name) if is_trajectory(value) else converted_answer(value, subset, name)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path}: answer {name!r}: {what}") from None


def raw_answer(value: Mapping[str, Any], subset: str, name: str) -> Answer:
    """An answer as the search leaves it: the path that it ended with, or the last one that it tried."""
    generation = value["answer_generation"]
    query_id, _, method = name.partition("_")
    paths = generation.get("train_messages") or []
    if generation.get("valid_data") and paths:
        steps = list(_steps_of_messages(paths[-1][2:]))
    else:
        steps = list(_steps_of_nodes(_last_try(value)))
    final = generation.get("final_answer") or ""
    tools = tuple(_tool_name(function) for function in generation["function"])
    return _answer(subset, query_id, str(generation["query"]), tools, method, steps, final)


def converted_answer(value: Mapping[str, Any], subset: str, query_id: str) -> Answer:
    answer = value["answer"]
    steps = list(_steps_of_details(answer["answer_details"]))
    tools = tuple(_tool_name(tool) for tool in value["available_tools"])
    method = str(answer.get("method") or "")
    return _answer(subset, query_id, str(value["query"]), tools, method, steps, answer["final_answer"] or "")


def _answer(
    subset: str, query_id: str, query: str, tools: tuple[str, ...], method: str, steps: list[JsonObject], final: str
) -> Answer:
    calls = [step for step in steps if "name" in step]
    finished = bool(calls) and calls[-1]["name"] == FINISH
    return Answer(subset, query_id, query.strip(), tools, method, tuple(steps), _shown_to_the_user(final), finished)


def _shown_to_the_user(final: Any) -> str:
    """The text in the arguments of Finish; files without such arguments hold the text itself."""
    try:
        value = json.loads(final) if isinstance(final, str) else final
    except ValueError:
        return "" if "give_up_and_restart" in final else final.strip()
    if not isinstance(value, dict):
        return str(final).strip()
    gave_up = value.get("return_type", "give_answer") != "give_answer"
    return "" if gave_up else str(value.get("final_answer") or "").strip()


def _tool_name(tool: Mapping[str, Any]) -> str:
    return str(tool.get("function", tool)["name"])


def _steps_of_messages(messages: Sequence[Mapping[str, Any]]) -> Iterator[JsonObject]:
    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        calls = [call["function"] for call in message.get("tool_calls") or ()]
        calls = [message["function_call"]] if message.get("function_call") else calls
        if message.get("content"):
            yield {"thought": message["content"]}
        results = [str(m.get("content") or "") for m in messages[at + 1 :] if m["role"] in ("function", "tool")]
        for nth, call in enumerate(calls):
            response = results[nth] if call["name"] != FINISH and nth < len(results) else ""
            yield {"name": call["name"], "arguments": call.get("arguments") or "", "response": response}


def _last_try(value: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The nodes of the last path that a search tried that found nothing: chains have tries, trees have branches."""
    if value.get("trys"):
        yield from value["trys"][-1]["chain"]
        return
    node = (value.get("tree") or {}).get("tree") or {}
    while node.get("children"):
        node = node["children"][-1]
        yield node


def _steps_of_nodes(nodes: Iterator[Mapping[str, Any]]) -> Iterator[JsonObject]:
    name = ""
    for node in nodes:
        if node["node_type"] == "Thought":
            yield {"thought": node["description"]}
        elif node["node_type"] == "Action":
            name = node["description"]
        elif node["node_type"] == "Action Input" and name:
            response = "" if name == FINISH else str(node.get("observation") or "")
            yield {"name": name, "arguments": node["description"], "response": response}
            name = ""


def _steps_of_details(nodes: Sequence[Mapping[str, Any]]) -> Iterator[JsonObject]:
    """Their details are a chain: each node holds the list of what comes next."""
    while nodes:
        node = nodes[0]
        message = node.get("message")
        if node["role"] == "tool" and message:
            call = message if isinstance(message, dict) else _parsed(str(message))
            yield {name: str(call.get(name) or "") for name in ("name", "arguments", "response")}
        elif node["role"] == "assistant" and message:
            yield {"thought": str(message)}
        nodes = node.get("next") or ()


def _parsed(message: str) -> Mapping[str, Any]:
    """Older files hold a call as the text of a Python literal."""
    import ast

    try:
        value = ast.literal_eval(message)
    except (ValueError, SyntaxError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"a tool's message is no call: {message[:60]!r}")
    return value
