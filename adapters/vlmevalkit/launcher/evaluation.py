"""One dataset, in a process of its own: its rows are asked, and those that were answered are scored by VLMEvalKit."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import kit, local, models, rows, standins, watch
from .progress import Progress
from .scoring import CALLS, WORK, NotScored, Scored, cell, score
from .sources import AnyChecksum, Source, lay_out

ALIAS = "model"
"""The model's name in VLMEvalKit's file names, where a name with a slash or a suffix would do harm."""
RESULT = Path("result.json")
SAMPLES = Path("samples.jsonl")
LMU_DATA = "LMUData"


def evaluate(job: dict[str, Any], item: dict[str, Any], progress: Progress) -> None:
    """Writes ``result.json`` and ``samples.jsonl`` into the working directory, whatever happens."""
    result: dict[str, Any] = {"vlmevalkit": kit.version(), "error": None, "repeats": []}
    standins.write_calls_to(CALLS.absolute())
    try:
        dataset, source = _build(job, item)
        result["source"] = asdict(source)
        result["rows"] = len(dataset.data) + len(source.refused)
        with SAMPLES.open("w", encoding="utf-8") as samples:
            for repeat in range(item["repeats"]):
                result["repeats"].append(_run(job, item, dataset, source, repeat, samples, progress))
    except Exception as error:  # noqa: BLE001 - whatever fails is this one dataset's failure, and is told
        result["error"] = _told(error)
        _log(error)
    RESULT.write_text(json.dumps(result, default=str), encoding="utf-8")


def _build(job: dict[str, Any], item: dict[str, Any]) -> tuple[Any, Source]:
    """The dataset with the rows that are to be asked."""
    family = kit.family_of(item["class"])
    named = job["lmu_data"] or os.environ.get(LMU_DATA)
    shared = Path(named) if named else Path.home() / "LMUData"
    if item["layout"] == "tsv":
        lmu = Path("lmu").absolute()
        source = lay_out(item, family, lmu, shared)
        for part in kit.module("dataset").DATASET_CLASSES:
            if "DATASET_MD5" in vars(part):
                part.DATASET_MD5 = AnyChecksum()
    else:
        lmu, source = _own_files(item, family, shared), Source(official=not item["path"])
    kit.quiet_environment(lmu)
    os.environ |= {"SPLIT_THINK": "1"} if item["split_thinking"] else {}
    os.environ["PRED_FORMAT"] = item["pred_format"]
    dataset = family(dataset=item["name"], **item["kwargs"])
    rows.select(dataset, item)
    if item["needs_answers"]:
        source.refused |= rows.take_out_unanswerable(dataset)
    if not len(dataset.data):
        raise rows.NoRows(next(iter(source.refused.values()), "there is no row to ask"))
    return dataset, source


def _own_files(item: dict[str, Any], family: Any, shared: Path) -> Path:
    """``LMUData`` of a dataset with files of its own kind. Frames of videos go into the job's folder."""
    if not item["path"]:
        shared.mkdir(parents=True, exist_ok=True)
        return shared
    _point_at(Path(item["path"]), family)
    if family.MODALITY != "VIDEO":
        return Path(item["path"])
    Path("lmu").mkdir()
    return Path("lmu").absolute()


def _point_at(folder: Path, family: Any) -> None:
    """A dataset with files of its own kind is read from this folder, and nothing is downloaded."""

    def no_download(*_: Any, **__: Any) -> None:
        raise NotScored(f"{folder} does not hold all files of this dataset, and nothing is downloaded beside a 'path'")

    for module in kit.modules():
        if "get_cache_path" in vars(module):
            module.__dict__["get_cache_path"] = lambda *_, **__: str(folder)
        if "snapshot_download" in vars(module):
            module.__dict__["snapshot_download"] = no_download
    expected = getattr(family, "MD5", "")
    home = kit.module(family.__module__.removeprefix("vlmeval."))
    if expected and "md5" in vars(home):
        home.__dict__["md5"] = lambda _: expected


def _run(
    job: dict[str, Any],
    item: dict[str, Any],
    dataset: Any,
    source: Source,
    repeat: int,
    samples: Any,
    progress: Progress,
) -> dict[str, Any]:
    """One pass: ask everything, score what was answered. Returns its part of the result."""
    table = dataset.data.copy()
    models.asked.clear()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    part: dict[str, Any] = {"error": None, "metrics": None}
    scored = Scored()
    predictions = WORK / f"{ALIAS}_{item['name']}.{item['pred_format']}"
    try:
        _infer(job, item, dataset, progress)
        progress.stage("score")
        unanswered = {key for key, one in models.asked.items() if one.error}
        scored = score(job, item, dataset, table, predictions, unanswered)
        part |= {"metrics": scored.metrics, "borrowed": watch.notes.borrowed}
    except Exception as error:  # noqa: BLE001 - as above; what was answered is still written
        part["error"] = _told(error)
        _log(error)
    _write_samples(item, table, source, scored, repeat, samples)
    dataset.data = table
    return part


def _infer(job: dict[str, Any], item: dict[str, Any], dataset: Any, progress: Progress) -> None:
    """VLMEvalKit's own inference; a prompt that cannot be built is one sample's failure."""
    loads = job.get("local")
    model = local.local_model(loads) if loads else models.gateway_model(job, item)
    for owner in (dataset, model):
        if hasattr(owner, "build_prompt"):
            build = _guarded(owner.build_prompt)
            owner.build_prompt = local.at_row(build) if loads else build
    progress.stage("infer")
    progress.total(len(dataset.data))
    watch.fresh()
    watch.on_done = progress.step
    common = {"work_dir": str(WORK), "model_name": ALIAS, "dataset": dataset, "api_nproc": job["concurrency"]}
    try:
        if dataset.MODALITY == "VIDEO":
            kit.module("inference_video").infer_data_job_video(model, **common)
        elif dataset.TYPE == "MT":
            kit.module("inference_mt").infer_data_job_mt(model, **common)
        else:
            kit.module("inference").infer_data_job(model, **common)
    finally:
        watch.on_done = lambda: None
        del dataset.build_prompt


def _guarded(build: Any) -> Any:
    def build_prompt(line: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return build(line, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - any failure is this one sample's
            reason = f"the prompt could not be built: {_told(error)}"
            return [{"type": "text", "value": models.NOT_ASKABLE}, {"type": "text", "value": reason}]

    return build_prompt


_COLUMNS = ("answer", "category", "l2-category", "l2_category", "split", "question_type", "SUB_DATASET")


def _write_samples(item: dict[str, Any], table: Any, source: Source, scored: Scored, repeat: int, samples: Any) -> None:
    """A line per row that was to be asked, in the dataset's order; rows that were refused come last."""
    group_of = rows.groups(table, item["group"])
    meta = [column for column in _COLUMNS if column in table]
    for record in table[["index", *meta]].to_dict("records"):
        key = str(record["index"])
        one = models.asked.get(key) or models.Asked(error="it was never asked")
        line = {"index": key, "repeat": repeat, "group": group_of[key], **asdict(one)}
        line["row"] = {column: cell(record[column]) for column in meta}
        line["unscored"] = scored.unscored.get(key)
        line["extracted"] = cell(scored.extracted.get(key))
        line["hit"] = scored.hits.get(key)
        line["details"] = scored.details.get(key, {})
        samples.write(json.dumps(line, ensure_ascii=False) + "\n")
    for key, reason in source.refused.items():
        samples.write(json.dumps({"index": key, "repeat": repeat, "error": reason}, ensure_ascii=False) + "\n")


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "(no message)"
    known = (
        isinstance(error, NotScored | models.JudgeDown | rows.NoRows | local.NoModel)
        or type(error).__name__ == "BadTable"
    )
    return text if known else f"{type(error).__name__}: {text}"


def _log(error: BaseException) -> None:
    import traceback

    traceback.print_exception(error)
