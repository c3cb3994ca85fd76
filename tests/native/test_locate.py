from __future__ import annotations

from pathlib import Path

import pytest

from bridge.native.benchmarks import benchmark
from bridge.native.locate import find_examples, find_sources, has_examples
from bridge.native.readers import DataError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n", encoding="utf-8")
    return folder


def found(name: str, folder: Path, split: str) -> list[tuple[str, str | None]]:
    sources = find_sources(benchmark(name), folder, split)
    root = folder if folder.is_dir() else folder.parent
    return [(source.path.relative_to(root).as_posix(), source.subset) for source in sources]


def test_original_layouts(tmp_path: Path) -> None:
    gsm8k = touch(tmp_path / "gsm8k", "test.jsonl", "train.jsonl", "golden/solutions.jsonl")
    assert found("gsm8k", gsm8k, "test") == [("test.jsonl", None)]
    assert found("gsm8k", gsm8k, "train") == [("train.jsonl", None)]
    mmlu = touch(tmp_path / "mmlu", "test/virology_test.csv", "test/anatomy_test.csv", "dev/anatomy_dev.csv")
    assert [subset for _, subset in found("mmlu", mmlu, "test")] == ["anatomy", "virology"]
    assert found("mmlu", mmlu, "dev") == [("dev/anatomy_dev.csv", "anatomy")]
    arc = touch(tmp_path / "arc", "ARC-Challenge-Test.jsonl", "ARC-Easy-Test.jsonl", "ARC-Challenge-Dev.jsonl")
    assert [subset for _, subset in found("arc", arc, "test")] == ["ARC-Easy", "ARC-Challenge"]
    assert found("hellaswag", touch(tmp_path / "hs", "hellaswag_val_subset.jsonl"), "validation") == [
        ("hellaswag_val_subset.jsonl", None)
    ]


def test_the_exact_name_is_taken_before_one_that_only_begins_like_it(tmp_path: Path) -> None:
    folder = touch(tmp_path, "hellaswag_val.jsonl", "hellaswag_val_subset.jsonl")
    assert found("hellaswag", folder, "validation") == [("hellaswag_val.jsonl", None)]


def test_two_that_fit_are_refused_by_name(tmp_path: Path) -> None:
    folder = touch(tmp_path, "hellaswag_val_a.jsonl", "hellaswag_val_b.jsonl")
    with pytest.raises(DataError, match=r"several files fit \(hellaswag_val_a\.jsonl, hellaswag_val_b\.jsonl\)"):
        found("hellaswag", folder, "validation")


def test_one_benchmark_in_two_formats_is_read_once(tmp_path: Path) -> None:
    assert found("gsm8k", touch(tmp_path, "test.jsonl", "test.csv"), "test") == [("test.jsonl", None)]


def test_the_users_files_are_subsets_in_any_format(tmp_path: Path) -> None:
    folder = touch(tmp_path, "law_val.csv", "art_val.jsonl", "law_dev.csv")
    assert found("general_mcq", folder, "val") == [("art_val.jsonl", "art"), ("law_val.csv", "law")]
    assert found("general_qa", touch(tmp_path / "qa", "faq.jsonl"), "test") == [("faq.jsonl", "faq")]


def test_a_file_given_by_name_is_what_is_scored(tmp_path: Path) -> None:
    folder = touch(tmp_path, "ARC-Challenge-Dev.jsonl", "ARC-Challenge-Test.jsonl", "my.jsonl", "law_val.csv")
    assert found("arc", folder / "ARC-Challenge-Dev.jsonl", "test") == [("ARC-Challenge-Dev.jsonl", None)]
    assert found("arc", folder / "ARC-Challenge-Test.jsonl", "test") == [("ARC-Challenge-Test.jsonl", "ARC-Challenge")]
    assert found("gsm8k", folder / "my.jsonl", "test") == [("my.jsonl", None)]
    assert found("general_mcq", folder / "my.jsonl", "val") == [("my.jsonl", "my")]
    assert found("general_mcq", folder / "law_val.csv", "val") == [("law_val.csv", "law")]


def test_worked_examples_are_beside_a_file_given_by_name(tmp_path: Path) -> None:
    folder = touch(tmp_path, "test.jsonl", "train.jsonl", "law_val.csv", "law_dev.csv", "art_dev.csv")
    (train,) = find_examples(benchmark("gsm8k"), folder / "test.jsonl", "train")
    assert train.path.name == "train.jsonl"
    assert [s.path.name for s in find_examples(benchmark("general_mcq"), folder / "law_val.csv", "dev")] == [
        "law_dev.csv"
    ]
    assert not has_examples(benchmark("arc"), folder / "test.jsonl", "train")


def test_hub_copies_without_a_readme(tmp_path: Path) -> None:
    gsm8k = touch(tmp_path / "g", "main/test-00000-of-00001.parquet", "socratic/test-00000-of-00001.parquet")
    assert found("gsm8k", gsm8k, "test") == [("main/test-00000-of-00001.parquet", None)]
    arc = touch(tmp_path / "a", "ARC-Easy/test-00000-of-00001.parquet", "ARC-Challenge/test-00000-of-00001.parquet")
    assert [subset for _, subset in found("arc", arc, "test")] == ["ARC-Easy", "ARC-Challenge"]
    mmlu = touch(tmp_path / "m", "all/test-00000-of-00002.parquet", "all/test-00001-of-00002.parquet")
    assert [subset for _, subset in found("mmlu", mmlu, "test")] == [None, None]
    assert found("hellaswag", touch(tmp_path / "h", "data/validation-00000-of-00001.parquet"), "validation")


def test_hub_copies_whose_readme_says_where(tmp_path: Path) -> None:
    touch(tmp_path, "easy/t.jsonl", "hard/t.jsonl", "hard/v.jsonl")
    card = """---
license: cc-by-sa-4.0
configs:
- config_name: ARC-Challenge
  data_files:
  - {split: test, path: hard/t.jsonl}
  - {split: validation, path: [hard/v*]}
- config_name: ARC-Easy
  data_files: [{split: test, path: easy/*.jsonl}]
---
# ARC
"""
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    assert found("arc", tmp_path, "test") == [("easy/t.jsonl", "ARC-Easy"), ("hard/t.jsonl", "ARC-Challenge")]
    assert found("arc", tmp_path, "validation") == [("hard/v.jsonl", "ARC-Challenge")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "none", "no such file or folder; expected test.jsonl and train.jsonl"),
        (lambda folder: folder, "has no file of gsm8k's split 'test'; expected test.jsonl"),
        (lambda folder: touch(folder, "a.docx") / "a.docx", "not a format that can be read"),
    ],
)
def test_what_is_not_there_is_said_with_the_layout(tmp_path: Path, make: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_sources(benchmark("gsm8k"), make(tmp_path), "test")  # type: ignore[operator]


def test_a_readme_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\na: [\n---\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"README\.md: its head is not YAML"):
        find_sources(benchmark("gsm8k"), tmp_path, "test")
