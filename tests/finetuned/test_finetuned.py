"""``bridge finetuned`` from the command line to the written files; only the model's server is made up."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command import Done, bridge
from finetuned.fake_server import starts
from finetuned.trainings import age, make_training


def evaluate(out: Path, spec: Path, server: Path, *arguments: object, models: int = 2) -> Done:
    found = [f"models[{at}].deploy.env={{PYTHONPATH: '{server}'}}" for at in range(models)]
    settings = [word for one in found for word in ("--set", one)]
    return bridge("finetuned", out, "--spec", spec, "--output", out.parent / "run", *settings, *arguments)


def result(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "finetuned.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_base_against_tuned(tmp_path: Path, server: Path, spec: Path, kind: str) -> None:
    make_training(tmp_path / "out", kind=kind, knows={10: 0, 20: 40})  # type: ignore[arg-type]
    done = evaluate(tmp_path / "out", spec, server, "--metric", "exact_match")
    assert done.exit_code == 0, done.stderr
    found = result(tmp_path / "run")
    (one,) = found["comparison"]["against"][0]["datasets"]
    assert (one["n"], one["baseline"], one["gained"], one["lost"]) == (60, 0.0, 40, 0)
    assert one["candidate"] == pytest.approx(40 / 60)
    assert (one["test"], one["verdict"]) == ("mcnemar-exact", "better")
    assert one["p_value"] == pytest.approx(2 * 0.5**40)
    low, high = one["ci95"]
    assert 0.5 < low < 40 / 60 < high < 0.8
    assert {flip["sample_id"] for flip in one["flips_gained"]} <= {f"{n // 10}+{n % 10}" for n in range(40)}
    assert "better" in done.stdout
    assert "| 0+0 | 0 | no idea | 0 |".replace("0+0", "sums/0+0") in (tmp_path / "run" / "finetuned.md").read_text()
    started = [(start["folder"], start.get("beside")) for start in starts(server)]
    together = [("base-model", ["checkpoint-20"])]
    assert started == (together if kind == "lora" else [("base-model", None), ("checkpoint-20", None)])


def test_the_server_is_told_everything_and_reads_no_arguments_file(tmp_path: Path, server: Path, spec: Path) -> None:
    hostile = {"external_plugins": ["/tmp/evil.py"], "system": "--external_plugins=/tmp/evil.py"}
    make_training(tmp_path / "out", arguments=hostile)
    assert evaluate(tmp_path / "out", spec, server).exit_code == 0
    for start in starts(server):
        assert start["load_args"] == "false"
        given = start["rest"]
        assert isinstance(given, list)
        assert {"--model_type", "qwen2", "--template", "qwen", "--torch_dtype", "float32"} <= set(given)
        assert "evil" not in str(given)


def test_all_checkpoints_give_a_curve(tmp_path: Path, server: Path, spec: Path) -> None:
    make_training(tmp_path / "out", knows={10: 6, 20: 30, 30: 60})
    done = evaluate(tmp_path / "out", spec, server, "--checkpoint", "all", models=4)
    assert done.exit_code == 0, done.stderr
    (curve,) = result(tmp_path / "run")["curves"]
    points = [(point["step"], point["value"]) for point in curve["points"]]
    assert points == [(0, 0.0), (10, pytest.approx(0.1)), (20, pytest.approx(0.5)), (30, 1.0)]
    page = (tmp_path / "run" / "finetuned.html").read_text(encoding="utf-8")
    drawn = re.search(r'<polyline points="([^"]+)"', page)
    assert drawn is not None
    heights = [float(point.split(",")[1]) for point in drawn[1].split()]
    assert heights == sorted(heights, reverse=True)
    assert "step 20: 50.00 %" in page
    assert "<script" not in page


def test_without_base(tmp_path: Path, server: Path, spec: Path) -> None:
    make_training(tmp_path / "out", kind="full")
    done = evaluate(tmp_path / "out", spec, server, "--no-base", models=1)
    assert done.exit_code == 0, done.stderr
    found = result(tmp_path / "run")
    assert (found["comparison"], found["not_compared"]) == (None, ["the base was not evaluated (--no-base)"])
    assert [start["folder"] for start in starts(server)] == ["checkpoint-20"]
    assert "<svg" in (tmp_path / "run" / "finetuned.html").read_text(encoding="utf-8")


def test_the_same_command_again_asks_nothing(tmp_path: Path, server: Path, spec: Path) -> None:
    make_training(tmp_path / "out")
    assert evaluate(tmp_path / "out", spec, server).exit_code == 0
    before = starts(server)
    assert evaluate(tmp_path / "out", spec, server).exit_code == 0
    assert starts(server) == before


def test_weights_that_have_changed_are_not_taken_for_the_old_ones(tmp_path: Path, server: Path, spec: Path) -> None:
    run = make_training(tmp_path / "out")
    assert evaluate(tmp_path / "out", spec, server).exit_code == 0
    age(run / "checkpoint-20", 500)
    done = evaluate(tmp_path / "out", spec, server)
    assert done.exit_code == 2
    assert "holds the run of another spec" in done.stderr


def test_a_server_that_dies_leaves_a_report(tmp_path: Path, server: Path, spec: Path) -> None:
    make_training(tmp_path / "out")
    (server / "swift" / "cli" / "dies").write_text("", encoding="utf-8")
    done = evaluate(tmp_path / "out", spec, server)
    assert done.exit_code == 4
    assert "out of memory" in done.stdout
    found = result(tmp_path / "run")
    assert (found["status"], found["comparison"]) == ("failed", None)
    (server / "swift" / "cli" / "dies").unlink()
    assert evaluate(tmp_path / "out", spec, server).exit_code == 0
    assert result(tmp_path / "run")["comparison"] is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--datasets: is missing"),
        (["--spec", "SPEC", "--datasets", "gsm8k"], "--datasets: is for a run without --spec"),
        (["--spec", "SPEC", "--limit", "3"], "--limit: is for a run without --spec"),
        (["--datasets", "gsm9k"], "did you mean 'gsm8k'"),
        (["--datasets", "gsm8k", "--checkpoint", "11"], "has no checkpoint-11"),
    ],
)
def test_wrong_command_lines(tmp_path: Path, spec: Path, arguments: list[str], told: str) -> None:
    make_training(tmp_path / "out")
    done = bridge("finetuned", tmp_path / "out", *(str(spec) if one == "SPEC" else one for one in arguments))
    assert done.exit_code == 2
    assert told in done.stderr


def test_models_in_the_spec_are_refused(tmp_path: Path, spec: Path) -> None:
    make_training(tmp_path / "out")
    spec.write_text(spec.read_text() + "model: {name: m, endpoint: {base_url: 'http://localhost:1/v1'}}\n")
    done = bridge("finetuned", tmp_path / "out", "--spec", spec)
    assert done.exit_code == 2
    assert "takes the models from the training" in done.stderr


def test_a_checkpoint_is_named_once(tmp_path: Path, server: Path, spec: Path) -> None:
    run = make_training(tmp_path / "out")
    done = bridge("finetuned", run / "checkpoint-10", "--checkpoint", "20", "--spec", spec)
    assert done.exit_code == 2
    assert "give one of the two" in done.stderr
