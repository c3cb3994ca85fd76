"""The pages in a real Chromium over runs that bridge has made. Needs playwright's Python package and chromium."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import bridge
from fakes import HOSTILE, make_record, make_report, make_row
from runs import write
from view_runs import two_real_runs

from bridge.report.write import sample_line

pytestmark = pytest.mark.env
QUIET = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium on the PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server over two real runs and a hostile one."""
    root = two_real_runs(tmp_path_factory.mktemp("view"))
    samples = root / "hostile" / "samples" / "x.jsonl"
    samples.parent.mkdir(parents=True)
    samples.write_bytes(
        b"".join(
            sample_line(
                make_record(sample_id=text, subset=text, input=text, target=text, response=text * 3, extracted=text)
            )
            for text in HOSTILE
        )
    )
    row = make_row(samples="samples/x.jsonl", dataset=HOSTILE[2], reason=HOSTILE[0], n=len(HOSTILE))
    write(root / "hostile", make_report(results=(row,)))
    process = subprocess.Popen(
        [Path(sys.executable).parent / "bridge", "view", root, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip().rstrip("/")
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()


class Visit:
    """An open page, and all that it asked for or complained about."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.origin = "/".join(url.split("/")[:3])
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = browser.new_page(**options)
        self.page.set_default_timeout(10_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto(url)

    def text(self, selector: str = "body") -> str:
        return str(self.page.locator(selector).first.inner_text())

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def until(self, condition: str) -> None:
        """Waits until the expression is true; playwright's own wait needs eval, which the policy forbids."""
        from playwright.sync_api import Error

        for _ in range(200):
            # A page that goes to another one in this moment has no answer.
            with contextlib.suppress(Error):
                if self.page.evaluate(condition):
                    self.page.wait_for_load_state()
                    return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {condition}\n{self.text()[:1_000]}")

    def end(self) -> None:
        """Nothing was asked of any other server, and nothing was complained about."""
        assert [url for url in self.requests if not url.startswith(self.origin)] == []
        assert self.complaints == []
        self.page.close()


def samples_of(address: str, run: str = "base", dataset: str = "sums") -> str:
    return f"{address}/runs/{run}/datasets/{dataset}.native.{run}/samples"


def test_from_runs_to_a_sample_by_mouse(chromium: Any, address: str) -> None:
    visit = Visit(chromium, address)
    assert "95 % interval" in visit.text() and visit.count("tbody.entry") == 3
    visit.page.click("a.open:has-text('base')")
    visit.until("document.querySelector('#scores') !== null")
    assert "requests" in visit.text("#top")
    visit.page.click("#scores a:has-text('sums')")
    visit.until("document.querySelector('#subsets') !== null")
    assert visit.count("#subsets tbody tr") == 3
    visit.page.click(".chip.wrong")
    visit.until("location.href.endsWith('samples?state=wrong')")
    wrong = visit.count("tr.sample")
    assert wrong == visit.count("tr.sample.wrong") > 5
    visit.page.click("tr.sample a.open >> nth=0")
    visit.until("document.querySelector('h1').innerText.includes('wrong')")
    assert "What is" in visit.text("main") and "wrong" in visit.text("h1")
    visit.end()


def test_filters_change_the_address_and_come_back_with_it(chromium: Any, address: str) -> None:
    visit = Visit(chromium, samples_of(address))
    everything = visit.count("tr.sample")
    visit.page.select_option("select[name=state]", "wrong")
    visit.until("location.search.includes('state=wrong')")
    visit.until("document.querySelectorAll('tr.sample.right').length === 0")
    visit.page.select_option("select[name=subset]", "multiplication")
    visit.until("location.search.includes('subset=multiplication')")
    chosen = visit.text("#count")
    visit.page.reload()
    assert visit.text("#count") == chosen
    visit.page.go_back()
    visit.until("!location.search.includes('subset=multiplication')")
    assert visit.page.locator("select[name=state]").input_value() == "wrong"
    assert everything == 50
    visit.end()


def test_the_list_goes_on_when_its_end_is_seen(chromium: Any, address: str) -> None:
    visit = Visit(chromium, samples_of(address))
    assert visit.count("tr.sample") == 50
    visit.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    visit.until("document.querySelectorAll('tr.sample').length >= 100")
    visit.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    visit.until("document.querySelectorAll('tr.sample').length === 120")
    ids = visit.page.evaluate("[...document.querySelectorAll('tr.sample a.open')].map((a) => a.href)")
    assert len(set(ids)) == 120
    visit.end()


def test_search_says_what_was_looked_at(chromium: Any, address: str) -> None:
    visit = Visit(chromium, samples_of(address))
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("rather NOT say")
    visit.page.keyboard.press("Enter")
    visit.until("decodeURIComponent(location.search).includes('q=rather NOT say')")
    visit.until("document.querySelector('#count').textContent.includes('looked at, up to number 120 of 120')")
    assert visit.count("tr.sample") == int(visit.text("#count").split()[0]) > 0
    visit.end()


def test_keys(chromium: Any, address: str) -> None:
    visit = Visit(chromium, samples_of(address))
    for _ in range(3):
        visit.page.keyboard.press("j")
    visit.page.keyboard.press("k")
    visit.page.keyboard.press("Enter")
    visit.until("location.pathname.endsWith('/samples/2')")
    visit.page.keyboard.press("j")
    visit.until("location.pathname.endsWith('/samples/3')")
    visit.page.keyboard.press("?")
    assert visit.page.locator("#keys").is_visible()
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("u")
    visit.until("location.pathname.endsWith('/samples')")
    visit.end()


def test_comparing_two_runs_and_opening_their_flips(chromium: Any, address: str) -> None:
    visit = Visit(chromium, address)
    for run in ("base", "sft"):
        visit.page.check(f"input[value={run}]")
    visit.page.click("button.act")
    visit.page.wait_for_selector(".changes")
    differs = visit.text(".changes")
    assert "What differs in the settings" in differs and "64" in differs and "128" in differs
    assert visit.page.evaluate(
        "document.querySelector('.changes').compareDocumentPosition(document.querySelector('.big')) & 4"
    )
    assert "sft against base" in visit.text("h1") and "pp" in visit.text("table.compare")
    visit.page.click(".all-flips a >> nth=1")
    visit.page.wait_for_selector("#count")
    assert visit.count("tr.sample") == int(visit.text("#count").split()[0]) > 0
    visit.page.click("tr.sample a >> nth=0")
    assert "What is" in visit.text("main")
    visit.end()


def test_the_curve(chromium: Any, address: str) -> None:
    visit = Visit(chromium, f"{address}/runs/sft/curve")
    assert visit.count(".curve svg circle") == 6 and "checkpoint-800" in visit.text("main")
    visit.end()


def test_hostile_text_runs_nothing(chromium: Any, address: str) -> None:
    visit = Visit(chromium, address)
    visit.page.click("tbody.entry:has-text('hostile') td a:has-text('onerror')")
    visit.page.click(".chip.all")
    assert visit.count("tr.sample") == len(HOSTILE)
    for number in range(1, len(HOSTILE) + 1):
        visit.page.goto(visit.page.url.split("/samples")[0] + f"/samples/{number}")
        assert visit.page.evaluate("window.hacked") is None
        assert visit.count("img") == 0
    visit.end()


def test_an_inline_script_is_blocked(chromium: Any, address: str) -> None:
    visit = Visit(chromium, address)
    script = "const s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s);"
    visit.page.evaluate(f"() => {{ {script} }}")
    assert visit.page.evaluate("window.hacked") is None
    assert "Content Security Policy" in "".join(visit.complaints)


def test_themes_and_languages(chromium: Any, address: str) -> None:
    visit = Visit(chromium, address, color_scheme="light", locale="en")
    background = "getComputedStyle(document.body).backgroundColor"
    assert visit.page.evaluate(background) == "rgb(251, 251, 250)"
    visit.page.click("#theme")
    visit.page.click("#theme")
    assert visit.page.evaluate(background) == "rgb(22, 23, 26)"
    visit.page.goto(samples_of(address))
    assert visit.page.evaluate(background) == "rgb(22, 23, 26)"
    visit.page.click("a[hreflang=zh]")
    assert "样本" in visit.text() and visit.page.evaluate("document.documentElement.lang") == "zh"
    visit.end()


def test_without_scripts_everything_can_be_reached(chromium: Any, address: str) -> None:
    visit = Visit(chromium, samples_of(address), java_script_enabled=False)
    visit.page.select_option("select[name=state]", "wrong")
    visit.page.click("button.act")
    assert "state=wrong" in visit.page.url and visit.count("tr.sample.right") == 0
    visit.end()


def test_the_comparison_as_one_file(chromium: Any, address: str, tmp_path: Path) -> None:
    runs = two_real_runs(tmp_path, 12)
    done = bridge("compare", runs / "base", runs / "sft", "--html", tmp_path / "compare.html")
    assert done.exit_code == 0, done.stderr
    visit = Visit(chromium, (tmp_path / "compare.html").as_uri())
    assert "What differs in the settings" in visit.text(".changes") and visit.count("table.compare svg") > 2
    visit.page.click("summary:has-text('Won')")
    assert "What is" not in visit.text(".flips") and "ANSWER" in visit.text(".flips")
    visit.end()


def test_the_files_of_all_runs_without_a_server(chromium: Any, address: str, tmp_path: Path) -> None:
    runs = two_real_runs(tmp_path, 12)
    assert bridge("view", runs, "--static", tmp_path / "site").exit_code == 0
    visit = Visit(chromium, (tmp_path / "site" / "index.html").as_uri())
    visit.page.click("a.open >> nth=0")
    visit.until("document.querySelectorAll('#rows .row').length > 5")
    visit.page.click("a.brand")
    visit.page.click("a:has-text('the runs compared')")
    assert "sft against base" in visit.text("h1")
    visit.end()
