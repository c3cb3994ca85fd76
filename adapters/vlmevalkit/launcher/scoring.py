"""VLMEvalKit's own scoring of the rows that were answered, and what it wrote down of each.

A score that it drew by lot, or that its judge did not give, is none: the others are scored again without such rows.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import custom, kit, models, rows, standins, watch

WORK = Path("work")
CALLS = Path("stand-ins.txt")
MOST_PASSES = 4
_GIVEN_UP = re.compile(r"[Aa]ll \d+ retries failed")


class NotScored(Exception):
    """The dataset as a whole has no score; one line for the user."""


@dataclass
class Scored:
    """What VLMEvalKit made of the rows that it was given."""

    metrics: Any = None
    """What ``evaluate`` returned: a list of records, or a mapping."""
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Index → the columns that its scorer added to the predictions."""
    extracted: dict[str, Any] = field(default_factory=dict)
    hits: dict[str, float] = field(default_factory=dict)
    unscored: dict[str, str] = field(default_factory=dict)
    """Index → why a row that was answered has no score."""


def score(
    job: dict[str, Any], item: dict[str, Any], dataset: Any, table: Any, predictions: Path, unanswered: set[str]
) -> Scored:
    """VLMEvalKit scores the rows that were answered; again without those whose score it drew or could not judge."""
    lost = dict.fromkeys(rows.partners(table, item["group"], unanswered), "its group lost a sample that has no answer")
    unscored: dict[str, str] = {}
    for number in range(1, MOST_PASSES + 1):
        kept = _keep(predictions, number, unanswered | lost.keys() | unscored.keys())
        if kept is None:
            raise NotScored(f"no sample has an answer that can be scored; first: {_first_reason(unscored)}")
        notes = watch.fresh()
        if item["scorer"]:
            return _scored_by_us(job, item, table, unanswered)
        metrics = _scored_by_kit(job, item, dataset, kept)
        details = _details(kept)
        flaws = _given_up(details) | notes.flaws
        if flaws and item["parts"]:
            raise NotScored(f"{next(iter(flaws.values()))}, and the parts of {item['name']} count their samples alike")
        if watch.UNKNOWN in flaws:
            raise NotScored(f"{flaws[watch.UNKNOWN]}, and it cannot be told for which samples")
        if not flaws:
            if item["parts"]:
                return Scored(metrics, unscored=lost)
            return Scored(metrics, details, notes.extracted, notes.hits, {**lost, **unscored})
        unscored |= flaws
        lost |= dict.fromkeys(
            rows.partners(table, item["group"], set(unscored)), "its group lost a sample that has no score"
        )
    raise NotScored(f"after {MOST_PASSES} passes there are still scores that were not judged")


def _scored_by_us(job: dict[str, Any], item: dict[str, Any], table: Any, unanswered: set[str]) -> Scored:
    columns = [column for column in ("index", "question", "answer", "choices") if column in table]
    records = {str(record["index"]): record for record in table[columns].astype(str).to_dict("records")}
    answered = {key: record for key, record in records.items() if key not in unanswered}
    custom.score_all(item["scorer"], answered, job["concurrency"])
    notes = watch.notes
    return Scored(extracted=notes.extracted, hits=notes.hits, unscored=notes.flaws)


def _given_up(details: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Samples that a scorer gave 0, or nothing, after the judge's last try, by what it wrote into its log."""
    return {
        key: "the judge's verdict could not be read"
        for key, columns in details.items()
        if any(isinstance(text, str) and _GIVEN_UP.search(text) for text in columns.values())
    }


def _first_reason(unscored: dict[str, str]) -> str:
    errors = [one.error for one in models.asked.values() if one.error]
    return next(iter([*errors, *unscored.values()]), "unknown")


def _keep(predictions: Path, number: int, without: set[str]) -> Path | None:
    """The predictions without some rows, in a folder of their own from the second pass on; None where none is left."""
    load, dump = kit.module("smp").load, kit.module("smp").dump
    table = load(str(predictions))
    left = table[~table["index"].astype(str).isin(without)]
    if not len(left):
        return None
    if number == 1 and len(left) == len(table):
        shutil.copy(predictions, WORK / f"all{predictions.suffix}")
        return predictions
    folder = WORK / f"pass{number}"
    folder.mkdir()
    dump(left, str(folder / predictions.name))
    return folder / predictions.name


def _scored_by_kit(job: dict[str, Any], item: dict[str, Any], dataset: Any, predictions: Path) -> Any:
    """What ``evaluate`` returns, as plain data. Raises NotScored where it is no score."""
    judge = {"model": item["judge_name"], "nproc": job["concurrency"], "retry": 1, "timeout": 600, "verbose": False}
    models.use_judge(job["judge"] if item["judge"] == "judge" else None)
    watch.scoring(True)
    try:
        returned = dataset.evaluate(str(predictions), **judge, **item["judge_args"])
    finally:
        watch.scoring(False)
    if called := standins.calls(CALLS):
        raise NotScored(f"its scorer needs {', '.join(called)}, which is not in this environment")
    plain = _plain(returned)
    if not plain:
        raise NotScored("VLMEvalKit returned no score")
    return plain


def _plain(returned: Any) -> Any:
    if hasattr(returned, "to_dict") and hasattr(returned, "columns"):
        return [{str(k): cell(v) for k, v in record.items()} for record in returned.to_dict("records")]
    if isinstance(returned, dict):
        return {str(key): _plain(value) for key, value in returned.items()}
    if isinstance(returned, list | tuple):
        return [_plain(value) for value in returned]
    return cell(returned)


def cell(value: Any) -> Any:
    """A number, text or None, whatever kind of number it was; what is not a number is None."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value else None
    return str(value)


def _details(predictions: Path) -> dict[str, dict[str, Any]]:
    """What the scorer added to the predictions, from every table that it left beside them."""
    known = set(kit.module("smp").load(str(predictions)).columns)
    details: dict[str, dict[str, Any]] = {}
    for path in sorted(predictions.parent.glob(f"{predictions.stem}_*")):
        if path.suffix not in (".tsv", ".xlsx", ".csv"):
            continue
        table = kit.module("smp").load(str(path))
        if "index" not in table or len(table) > 10 * len(models.asked):
            continue
        added = [column for column in table.columns if column not in known]
        for record in table.to_dict("records"):
            cells = {str(column): cell(record[column]) for column in added}
            details.setdefault(str(record["index"]), {}).update(cells)
    return details
