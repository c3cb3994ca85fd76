"""Writes what OpenCompass can evaluate as data: ``datasets.json`` (names and families), ``configs.json`` (everything).

    PYTHONHASHSEED=0 <environment>/bin/python scripts/list_opencompass.py adapters/opencompass

Runs in OpenCompass's environment and reads its configuration files as it does, without importing what they name. Some
of them iterate over sets, so the same output needs the same hash seed.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import runpy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "adapters" / "opencompass"))

from ocbridge.judgements import READERS  # noqa: E402
from opencompass_sources import Sources  # noqa: E402

Json = dict[str, Any]

NAMES = {
    "obqa": "obqa.obqa_gen_9069e4",
    "AX_b": "SuperGLUE_AX_b.SuperGLUE_AX_b_gen_4dfefa",
    "siqa": "siqa.siqa_gen_e78df3",
    "nq": "nq.nq_gen_c788f6",
    "mbpp": "mbpp.mbpp_gen_830460",
    "winogrande": "winogrande.winogrande_gen_458220",
    "mmlu": "mmlu.mmlu_gen_4d595a",
    "BoolQ": "SuperGLUE_BoolQ.SuperGLUE_BoolQ_gen_883d50",
    "cluewsc": "FewCLUE_cluewsc.FewCLUE_cluewsc_gen_c68933",
    "ocnli": "CLUE_ocnli.CLUE_ocnli_gen_c4cb6c",
    "lambada": "lambada.lambada_gen_217e11",
    "CMRC": "CLUE_CMRC.CLUE_CMRC_gen_1bd3c8",
    "ceval": "ceval.ceval_gen_5f30c7",
    "csl": "FewCLUE_csl.FewCLUE_csl_gen_28b223",
    "cmnli": "CLUE_cmnli.CLUE_cmnli_gen_1abf97",
    "bbh": "bbh.bbh_gen_4a31fa",
    "ReCoRD": "SuperGLUE_ReCoRD.SuperGLUE_ReCoRD_gen_30dea0",
    "math": "math.math_gen_265cce",
    "humaneval": "humaneval.humaneval_gen_8e312c",
    "eprstmt": "FewCLUE_eprstmt.FewCLUE_eprstmt_gen_740ea0",
    "WSC": "SuperGLUE_WSC.SuperGLUE_WSC_gen_7902a7",
    "storycloze": "storycloze.storycloze_gen_7f656a",
    "MultiRC": "SuperGLUE_MultiRC.SuperGLUE_MultiRC_gen_27071f",
    "RTE": "SuperGLUE_RTE.SuperGLUE_RTE_gen_68aac7",
    "chid": "FewCLUE_chid.FewCLUE_chid_gen_0a29a2",
    "gsm8k": "gsm8k.gsm8k_gen_1d7fe4",
    "AX_g": "SuperGLUE_AX_g.SuperGLUE_AX_g_gen_68aac7",
    "bustm": "FewCLUE_bustm.FewCLUE_bustm_gen_634f41",
    "afqmc": "CLUE_afqmc.CLUE_afqmc_gen_901306",
    "piqa": "piqa.piqa_gen_1194eb",
    "lcsts": "lcsts.lcsts_gen_8ee1fe",
    "strategyqa": "strategyqa.strategyqa_gen_1180a7",
    "Xsum": "Xsum.Xsum_gen_31397e",
    "agieval": "agieval.agieval_gen_5c79b4",
    "ocnli_fc": "FewCLUE_ocnli_fc.FewCLUE_ocnli_fc_gen_f97a97",
    "C3": "CLUE_C3.CLUE_C3_gen_8c358f",
    "tnews": "FewCLUE_tnews.FewCLUE_tnews_gen_b90e4a",
    "race": "race.race_gen_69ee4f",
    "triviaqa": "triviaqa.triviaqa_gen_2121ce",
    "CB": "SuperGLUE_CB.SuperGLUE_CB_gen_854c6c",
    "WiC": "SuperGLUE_WiC.SuperGLUE_WiC_gen_d06864",
    "hellaswag": "hellaswag.hellaswag_gen_6faab5",
    "summedits": "summedits.summedits_gen_315438",
    "GaokaoBench": "GaokaoBench.GaokaoBench_gen_5cfe9e",
    "ARC_e": "ARC_e.ARC_e_gen_1e0de5",
    "COPA": "SuperGLUE_COPA.SuperGLUE_COPA_gen_91ca53",
    "ARC_c": "ARC_c.ARC_c_gen_1e0de5",
    "DRCD": "CLUE_DRCD.CLUE_DRCD_gen_1bd3c8",
    "cmmlu": "cmmlu.cmmlu_gen_c13365",
    "commonsenseqa": "commonsenseqa.commonsenseqa_gen_c946f2",
    "TheoremQA": "TheoremQA.TheoremQA_5shot_gen_6f0af8",
    "IFEval": "IFEval.IFEval_gen_353ae7",
}
"""The names that users of EvalScope's OpenCompass backend knew in 2024, each with the configuration it stands for."""

GENERATION = {"GenInferencer", "ChatInferencer", "ChatMLInferencer"}
LIKELIHOOD = {
    "PPLInferencer",
    "CLPInferencer",
    "PPLOnlyInferencer",
    "LLInferencer",
    "SWCELossInferencer",
    "InferencePPLOnlyInferencer",
    "MinKPercentInferencer",
}
SUBJECTIVE = "LMEvaluator"
"""What OpenCompass's task for subjective evaluation scores with."""
JUDGED = {"GenericLLMEvaluator", "CascadeEvaluator", SUBJECTIVE}
"""Evaluators that ask the judge of ``judge_cfg`` while they score."""
NAMED_FILES = {
    "AlpacaEvalDataset": "{}.json",
    "ArenaHardDataset": "{}.jsonl",
    "CompassArenaSubjectiveBench": "{}.json",
    "MTBench101Dataset": "{}.jsonl",
    "MTBench101WithRawPromptDataset": "{}.jsonl",
}
"""Loaders that read one file of a folder in which other files are needed, or are those of others."""
HUB_RETRIEVERS = {"TopkRetriever", "MDLRetriever", "VotekRetriever", "DPPRetriever", "TopkRetrieverLocal"}
EXECUTES = (
    "HumanEval",
    "Humaneval",
    "MBPP",
    "DS1000",
    "APPS",
    "TACO",
    "LCB",
    "BigCodeBench",
    "SciCode",
    "MultiplE",
    "CIBench",
    "CodeCompass",
    "LCPassK",
    "CRUXEval",
    "InternSandbox",
)
"""Parts of the names of evaluators that run code which the model wrote."""
TRIED = {
    "HumanEvalEvaluator": "data/humaneval/human-eval-v2-20210705.jsonl",
    "MBPPEvaluator": "data/mbpp/mbpp.jsonl",
}
"""Those that are known to work in the sandbox, with the data that they are for."""
BRIEF = ("kind", "evaluator", "data", "shots", "fix", "judge", "unusable", "runs_code")
MOST_SUBSETS = 120
MOST_PATHS = 12


def main(out: Path) -> None:
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("set PYTHONHASHSEED=0")
    logging.disable(logging.CRITICAL)
    spec = find_spec("opencompass")
    assert spec is not None and spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    where = runpy.run_path(str(package / "utils" / "datasets_info.py"))
    mapping = where["DATASETS_MAPPING"]
    sources = Sources(package)
    root = package / "configs" / "datasets"
    configs = {}
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        if not module.startswith("collections.") and (entry := read_config(path, mapping, sources)):
            configs[module] = entry
    drop_usual_variables(configs)
    families = {folder.name: family(folder, configs) for folder in sorted(root.iterdir()) if is_family(folder)}
    stamp = {"opencompass": version("opencompass")}
    names = {name: {"config": config, **configs[config]} for name, config in NAMES.items()}
    write(out / "datasets.json", {**stamp, "names": names, "families": families})
    write(out / "configs.json", {**stamp, "configs": configs})
    write(out / "archives.json", {**stamp, **archives(where["DATASETS_URL"], mapping)})
    print(f"{len(configs)} configurations, {len(families)} families, {len(names)} names")


def archives(urls: Mapping[str, Json], mapping: Mapping[str, Json]) -> Json:
    """Where OpenCompass downloads what it does not find: the archive of a part of a path, the id of a path."""
    ids = {
        str(one["local"]).removeprefix("./").rstrip("/"): one["ms_id"] for one in mapping.values() if one.get("ms_id")
    }
    return {"archives": {part: [one["url"], one["md5"]] for part, one in urls.items()}, "modelscope": ids}


def drop_usual_variables(configs: Mapping[str, Json]) -> None:
    """``variables`` stays where it is not just the family's name with ``_datasets``."""
    for module, config in configs.items():
        if config.get("variables") == [f"{module.split('.')[0]}_datasets"]:
            del config["variables"]


def write(path: Path, content: Json) -> None:
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            entries = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{entries}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    path.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def is_family(folder: Path) -> bool:
    return folder.is_dir() and not folder.name.startswith(("_", ".")) and folder.name != "collections"


def read_config(path: Path, mapping: Mapping[str, Json], sources: Sources) -> Json | None:
    """The entry of one file; None where it defines no dataset."""
    from mmengine.config import Config

    try:
        loaded = Config.fromfile(str(path), format_python_code=False).to_dict()
    except Exception as error:  # noqa: BLE001 - a configuration is a program
        if "_gen" not in path.stem and "_ppl" not in path.stem:
            return None
        return {"unusable": f"OpenCompass itself cannot load it ({type(error).__name__})"}
    variables = [name for name, value in loaded.items() if name.endswith("_datasets") and isinstance(value, list)]
    found = [config for name in variables for config in loaded[name] if isinstance(config, dict)]
    return entry(variables, found, mapping, sources) if found else None


def entry(variables: Sequence[str], found: Sequence[Json], mapping: Mapping[str, Json], sources: Sources) -> Json:
    inferencers = sorted({last(config.get("infer_cfg", {}).get("inferencer", {}).get("type")) for config in found})
    evaluators = sorted({last(evaluator(config).get("type")) for config in found})
    paths = local_paths(found, mapping)
    described = {
        "variables": variables,
        "kind": None if set(inferencers) <= GENERATION else "likelihood" if set(inferencers) <= LIKELIHOOD else "other",
        "evaluator": ", ".join(evaluators[:4]) + (f" and {len(evaluators) - 4} more" if len(evaluators) > 4 else ""),
        "data": paths[:MOST_PATHS],
        "loader": loader(found),
        **units(found),
        **shots(found),
        "range": any("test_range" in config.get("reader_cfg", {}) for config in found),
        "judge": is_judged(found),
        "runs_code": runs_code(evaluators),
        "unusable": unusable(found, inferencers, evaluators, paths, mapping, sources),
    }
    return {key: value for key, value in described.items() if value not in (None, "", [], {}, False) or key == "shots"}


def units(found: Sequence[Json]) -> Json:
    """``abbr`` of the only one, or ``prefix`` and ``subsets`` of several: their abbreviations are prefix + subset.

    ``names`` where the loader is asked for others than these.
    """
    abbrs = [abbr_of(config) for config in found]
    if len(abbrs) > MOST_SUBSETS:
        return {"count": len(abbrs)}
    prefix = common_prefix(abbrs)
    subsets = [abbr.removeprefix(prefix) for abbr in abbrs]
    listed: Json = {"abbr": abbrs[0]} if len(abbrs) == 1 else {"prefix": prefix, "subsets": subsets}
    names = [config.get("name") for config in found]
    if all(isinstance(name, str) for name in names) and names != subsets:
        listed["names"] = names
    return listed


def abbr_of(config: Json) -> str:
    """As OpenCompass makes one where there is none."""
    if "abbr" in config:
        return str(config["abbr"])
    return "_".join(str(config[part]) for part in ("path", "name") if part in config).replace("/", "_")


def common_prefix(words: Sequence[str]) -> str:
    """Up to the last separator before they differ."""
    first, last_ = min(words), max(words)
    same = next((at for at, (a, b) in enumerate(zip(first, last_, strict=False)) if a != b), len(first))
    return first[: max(first.rfind("_", 0, same), first.rfind("-", 0, same)) + 1]


def shots(found: Sequence[Json]) -> Json:
    """``fix``: how many examples a fixed list names, which can be changed; ``shots``: how many the prompt holds."""
    retrievers = [config.get("infer_cfg", {}).get("retriever", {}) for config in found]
    lengths = {len(retriever["fix_id_list"]) for retriever in retrievers if "fix_id_list" in retriever}
    if len(lengths) == 1 and all("fix_id_list" in retriever for retriever in retrievers):
        return {"fix": lengths.pop()}
    if any(last(retriever.get("type")) != "ZeroRetriever" for retriever in retrievers):
        return {}
    written = {rounds(config) for config in found}
    return {"shots": written.pop()} if len(written) == 1 else {}


def rounds(config: Json) -> int:
    """Worked examples that are written into the prompt: as turns of their own, or as questions in its text."""
    template = config.get("infer_cfg", {}).get("prompt_template", {}).get("template", {})
    turns = template.get("round", []) if isinstance(template, dict) else []
    asked = [str(turn.get("prompt", "")) for turn in turns if isinstance(turn, dict) and turn.get("role") == "HUMAN"]
    written = "\n" + (asked[0] if len(asked) == 1 else "")
    return max(0, len(asked) - 1, *(written.count(f"\n{word}:") - 1 for word in ("Q", "Question", "Problem")))


def evaluator(config: Json) -> Json:
    found = (config.get("eval_cfg") or {}).get("evaluator")
    return found if isinstance(found, dict) else {}


def local_paths(found: Iterable[Json], mapping: Mapping[str, Json]) -> list[str]:
    """Where the files are in OpenCompass's data folder; without those that are elsewhere."""
    bases = [{"path": f"{base['path']}/{abbr_of(config)}.json"} for config in found for base in given(config)]
    return list(dict.fromkeys(filter(None, (local_path(config, mapping) for config in [*found, *bases]))))


def given(config: Json) -> list[Json]:
    """Models whose answers come with the data."""
    return list(config.get("given_pred") or [])


def local_path(config: Json, mapping: Mapping[str, Json]) -> str:
    path = str(config.get("path") or "")
    local = str(mapping[path].get("local") or "") if path in mapping else path
    local = local.removeprefix("./").rstrip("/")
    inside = config.get("file_name") or NAMED_FILES.get(last(config.get("type")), "").format(config.get("name"))
    return f"{local}/{inside}" if inside and local.startswith("data/") else local if local.startswith("data/") else ""


def loader(found: Sequence[Json]) -> str:
    """The class that reads the data, where it is the same for all."""
    names = {last(config.get("type")) for config in found}
    return names.pop() if len(names) == 1 else ""


def unusable(
    found: Sequence[Json],
    inferencers: Sequence[str],
    evaluators: Sequence[str],
    paths: Sequence[str],
    mapping: Mapping[str, Json],
    sources: Sources,
) -> str:
    reasons = (
        _how(found, inferencers, evaluators),
        _code(found, evaluators, paths),
        _data(found, paths, mapping),
        _needs(found, evaluators, sources),
    )
    return next((reason for some in reasons for reason in some), "")


def runs_code(evaluators: Sequence[str]) -> bool:
    return any(part in name for part in EXECUTES for name in evaluators)


def _code(found: Sequence[Json], evaluators: Sequence[str], paths: Sequence[str]) -> Iterator[str]:
    """What runs code is used where that has been tried: one file, asked once."""
    once = all(config.get("num_repeats", 1) == 1 for config in found)
    if runs_code(evaluators) and not (once and [TRIED.get(name) for name in evaluators] == list(paths)):
        yield "executes code that the model writes, and has not been tried in the sandbox"


def _how(found: Sequence[Json], inferencers: Sequence[str], evaluators: Sequence[str]) -> Iterator[str]:
    abbrs = [abbr_of(config) for config in found]
    if set(inferencers) & LIKELIHOOD:
        yield "scores likelihoods, which a model behind an API does not give"
    if other := sorted(set(inferencers) - GENERATION):
        named = ", ".join(filter(None, other)) or "own choice of inferencer"
        yield f"needs OpenCompass's {named}, which its concurrent task lacks"
    yield from _subjective([config for config in found if last(evaluator(config).get("type")) == SUBJECTIVE])
    if "" in evaluators:
        yield "has no evaluator"
    if len(set(abbrs)) != len(abbrs):
        yield "names two of its parts the same, so that OpenCompass overwrites one with the other"


def _subjective(found: Sequence[Json]) -> Iterator[str]:
    """Why judgements are no score of one model."""
    processes = [last(evaluator(config).get("dict_postprocessor", {}).get("type")) for config in found]
    if not all(processes):
        yield "leaves its judgements to a summarizer over several models, without a score of its own"
    if any("bradleyterry" in name for name in processes):
        yield "makes battles of its judgements, for a rating over several models, and no score"
    if unread := sorted({name for name in processes if name and name not in READERS}):
        yield f"gives a score for each kind of question, and none over all ({unread[0]})"


def _data(found: Sequence[Json], paths: Sequence[str], mapping: Mapping[str, Json]) -> Iterator[str]:
    if not all(local_path(config, mapping) for config in found) or not paths:
        elsewhere = sorted({str(config.get("path")) for config in found if not local_path(config, mapping)})
        yield f"reads its data from outside OpenCompass's data folder ({', '.join(elsewhere[:2])})"


def _needs(found: Sequence[Json], evaluators: Sequence[str], sources: Sources) -> Iterator[str]:
    loaders = sorted({last(config.get("type")) for config in found})
    retrievers = {last(config.get("infer_cfg", {}).get("retriever", {}).get("type")) for config in found}
    if chosen := sorted(retrievers & HUB_RETRIEVERS):
        yield f"chooses its worked examples with a model from a hub ({chosen[0]}, sentence-transformers)"
    if any(sources.opens_as_it_stands(last(config.get("type")), str(config.get("path"))) for config in found):
        yield "opens its data under a name that is no path: its loader does not know the data folder"
    if missing := sorted({name for one in (*loaders, *evaluators) for name in sources.packages(one)}):
        yield f"needs packages that the environment leaves out ({', '.join(missing[:3])})"
    if own := [name for name in evaluators if name not in JUDGED and sources.own_model(name)]:
        yield f"is scored by a model at an address of its own, past the spec's judge ({own[0]})"
    if hub := [name for name in (*loaders, *evaluators) if sources.hub(name)]:
        yield f"needs a tokenizer or a model from a hub ({hub[0]})"


def is_judged(found: Sequence[Json]) -> bool:
    return any(last(evaluator(config).get("type")) in JUDGED or has_key(config, "judge_cfg") for config in found)


def has_key(value: object, key: str) -> bool:
    if isinstance(value, dict):
        return key in value or any(has_key(part, key) for part in value.values())
    return isinstance(value, list | tuple) and any(has_key(part, key) for part in value)


def last(dotted: object) -> str:
    return str(dotted).rpartition(".")[2] if dotted else ""


def family(folder: Path, configs: Mapping[str, Json]) -> Json:
    """How many configurations a family has, and the one that OpenCompass takes when the family is named."""
    mine = {name: config for name, config in configs.items() if name.split(".")[0] == folder.name}
    usable = [name for name, config in mine.items() if "kind" not in config]
    default = default_config(folder, mine)
    if default is None and len(usable) == 1:
        default = usable[0]
    likelihood = sum(config.get("kind") == "likelihood" for config in mine.values())
    brief = {key: value for key, value in configs.get(default or "", {}).items() if key in BRIEF}
    counts = {"generation": len(usable), "likelihood": likelihood, "config": default, **brief}
    return {key: value for key, value in counts.items() if value}


def default_config(folder: Path, mine: Mapping[str, Json]) -> str | None:
    """What ``<family>_gen.py`` stands for: itself, or the one that it imports from."""
    path = next((path for path in folder.glob("*_gen.py") if path.stem.lower() == f"{folder.name}_gen".lower()), None)
    if path is None or f"{folder.name}.{path.stem}" not in mine:
        return None
    imported = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if is_relative(node)]
    target = f"{folder.name}.{imported[0].module}" if len(imported) == 1 else ""
    return target if target in mine else f"{folder.name}.{path.stem}"


def is_relative(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and node.level == 1


if __name__ == "__main__":
    from ocbridge import torch_absent

    if find_spec("torch") is None:
        torch_absent.install()
    main(Path(sys.argv[1]))
