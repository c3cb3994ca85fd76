"""Which rows of a dataset are asked, and which of them belong together."""

from __future__ import annotations

from typing import Any

GROUPS = ("circular", "image", "set", "pair")
"""Kinds of groups that VLMEvalKit scores as one: rotations of a question, the questions about an image (MME), a set
(HallusionBench), two rows that follow each other (MMVP)."""


class NoRows(Exception):
    """The spec leaves no row to ask."""


def select(dataset: Any, item: dict[str, Any]) -> None:
    """Keeps the rows of the wanted split and subsets, and of them the first ``limit``, never half a group."""
    data = dataset.data
    if item["split"]:
        data = _only(data, ("split",), [item["split"]], "split")
    if item["subsets"]:
        data = _only(data, ("category", "l2-category", "l2_category"), item["subsets"], "subset")
    if item["limit"]:
        data = _first(data, item["limit"], item["group"])
    dataset.data = data


def take_out_unanswerable(dataset: Any) -> dict[str, str]:
    """Takes out the rows that name no right answer; returns the reason for each."""
    data = dataset.data
    empty = data["answer"].isna() if "answer" in data else [True] * len(data)
    reason = "the table has no right answer for it (an empty cell, or NA, None, null, …)"
    refused = {str(index): reason for index, gone in zip(data["index"], empty, strict=True) if gone}
    if refused:
        dataset.data = data[~data["index"].astype(str).isin(refused)]
    return refused


def groups(data: Any, kind: str | None) -> dict[str, str]:
    """Index → group, both as text; without a kind each row is a group of its own."""
    indices = [str(index) for index in data["index"]]
    if kind == "circular" and "original_index" in data:
        parts, own = data["SUB_DATASET"], [int(at) % 1_000_000 for at in data["original_index"]]
        return {index: f"{part}|{at}" for index, part, at in zip(indices, parts, own, strict=True)}
    if kind == "circular":
        own = data["g_index"] if "g_index" in data else [int(index) % 1_000_000 for index in data["index"]]
        return dict(zip(indices, map(str, own), strict=True))
    if kind == "image" and "image_path" in data and "category" in data:
        return {i: f"{c}|{p}" for i, c, p in zip(indices, data["category"], data["image_path"], strict=True)}
    if kind == "set":
        return {index: "|".join(index.split("_")[:4]) for index in indices}
    if kind == "pair":
        ordered = sorted(data["index"])
        return {str(index): str(at // 2) for at, index in enumerate(ordered)}
    return {index: index for index in indices}


def partners(data: Any, kind: str | None, indices: set[str]) -> set[str]:
    """The rows that cannot be scored without these."""
    group_of = groups(data, kind)
    touched = {group_of[index] for index in indices if index in group_of}
    return {index for index, group in group_of.items() if group in touched} - indices


def _only(data: Any, columns: tuple[str, ...], wanted: list[str], what: str) -> Any:
    present = [column for column in columns if column in data]
    known = {str(value) for column in present for value in data[column].dropna()}
    if missing := [name for name in wanted if name not in known]:
        listed = ", ".join(sorted(known)[:20]) or "none"
        raise NoRows(f"there is no {what} {missing[0]!r}; there are: {listed}")
    mask = None
    for column in present:
        here = data[column].astype(str).isin(wanted)
        mask = here if mask is None else mask | here
    return data[mask]


def _first(data: Any, limit: int, kind: str | None) -> Any:
    """Of rotations the first ``limit`` questions, else the first rows, up to the end of the last one's group."""
    if kind is None:
        return data.iloc[:limit]
    group_of = groups(data, kind)
    order = list(dict.fromkeys(group_of[str(index)] for index in data["index"]))
    if kind == "circular":
        wanted = set(order[:limit])
    else:
        wanted = {group_of[str(index)] for index in data["index"].iloc[:limit]}
    return data[[group_of[str(index)] in wanted for index in data["index"]]]
