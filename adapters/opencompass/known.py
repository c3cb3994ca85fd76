"""Benchmarks whose files are known one by one: how the benchmark has them, and how OpenCompass wants them."""

from __future__ import annotations

from dataclasses import dataclass

_ARC = ("validation", "dev", "test", "train")
SPLIT_FILES = {"validation": "Dev", "dev": "Dev", "test": "Test", "train": "Train"}


@dataclass(frozen=True)
class Known:
    """A benchmark whose own layout is known. Places are patterns with ``{subset}`` and ``{split}``."""

    split: str
    """The split that is scored where the spec names none; empty where the files do not say."""
    splits: tuple[str, ...]
    """What the spec may name."""
    files: tuple[tuple[str, str], ...]
    """Place in OpenCompass's folder for it (empty: that *is* the file), and how the file gets there."""
    own: tuple[tuple[str, ...], ...] = ()
    """Names of these files in the benchmark's own folder, several ways; default: as in OpenCompass's."""
    folders: tuple[str, ...] = ("",)
    """Folders of the benchmark's own archive in which they may be."""
    scored: str = ""
    """Which of the files holds the rows that are scored; empty where there is only one."""
    loader: str = ""
    """OpenCompass's class that reads these files; others read others in the same folder. Empty: all do."""

    @property
    def places(self) -> tuple[tuple[str, ...], ...]:
        return self.own or (tuple(place for place, _ in self.files),)


def _arc(part: str) -> Known:
    own = ((f"{part}-{{split}}.jsonl",),)
    return Known("dev", _ARC, (("", "jsonl"),), own, ("", part, f"ARC-V1-Feb2018-2/{part}"))


_LABELLED = ((".jsonl", "piqa"), ("-labels.lst", "link"))


def _file(loader: str, split: str, how: str, *own: str) -> Known:
    """OpenCompass wants one file; the benchmark has it under other names, in a form of its own."""
    return Known(split, (), (("", how),), tuple((name,) for name in own), loader=loader)


def _whole(loader: str, split: str, *files: str) -> Known:
    """Files that OpenCompass reads as they are; the first of them is scored."""
    return Known(split, (), tuple((file, "link") for file in files), scored=files[0], loader=loader)


KNOWN: dict[str, Known] = {
    "data/gsm8k": Known(
        "test", ("test", "main"), (("test.jsonl", "jsonl"), ("train.jsonl", "jsonl")), scored="test.jsonl"
    ),
    "data/mmlu": Known(
        "test",
        ("test",),
        (("dev/{subset}_dev.csv", "mmlu"), ("test/{subset}_test.csv", "mmlu")),
        scored="test/{subset}_test.csv",
    ),
    "data/ARC/ARC-c/ARC-Challenge-Dev.jsonl": _arc("ARC-Challenge"),
    "data/ARC/ARC-e/ARC-Easy-Dev.jsonl": _arc("ARC-Easy"),
    "data/humaneval/human-eval-v2-20210705.jsonl": Known(
        "test",
        ("test",),
        (("", "unpacked"),),
        (("human-eval-v2-20210705.jsonl",), ("HumanEval.jsonl.gz",), ("HumanEval.jsonl",)),
    ),
    # Its loader takes the rows of the test split from the whole file.
    "data/mbpp/mbpp.jsonl": Known("test", ("test",), (("", "link"),), (("mbpp.jsonl",),)),
    "data/hellaswag/hellaswag.jsonl": Known(
        "validation",
        ("validation", "val"),
        (("", "hellaswag"),),
        (("hellaswag_val.jsonl",), ("hellaswag.jsonl",), ("*.jsonl",)),
    ),
    "data/BBH/data": Known(
        "test", ("test",), (("{subset}.json", "examples"),), folders=("", "bbh"), scored="{subset}.json"
    ),
    "data/ceval/formal_ceval": Known(
        "val",
        ("val", "validation"),
        tuple((f"{split}/{{subset}}_{split}.csv", "ceval") for split in ("dev", "val", "test")),
        folders=("", "formal_ceval"),
        scored="val/{subset}_val.csv",
    ),
    "data/SuperGLUE/BoolQ/val.jsonl": _file(
        "BoolQDatasetV2", "validation", "boolq", "val.jsonl", "dev.jsonl", "boolq.jsonl"
    ),
    "data/lambada/test.jsonl": _file(
        "lambadaDataset", "test", "lambada", "test.jsonl", "lambada_openai.jsonl", "lambada_test.jsonl"
    ),
    "data/openbookqa/Main/test.jsonl": _file(
        "OBQADataset", "test", "obqa", "test.jsonl", "Main/test.jsonl", "test.tsv"
    ),
    "data/winogrande": Known(
        "validation",
        ("validation", "dev"),
        (("dev.jsonl", "jsonl"),),
        (("dev.jsonl",), ("winogrande_1.1/dev.jsonl",), ("dev_reconstructed.jsonl",)),
        scored="dev.jsonl",
        loader="WinograndeDatasetV2",
    ),
    "data/piqa": Known(
        "validation",
        ("validation", "dev"),
        tuple((f"{split}{rest}", how) for split in ("dev", "train") for rest, how in _LABELLED),
        # Its usable configurations take no examples, and OpenCompass loads the training set all the same.
        (
            ("dev.jsonl", "dev-labels.lst", "train.jsonl", "train-labels.lst"),
            ("valid.jsonl", "valid-labels.lst", "valid.jsonl", "valid-labels.lst"),
        ),
        scored="dev.jsonl",
        loader="PIQADatasetV2",
    ),
    "data/siqa": Known(
        "validation",
        ("validation", "dev"),
        tuple((f"{split}{rest}", "link") for split in ("dev", "train") for rest in (".jsonl", "-labels.lst")),
        scored="dev.jsonl",
        loader="siqaDataset_V2",
    ),
    "data/triviaqa": Known(
        "dev",
        (),
        (("trivia-dev.qa.csv", "trivia"), ("trivia-test.qa.csv", "trivia")),
        (("trivia-dev.qa.csv", "trivia-test.qa.csv"), ("triviaqa_sm_sub.jsonl", "triviaqa_sm_sub.jsonl")),
        scored="trivia-dev.qa.csv",
        loader="TriviaQADataset",
    ),
    "data/nq": _whole("NaturalQuestionDataset", "test", "nq-test.qa.csv", "nq-dev.qa.csv"),
    "data/LCSTS": _whole("LCSTSDataset", "test", "test.src.txt", "test.tgt.txt"),
    "data/xstory_cloze": _whole("StoryClozeDatasetV2", "", "en_eval.jsonl", "en_train.jsonl"),
    "data/AGIEval/data/v1": _whole("AGIEvalDataset_v2", "", "{subset}.jsonl"),
    "data/race": _whole("RaceDataset", "test", "test/{subset}.jsonl", "validation/{subset}.jsonl"),
    "data/cmmlu": _whole("CMMLUDataset", "test", "test/{subset}.csv", "dev/{subset}.csv"),
    "data/math": _whole("MATHDataset", "test", "math.json"),
    "data/commonsenseqa": _whole(
        "commonsenseqaDataset", "validation", "dev_rand_split.jsonl", "train_rand_split.jsonl"
    ),
}
"""Path in OpenCompass's data folder → what is to lie there."""


def known_files(path: str, loader: str, subsets: bool) -> Known | None:
    """What is known of ``path`` as ``loader`` reads it; ``subsets``: their names are known too."""
    known = KNOWN.get(path)
    if known is None or (known.loader and known.loader != loader):
        return None
    return known if subsets or not any("{subset}" in place for place, _ in known.files) else None
