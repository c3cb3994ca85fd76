"""ToolBench's own trajectories → rows of ToolBench-Static.

    python -m bridge.adapters.toolbench.convert data_example/answer rows.json

Each answer file holds the path that its search ended with, and every function call on it is a row: the messages before
it, the functions, and the call as the target. Files without such a path (the search found none) give no row.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.adapters.toolbench.prompts import react_system
from bridge.adapters.toolbench.react import FINISH, render
from bridge.adapters.toolbench.rows import DataError, StaticRow, Tool, load_json, tool_of
from bridge.spec import JsonObject


def is_trajectory(value: Any) -> bool:
    """Whether a JSON file holds an answer as ToolBench writes it."""
    return isinstance(value, dict) and isinstance(value.get("answer_generation"), dict)


def trajectory_files(root: Path) -> list[Path]:
    """The answer files in a folder and its sub-folders: they are named ``<query>_<method>.json``."""
    if root.is_file():
        return [root]
    return sorted(
        (path for path in root.rglob("*_*.json") if path.stem.partition("_")[0].isdigit()),
        key=lambda path: (path.parent.as_posix(), int(path.stem.partition("_")[0]), path.name),
    )


def convert(root: Path) -> Iterator[StaticRow]:
    """The rows of a folder's answer files, or of one; the subset is the name of the file's folder. Raises DataError."""
    for path in trajectory_files(root):
        answer = load_json(path)
        if is_trajectory(answer):
            try:
                yield from rows_of(answer, subset=path.parent.name, name=path.stem)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                what = f"has no {error}" if isinstance(error, KeyError) else str(error)
                raise DataError(f"{path}: not an answer of ToolBench: {what}") from None


def rows_of(answer: Mapping[str, Any], *, subset: str, name: str) -> Iterator[StaticRow]:
    """One row for each function call on the path of one answer."""
    generation = answer["answer_generation"]
    paths = generation.get("train_messages") or []
    tools = tuple(tool_of(function) for function in generation["function"])
    if all(tool.name != FINISH for tool in tools):
        raise ValueError(f"its functions have no {FINISH}")
    for at, messages in enumerate(paths):
        target = _call(messages[-1], _said(messages[:-1]))
        if target is not None:
            yield StaticRow(f"{name}/{at}", subset, tuple(_turns(messages[:-1], tools)), tools, target)


def _turns(messages: Sequence[Mapping[str, Any]], tools: Sequence[Tool]) -> Iterator[JsonObject]:
    """The messages in the roles of the rows; a thought and the call after it are one turn."""
    thought = ""
    for message in messages:
        content = message.get("content") or ""
        if message["role"] == "system":
            yield {"role": "system", "content": react_system(content, tools)}
        elif message["role"] != "assistant":
            yield _told(message, content)
        elif (call := _call(message, thought)) is not None:
            thought = ""
            yield {"role": "assistant", "content": call}
        else:
            thought = content


def _told(message: Mapping[str, Any], content: str) -> JsonObject:
    """What the user says, or the result of a call."""
    if message["role"] in ("function", "tool"):
        return {"role": "function", "content": content, "name": message.get("name") or ""}
    return {"role": "user", "content": content}


def _said(messages: Sequence[Mapping[str, Any]]) -> str:
    """The thought right before a call, where it is a message of its own."""
    last = messages[-1] if messages else {}
    return (last.get("content") or "") if last.get("role") == "assistant" and not _function(last) else ""


def _call(message: Mapping[str, Any], thought: str) -> str | None:
    function = _function(message)
    if function is None:
        return None
    said = message.get("content") or thought
    return render(said.strip(), function["name"], (function.get("arguments") or "{}").strip())


def _function(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The function that a message calls, in the older or the newer form of OpenAI's API."""
    if message.get("function_call"):
        return dict(message["function_call"])
    calls = message.get("tool_calls") or ()
    return dict(calls[0]["function"]) if calls else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bridge.adapters.toolbench.convert", description=__doc__)
    parser.add_argument("answers", type=Path, help="folder of ToolBench's answer files, with sub-folders")
    parser.add_argument("rows", type=Path, help="file to write")
    given = parser.parse_args()
    try:
        rows = list(convert(given.answers))
    except DataError as error:
        raise SystemExit(str(error)) from None
    if not rows:
        raise SystemExit(f"{given.answers}: there is no answer file with a finished path in it")
    given.rows.write_text(json.dumps([to_json(row) for row in rows], ensure_ascii=False, indent=1), encoding="utf-8")


def to_json(row: StaticRow) -> JsonObject:
    """A row in the form of the benchmark's files."""
    tools = [{**tool.to_json(), "parameters": json.dumps(tool.parameters, ensure_ascii=False)} for tool in row.tools]
    return {"id": row.id, "messages": list(row.messages), "tools": tools, "target": row.target}


if __name__ == "__main__":
    main()
