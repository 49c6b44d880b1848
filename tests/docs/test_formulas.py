"""Formulas of the built documentation are typeset without any address outside, and every public name has its page."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import sharpscope

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("measures", "training", "api")


def test_the_python_page_holds_every_public_name_once() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: sharpscope\.(\w+)$", text, flags=re.MULTILINE)
    assert sorted(named) == sharpscope.__all__


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built documentation; strict, so a broken link or page fails here."""
    for needed in ("mkdocs", "material", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(needed, reason="pip install 'sharpscope[docs]' brings what builds the pages")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_no_source_of_a_formula_is_left_on_a_page(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'class="arithmatex"' not in text, page
        assert ":math:" not in text, page
        assert ".. math::" not in text, page
        assert "&gt;&gt;&gt; " not in (re.sub(r"<(code|pre).*?</\1>", "", text, flags=re.DOTALL)), page


@pytest.mark.slow
def test_a_browser_without_a_network_sets_the_formulas(site: Path) -> None:
    browser = _browser()
    try:
        for name in PAGES:
            page = site / name / "index.html"
            written = page.read_text(encoding="utf-8").count("<math")
            assert written > 5, name
            browser.get(page.as_uri())
            sizes: list[list[float]] = []
            # Two cores that run the rest of the suite may hold the browser up.
            until = time.monotonic() + 60
            while len(sizes) != written and time.monotonic() < until:
                sizes = browser.execute_script(
                    "return [...document.querySelectorAll('math')].map(e => {"
                    "const box = e.getBoundingClientRect(); return [box.width, box.height]})"
                )
            assert len(sizes) == written, f"{name}: {browser.current_url} holds {browser.page_source[:500]}"
            assert min(min(size) for size in sizes) > 2, name
            # A fraction that is typeset has its parts above one another; source would have them side by side.
            stacked = browser.execute_script(
                "return [...document.querySelectorAll('mfrac')].every(e => e.children[0].getBoundingClientRect().bottom"
                " <= e.children[1].getBoundingClientRect().top + 3)"
            )
            assert stacked, name
    finally:
        browser.quit()


def _browser() -> Any:
    webdriver = pytest.importorskip("selenium.webdriver")
    binary, driver = (
        shutil.which("chromium") or shutil.which("chromium-browser"),
        shutil.which("chromedriver"),
    )
    if binary is None or driver is None:
        pytest.skip("no chromium and chromium-driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
