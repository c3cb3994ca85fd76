"""What the backend lists, and what it refuses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from vlm_runs import BACKEND, make_task

from bridge.adapters.vlmevalkit import catalogue
from bridge.adapters.vlmevalkit.translate import FULL, LEAN, jobs
from bridge.backend import Endpoint
from bridge.errors import Unsupported

LISTED_IN_2024 = """
COCO_VAL MME HallusionBench POPE MMBench_DEV_EN MMBench_TEST_EN MMBench_DEV_CN MMBench_TEST_CN MMBench MMBench_CN
MMBench_DEV_EN_V11 MMBench_TEST_EN_V11 MMBench_DEV_CN_V11 MMBench_TEST_CN_V11 MMBench_V11 MMBench_CN_V11 SEEDBench_IMG
SEEDBench2 SEEDBench2_Plus ScienceQA_VAL ScienceQA_TEST MMT-Bench_ALL_MI MMT-Bench_ALL MMT-Bench_VAL_MI MMT-Bench_VAL
AesBench_VAL AesBench_TEST CCBench AI2D_TEST MMStar RealWorldQA MLLMGuard_DS BLINK OCRVQA_TEST OCRVQA_TESTCORE
TextVQA_VAL DocVQA_VAL DocVQA_TEST InfoVQA_VAL InfoVQA_TEST ChartQA_TEST MathVision MathVision_MINI MMMU_DEV_VAL
MMMU_TEST OCRBench MathVista_MINI LLaVABench MMVet MTVQA_TEST MMLongBench_DOC VCR_EN_EASY_500 VCR_EN_EASY_100
VCR_EN_EASY_ALL VCR_EN_HARD_500 VCR_EN_HARD_100 VCR_EN_HARD_ALL VCR_ZH_EASY_500 VCR_ZH_EASY_100 VCR_ZH_EASY_ALL
VCR_ZH_HARD_500 VCR_ZH_HARD_100 VCR_ZH_HARD_ALL MMDU MMBench-Video Video-MME
"""
"""As EvalScope's documentation of its VLMEvalKit backend had them."""
OF_2024 = LISTED_IN_2024.split()


def test_every_dataset_of_the_package_is_listed() -> None:
    own = [entry for name in BACKEND.datasets() if (entry := catalogue.entry(name)) and not entry.custom]
    assert len(own) == 518 and catalogue.version() == "0.0.20"
    assert Counter(entry.modality for entry in own) == {"image": 457, "video": 55, "text": 6}
    assert {entry.env for entry in own} == {"lean", "full", ""}
    assert all(entry.evaluator and entry.type for entry in own)


def test_the_datasets_of_2024_are_listed() -> None:
    listed = BACKEND.datasets()
    assert [name for name in OF_2024 if name not in listed] == []
    usable = [name for name in OF_2024 if not listed[name].unusable]
    assert len(OF_2024) == 66 and len(usable) == 53
    reasons = {listed[name].unusable for name in OF_2024 if listed[name].unusable}
    assert reasons == {
        "its scorer or its files need evaluate, spacy",
        "its scorer or its files need fitz, torchvision",
    }


@pytest.mark.parametrize(
    ("name", "env", "judge", "answers", "circular"),
    [
        ("MMBench_DEV_EN", "lean", "optional", "public", True),
        ("MMBench_TEST_CN_V11", "lean", "optional", "withheld", True),
        ("CCBench", "lean", "optional", "public", True),
        ("MMStar", "lean", "optional", "public", False),
        ("POPE", "lean", "optional", "public", False),
        ("ChartQA_TEST", "lean", "none", "public", False),
        ("DocVQA_TEST", "lean", "none", "withheld", False),
        ("MathVista_MINI", "lean", "required", "public", False),
        ("MathVision", "full", "required", "public", False),
        ("MMVet", "lean", "required", "public", False),
        ("LLaVABench", "lean", "required", "public", False),
        ("COCO_VAL", "full", "none", "public", False),
        ("Video-MME", "full", "optional", "public", False),
    ],
)
def test_what_a_dataset_takes(name: str, env: str, judge: str, answers: str, circular: bool) -> None:
    entry = catalogue.entry(name)
    assert entry is not None
    assert (entry.env, entry.judge, entry.answers, entry.circular) == (env, judge, answers, circular)


def test_programs_of_the_model_are_not_run() -> None:
    assert BACKEND.datasets()["ChartMimic_v1_direct"].unusable == "its scorer runs programs that the model writes"


def test_judges_that_bridge_could_not_watch_are_not_asked() -> None:
    for name in ("SimpleVQA", "MathCanvas-Bench"):
        assert "past bridge" in BACKEND.datasets()[name].unusable


def test_presets_of_videos_have_names() -> None:
    entry = catalogue.entry("Video-MME_8frame")
    assert entry is not None and (entry.name, dict(entry.kwargs)) == ("Video-MME", {"nframe": 8})
    assert "Video-MME_8frame" not in BACKEND.datasets()


def refusals(datasets: list[Any], **fields: Any) -> dict[str, str]:
    return {problem.field: str(problem) for problem in BACKEND.check(make_task(datasets, **fields))}


def test_what_cannot_be_scored_is_refused_before_anything_runs(tmp_path: Path) -> None:
    found = refusals(
        [
            "MathVista_MINI",
            "MMBench_TEST_EN",
            "Video-MME",
            "custom_vqa",
            {"name": "MMStar", "path": str(tmp_path / "none")},
            {"name": "MMStar", "alias": "shots", "num_fewshot": 3},
            {"name": "MMStar", "alias": "zero", "num_fewshot": 0},
            "UniSVG",
        ]
    )
    assert "scored by a judge" in found["datasets[0].name"] and "set 'judge'" in found["datasets[0].name"]
    assert "not public" in found["datasets[1].name"]
    assert "read from local files" in found["datasets[2].path"]
    assert "your own table" in found["datasets[3].path"]
    assert "there is no file or folder" in found["datasets[4].path"]
    assert "no worked examples" in found["datasets[5].num_fewshot"]
    assert "need bert_score" in found["datasets[7].name"]
    assert len(found) == 7


def test_options_are_checked(tmp_path: Path) -> None:
    def of(**options: Any) -> str:
        datasets = ["MMStar", {"name": "custom_vqa", "alias": "mine", "path": str(tmp_path)}]
        return "\n".join(refusals(datasets, options={"vlmevalkit": options}).values())

    assert "there is no such option" in of(imgae={})
    assert "did you mean 'mine'" in of(scorer={"mne": "exact"})
    assert "has VLMEvalKit's own scorer" in of(scorer={"MMStar": "exact"})
    assert "the spec names no judge" in of(scorer={"mine": "judge"})
    assert "'nframe' or 'fps', not both" in of(video={"nframe": 8, "fps": 1})
    assert "there is no package 'vlmeval'" in of(source=str(tmp_path))
    assert "there is no folder" in of(lmu_data=str(tmp_path / "none"))
    assert of(scorer={"mine": "anls"}, image={"size": 512, "detail": "low"}) == ""


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    path = vlm_toys.write(tmp_path / "t.tsv", vlm_toys.choices(1))
    found = refusals([{"name": "MMMB", "path": str(path)}, {"name": "MMStar", "path": __file__}])
    assert "MMMB takes a folder with the tables MMMB_ar, " in found["datasets[0].path"]
    assert "is no .tsv" in found["datasets[1].path"]


def test_each_dataset_runs_where_its_scorer_can(tmp_path: Path) -> None:
    vlm_toys.write_all(tmp_path, "MMStar", "MathVision_MINI")
    judge = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    here = {"path": str(tmp_path)}
    task = make_task([{"name": "MathVision_MINI", **here}, {"name": "MMStar", **here}], judge=judge)
    made = jobs(task, Endpoint("http://127.0.0.1:9/v1", "m"))
    assert [(job.id, job.datasets, job.env_spec) for job in made] == [
        ("vlmevalkit-full", ("MathVision_MINI",), FULL),
        ("vlmevalkit", ("MMStar",), LEAN),
    ]


def test_names_that_no_backend_knows_are_refused() -> None:
    with pytest.raises(Unsupported, match="VLMEvalKit has no dataset 'MMStr'"):
        jobs(make_task(["MMStr"]), Endpoint("http://127.0.0.1:9/v1", "m"))


def test_the_locks_pin_everything_and_hold_no_torch() -> None:
    assert LEAN.lock is not None and FULL.lock is not None
    lean, full = (
        dict(line.split("==") for line in lock.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
        for lock in (LEAN.lock, FULL.lock)
    )
    assert lean["ms-vlmeval"] == full["ms-vlmeval"] == catalogue.version()
    assert lean.items() <= full.items()
    assert not {"torch", "torchvision", "transformers"} & full.keys()
