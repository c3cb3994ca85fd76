"""The benchmark's files: read as they are, refused with the line where they are broken."""

import json
from pathlib import Path

import pytest

from bridge.adapters.longbench_write.rows import FILES, DataError, file_of, read_tasks

SHARED = Path(__file__).parents[4] / "shared" / "data" / "longbench_write"


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def test_rows_are_read(tmp_path: Path) -> None:
    english = {"prompt": "Write 100 words.", "type": "News Report", "length": 100}
    chinese = {"prompt": "写一篇1000字的文章 about AI", "type": "社区论坛", "length": 1000}
    tasks = read_tasks(write(tmp_path / "a.jsonl", english, "", chinese), None)
    assert [(task.id, task.type, task.required_words, task.language) for task in tasks] == [
        ("0", "News Report", 100, "en"),
        ("1", "社区论坛", 1000, "zh"),
    ]
    assert len(read_tasks(tmp_path / "a.jsonl", 1)) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", ":2: "),
        ("[1]", ":2: "),
        ({"type": "x", "length": 5}, ":2: has no 'prompt'; wanted is"),
        ({"prompt": "x", "type": "x"}, ":2: has no 'length'; wanted is"),
        ({"prompt": " ", "length": 5}, ":2: 'prompt' is to be text"),
        ({"prompt": "x", "length": "5"}, ":2: 'length' is to be a number of words, not '5'"),
        ({"prompt": "x", "length": 0}, ":2: 'length' is to be a number of words, not 0"),
        ({"prompt": "x", "length": True}, ":2: 'length' is to be a number of words, not True"),
        ('{"prompt": "x", "length": NaN}', ":2: 'length' is to be a number of words, not nan"),
    ],
)
def test_a_broken_row_is_told_with_its_line(tmp_path: Path, row: object, said: str) -> None:
    path = write(tmp_path / "a.jsonl", {"prompt": "x", "type": "x", "length": 5}, row)
    with pytest.raises(DataError) as error:
        read_tasks(path, None)
    assert f"{path}{said}" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(read_tasks(path, 1)) == 1, "rows that are not asked do not matter"


def test_no_file_no_rows_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_tasks(tmp_path / "none.jsonl", None)
    with pytest.raises(DataError, match="there is no row in it"):
        read_tasks(write(tmp_path / "a.jsonl", ""), None)
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_tasks(tmp_path / "b.jsonl", None)


def test_a_folder_has_the_file_under_its_name(tmp_path: Path) -> None:
    assert file_of("longwrite_ruler", tmp_path) == tmp_path / "longwrite_ruler.jsonl"
    assert file_of("longwrite_ruler", tmp_path / "mine.jsonl") == tmp_path / "mine.jsonl"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the benchmark's files are not here")
@pytest.mark.parametrize(
    ("dataset", "rows", "chinese"),
    [("longbench_write", 120, 60), ("longbench_write_en", 60, 1), ("longwrite_ruler", 48, 24)],
)
def test_the_real_files(dataset: str, rows: int, chinese: int) -> None:
    tasks = read_tasks(file_of(dataset, SHARED), None)
    assert set(FILES) == {"longbench_write", "longbench_write_en", "longwrite_ruler"}
    assert len(tasks) == rows
    assert sum(task.language == "zh" for task in tasks) == chinese
    assert all(100 <= task.required_words <= 30_000 for task in tasks)
