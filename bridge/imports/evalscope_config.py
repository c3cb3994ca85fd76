"""An EvalScope task (a dict, as YAML or JSON; of 2024 or of now) → a spec, and what of it cannot be carried over.

Nothing is dropped in silence: every key that is not carried is named with the reason, unless it says nothing (null,
empty, false) or only describes (a dataset's name and text).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bridge.errors import OutputError, Problem, SpecError
from bridge.report.text import one_line

JsonObject = dict[str, Any]
_BACKENDS = {"native": None, "opencompass": "opencompass", "vlmevalkit": "vlmevalkit"}
_URL_TAIL = re.compile(r"/(chat/)?completions/?$")
_SECRET = re.compile("key|token|secret|password", re.IGNORECASE)
_DESCRIBES = frozenset(
    {
        *(
            "description",
            "pretty_name",
            "tags",
            "paper_url",
            "name",
            "output_types",
            "data_statistics",
            "sample_example",
        ),
        *("default_subset", "evalscope_version", "model_task", "dataset_hub", "debug", "dry_run", "collect_perf"),
        *("enable_progress_tracker", "no_timestamp", "eval_type", "model_id", "stage", "mem_cache", "verbose"),
    }
)
_ELSEWHERE = {
    "work_dir": "the folder of a run is given on the command line: --output",
    "outputs": "the folder of a run is given on the command line: --output",
    "use_cache": "the same command with the same --output goes on with a run",
    "rerun_review": "`bridge report RUN` makes the report again; answers are never asked twice",
    "ignore_errors": "a sample that fails is always counted as an error, and never ends a run",
    "dataset_dir": "name the data's own folder as 'path' of a dataset, or 'data' for all",
    "analysis_report": "there is no analysis by a model",
    "stream": "it does not change what is answered",
    "batch_size": "the number of requests in flight is 'concurrency', from eval_batch_size",
    "accelerator": "the model is behind an endpoint",
    "reuse": "the same command with the same --output goes on with a run",
    "rerun": "the same command with the same --output goes on with a run",
    "mode": "a run both asks and scores",
    "is_chat": "models are asked through the chat interface",
    "type": "the model is known by the name that its server gives it",
}
_SAMPLING = {
    **{name: name for name in ("temperature", "top_p", "top_k", "max_tokens", "seed", "extra_body")},
    "max_new_tokens": "max_tokens",
    "max_out_len": "max_tokens",
    "stop_seqs": "stop",
    "stop": "stop",
    "n": "n",
}
_EXTRA = (
    *("repetition_penalty", "presence_penalty", "frequency_penalty", "logit_bias", "chat_template_kwargs"),
    *("reasoning_effort", "min_p", "guided_json"),
)
"""Fields of a request that are passed on as they are."""


@dataclass
class Converted:
    """The spec as plain values, and one line per key that is not in it."""

    spec: JsonObject
    left_out: list[str] = field(default_factory=list)

    def leave(self, key: str, why: str) -> None:
        self.left_out.append(f"{key}: {why}")

    def rest(self, given: Mapping[str, Any], known: set[str], prefix: str = "") -> None:
        """Names what is left of a mapping."""
        for key, value in given.items():
            if key in known or key in _DESCRIBES or _says_nothing(value):
                continue
            said = "" if _SECRET.search(key) else f" ({one_line(str(value), 60)})"
            self.leave(f"{prefix}{key}", _ELSEWHERE.get(key, f"there is no place for it{said}"))


def _says_nothing(value: object) -> bool:
    """A zero does say something."""
    return value is None or value is False or value in ("", [], {})


def convert_file(path: Path) -> Converted:
    """Raises SpecError for what is no task of EvalScope, and OutputError for a file that cannot be read."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise SpecError([Problem(str(path), "", f"is not YAML or JSON: {one_line(str(error), 200)}")]) from None
    if not isinstance(loaded, dict):
        raise SpecError([Problem(str(path), "", "is no task of EvalScope: a mapping is needed")])
    return convert(loaded)


def convert(task: Mapping[str, Any]) -> Converted:
    """Raises SpecError where there is nothing to carry over."""
    if "infer_config" in task and "stage" in task:
        return _longbench_write(task)
    backend = str(task.get("eval_backend") or "Native")
    if backend.lower() not in _BACKENDS:
        known = "Native, OpenCompass and VLMEvalKit"
        raise SpecError([Problem("", "eval_backend", f"tasks of {backend} cannot be carried over", f"{known} can")])
    if backend.lower() == "native":
        return _native(task)
    return _framework(task, backend.lower())


def _native(task: Mapping[str, Any]) -> Converted:
    made = Converted({})
    known = {"eval_backend", "model", "api_url", "api_key", "datasets", "dataset_args", "limit", "repeats"}
    known |= {
        "generation_config",
        "eval_batch_size",
        "judge",
        "judge_model_args",
        "timeout",
        "model_args",
        "eval_config",
    }
    made.spec["model"] = _model(task, made)
    made.spec["datasets"] = [_dataset(name, task, made) for name in _names(task.get("datasets"))]
    _sampling(task.get("generation_config") or {}, made, "generation_config.")
    _limits(task, made)
    judge = _judge(task, made)
    if judge:
        made.spec["judge"] = judge
    made.rest(task.get("model_args") or {}, {"device_map", "precision"}, "model_args.")
    made.rest(task, known)
    return _checked(made)


def _model(task: Mapping[str, Any], made: Converted) -> JsonObject:
    name = str(task.get("model_id") or task.get("model") or "")
    url = task.get("api_url")
    if url:
        return {
            "name": str(task.get("model") or name),
            "endpoint": _endpoint(str(url), task.get("api_key"), made, "api_key"),
        }
    if not name:
        raise SpecError([Problem("", "model", "the task names no model")])
    path = str(task.get("model") or name)
    args = task.get("model_args") or {}
    if args.get("revision") not in (None, "master", "main"):
        made.leave("model_args.revision", "weights are served as they are at the path or hub id")
    return {"name": Path(path).name or name, "deploy": {"engine": "swift", "path": path}}


def _endpoint(url: str, key: object, made: Converted, where: str, variable: str = "OPENAI_API_KEY") -> JsonObject:
    """A key is never written down: it is named by a variable."""
    endpoint: JsonObject = {"base_url": _URL_TAIL.sub("", url)}
    if key not in (None, "", "EMPTY"):
        endpoint["api_key_env"] = variable
        made.leave(where, f"a key is not written to a spec; set the environment variable {variable} to it")
    return endpoint


def _dataset(name: str, task: Mapping[str, Any], made: Converted) -> JsonObject:
    given = (task.get("dataset_args") or {}).get(name) or {}
    prefix = f"dataset_args.{name}."
    found: JsonObject = {"name": name}
    place = given.get("local_path") or given.get("dataset_id")
    if isinstance(place, str) and (given.get("local_path") or place.startswith((".", "/", "~"))):
        found["path"] = place
    elif place:
        made.leave(
            f"{prefix}dataset_id",
            f"data comes from the benchmark's own place, or from 'path' ({one_line(str(place), 60)})",
        )
    if given.get("subset_list"):
        found["subsets"] = list(given["subset_list"])
    if isinstance(given.get("few_shot_num"), int):
        found["num_fewshot"] = given["few_shot_num"]
    if given.get("eval_split"):
        found["split"] = given["eval_split"]
    made.rest(given, {"local_path", "dataset_id", "subset_list", "few_shot_num", "eval_split"}, prefix)
    return found


def _sampling(given: Mapping[str, Any], made: Converted, prefix: str) -> None:
    generation: JsonObject = {}
    extra: JsonObject = {key: given[key] for key in _EXTRA if given.get(key) is not None}
    for key, value in given.items():
        if value is None:
            continue
        if key == "n":
            made.spec["repeats"] = value
        elif key == "timeout":
            made.spec["request_timeout_s"] = float(value)
        elif key == "do_sample" and not value:
            generation["temperature"] = 0.0
        elif key in _SAMPLING:
            generation[_SAMPLING[key]] = [value] if _SAMPLING[key] == "stop" and isinstance(value, str) else value
    if extra:
        generation["extra_body"] = {**generation.get("extra_body", {}), **extra}
    if given.get("do_sample") is False and given.get("temperature"):
        made.leave(f"{prefix}temperature", "do_sample is false: answers are greedy")
        generation["temperature"] = 0.0
    if generation:
        made.spec["generation"] = generation
    made.rest(given, {*_SAMPLING, *_EXTRA, "timeout", "do_sample"}, prefix)


def _limits(task: Mapping[str, Any], made: Converted) -> None:
    limit = task.get("limit")
    if isinstance(limit, float) and not limit.is_integer():
        made.leave("limit", f"a share of the samples ({limit:g}) cannot be asked for; give their number")
    elif limit:
        made.spec["limit"] = int(limit)
    if isinstance(task.get("repeats"), int) and task["repeats"] > 1:
        made.spec["repeats"] = task["repeats"]
    if isinstance(task.get("eval_batch_size"), int):
        made.spec["concurrency"] = task["eval_batch_size"]
    if task.get("timeout"):
        made.spec["request_timeout_s"] = float(task["timeout"])


def _judge(task: Mapping[str, Any], made: Converted) -> JsonObject | None:
    """``judge_model_args`` until 2026, ``judge`` since then."""
    judge = task.get("judge") or {}
    models = judge.get("models") or [] if isinstance(judge, Mapping) else []
    old = task.get("judge_model_args") or {}
    given = dict(models[0]) if models and isinstance(models[0], Mapping) else dict(old)
    if len(models) > 1:
        made.leave("judge.models", f"one judge scores, the first; {len(models) - 1} more are left out")
    if isinstance(judge, Mapping):
        made.rest(judge, {"models", "strategy"}, "judge.")
    if not given:
        return None
    name = str(given.get("model_id") or given.get("model") or "")
    url = given.get("api_url")
    where = "judge.models[0]." if models else "judge_model_args."
    made.rest(given, {"model_id", "model", "api_url", "api_key"}, where)
    if not name or not url:
        made.leave(where.rstrip("."), "a judge needs a name and an api_url")
        return None
    return {
        "name": name,
        "endpoint": _endpoint(str(url), given.get("api_key"), made, f"{where}api_key", "JUDGE_API_KEY"),
    }


def _framework(task: Mapping[str, Any], backend: str) -> Converted:
    """OpenCompass and VLMEvalKit have all they want in ``eval_config``."""
    made = Converted({})
    config = task.get("eval_config")
    if not isinstance(config, Mapping):
        hint = "put the mapping itself there; a path is not followed"
        raise SpecError([Problem("", "eval_config", f"a mapping is needed for {task.get('eval_backend')}", hint)])
    field_name = "models" if config.get("models") else "model"
    models = config.get(field_name) or []
    models = models if isinstance(models, list) else [models]
    if not models or not isinstance(models[0], Mapping):
        raise SpecError([Problem("", "eval_config.models", "the task names no model")])
    found = [_served(model, made, f"eval_config.{field_name}[{at}].") for at, model in enumerate(models)]
    made.spec |= {"model": found[0]} if len(found) == 1 else {"models": found}
    made.spec["backend"] = _BACKENDS[backend]
    made.spec["datasets"] = [{"name": name} for name in _names(config.get("datasets") or config.get("data"))]
    sampling = {key: value for key, value in models[0].items() if key in (*_SAMPLING, *_EXTRA)}
    sampling |= models[0].get("generation_kwargs") or {}
    _sampling(sampling, made, f"eval_config.{field_name}[0].")
    _limits({**task, "limit": config.get("limit", task.get("limit"))}, made)
    size = next(
        (model[key] for model in models for key in ("batch_size", "eval_batch_size") if model.get(key)),
        config.get("nproc"),
    )
    if isinstance(size, int) and size > 1:
        made.spec["concurrency"] = size
    judge = _vlm_judge(config, made)
    if judge:
        made.spec["judge"] = judge
    known = {
        "models",
        "model",
        "datasets",
        "data",
        "limit",
        "nproc",
        "OPENAI_API_KEY",
        "OPENAI_API_BASE",
        "LOCAL_LLM",
        "judge",
    }
    made.rest(config, known, "eval_config.")
    made.rest(task, {"eval_backend", "eval_config", "limit", "eval_batch_size", "repeats", "timeout"})
    return _checked(made)


def _served(model: Mapping[str, Any], made: Converted, prefix: str) -> JsonObject:
    url = model.get("openai_api_base") or model.get("api_base")
    # VLMEvalKit: 'type' is the model's name and 'name' a class; OpenCompass: 'path' is the name.
    name = str(model.get("path") or (model.get("type") if "api_base" in model else "") or model.get("name") or "")
    if not url:
        raise SpecError([Problem("", f"{prefix}openai_api_base", "the model is behind no endpoint")])
    known = {"openai_api_base", "api_base", "path", "name", "abbr", "key", "batch_size", "generation_kwargs", "run_cfg"}
    known |= {"type"} if "api_base" in model else set()
    made.rest(model, {*known, *_SAMPLING, *_EXTRA}, prefix)
    return {"name": name, "endpoint": _endpoint(str(url), model.get("key"), made, f"{prefix}key")}


def _vlm_judge(config: Mapping[str, Any], made: Converted) -> JsonObject | None:
    url, name = config.get("OPENAI_API_BASE"), config.get("LOCAL_LLM") or config.get("judge")
    if url and name:
        return {
            "name": str(name),
            "endpoint": _endpoint(
                str(url), config.get("OPENAI_API_KEY"), made, "eval_config.OPENAI_API_KEY", "JUDGE_API_KEY"
            ),
        }
    if url or name:
        made.leave("eval_config.OPENAI_API_BASE", "a judge needs an address and a name (LOCAL_LLM)")
    return None


def _longbench_write(task: Mapping[str, Any]) -> Converted:
    made = Converted({})
    infer, scored = task.get("infer_config") or {}, task.get("eval_config") or {}
    url = infer.get("openai_api_base")
    if not url:
        raise SpecError([Problem("", "infer_config.openai_api_base", "the model is behind no endpoint")])
    made.spec["model"] = {"name": str(task.get("model") or ""), "endpoint": _endpoint(str(url), None, made, "")}
    made.spec["backend"] = "longbench_write"
    dataset: JsonObject = {"name": "longbench_write"}
    if task.get("input_data_path"):
        dataset["path"] = task["input_data_path"]
    made.spec["datasets"] = [dataset]
    _sampling(infer.get("generation_kwargs") or {}, made, "infer_config.generation_kwargs.")
    if isinstance(infer.get("proc_num"), int):
        made.spec["concurrency"] = infer["proc_num"]
    if "eval_q" in (task.get("stage") or []) and scored.get("openai_gpt_model"):
        key = scored.get("openai_api_key")
        judge = _endpoint(
            str(scored.get("openai_api_base") or ""), key, made, "eval_config.openai_api_key", "JUDGE_API_KEY"
        )
        made.spec["judge"] = {"name": str(scored["openai_gpt_model"]), "endpoint": judge}
    made.rest(infer, {"openai_api_base", "generation_kwargs", "proc_num"}, "infer_config.")
    made.rest(scored, {"openai_api_base", "openai_api_key", "openai_gpt_model"}, "eval_config.")
    made.rest(task, {"infer_config", "eval_config", "model", "input_data_path", "output_dir"})
    return _checked(made)


def _names(given: object) -> Iterator[str]:
    """A list of names, or of mappings with one; ``a b`` and ``a,b`` as the command line takes them."""
    items = re.split(r"[\s,]+", given.strip()) if isinstance(given, str) else given if isinstance(given, list) else []
    for item in items:
        name = item.get("name") or item.get("dataset_name") if isinstance(item, Mapping) else item
        if name:
            yield str(name)


def _checked(made: Converted) -> Converted:
    if not made.spec["datasets"]:
        raise SpecError([Problem("", "datasets", "the task names no dataset")])
    return made
