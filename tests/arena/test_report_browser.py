"""The report of an arena in a real Chromium: filters, links, keys, and answers that try to break out of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from battle_rows import battle, both, run_of
from report.test_browser import Visit, chromium

from bridge.arena.report import rate_run
from bridge.native.arena.answers import Answer, Answers
from bridge.native.arena.asking import write_answers
from bridge.native.arena.battle import Battle, line
from bridge.native.arena.folder import ArenaFolder, write_questions
from bridge.native.arena.questions import Question
from bridge.native.arena.settings import FILE, dumped

pytestmark = pytest.mark.env
__all__ = ["chromium"]
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)></pre><style>body{display:none}</style>\u202e evil"
)
MODELS = ("base:1", "org/tuned, v2", "模型</b>")


def made(root: Path, battles: list[Battle]) -> Path:
    """An arena's folder with hostile questions, answers and judgments, rated."""
    folder = ArenaFolder(root)
    ids = dict.fromkeys(row.question_id for row in battles)
    questions = [
        Question(name, "math" if at % 2 else "<i>prose", (f"{name}? {HOSTILE}",)) for at, name in enumerate(ids)
    ]
    categories = {question.question_id: question.category for question in questions}
    write_questions(folder.questions, questions)
    for model in MODELS:
        of = {name: Answer((f"{model} says {HOSTILE} to {name}",)) for name in ids}
        write_answers(folder.answers(model), Answers(model, of), questions, "questions")
    for row in battles:
        row.category, row.judgment = categories[row.question_id], f"I say {HOSTILE}"
        row.len_a, row.len_b = 30, 10
    folder.battles.write_bytes(b"".join(map(line, battles)))
    (root / FILE).write_bytes(dumped(run_of(order="both", judges=("j",))))
    return root / "report.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("arena")
    a, b, c = MODELS
    battles = [row for at in range(12) for row in both(f"q{at}", a, b, "b", "b" if at % 4 else "a")]
    battles += [row for at in range(12) for row in both(f"q{at}", b, c, "a" if at % 3 else "b", "a" if at % 3 else "b")]
    battles += both("q0", a, c, "a", None, kind="unparsed") + both("q1", a, c, None, None)
    battles += [battle("q2", a, b, "a", judge="people", judge_kind="human", annotator="ann")]
    path = made(root, battles)
    assert rate_run(root).exit_code == 7, "what was not answered is told"
    return path


def options(visit: Visit, name: str) -> list[str]:
    return [str(text) for text in visit.page.locator(f"#arena-{name} option").all_inner_texts()]


def shown(visit: Visit) -> str:
    return visit.text("#arena-count").split(" comparisons")[0]


def test_the_page_shows_the_arena_and_nothing_runs(chromium: Any, page: Path) -> None:
    visit = Visit(chromium, page.as_uri())
    assert visit.complaints == [] and visit.requests == [page.as_uri()]
    assert visit.count("#arena .board tbody tr") == 3 + 2, "three models and two judges"
    assert visit.count("#arena script:not([type])") == 0 and visit.count("#arena img") == 0
    assert "模型</b>" in visit.text("#arena .board.sortable") and "org/tuned, v2" in visit.text(
        "#arena .matrix:not(.categories)"
    )
    assert "<img src=x onerror=alert(2)>" in visit.text("#arena-detail")
    assert "⟨U+202E⟩" in visit.text("#arena-detail"), "a turned direction is shown, not obeyed"
    assert "undecided" in visit.text("#arena > .note >> nth=0")
    visit.page.close()


def test_filters_narrow_and_add_up(chromium: Any, page: Path) -> None:
    visit = Visit(chromium, page.as_uri())
    assert shown(visit) == "26 of 26"
    assert set(options(visit, "category")) == {"all categories", "math", "<i>prose"}
    visit.page.select_option("#arena-flag", "inconsistent")
    visit.until("document.getElementById('arena-count').textContent.startsWith('3 of')")
    visit.page.select_option("#arena-flag", "unparsed")
    visit.until("document.getElementById('arena-count').textContent.startsWith('1 of')")
    assert "unparsed: refused" in visit.text("#arena-detail")
    visit.page.select_option("#arena-flag", "")
    visit.page.select_option("#arena-winner", "=undecided")
    assert shown(visit) == "2 of 26"
    visit.page.select_option("#arena-winner", MODELS[1])
    visit.page.select_option("#arena-model", MODELS[0])
    assert shown(visit) == "9 of 26"
    visit.page.select_option("#arena-category", "math")
    assert shown(visit) == "6 of 26"
    visit.page.select_option("#arena-winner", "")
    visit.page.select_option("#arena-model", "")
    visit.page.select_option("#arena-flag", "people")
    assert shown(visit) == "0 of 26" and "No comparison matches" in visit.text("#arena-list")
    visit.page.select_option("#arena-category", "")
    assert shown(visit) == "1 of 26"
    visit.page.fill("#arena-q", "q11?")
    visit.until("document.getElementById('arena-count').textContent.startsWith('0 of')")
    visit.page.select_option("#arena-flag", "")
    assert shown(visit) == "2 of 26"
    assert visit.complaints == []
    visit.page.close()


def test_a_link_keys_and_the_matrix_lead_to_a_battle(chromium: Any, page: Path) -> None:
    visit = Visit(chromium, page.as_uri())
    visit.page.locator("table.matrix td[data-a]").first.click()
    first = shown(visit)
    assert first != "26 of 26"
    visit.page.locator("#arena-detail").click()
    before = visit.text("#arena-detail .title")
    visit.page.keyboard.press("n")
    after = visit.text("#arena-detail .title")
    assert after != before
    again = Visit(chromium, visit.page.url)
    assert shown(again) == first and again.text("#arena-detail .title") == after
    again.page.close()
    visit.page.close()


def test_without_scripts_the_tables_are_there(chromium: Any, page: Path) -> None:
    visit = Visit(chromium, page.as_uri(), java_script_enabled=False)
    assert visit.count("#arena .board tbody tr") == 5
    assert "needs JavaScript" in visit.text("#arena noscript")
    assert not visit.page.locator("#arena-browser").is_visible()
    visit.page.close()


def test_a_narrow_and_a_dark_page_stay_whole(chromium: Any, page: Path) -> None:
    visit = Visit(chromium, page.as_uri(), viewport={"width": 400, "height": 800}, color_scheme="dark")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 400
    visit.page.close()


def test_ten_thousand_battles_open_at_once(chromium: Any, tmp_path: Path) -> None:
    """More than one page carries: a part is there, and the page says which."""
    import time

    a, b, _ = MODELS
    battles = [
        row for at in range(5_000) for row in both(f"q{at}", a, b, "a" if at % 3 else "b", "a" if at % 3 else "b")
    ]
    path = made(tmp_path, battles)
    assert rate_run(tmp_path).exit_code == 0
    started = time.perf_counter()
    visit = Visit(chromium, path.as_uri())
    visit.until("!document.getElementById('arena-browser').hidden")
    print(f"{path.stat().st_size / 1e6:.1f} MB open in {time.perf_counter() - started:.2f} s")
    assert shown(visit) == "3,000 of 3,000"
    assert "3,000 of 5,000 comparisons are here" in visit.text("#arena .left-out")
    visit.page.close()
