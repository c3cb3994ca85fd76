"""The parts of the launcher that need no VLMEvalKit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import vlm_toys

from bridge.adapters.vlmevalkit.launcher import arithmetic, custom, folders, standins, tables, timeouts
from bridge.adapters.vlmevalkit.launcher.tables import BadTable
from bridge.adapters.vlmevalkit.translate import INSIDE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, 'two']", [1, "two"]),
        ("3", 3),
        (" 2.5", 2.5),
        ("{'a': 1}", {"a": 1}),
        ("None", None),
        ("5-2-3-1-4", -5),
        ("1/4", 0.25),
        ("-(2**3)", -8),
        ("7 // 2 % 2", 1),
    ],
)
def test_literals_and_sums_are_evaluated(text: str, value: object) -> None:
    assert arithmetic.evaluate(text) == value == eval(text)  # what VLMEvalKit would have had


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("__import__('os').system('true')", ValueError),
        ("open('/etc/passwd')", ValueError),
        ("().__class__", ValueError),
        ("[x for x in (1,)]", ValueError),
        ("(lambda: 1)()", ValueError),
        ("9**9**9", ValueError),
        ("99999**99999", ValueError),
        ("x", NameError),
        ("no such thing", SyntaxError),
        ("1/0", ZeroDivisionError),
        ("(" * 2000 + ")" * 2000, SyntaxError),
    ],
)
def test_nothing_else_is(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        arithmetic.evaluate(text)


def test_a_name_is_a_callers_number_and_nothing_else() -> None:
    """Its comparisons evaluate text where ``a`` and ``b`` are numbers; the score is to be that of by hand."""
    a, secret = 5, "text"
    assert arithmetic.evaluate("a + 1") == a + 1
    with pytest.raises(NameError):
        arithmetic.evaluate("secret")
    assert secret


def test_numbers() -> None:
    assert [arithmetic.number(text) for text in ("0.5", "1/2", "x", "", "[1]", "True")] == [0.5, 0.5, *[None] * 4]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    rows = vlm_toys.circular(2)
    rows[0]["question"] = 'With "quotes", a\ttab and\na line'
    table = tables.read(vlm_toys.write(tmp_path / "t.tsv", rows))
    tables.write(table, tmp_path / "again.tsv")
    assert (
        tables.read(tmp_path / "again.tsv").rows == table.rows == [{k: str(v) for k, v in row.items()} for row in rows]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'index'"),
        ("index\tquestion\n", "there is no row"),
        ("index\tAnswer\tanswer\tquestion\n0\ta\tb\tc\n", "'Answer' is there twice"),
        ("index\tquestion\tprediction\n0\ta\tb\n", "'prediction' is VLMEvalKit's own"),
        ("index\tquestion\n0\ta\tb\n", ":2: 3 cells under 2 columns"),
        ("index\tquestion\n0\ta\n0\tb\n", "row 2: index '0' is there twice"),
        ("index\tquestion\n../x\ta\n", "row 1: index '../x' is to be a plain name"),
        ("index\tquestion\n..\ta\n", "is to be a plain name"),
        ("index\tquestion\n\ta\n", "is to be a plain name"),
        ("index\tquestion\n0\ta\0b\n", "NUL"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadTable, match=message.replace("(", r"\(")) as raised:
        tables.read(write(tmp_path / "t.tsv", text))
    assert str(tmp_path / "t.tsv") in str(raised.value) and "\n" not in str(raised.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(b"index\tquestion\n0\t\xff\xfe\n")
    with pytest.raises(BadTable, match="not a UTF-8 TSV"):
        tables.read(tmp_path / "t.tsv")


def test_rows_without_a_picture_are_taken_out(tmp_path: Path) -> None:
    picture = vlm_toys.png(0)
    cells = {
        "good": picture,
        "refers": "good",
        "lost": "nobody",
        "chain": "refers",
        "odd": "§" * 80,
        "none": "",
        "na": "NA",
    }
    rows = [{"index": index, "question": "?", "image": cell} for index, cell in cells.items()]
    table = tables.read(vlm_toys.write(tmp_path / "t.tsv", rows))
    assert [row["index"] for row in table.rows] == ["good", "refers"]
    assert table.refused.keys() == cells.keys() - {"good", "refers"}
    assert table.read_as_missing == 1


def test_files_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"x")
    (tmp_path.parent / "secret.png").write_bytes(b"x")
    (tmp_path / "pictures" / "link.png").symlink_to(tmp_path.parent / "secret.png")
    names = ["pictures/a.png", "../secret.png", "/etc/passwd", "pictures/none.png", "pictures/link.png"]
    rows = [{"index": at, "question": "?", "image_path": name} for at, name in enumerate(names)]
    table = tables.read(vlm_toys.write(tmp_path / "t.tsv", rows))
    assert [row["image_path"] for row in table.rows] == [str((tmp_path / "pictures" / "a.png").resolve())]
    assert list(table.refused) == ["1", "2", "3", "4"]


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"one")
    lines = [
        {"id": "x", "question": "?", "options": {"first": "red", "second": "blue"}, "answer": "B", "image": "a.png"},
        {"id": "y", "question": "?", "answer": ["1", "one"], "images": ["images/a.png", "a.png"], "level": 3},
        {"id": "z", "question": "?", "image": "../../etc/passwd"},
        {"question": "?", "image": None},
    ]
    write(tmp_path / "q.jsonl", "\n".join(map(json.dumps, lines)))
    table = folders.read(tmp_path)
    assert [row["index"] for row in table.rows] == ["x", "y"]
    assert list(table.refused) == ["z", "3"]
    first, second = table.rows
    assert (first["A"], first["B"], first["answer"]) == ("red", "blue", "B")
    assert (second["answer"], second["l2-category"]) == ("['1', 'one']", "level 3")
    assert second["image"].startswith("['") and first["choices"] == "['red', 'blue']"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "there are 0 .jsonl files"),
        ({"a.jsonl": "", "b.jsonl": ""}, "there are 2 .jsonl files"),
        ({"a.jsonl": "{nonsense"}, "cannot be read as JSON lines"),
        ({"a.jsonl": '{"answer": 1}'}, "a.jsonl:1: a line is an object with at least 'question'"),
        ({"a.jsonl": '{"question": "?"}'}, "no line has an image that is there"),
        ({"a.jsonl": '{"id": 1, "question": "?"}\n' * 2}, "a.jsonl:2: id '1' is there twice"),
    ],
)
def test_a_folder_that_is_none_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        write(tmp_path / name, text)
    with pytest.raises(BadTable) as raised:
        folders.read(tmp_path)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("scorer", "targets", "answer", "score"),
    [
        (custom.exact, ["Paris"], "  paris. ", 1.0),
        (custom.exact, ["Paris"], "It is Paris", 0.0),
        (custom.exact, ["no", "yes"], "Yes!", 1.0),
        (custom.containment, ["Paris"], "It is PARIS", 1.0),
        (custom.containment, ["two words"], "two  words", 1.0),
        (custom.containment, ["Rome"], "Paris", 0.0),
        (custom.numeric, ["1250.0"], "that makes 1,250", 1.0),
        (custom.numeric, ["0.1"], "first 0.2, then 0.10000001", 1.0),
        (custom.numeric, ["12"], "12 or 13", 0.0),
        (custom.numeric, ["-3"], "-3.0 degrees", 1.0),
        (custom.numeric, ["3"], "three", 0.0),
        (custom.numeric, ["1e3"], "1000", 1.0),
        (custom.anls, ["Paris"], "paris", 1.0),
        (custom.anls, ["Paris", "London"], "Londn", 5 / 6),
        (custom.anls, ["Paris"], "Rome", 0.0),
        (custom.math, ["B"], "(b)", 1.0),
        (custom.math, ["7"], r"So \boxed{7.0}", 1.0),
        (custom.math, ["1/4"], "x = 0.25", 1.0),
        (custom.math, ["B"], "C", 0.0),
    ],
)
def test_scorers(scorer: object, targets: list[str], answer: str, score: float) -> None:
    assert callable(scorer)
    assert scorer(targets, answer)[0] == pytest.approx(score)


def test_right_answers_of_a_row() -> None:
    assert custom.targets_of({"answer": "['a', 'b']"}) == ["a", "b"]
    assert custom.targets_of({"answer": "B", "choices": "['red', 'blue']"}) == ["B", "blue"]
    assert custom.targets_of({"answer": "C", "choices": "['red', 'blue']"}) == ["C"]
    assert custom.targets_of({"answer": "[half a list"}) == ["[half a list"]
    assert custom.targets_of({"answer": " "}) == []


@pytest.fixture
def stand_ins() -> Iterator[None]:
    before = list(sys.meta_path)
    standins.install(["not_there", "json.nothing"])
    yield
    sys.meta_path[:] = before
    standins._state.importing, standins._state.log = True, None
    for name in [name for name in sys.modules if name.split(".")[0] == "not_there"]:
        del sys.modules[name]


def test_stand_ins_serve_an_import_and_no_more(stand_ins: None, tmp_path: Path) -> None:
    gone = import_module("not_there.deep.inside")

    class Child(gone.Base):  # type: ignore[misc,name-defined]
        pass

    @gone.decorator
    def kept() -> int:
        return 1

    assert kept() == 1 and Child
    assert gone.some[int].thing | None
    standins.write_calls_to(tmp_path / "calls.txt")
    standins.seal()
    for _ in range(2):
        with pytest.raises(NotImplementedError, match=r"not_there.deep.inside.score is called"):
            gone.score(1)
    assert standins.calls(tmp_path / "calls.txt") == ["not_there.deep.inside.score"]
    assert not isinstance("x", gone.Tensor)


def test_what_runs_inside_imports_nothing_of_bridge() -> None:
    """It runs where bridge is not installed; and it is started by its path, without its folder on ``sys.path``."""
    program = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("inside", {str(INSIDE)!r})
inside = importlib.util.module_from_spec(spec)
spec.loader.exec_module(inside)
for name in ("main", "custom", "folders", "rows", "sources"):
    inside.launcher(name)
print([name for name in sys.modules if name.split(".")[0] in ("bridge", "vlmeval", "numpy", "pydantic")])
"""
    run = subprocess.run([sys.executable, "-SPc", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_bridge_reads_no_pickle() -> None:
    for path in Path(INSIDE).parent.glob("*.py"):
        assert "pickle" not in path.read_text(encoding="utf-8"), path


def test_time_limits() -> None:
    def work(seconds: float) -> str:
        time.sleep(seconds)
        return "done"

    assert timeouts._limited(work, 5)(0) == "done"
    with pytest.raises(TimeoutError, match=r"work took longer than 0.05 s"):
        timeouts._limited(work, 0.05)(0.3)
    with pytest.raises(ZeroDivisionError):
        timeouts._limited(lambda: 1 // 0, 5)()
