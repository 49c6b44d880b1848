from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from results_tables import NAN, make_correlation, make_points, make_results

from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.figures.style import DARK_PALETTE, MARKERS, PALETTE
from sharpscope.reports import SYMBOLS, page_data, report
from sharpscope.results.appending import append_results

pytest.importorskip("plotly", reason="plotly is not installed")

SETS = ("seen", "codec", "</script><b>odd")


class Answer:
    """What a page needs of a correlation."""

    def __init__(self, results: Any) -> None:
        self.table = make_correlation(results)
        self.summary = "# Six <checkpoints>\n\nNothing *may* be concluded."


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    results = make_results(SETS, ("tiny", "aasist"), measures=(("sam", 0.01), ("sam", 0.05), ("loss", NAN)))
    make_points(checkpoints=2).to_csv(folder / "landscape.csv", index=False)
    return report(
        results, folder / "report.html", correlation=Answer(results), landscape=folder / "landscape.csv"
    )


def test_page_is_one_file_that_asks_no_network_and_no_name_can_break_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    own = text[: text.index("plotly.js v")] + text[text.rindex('"use strict"') :]
    assert "default-src 'none'" in own
    assert not re.search(r"""(src|href)=["'](?!data:,|#)""", own)
    assert "Six &lt;checkpoints&gt;" in own
    assert "<em>may</em>" in own
    assert "</script><b>odd" not in own
    assert [p.name for p in page.parent.iterdir() if p.suffix == ".html"] == ["report.html"]


def test_the_same_table_gives_the_same_page(page: Path, tmp_path: Path) -> None:
    results = make_results(SETS, ("tiny", "aasist"), measures=(("sam", 0.01), ("sam", 0.05), ("loss", NAN)))
    again = report(
        results, tmp_path / "r.html", correlation=Answer(results), landscape=page.parent / "landscape.csv"
    )
    assert again.read_bytes() == page.read_bytes()


def test_page_data_holds_every_row_with_its_provenance() -> None:
    results = make_results()
    results.loc[0, "value"] = NAN
    data = page_data(results, make_correlation(results))
    json.dumps(data, allow_nan=False)
    assert len(data["rows"]) == len(results)
    assert data["rows"][0]["value"] is None
    assert set(results.columns) <= set(data["rows"][0])
    variant = data["variants"][0]
    assert variant["words"]["seen"][-1].endswith("n = 5 of 6")
    (x0, x1), (y0, y1) = variant["lines"]["codec"]
    codec = results[results["set"] == "codec"]
    slopes = [
        (100 * (b.eer - a.eer)) / (b.value - a.value)
        for i, a in enumerate(codec.itertuples())
        for b in list(codec.itertuples())[i + 1 :]
    ]
    assert (y1 - y0) / (x1 - x0) == pytest.approx(np.median(slopes))


def test_screen_has_the_shapes_and_hues_of_the_printed_figures() -> None:
    assert set(SYMBOLS) == set(MARKERS)
    assert len(DARK_PALETTE) == len(PALETTE)
    groups = page_data(make_results(), make_correlation(make_results()))["groups"]
    assert [(g["colour"], g["dark"]) for g in groups] == list(zip(PALETTE, DARK_PALETTE, strict=True))[
        : len(groups)
    ]


def test_spoilt_tables(tmp_path: Path) -> None:
    results = make_results()
    with pytest.raises(UsageError, match="no rows"):
        report(results.iloc[:0], tmp_path / "r.html", correlation=Answer(results))
    for spoilt in (
        results.assign(value=NAN, eer=NAN),
        results.assign(value=0.5, eer=0.5),
        results[results["checkpoint"] == "tiny-sam-0.pt"],
    ):
        assert report(spoilt, tmp_path / "r.html", correlation=Answer(spoilt)).is_file()


def test_command_writes_the_page(tmp_path: Path) -> None:
    append_results(tmp_path / "results.csv", make_results().to_dict("records"))
    done = CliRunner().invoke(
        main,
        ["report", str(tmp_path / "results.csv"), "-o", str(tmp_path / "p.html")],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    assert "Next: open file://" in done.stderr
    assert (tmp_path / "p.html").stat().st_size > 1e6


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no chromium and chromium-driver: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = binary
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--enable-unsafe-swiftshader",
        "--window-size=1200,1000",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(driver)
    opened = webdriver.Chrome(options=options, service=service)
    yield opened
    opened.quit()


@pytest.fixture
def opened(browser: Any, page: Path) -> Any:
    browser.set_window_size(1200, 1000)
    browser.get(page.as_uri())
    wait(browser, "return document.querySelectorAll('#scatter .main-svg').length > 0")
    return browser


def wait(browser: Any, script: str, seconds: float = 20.0) -> None:
    """Wait until a script gives something true."""
    end = time.monotonic() + seconds
    while not browser.execute_script(script):
        if time.monotonic() > end:
            raise AssertionError(f"never true: {script}")
        time.sleep(0.05)


POINTS = "return [...document.querySelectorAll('#scatter .card')].map(c => c.querySelectorAll('.points path').length)"


def test_page_loads_from_disk_without_an_error_or_a_request(opened: Any, page: Path) -> None:
    assert opened.execute_script("return document.querySelectorAll('#surfaces .main-svg').length") == 0
    opened.execute_script("document.getElementById('surface-part').scrollIntoView()")
    wait(opened, "return document.querySelectorAll('#surfaces .card .main-svg, #surfaces canvas').length > 1")
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = set()
    for entry in opened.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.add(message["params"]["request"]["url"])
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} <= {page.as_uri()}
    assert opened.execute_script(POINTS) == [12, 12, 12]
    assert opened.execute_script("return document.querySelectorAll('#scatter h3')[2].textContent") == SETS[2]


def test_choices_change_what_is_drawn_and_listed(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    values = "return document.querySelector('#scatter .plot').data[0].x"
    before = opened.execute_script(values)
    Select(opened.find_element(By.ID, "radius")).select_by_visible_text("ρ = 0.01")
    assert opened.execute_script(values) != before
    Select(opened.find_element(By.ID, "measure")).select_by_visible_text("loss")
    assert "Loss (loss), nats" in opened.find_element(By.ID, "h-scatter").text
    assert len(opened.find_elements(By.CSS_SELECTOR, "#rows tbody tr")) == 36
    opened.find_element(By.CSS_SELECTOR, "#kinds input").click()
    assert opened.execute_script(POINTS) == [9, 9, 9]
    assert "27 of 36" in opened.find_element(By.ID, "status").text
    assert "not only of those shown" in opened.find_element(By.ID, "statistics-note").text
    opened.find_element(By.CSS_SELECTOR, "#sets input").click()
    assert opened.execute_script(POINTS) == [9, 9]
    opened.find_element(By.ID, "query").send_keys("sam-1")
    assert sum(opened.execute_script(POINTS)) == len(opened.find_elements(By.CSS_SELECTOR, "#rows tbody tr"))


def test_hover_names_the_checkpoint_its_error_and_interval(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    plot = opened.find_element(By.CSS_SELECTOR, "#scatter .plot")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    point = opened.find_element(By.CSS_SELECTOR, "#scatter .plot .points path")
    assert opened.find_elements(By.CSS_SELECTOR, "#scatter .hovertext") == []
    ActionChains(opened).move_to_element(point).perform()
    wait(opened, "return document.querySelectorAll('#scatter .hovertext').length > 0")
    text = opened.find_element(By.CSS_SELECTOR, "#scatter .hovertext").get_attribute("textContent")
    for words in (".pt", "recipe", "EER", "%", " to "):
        assert words in text


def test_tables_sort_and_every_row_tells_its_provenance_by_keyboard(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    column = (
        "return [...document.querySelectorAll('#rows tbody tr')].map(r => Number(r.cells[4].textContent))"
    )
    head = opened.find_elements(By.CSS_SELECTOR, "#rows th button")[4]
    head.send_keys(Keys.ENTER)
    assert opened.execute_script(column) == sorted(opened.execute_script(column))
    head.send_keys(Keys.ENTER)
    assert opened.execute_script(column) == sorted(opened.execute_script(column), reverse=True)
    assert head.find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"
    button = opened.find_element(By.CSS_SELECTOR, "#rows tbody button")
    button.send_keys(Keys.ENTER)
    dialog = opened.find_element(By.ID, "provenance")
    assert dialog.is_displayed()
    for name in ("sha256", "trials_hash", "preset", "n_groups", "version"):
        assert name in dialog.text
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(opened, "return !document.getElementById('provenance').open")
    assert opened.switch_to.active_element == button
    opened.find_element(By.ID, "find").send_keys("codec")
    shown = [row.text for row in opened.find_elements(By.CSS_SELECTOR, "#correlations tbody tr")]
    assert len(shown) == 3
    assert all("codec" in text for text in shown)


def test_dark_page_and_phone(opened: Any) -> None:
    from selenium.webdriver.common.by import By

    back = "return getComputedStyle(document.body).backgroundColor"
    before = opened.execute_script(back)
    opened.find_element(By.ID, "theme").click()
    assert opened.execute_script(back) != before
    assert opened.find_element(By.ID, "theme").get_attribute("aria-pressed") == "true"
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        wait(opened, "return innerWidth === 390 && document.documentElement.scrollWidth <= 390")
        assert opened.execute_script("return document.querySelector('#scatter .plot').clientWidth") > 300
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_everything_that_can_be_used_has_a_name(opened: Any) -> None:
    script = """
    const name = (e) => (e.getAttribute('aria-label') || e.textContent ||
      (e.labels && e.labels.length && e.labels[0].textContent) || '').trim();
    return [...document.querySelectorAll('button, select, input, .plot, [role=region]')]
      .filter((e) => !e.closest('.plotly') && !name(e) && !e.getAttribute('aria-labelledby')).map((e) => e.outerHTML);
    """
    assert opened.execute_script(script) == []
