"""Makes the pictures in docs/images/view: two runs against a server that stands in for a model, and each page of them.

    python scripts/view_screenshots.py

Needs playwright's Python package and a `chromium` on the PATH.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images" / "view"
MAX_BYTES = 100_000
COLUMN = "datasets/sums.native"
PAGES = {
    "runs": "/",
    "run": "/runs/sft",
    "dataset": f"/runs/sft/{COLUMN}.sft",
    "samples": f"/runs/sft/{COLUMN}.sft/samples?state=wrong",
    "sample": f"/runs/sft/{COLUMN}.sft/samples/3",
    "compare": "/compare?side=base&side=sft",
    "flips": "/flips?side=base&side=sft&against=0&dataset=0&kind=won",
    "curve": "/runs/sft/curve",
}
SHOWN = {"compare": ".changes", "flips": "tr.sample"}
"""What is there when the page is made, where that takes a moment."""
DARK = {"samples", "flips"}


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from view_runs import two_real_runs

    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = two_real_runs(Path(folder))
        program = Path(sys.executable).parent / "bridge"
        server = subprocess.Popen([program, "view", runs, "--port", "0"], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        try:
            take(server.stdout.readline().strip().rstrip("/"))
        finally:
            server.terminate()
            server.wait()


def take(address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--disable-gpu"])
        for name, path in PAGES.items():
            scheme = "dark" if name in DARK else "light"
            page = browser.new_page(viewport={"width": 1100, "height": 520}, color_scheme=scheme)
            page.goto(address + path)
            page.wait_for_selector(SHOWN.get(name, "h1, #browse"))
            page.evaluate("window.scrollTo(0, 0)")
            shot = IMAGES / f"{name}.png"
            page.screenshot(path=shot)
            size = shot.stat().st_size
            print(f"{shot.relative_to(ROOT)}  {size:,} B")
            assert size < MAX_BYTES, f"{shot} has {size:,} bytes"
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
