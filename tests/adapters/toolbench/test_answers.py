"""Answer files of ToolBench and StableToolBench, in every layout that the two leave them in."""

import json
from pathlib import Path

import pytest
from toolbench_files import converted_answer, raw_answer

from bridge.adapters.toolbench.answers import Answer, first_of_each, read_answers
from bridge.adapters.toolbench.rows import DataError

SHARED = Path(__file__).parents[4] / "shared" / "data" / "toolbench" / "data_example" / "answer"


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def only(path: Path, model: str = "tiny") -> Answer:
    (answer,) = read_answers(path, model).by_key.values()
    return answer


def test_a_raw_answer(tmp_path: Path) -> None:
    write(tmp_path / "G1_instruction" / "588_CoT@1.json", raw_answer("\nIs it cold?\nBegin!\n", "Yes.", calls=2))
    answer = only(tmp_path)
    assert (answer.subset, answer.query_id, answer.method) == ("G1_instruction", "588", "CoT@1")
    assert answer.query == "Is it cold?\nBegin!"
    assert answer.tools == ("weather_for_skies", "route_for_roads", "Finish")
    assert (answer.final_answer, answer.finished) == ("Yes.", True)
    call = {"name": "weather_for_skies", "arguments": '{"city": "Oslo"}', "response": "cold"}
    assert answer.steps[:2] == (call, call)
    assert answer.steps[2]["name"] == "Finish"


def test_one_that_gave_up(tmp_path: Path) -> None:
    write(tmp_path / "G1" / "1_CoT@1.json", raw_answer("q", ""))
    assert (only(tmp_path).final_answer, only(tmp_path).finished) == ("", True)


def test_a_search_that_found_nothing_shows_its_last_path(tmp_path: Path) -> None:
    write(tmp_path / "G1" / "1_DFS_woFilter_w2.json", raw_answer("q", None, text="no"))
    answer = only(tmp_path)
    assert (answer.final_answer, answer.finished, answer.method) == ("", False, "DFS_woFilter_w2")
    assert answer.steps == (
        {"thought": "Once more."},
        {"name": "route_for_roads", "arguments": "{}", "response": "hm"},
        {"name": "weather_for_skies", "arguments": '{"city": "Bergen"}', "response": "no"},
    )


def test_a_chain_that_found_nothing_shows_its_last_try(tmp_path: Path) -> None:
    value = raw_answer("q", None)
    nodes = [
        {"node_type": "Thought", "description": "Hm."},
        {"node_type": "Action", "description": "f"},
        {"node_type": "Action Input", "description": "{}", "observation": "no"},
        {"node_type": "Action", "description": "cut off"},
    ]
    value["trys"] = [{"chain": []}, {"chain": nodes}]
    write(tmp_path / "G1" / "1_CoT@2.json", value)
    assert only(tmp_path).steps == ({"thought": "Hm."}, {"name": "f", "arguments": "{}", "response": "no"})


def test_a_converted_answer(tmp_path: Path) -> None:
    write(tmp_path / "G1_instruction.json", {"588": converted_answer("Is it cold?", "Yes.", calls=2)})
    answer = only(tmp_path)
    assert (answer.subset, answer.query_id, answer.method) == ("G1_instruction", "588", "CoT@1")
    assert (answer.final_answer, answer.finished) == ("Yes.", True)
    assert [step.get("name", "thought") for step in answer.steps] == ["weather_for_skies"] * 2 + ["thought", "Finish"]


def test_a_converted_answer_that_did_not_finish(tmp_path: Path) -> None:
    write(tmp_path / "G1.json", {"1": converted_answer("q", "")})
    assert (only(tmp_path).final_answer, only(tmp_path).finished) == ("", False)


@pytest.mark.parametrize(
    ("final", "shown"),
    [
        ('{"return_type": "give_answer", "final_answer": " yes "}', "yes"),
        ('{"return_type": "give_answer"}', ""),
        ('{"return_type": "give_up_and_restart"}', ""),
        ('{"final_answer": "yes"}', "yes"),
        ("plainly yes", "plainly yes"),
        ('{"return_type": "give_up_and_restart", broken', ""),
        ("", ""),
        ("7", "7"),
    ],
)
def test_what_the_user_gets_to_read(tmp_path: Path, final: str, shown: str) -> None:
    value = converted_answer("q", "x")
    value["answer"]["final_answer"] = final
    write(tmp_path / "G1.json", {"1": value})
    assert only(tmp_path).final_answer == shown


RAW, CONVERTED = raw_answer("q", "Yes."), {"1": converted_answer("q", "Yes.")}


@pytest.mark.parametrize(
    ("layout", "given"),
    [
        ({"G1/1_CoT@1.json": RAW}, "."),
        ({"G1/1_CoT@1.json": RAW}, "G1"),
        ({"G1/1_CoT@1.json": RAW}, "G1/1_CoT@1.json"),
        ({"tiny/G1/1_CoT@1.json": RAW, "other/G1/2_CoT@1.json": RAW}, "."),
        ({"answer/tiny/G1/1_CoT@1.json": RAW, "answer/other/G1/2_CoT@1.json": RAW}, "."),
        ({"G1.json": CONVERTED}, "."),
        ({"G1.json": CONVERTED}, "G1.json"),
        ({"tiny/G1.json": CONVERTED, "other/G1.json": {"2": CONVERTED["1"]}}, "."),
        ({"model_predictions_converted/tiny/G1.json": CONVERTED, "answer/tiny/G1/3_x.json": RAW}, "."),
        ({"G1.json": CONVERTED, "pass_rate_results/G1_tiny.json": {"1": {"is_solved": {}}}}, "."),
    ],
)
def test_layouts(tmp_path: Path, layout: dict[str, object], given: str) -> None:
    for name, value in layout.items():
        write(tmp_path / name, value)
    answers = read_answers(tmp_path / given, "tiny")
    assert answers.expected == ("G1/1",)
    assert answers.by_key["G1/1"].final_answer == "Yes."


@pytest.mark.parametrize("where", ["test_query_ids", "solvable_queries/test_query_ids"])
def test_queries_that_should_be_answered(tmp_path: Path, where: str) -> None:
    write(tmp_path / "answer" / "tiny" / "G1" / "1_CoT@1.json", RAW)
    write(tmp_path / "answer" / "tiny" / "G1" / "5_CoT@1.json", RAW)
    write(tmp_path / where / "G1.json", {"7": 0, "1": 0})
    answers = read_answers(tmp_path, "tiny")
    assert answers.expected == ("G1/7", "G1/1")
    assert "G1/7" not in answers.by_key


def test_subsets(tmp_path: Path) -> None:
    write(tmp_path / "G1.json", CONVERTED)
    write(tmp_path / "G2" / "1_x.json", RAW)
    assert read_answers(tmp_path, "tiny").subsets == ("G1", "G2")
    assert read_answers(tmp_path, "tiny", ("G2",)).expected == ("G2/1",)
    with pytest.raises(DataError, match="has no answers of G3; there are: G1, G2"):
        read_answers(tmp_path, "tiny", ("G2", "G3"))


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"readme.json": {"a": 1}}, "no answers; expected <set>.json or"),
        ({"G1/1_a.json": RAW, "G1/1_b.json": RAW}, "query 1 has two answers"),
        ({"G1/1_a.json": {"answer_generation": {"function": []}}}, "answer '1_a': has no 'query'"),
        ({"G1/1_a.json": {"query": "q"}}, "answer '1_a': has no 'answer'"),
        ({"G1/1_a.json": "{"}, "not JSON"),
        ({"G1.json": {"1": {"query": "q", "answer": {}}}}, "answer '1': has no 'answer_details'"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, layout: dict[str, object], said: str) -> None:
    for name, value in layout.items():
        write(tmp_path / name, value)
    with pytest.raises(DataError) as error:
        read_answers(tmp_path, "tiny")
    assert said in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_the_first_of_each() -> None:
    keys = ["a/1", "a/2", "b/1", "a/3", "b/1", "b/2"]
    assert first_of_each(keys, 2) == ["a/1", "a/2", "b/1", "b/2"]
    assert first_of_each(keys, None) == ["a/1", "a/2", "b/1", "a/3", "b/2"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="ToolBench's example data is not here")
def test_the_real_answers() -> None:
    answers = read_answers(SHARED, "ChatGPT")
    assert len(answers.expected) == 12
    assert answers.subsets == ("G1_answer", "G2_answer", "G3_answer")
    unfinished = {key for key, answer in answers.by_key.items() if not answer.finished}
    assert unfinished == {"G1_answer/69", "G3_answer/8"}
    gave_up = {key for key, answer in answers.by_key.items() if answer.finished and not answer.final_answer}
    assert gave_up == {"G2_answer/10", "G2_answer/119", "G2_answer/127"}
    assert all(answer.query and len(answer.steps) >= 3 for answer in answers.by_key.values())
