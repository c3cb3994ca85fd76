"""The benchmark's files, and ToolBench's own in their place."""

import json
from pathlib import Path
from typing import Any

import pytest
from toolbench_files import Json, raw_answer, static_row

from bridge.adapters.toolbench.convert import convert, main, to_json
from bridge.adapters.toolbench.metrics import score, why_left_out
from bridge.adapters.toolbench.react import parse_step
from bridge.adapters.toolbench.rows import DataError, read_subset, schema_of
from bridge.adapters.toolbench.static_data import read_rows

SHARED = Path(__file__).parents[4] / "shared" / "data" / "toolbench" / "data_example" / "answer"


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_both_files_of_a_folder(static_folder: Path) -> None:
    rows = read_rows(static_folder, (), None)
    assert [(row.subset, row.id) for row in rows] == [("in_domain", str(at)) for at in range(5)] + [
        ("out_of_domain", str(at)) for at in range(3)
    ]
    assert rows[0].tool_names == {"weather_for_skies", "route_for_roads", "Finish"}
    assert rows[0].tools[0].parameters["required"] == ["city"]
    assert [message["role"] for message in rows[2].messages] == ["system", "user", "assistant", "function"]
    assert rows[0].messages[0].keys() == {"role", "content"}


def test_limit_and_subsets(static_folder: Path) -> None:
    assert [(row.subset, row.id) for row in read_rows(static_folder, (), 1)] == [
        ("in_domain", "0"),
        ("out_of_domain", "0"),
    ]
    assert {row.subset for row in read_rows(static_folder, ("out_of_domain",), None)} == {"out_of_domain"}
    assert {row.subset for row in read_rows(static_folder / "in_domain.json", (), None)} == {"in_domain"}
    with pytest.raises(DataError, match="has no subset nowhere; there are: in_domain, out_of_domain"):
        read_rows(static_folder, ("nowhere",), None)


def test_a_folder_further_in_as_the_hub_has_it(static_folder: Path, tmp_path: Path) -> None:
    assert len(read_rows(tmp_path, (), None)) == 8
    write(tmp_path / "copy" / "in_domain.json", (static_folder / "in_domain.json").read_text())
    with pytest.raises(DataError, match=r"in_domain.json is there 2 times; name the folder that is meant"):
        read_rows(tmp_path, (), None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"messages": []}, "'messages' is to end where the model is to go on"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "'messages' is to end where the model is to go on"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "'role' is 'robot'; allowed: system, user"),
        ({"messages": [{"role": "user", "content": None}]}, "'content' is to be text"),
        ({"messages": [{"role": "user"}]}, "has no 'content'"),
        ({"target": None}, "'target' is to be text"),
        ({"tools": [{"description": "x"}]}, "has no 'name'"),
        ({"tools": [{"name": "f", "parameters": "what?"}]}, "'parameters' is no JSON schema: 'what?'"),
        ({"tools": 5}, "not iterable"),
    ],
)
def test_a_broken_row_is_told_with_its_place(tmp_path: Path, change: Json, said: str) -> None:
    path = write(tmp_path / "in_domain.json", [static_row("q", "t"), {**static_row("q", "t"), **change}])
    with pytest.raises(DataError) as error:
        read_subset(path, "in_domain", None)
    assert f"{path}: row 1: " in str(error.value)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert len(read_subset(path, "in_domain", 1)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"rows": []}, "a list of rows is expected"),
        ([], "there is no row in it"),
        ([{**static_row("q", "t"), "id": "a"}] * 2, "2 rows have the id 'a'"),
    ],
)
def test_a_broken_file(tmp_path: Path, content: object, said: str) -> None:
    path = write(tmp_path / "in_domain.json", content)
    with pytest.raises(DataError, match=said):
        read_subset(path, "in_domain", None)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no rows; expected in_domain.json and out_of_domain.json"):
        read_rows(tmp_path, (), None)


def test_without_a_path_and_without_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "modelscope", None)
    with pytest.raises(
        DataError, match=r"pip install 'evalbridge\[hub\]'; or give 'path' a folder with in_domain.json"
    ):
        read_rows(None, (), None)


@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": {"a": {}}},
        '{"properties": {"a": {}}}',
        "{'properties': {'a': {}}}",
        {"type": "object", "properties": {"a": {}}},
    ],
)
def test_parameters_in_any_of_their_forms(parameters: Any) -> None:
    assert schema_of(parameters) == {"type": "object", "properties": {"a": {}}}


def test_answer_files_become_rows(tmp_path: Path) -> None:
    write(tmp_path / "G1_answer" / "10_CoT@1.json", raw_answer("Is it cold?", "Yes.", calls=2))
    write(tmp_path / "G1_answer" / "9_CoT@1.json", raw_answer("Is it warm?", "", calls=1))
    write(tmp_path / "G2_answer" / "11_CoT@1.json", raw_answer("Is it dry?", None))
    rows = read_rows(tmp_path, (), None)
    assert [(row.subset, row.id) for row in rows] == [
        ("G1_answer", "9_CoT@1/0"),
        ("G1_answer", "9_CoT@1/1"),
        ("G1_answer", "10_CoT@1/0"),
        ("G1_answer", "10_CoT@1/1"),
        ("G1_answer", "10_CoT@1/2"),
    ]
    assert [parse_step(row.target).plan for row in rows] == ["call", "give up", "call", "call", "finish"]
    last = rows[-1]
    assert [message["role"] for message in last.messages] == ["system", "user", *["assistant", "function"] * 2]
    assert '"weather_for_skies"' in last.messages[0]["content"]
    assert last.messages[2]["content"] == 'Thought: \nAction: weather_for_skies\nAction Input: {"city": "Oslo"}'
    assert score(last.target, parse_step(last.target), last.tool_names) == {"plan_em": 1, "hallu_rate": 0, "rouge_l": 1}


def test_a_thought_and_its_call_are_one_turn(tmp_path: Path) -> None:
    answer = raw_answer("Is it cold?", "Yes.")
    for path in answer["answer_generation"]["train_messages"]:
        path.insert(2, {"role": "assistant", "content": "I look it up."})
    write(tmp_path / "1_CoT@1.json", answer)
    first, last = convert(tmp_path)
    assert first.target.startswith("Thought: I look it up.\nAction: weather_for_skies")
    assert [message["role"] for message in first.messages] == ["system", "user"]
    assert last.messages[2]["content"].startswith("Thought: I look it up.\nAction: weather_for_skies")


def test_native_calls_are_read_too(tmp_path: Path) -> None:
    answer = raw_answer("Is it cold?", "Yes.")
    for path in answer["answer_generation"]["train_messages"]:
        for message in path:
            if "function_call" in message:
                message["tool_calls"] = [{"id": "1", "type": "function", "function": message.pop("function_call")}]
            elif message["role"] == "function":
                message.update(role="tool", tool_call_id="1")
    answer["answer_generation"]["function"] = [
        {"type": "function", "function": function} for function in answer["answer_generation"]["function"]
    ]
    write(tmp_path / "1_CoT@1.json", answer)
    assert [parse_step(row.target).plan for row in convert(tmp_path)] == ["call", "finish"]


@pytest.mark.parametrize("field", ["function", "train_messages"])
def test_a_broken_answer_file_is_told(tmp_path: Path, field: str) -> None:
    answer = raw_answer("Is it cold?", "Yes.")
    answer["answer_generation"][field] = [{"content": 5}]
    path = write(tmp_path / "1_CoT@1.json", answer)
    with pytest.raises(DataError, match="not an answer of ToolBench") as error:
        list(convert(tmp_path))
    assert str(path) in str(error.value)


def test_the_converters_file_is_read_as_the_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "answer" / "G1_answer" / "10_CoT@1.json", raw_answer("Is it cold?", "Yes."))
    made = tmp_path / "rows.json"
    monkeypatch.setattr("sys.argv", ["convert", str(tmp_path / "answer"), str(made)])
    main()
    again = read_rows(made, (), None)
    assert [to_json(row) for row in again] == [to_json(row) for row in convert(tmp_path / "answer")]


@pytest.mark.parametrize("content", [None, "{", {"answer_generation": {}}])
def test_the_converter_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    if content is not None:
        write(tmp_path / "answer" / "10_CoT@1.json", content)
    monkeypatch.setattr("sys.argv", ["convert", str(tmp_path / "answer"), str(tmp_path / "rows.json")])
    with pytest.raises(SystemExit) as end:
        main()
    assert str(tmp_path / "answer") in str(end.value)
    assert not (tmp_path / "rows.json").exists()


@pytest.mark.skipif(not SHARED.is_dir(), reason="ToolBench's example data is not here")
def test_the_real_trajectories() -> None:
    rows = read_rows(SHARED, (), None)
    assert len(rows) == 37
    assert {row.subset for row in rows} == {"G1_answer", "G2_answer", "G3_answer"}
    why = [why_left_out(parse_step(row.target), row.tool_names) for row in rows]
    assert why.count("") == 36
    assert [row.id for row, reason in zip(rows, why, strict=True) if reason] == ["21_ChatGPT_DFS_woFilter_w2/1"]
    for row, reason in zip(rows, why, strict=True):
        if not reason:
            scores = score(row.target, parse_step(row.target), row.tool_names)
            assert all(value == (0 if name == "hallu_rate" else 1) for name, value in scores.items()), row.id
