"""EvalScope of 2024: its reviews as battles, and its arena's YAML as a spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bridge.errors import OutputError, Problem, SpecError
from bridge.native.arena.formats import fastchat
from bridge.native.arena.formats.imported import Imported
from bridge.report.text import one_line

read = fastchat.read
"""Its reviews lie as FastChat's do."""

JsonObject = dict[str, Any]
MODES = {"single": "single", "pairwise": "pairwise-all", "pairwise_baseline": "pairwise-baseline"}
ORDERS = {"swap_position": "both", "randomize_order": "random", None: "as_given", "None": "as_given", "": "as_given"}
GENERATION = {"max_new_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}
NOTHING = "bridge has nothing like it"
OPENAI = "https://api.openai.com/v1"

WHY = {
    "revision": "name the folder of that revision as deploy.path",
    "output_file": "answers are in the run's folder: answers/<model>.jsonl",
    "review_file": "verdicts are in the run's folder: battles.jsonl",
    "cache_file": "nothing that was judged is judged again, without a file for it",
    "report_file": "the report is in the run's folder",
    "fn_completion_parser": "verdicts are read by 'arena.verdict.parser', strictly",
}


@dataclass
class Converted:
    """The spec as plain values, and a line for each key that is not in it."""

    spec: JsonObject
    left_out: list[str] = field(default_factory=list)

    def leave(self, key: str, why: str) -> None:
        self.left_out.append(f"{key}: {why}")


def is_config(path: Path) -> bool:
    return path.is_file() and path.suffix in (".yaml", ".yml")


def convert_file(path: Path) -> Converted:
    """Raises OutputError for what is no YAML, SpecError for what is no arena of EvalScope."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise OutputError(f"{path}: cannot be read ({one_line(str(error), 200)})") from None
    if not isinstance(config, dict) or "reviews_gen" not in config or "question_file" not in config:
        hint = "'bridge import evalscope-config' takes other tasks of EvalScope"
        raise SpecError([Problem(str(path), "", "no arena of EvalScope (no question_file, no reviews_gen)", hint)])
    return convert(config, path)


def convert(config: Mapping[str, Any], path: Path) -> Converted:
    made = Converted({"name": _name(path), "models": [], "questions": {"path": str(config["question_file"])}})
    reviews = _object(config, "reviews_gen", made)
    for name, value in _object(config, "answers_gen", made).items():
        _model(made, str(name), value)
    _targets(made, reviews.get("target_answers"))
    _judge(made, _object(reviews, "reviewer", made, "reviews_gen.reviewer"))
    _arena(made, reviews, _rating(config))
    _rest(made, config, reviews)
    return made


def _name(path: Path) -> str:
    name = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in path.stem)
    return name if name[:1].isalnum() else f"arena-{name}"


def _object(value: Mapping[str, Any], key: str, made: Converted, place: str = "") -> JsonObject:
    inner = value.get(key)
    if isinstance(inner, dict):
        return inner
    if inner is not None:
        made.leave(place or key, f"is {one_line(str(inner), 60)}, where keys and values are expected")
    return {}


def _model(made: Converted, name: str, value: Any) -> None:
    place = f"answers_gen.{name}"
    if not isinstance(value, dict):
        made.leave(place, "says nothing about the model")
        return
    model: JsonObject = {"name": name}
    if value.get("enable", True) and value.get("model_id_or_path"):
        model["deploy"] = {"engine": "swift", "path": str(value["model_id_or_path"])}
        if value.get("precision"):
            model["deploy"]["dtype"] = str(value["precision"]).removeprefix("torch.")
        if value.get("template_type"):
            model["deploy"]["template"] = str(value["template_type"])
    elif value.get("output_file"):
        model["answers"] = str(value["output_file"])
    else:
        made.leave(place, "is switched off, and has no file of answers")
        return
    generation = _generation(made, value.get("generation_config"), place)
    if generation and "deploy" in model:
        model["generation"] = generation
    of_weights = {"model_id_or_path", "generation_config", "precision", "template_type"}
    known = {"enable"} | ({"output_file"} if "answers" in model else of_weights)
    for key in value:
        if key not in known and value[key] not in (None, "", {}):
            on_file = key in of_weights and "answers" in model
            why = "its answers are on file, nothing is served" if on_file else WHY.get(key, NOTHING)
            made.leave(f"{place}.{key}", why)
    made.spec["models"].append(model)


def _generation(made: Converted, value: Any, place: str) -> JsonObject:
    found: JsonObject = {}
    for key, inner in (value if isinstance(value, dict) else {}).items():
        if key in GENERATION:
            found[GENERATION[key]] = inner
        elif key != "do_sample" and inner is not None:
            made.leave(
                f"{place}.generation_config.{key}", "not a setting of requests; give it to the engine: deploy.args"
            )
    if isinstance(value, dict) and value.get("do_sample") is False:
        found["temperature"] = 0.0
    return found


def _targets(made: Converted, targets: Any) -> None:
    """Files of answers, which EvalScope judges instead of what ``answers_gen`` makes."""
    paths = [targets] if isinstance(targets, str) else targets if isinstance(targets, list) else []
    known = {model.get("answers") for model in made.spec["models"]}
    for path in map(str, paths):
        name = Path(path).stem.removeprefix("answer_")
        if path in known or name in {model["name"] for model in made.spec["models"]}:
            continue
        made.spec["models"].append({"name": name, "answers": path})


def _judge(made: Converted, reviewer: Mapping[str, Any]) -> None:
    arguments = _object(reviewer, "args", made, "reviews_gen.reviewer.args")
    generation = {"max_tokens": arguments.get("max_tokens"), "temperature": arguments.get("temperature")}
    made.spec["judge"] = {
        "name": str(arguments.get("model") or "gpt-4"),
        "endpoint": {"base_url": OPENAI, "api_key_env": "OPENAI_API_KEY"},
        "generation": {name: value for name, value in generation.items() if value is not None},
    }
    reference = str(reviewer.get("ref") or "")
    if reference and "gpt" not in reference.lower():
        made.leave("reviews_gen.reviewer.ref", f"{reference} is code of EvalScope; the judge is a model at {OPENAI}")
    used = {"max_tokens", "temperature", "model", "mode", "position_bias_mitigation"}
    for key, value in arguments.items():
        if key not in used and value not in (None, ""):
            made.leave(f"reviews_gen.reviewer.args.{key}", WHY.get(key, NOTHING))


def _arena(made: Converted, reviews: Mapping[str, Any], rating: Mapping[str, Any]) -> None:
    arguments = (reviews.get("reviewer") or {}).get("args") or {}
    mode = MODES.get(str(arguments.get("mode") or "pairwise"), "pairwise-all")
    block: JsonObject = {"mode": mode}
    if mode != "single":
        block["order"] = ORDERS.get(arguments.get("position_bias_mitigation"), "as_given")
    if reviews.get("prompt_file"):
        block["verdict"] = {"prompt": str(reviews["prompt_file"])}
    if mode == "pairwise-baseline":
        block["baseline"] = _baseline(made, reviews, rating)
    if reviews.get("reference_file"):
        made.spec["questions"]["references"] = str(reviews["reference_file"])
    made.spec["arena"] = block


def _baseline(made: Converted, reviews: Mapping[str, Any], rating: Mapping[str, Any]) -> str:
    """The model that all meet; its answers are a file of their own."""
    file = reviews.get("baseline_file")
    name = rating.get("baseline_model") or (Path(str(file)).stem.removeprefix("answer_") if file else None)
    if name is None:
        raise SpecError([Problem("reviews_gen", "baseline_file", "is not given, and mode pairwise_baseline needs it")])
    if str(name) not in {model["name"] for model in made.spec["models"]}:
        if not file:
            raise SpecError([Problem("rating_gen", "baseline_model", f"{name!r} is none of the models")])
        made.spec["models"].append({"name": str(name), "answers": str(file)})
    return str(name)


def _rating(config: Mapping[str, Any]) -> JsonObject:
    """``rating_gen``; the first configurations have it as ``elo_rating``."""
    value = config.get("rating_gen") or config.get("elo_rating")
    return value if isinstance(value, dict) else {}


def _rest(made: Converted, config: Mapping[str, Any], reviews: Mapping[str, Any]) -> None:
    carried = {"reviewer", "prompt_file", "target_answers", "baseline_file", "reference_file", "enable"}
    for key, value in reviews.items():
        if key not in carried and value not in (None, ""):
            made.leave(f"reviews_gen.{key}", WHY.get(key, NOTHING))
    for line in _rating_left(_rating(config)):
        made.leave(*line)
    for key in config:
        if key not in ("question_file", "answers_gen", "reviews_gen", "rating_gen", "elo_rating"):
            made.leave(key, NOTHING)


def _rating_left(rating: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metrics = rating.get("metrics") or []
    if "elo" in metrics:
        yield "rating_gen.metrics", "ratings are Bradley-Terry's; Elo, which depends on the order, is a row beside them"
    for key, value in rating.items():
        if key not in ("metrics", "baseline_model", "enable") and value not in (None, ""):
            yield f"rating_gen.{key}", WHY.get(key, NOTHING)


__all__ = ["Converted", "Imported", "convert", "convert_file", "is_config", "read"]
