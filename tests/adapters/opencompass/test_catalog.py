"""The shipped listing of OpenCompass, and how names are found in it."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from command import bridge

from bridge.adapters.opencompass import catalog
from bridge.adapters.opencompass.ocbridge.judgements import READERS
from bridge.adapters.opencompass.scales import SCALES

FORTY_EIGHT = """
obqa AX_b siqa nq mbpp winogrande mmlu BoolQ cluewsc ocnli lambada CMRC ceval csl cmnli bbh ReCoRD math
humaneval eprstmt WSC storycloze MultiRC RTE chid gsm8k AX_g bustm afqmc piqa lcsts strategyqa Xsum agieval ocnli_fc C3
tnews race triviaqa CB WiC hellaswag summedits GaokaoBench ARC_e COPA ARC_c DRCD
"""


def configs() -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, dict[str, object]]] = json.loads(
        (catalog.HERE / "configs.json").read_text(encoding="utf-8")
    )
    return content["configs"]


def test_all_names_of_2024_are_there_with_their_pinned_configuration() -> None:
    assert len(FORTY_EIGHT.split()) == 48
    for name in FORTY_EIGHT.split():
        info = catalog.datasets()[name]
        assert info.kind == "generation"
        assert info.evaluator and info.data
        assert "_gen_" in info.config, f"{name} is not pinned: {info.config}"


def test_the_lock_holds_the_version_that_is_listed() -> None:
    lock = (catalog.HERE / "env.lock").read_text(encoding="utf-8").splitlines()
    assert f"opencompass=={catalog.version()}" in lock
    assert not [line for line in lock if line.startswith(("torch==", "opencv"))]


def test_families_are_listed_with_what_they_run() -> None:
    families = [info for info in catalog.datasets().values() if info.family == info.name]
    assert len({info.family for info in catalog.datasets().values()}) > 230
    named = [info for info in families if not info.unusable and info.kind == "generation"]
    assert len(named) > 50
    assert all(info.config and info.data for info in named)


def test_likelihood_configurations_are_listed_and_marked() -> None:
    kinds = Counter(str(entry.get("kind", "generation")) for entry in configs().values())
    assert kinds["generation"] > 1000 and kinds["likelihood"] > 150
    found = catalog.resolve("mmlu_ppl_ac766d")
    assert found is not None
    assert found.info.kind == "likelihood"
    assert "likelihood" in found.info.unusable


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("humaneval_plus", "sandbox"),
        ("mbpp_cn", "sandbox"),
        ("truthfulqa", "outside OpenCompass's data folder"),
        ("subjective.fofo.fofo_judge", "leaves its judgements to a summarizer over several models"),
        ("subjective.arena_hard.arena_hard_compare_bradleyterry", "for a rating over several models, and no score"),
        ("subjective.compassarena.compassarena_compare_new", "a score for each kind of question, and none over all"),
        ("commonsenseqa", "with a model from a hub (MDLRetriever"),
        ("math.math_gen_736506", "its loader does not know the data folder"),
        ("math.math_0shot_llm_judge_gen_393424", "at an address of its own, past the spec's judge"),
        ("mol_instructions_chem_gen", "packages that the environment leaves out (rdkit, selfies)"),
        ("needlebench_single_8k", "a tokenizer or a model from a hub"),
    ],
)
def test_what_cannot_run_here_says_why(name: str, why: str) -> None:
    found = catalog.resolve(name)
    assert found is not None and found.configs == ()
    assert why in found.info.unusable


@pytest.mark.parametrize("name", ["mmlu_gen_4d595a", "mmlu.mmlu_gen_4d595a", "mmlu/mmlu_gen_4d595a"])
def test_a_configuration_is_found_by_its_files_name(name: str) -> None:
    found = catalog.resolve(name)
    assert found is not None
    (config,) = found.configs
    assert config.module == "mmlu.mmlu_gen_4d595a"
    assert len(config.units) == 57
    assert config.units["lukaemon_mmlu_astronomy"] == "astronomy"
    assert config.fix == 5


def test_a_name_of_several_files_is_refused_with_their_full_names() -> None:
    found = catalog.resolve("mgsm_gen")
    assert found is not None
    assert found.configs == ()
    assert "PMMEval.mgsm_gen" in found.info.unusable and "mgsm.mgsm_gen" in found.info.unusable


def test_every_configuration_can_be_resolved() -> None:
    for module, entry in configs().items():
        found = catalog.resolve(module)
        assert found is not None
        assert bool(found.configs) != bool(entry.get("unusable")), module


def test_the_native_name_of_arc_stands_for_both_parts() -> None:
    found = catalog.resolve("arc")
    assert found is not None
    assert [config.module for config in found.configs] == ["ARC_e.ARC_e_gen_1e0de5", "ARC_c.ARC_c_gen_1e0de5"]
    assert found.subsets == ("ARC-Easy", "ARC-Challenge")


def test_the_data_is_compact_and_names_no_machine() -> None:
    sizes = {name: (catalog.HERE / name).stat().st_size for name in ("datasets.json", "configs.json")}
    assert sum(sizes.values()) < 1_500_000
    assert sizes["datasets.json"] < 100_000
    text = (catalog.HERE / "configs.json").read_text(encoding="utf-8")
    assert "/tmp/" not in text and "/work/" not in text


def test_every_configuration_is_listed_with_what_is_known_of_it_and_can_be_named() -> None:
    listed = catalog.configurations()
    generation = [info for info in listed.values() if info.kind == "generation"]
    assert len(generation) > 1100
    for info in listed.values():
        assert info.family and info.config
        found = catalog.resolve(info.name)
        assert found is not None and found.info == info
    usable = [info for info in generation if not info.unusable]
    assert len(usable) > 650
    assert all(info.evaluator and info.data for info in usable)
    judged = [info for info in usable if "judge" in info.description]
    assert len(judged) > 100
    assert all(config.judged for info in judged for config in getattr(catalog.resolve(info.name), "configs", ()))


def test_the_command_line_lists_them() -> None:
    ran = bridge("datasets", "--configurations", "--backend", "opencompass", "--search", "aime2024 llmjudge", "--json")
    listed = {info["name"]: info for info in json.loads(ran.stdout)}
    assert listed["aime2024.aime2024_llmjudge_gen_5e9f4f"]["evaluator"] == "GenericLLMEvaluator"
    assert listed["aime2024.aime2024_llmjudge_gen_5e9f4f"]["description"] == "scored by the spec's judge"


def test_what_judges_are_read_with_is_known_on_both_sides() -> None:
    """``ocbridge`` reads single judgements in the framework's environment; the adapter knows what its scores mean."""
    assert READERS.keys() == SCALES.keys()
    assert {name: reader.kind for name, reader in READERS.items()} == {n: scale.kind for n, scale in SCALES.items()}


def test_most_of_what_a_judge_rates_can_be_run() -> None:
    rated = {m: entry for m, entry in configs().items() if "LMEvaluator" in str(entry.get("evaluator")).split(", ")}
    assert (len(rated), sum("unusable" not in entry for entry in rated.values())) == (62, 36)
    assert all(entry["judge"] for entry in rated.values())
