"""Writes ``adapters/vlmevalkit/datasets.json``: every dataset of VLMEvalKit, and what it takes to evaluate it.

    ENVIRONMENT/bin/python scripts/list_vlmevalkit.py adapters/vlmevalkit/datasets.json

Run it with the interpreter of the full environment. It imports VLMEvalKit as a job does, and follows the code of every
dataset's class, from where it is built and from where it is scored, to the packages that this code uses.
"""

from __future__ import annotations

import dis
import functools
import importlib
import importlib.util
import inspect
import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ADAPTER = Path(__file__).parent.parent / "adapters" / "vlmevalkit"
sys.path.insert(0, str(ADAPTER))
from inside import launcher  # noqa: E402

standins = launcher("standins")
kit = launcher("kit")

BUILD = ("__init__", "load_data", "prepare_dataset", "prepare_tsv", "post_build", "build_prompt", "dump_image")
FULL = {
    *standins.SCORERS,
    *(
        "pydantic",
        "dotenv",
        "func_timeout",
        "pycocoevalcap",
        "rouge_score",
        "anls",
        "pysubs2",
        "apted",
        "lxml",
        "bs4",
        "nest_asyncio",
        "zss",
    ),
}
"""Packages of the full environment that the lean one lacks."""
LEAN = {
    *("numpy", "pandas", "PIL", "tqdm", "requests", "validators", "sty", "tabulate", "portalocker", "filelock"),
    *("termcolor", "dotenv", "Levenshtein", "json_repair", "num2words", "timeout_decorator", "openpyxl", "urllib3"),
    *("psutil", "yaml", "regex", "packaging", "six", "dateutil"),
}
OPTIONAL = {"modelscope", "moviepy", "evaluate!hub"}
"""Only behind a switch that bridge does not set."""
WITHHELD = {
    *("MMMU_TEST", "MMT-Bench_ALL", "MMT-Bench_ALL_MI", "AesBench_TEST", "MLLMGuard_DS"),
    *("DocVQA_TEST", "InfoVQA_TEST", "Q-Bench1_TEST", "A-Bench_TEST"),
    *("MMBench_TEST_EN", "MMBench_TEST_CN", "MMBench_TEST_EN_V11", "MMBench_TEST_CN_V11"),
    *("MMBench", "MMBench_CN", "MMBench_V11", "MMBench_CN_V11"),
}
"""Listed in vlmeval/run.py: their answers are not public, or only an official server scores them."""
XLSX = {"V2PBench", "MedqbenchCaptionDataset", "HiPhODataset", "GSM8KVDataset"}
"""Their scorers replace ``.xlsx`` in the predictions' name, and overwrite the predictions where that is not in it."""
CIRCULAR = ("mmbench", "ccbench", "circular", "mmcr")


@dataclass
class Walk:
    """What the code that starts at some functions of a class leads to."""

    family: type
    packages: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)

    def start(self, names: tuple[str, ...]) -> Walk:
        for name in names:
            self._method(name)
        return self

    def _method(self, name: str) -> None:
        for base in self.family.__mro__:
            if name in vars(base) and base.__module__.startswith("vlmeval"):
                self._visit(vars(base)[name])

    def _visit(self, found: Any) -> None:
        if package := _stand_in_package(found):
            self.packages.add(package)
            return
        found = _function_of(found)
        if isinstance(found, types.ModuleType):
            self._package(found.__name__)
        elif isinstance(found, type | types.FunctionType) and isinstance(found.__module__, str):
            if found.__module__.startswith("vlmeval."):
                self._own(found)
            else:
                self._package(found.__module__)
        elif isinstance(found, dict | list | tuple):
            for member in found.values() if isinstance(found, dict) else found:
                if not hasattr(getattr(member, "func", member), "supported_datasets"):
                    self._visit(member)
        elif str(getattr(type(found), "__module__", "")).startswith("vlmeval."):
            self._visit(type(found))

    def _package(self, module: str) -> None:
        root = module.split(".")[0]
        if root == "subprocess":
            self.calls.add("subprocess")
        elif root not in {"vlmeval", kit.__name__.split(".")[0], *sys.stdlib_module_names}:
            self.packages.add(root)

    def _own(self, found: type | types.FunctionType) -> None:
        if id(found) in self.seen or found.__module__.startswith(("vlmeval.api", "vlmeval.vlm", "vlmeval.config")):
            return
        self.seen.add(id(found))
        self.calls.add(found.__name__)
        if found.__name__ in ("build_judge", "evaluate_verifier"):
            return
        if isinstance(found, types.FunctionType):
            self._code(found.__code__, found.__globals__)
        elif not issubclass(self.family, found):
            for base in found.__mro__:
                if base.__module__.startswith("vlmeval"):
                    for member in vars(base).values():
                        self._visit(member)

    def _code(self, code: types.CodeType, names: dict[str, Any]) -> None:
        held: Any = None
        instructions = list(dis.get_instructions(code))
        for at, one in enumerate(instructions):
            match one.opname:
                case "LOAD_GLOBAL" | "LOAD_NAME":
                    held = names.get(one.argval)
                    if held is None and one.argval in ("exec", "compile"):
                        self.calls.add(one.argval)
                    self._visit(held)
                case "LOAD_ATTR" | "LOAD_METHOD":
                    held = self._attribute(held, one.argval)
                case "IMPORT_NAME":
                    held = self._imported(one.argval, instructions[at - 2].argval, names)
                case "IMPORT_FROM":
                    self._visit(getattr(held, one.argval, None))
        for constant in _constants(code.co_consts):
            if isinstance(constant, types.CodeType):
                self._code(constant, names)
            elif isinstance(constant, str):
                self.texts.add(constant)

    def _attribute(self, held: Any, name: str) -> Any:
        if isinstance(held, types.ModuleType):
            if held.__name__ == "os" and name in ("system", "popen"):
                self.calls.add("subprocess")
            found = getattr(held, name, None)
            self._visit(found)
            return found
        self._method(name)
        return None

    def _imported(self, name: str, level: int, names: dict[str, Any]) -> Any:
        package = names.get("__package__") or str(names.get("__name__", "")).rpartition(".")[0]
        full = importlib.util.resolve_name("." * level + name, package) if level else name
        try:
            found = importlib.import_module(full)
        except ImportError as error:
            self.packages.add(
                error.name if error.name and error.name.startswith("vlmeval") else (error.name or full).split(".")[0]
            )
            return None
        if not level:
            self._visit(found)
        return found


def _constants(constants: tuple[Any, ...]) -> Iterator[Any]:
    for constant in constants:
        if isinstance(constant, tuple | frozenset):
            yield from constant
        else:
            yield constant


def _stand_in_package(found: Any) -> str:
    if not standins.is_stand_in(found):
        return ""
    name = found.__name__ if isinstance(found, types.ModuleType) else found.__qualname__
    return "torch" if name.startswith("vlmeval") else name.split(".")[0]


def _function_of(found: Any) -> Any:
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod | types.MethodType):
        found = found.__func__
    if isinstance(found, functools.partial):
        found = found.func
    return inspect.unwrap(found) if isinstance(found, types.FunctionType) else found


@functools.cache
def what_it_takes(family: type) -> dict[str, Any]:
    """Of every dataset of a class."""
    scoring, building = Walk(family).start(("evaluate",)), Walk(family).start(BUILD)
    video = getattr(family, "MODALITY", "") == "VIDEO"
    packages = scoring.packages | building.packages - ({"torch", "torchvision"} if video else set())
    missing = sorted(packages - LEAN - FULL - OPTIONAL)
    judge = "optional" if "exact_matching" in scoring.texts else "required"
    runs_code = {"exec", "subprocess"} & (scoring.calls | building.calls)
    return {
        "class": family.__name__,
        "evaluator": next(base.__name__ for base in family.__mro__ if "evaluate" in vars(base)),
        "env": "" if missing else "full" if packages & FULL or video else "lean",
        "missing": missing,
        "judge": judge if "build_judge" in scoring.calls else "none",
        "runs_code": bool(runs_code),
        "own_judge": "openai" in scoring.packages,
        "layout": "tsv"
        if "prepare_tsv" in building.calls and not packages & {"huggingface_hub", "datasets"}
        else "own",
    }


def describe(name: str, family: type) -> dict[str, Any]:
    entry = dict(what_it_takes(family))
    entry["type"] = str(getattr(family, "TYPE", None) or "mixed").strip()
    entry["modality"] = getattr(family, "MODALITY", "IMAGE").lower()
    entry["answers"] = "withheld" if name in WITHHELD else "public"
    entry["circular"] = entry["evaluator"] == "ImageMCQDataset" and any(word in name.lower() for word in CIRCULAR)
    entry["pred_format"] = "xlsx" if family.__name__ in XLSX else "tsv"
    entry["parts"] = list(getattr(family, "DATASET_SETS", {}).get(name, ()))
    return entry


def compound(entry: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A dataset that is made of others takes what they take."""
    order = ["none", "optional", "required"]
    missing = sorted({package for part in parts for package in part["missing"]})
    return entry | {
        "type": parts[0]["type"],
        "env": "" if missing else "full" if any(part["env"] == "full" for part in parts) else "lean",
        "missing": missing,
        "runs_code": any(part["runs_code"] for part in parts),
        "judge": max((part["judge"] for part in parts), key=order.index),
        "layout": "tsv" if all(part["layout"] == "tsv" for part in parts) else "own",
        "circular": any(part["circular"] for part in parts),
    }


def presets() -> dict[str, Any]:
    """``Video-MME_8frame`` → the dataset and what its class is called with."""
    listed = {}
    for name, preset in kit.module("dataset.video_dataset_config").supported_video_datasets.items():
        if isinstance(preset, functools.partial):
            given = dict(preset.keywords)
            dataset = given.pop("dataset", None)
            listed[name] = [dataset or preset.func.supported_datasets()[0], given]
    return listed


def main(target: Path) -> None:
    kit.load([*standins.TORCH, *standins.SCORERS])
    entries: dict[str, dict[str, Any]] = {}
    for family in kit.module("dataset").DATASET_CLASSES:
        for name in family.supported_datasets():
            entries.setdefault(name, describe(name, family))
    for name, entry in entries.items():
        if entry["parts"]:
            entries[name] = compound(entry, [entries[part] for part in entry["parts"]])
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(entries.items()))
    head = f'{{"package": "ms-vlmeval", "version": {json.dumps(kit.version())},\n'
    text = f'{head}"presets": {json.dumps(presets())},\n"datasets": {{\n{lines}\n}}}}\n'
    json.loads(text)
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {len(entries)} datasets")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
