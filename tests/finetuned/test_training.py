"""What is read from a training's folder, and what is said about one that is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finetuned.trainings import BASE_SHAPES, age, make_base, make_checkpoint, make_training, write_json, write_weights

from bridge.errors import SpecError
from bridge.finetuned.choose import Chosen, choose
from bridge.finetuned.training import read_training


def chosen(folder: Path, checkpoint: str | None = None, *, base: bool = True, model: Path | None = None) -> Chosen:
    return choose(read_training(folder), checkpoint, base=base, base_model=model)


def names(found: Chosen) -> list[str]:
    return [one.name for one in found.checkpoints]


def refusal(folder: Path, checkpoint: str | None = None, *, base: bool = True, model: Path | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        chosen(folder, checkpoint, base=base, model=model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_training_is_found_from_any_of_its_folders(tmp_path: Path, kind: str) -> None:
    run = make_training(tmp_path / "out", kind=kind)  # type: ignore[arg-type]
    for given in (tmp_path / "out", run, run / "checkpoint-10", run / "last-checkpoint"):
        training = read_training(given)
        assert training.folder == run
        assert [(one.step, one.kind) for one in training.checkpoints] == [(10, kind), (20, kind), (30, kind)]
        assert (training.best, training.ended, training.going_on) == ("checkpoint-20", True, False)
        assert (training.arguments.model_type, training.arguments.template) == ("qwen2", "qwen")
        assert training.arguments.serving == {"torch_dtype": "float32"}


def test_the_newest_run_that_has_a_checkpoint(tmp_path: Path) -> None:
    make_training(tmp_path / "out", run="v9-20261121-120000")
    newest = make_training(tmp_path / "out", run="v10-20261121-110000")
    make_training(tmp_path / "out", run="v11-20261121-130000", knows={})
    assert read_training(tmp_path / "out").folder == newest


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (None, ["checkpoint-20"]),
        ("best", ["checkpoint-20"]),
        ("last", ["checkpoint-30"]),
        ("all", ["checkpoint-10", "checkpoint-20", "checkpoint-30"]),
        ("10", ["checkpoint-10"]),
        ("checkpoint-10", ["checkpoint-10"]),
    ],
)
def test_which_checkpoint(tmp_path: Path, which: str | None, expected: list[str]) -> None:
    make_training(tmp_path / "out")
    assert names(chosen(tmp_path / "out", which)) == expected


def test_without_an_evaluation_set_the_last_one_is_meant_and_said(tmp_path: Path) -> None:
    make_training(tmp_path / "out", best=None)
    found = chosen(tmp_path / "out")
    assert names(found) == ["checkpoint-30"]
    assert "names no best checkpoint" in found.notes[0]
    assert "knows no best checkpoint" in refusal(tmp_path / "out", "best")


def test_no_such_checkpoint(tmp_path: Path) -> None:
    make_training(tmp_path / "out")
    assert "has no checkpoint-25" in refusal(tmp_path / "out", "25")
    assert "one of: best, last, all, 10, 20, 30" in refusal(tmp_path / "out", "25")
    assert "did you mean 'best'" in refusal(tmp_path / "out", "bets")


def test_a_half_written_checkpoint_is_left_out_and_said(tmp_path: Path) -> None:
    run = make_training(tmp_path / "out")
    (run / "checkpoint-30" / "trainer_state.json").unlink()
    weights = run / "checkpoint-20" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])
    found = chosen(tmp_path / "out", "all")
    assert names(found) == ["checkpoint-10"]
    assert "checkpoint-20 is left out: adapter_model.safetensors is cut off" in found.notes[0]
    assert "checkpoint-30 is left out: it has no readable trainer_state.json" in found.notes[1]
    assert "checkpoint-30 is not complete" in refusal(tmp_path / "out", "30")
    assert "checkpoint-20 is not complete" in refusal(tmp_path / "out", "best")


def test_a_missing_shard(tmp_path: Path) -> None:
    run = make_training(tmp_path / "out", kind="full")
    folder = run / "checkpoint-30"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    write_json(folder / "model.safetensors.index.json", {"weight_map": shards})
    assert "model-00002-of-00002.safetensors is missing" in refusal(tmp_path / "out", "30")
    write_weights(folder / "model-00002-of-00002.safetensors", BASE_SHAPES)
    assert names(chosen(tmp_path / "out", "30")) == ["checkpoint-30"]


def test_nothing_saved_yet(tmp_path: Path) -> None:
    run = make_training(tmp_path / "out", knows={})
    assert "holds no complete checkpoint" in refusal(tmp_path / "out")
    (run / "checkpoint-5").mkdir()
    assert "checkpoint-5: it has no readable trainer_state.json" in refusal(tmp_path / "out")


def test_a_training_that_goes_on_is_not_taken_for_finished(tmp_path: Path) -> None:
    run = make_training(tmp_path / "out", ended=False)
    assert "is still being written" in refusal(tmp_path / "out")
    assert "is still being written" in refusal(tmp_path / "out", "all")
    assert names(chosen(tmp_path / "out", "10")) == ["checkpoint-10"]
    age(run, 3600)
    found = chosen(tmp_path / "out", "last")
    assert names(found) == ["checkpoint-30"]
    assert any("did not write its last line" in note for note in found.notes)


def test_a_base_that_is_not_here(tmp_path: Path) -> None:
    make_training(tmp_path / "out", kind="full", arguments={"model_dir": "/models/gone"})
    said = refusal(tmp_path / "out")
    assert "the base model /models/gone is not on this machine" in said
    assert "--base-model" in said
    assert names(chosen(tmp_path / "out", base=False)) == ["checkpoint-20"]
    other = make_base(tmp_path / "elsewhere")
    assert chosen(tmp_path / "out", model=other).base == other


def test_a_relative_base_is_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_base(tmp_path / "models")
    make_training(tmp_path / "out", arguments={"model_dir": "models"})
    assert "the base model models is no absolute path" in refusal(tmp_path / "out")
    assert chosen(tmp_path / "out", model=Path("models")).base == tmp_path / "models"


def test_an_adapter_needs_its_base_also_without_comparison(tmp_path: Path) -> None:
    make_training(tmp_path / "out", arguments={"model_dir": "/models/gone"})
    assert "is not on this machine" in refusal(tmp_path / "out", base=False)


def test_an_adapter_of_another_base(tmp_path: Path) -> None:
    run = make_training(tmp_path / "out")
    other = make_base(tmp_path / "other", {"model.layers.0.self_attn.q_proj.weight": (16, 16)})
    assert "is an adapter of another model" in refusal(tmp_path / "out", model=other)
    write_json(run / "checkpoint-20" / "adapter_config.json", {"base_model_name_or_path": str(other)})
    assert f"is an adapter of {other}, but the training's args.json names" in refusal(tmp_path / "out")


def test_no_training_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "there is no such folder" in refusal(tmp_path / "gone")
    assert "no vN-… and no checkpoint-N" in refusal(tmp_path / "empty")
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "is a file, not a folder" in refusal(tmp_path / "file")
    make_training(tmp_path / "deep" / "out", base=make_base(tmp_path / "base"))
    assert f"did you mean {tmp_path / 'deep' / 'out'}?" in refusal(tmp_path / "deep")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "is no JSON object"),
        ("[" * 100_000, "is not JSON"),
        ("{}", "names no model_dir"),
        (json.dumps({"model_dir": ["x"]}), "names no model_dir"),
        (json.dumps({"model_dir": "/m", "task_type": "seq_cls"}), "task_type 'seq_cls'"),
    ],
)
def test_arguments_that_are_none(tmp_path: Path, text: str, told: str) -> None:
    run = make_training(tmp_path / "out")
    (run / "args.json").write_text(text, encoding="utf-8")
    assert told in refusal(tmp_path / "out")


def test_hostile_arguments_are_data(tmp_path: Path) -> None:
    """A value that the server's command line would take for another argument, or for a file, is not handed on."""
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden", encoding="utf-8")
    hostile = {
        "system": "--external_plugins=/tmp/evil.py",
        "response_prefix": str(secret),
        "torch_dtype": "float32 --external_plugins /tmp/evil.py",
        "template": "../../evil",
        "model_type": ["qwen2"],
        "max_model_len": "8; reboot",
        "use_chat_template": "yes",
        "external_plugins": ["/tmp/evil.py"],
        "custom_register_path": ["/tmp/evil.py"],
    }
    make_training(tmp_path / "out", arguments=hostile)
    found = chosen(tmp_path / "out")
    arguments = found.training.arguments
    assert (arguments.serving, arguments.model_type, arguments.template) == ({}, None, None)
    assert {"system", "response_prefix", "torch_dtype", "max_model_len"} <= set(arguments.left_out)
    assert any("not taken over" in note for note in found.notes)


def test_a_checkpoint_of_neither_kind(tmp_path: Path) -> None:
    run = make_training(tmp_path / "out")
    made = make_checkpoint(run / "checkpoint-40", kind="lora", base=tmp_path)
    (made / "adapter_config.json").unlink()
    assert "holds neither config.json nor adapter_config.json" in refusal(tmp_path / "out", "40")
