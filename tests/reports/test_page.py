"""The page in a browser: the answer first, the leaderboard, trials, the address, several tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from results_tables import NAN, make_correlation, make_results
from test_reports import Answer, browser, wait  # noqa: F401  (browser is a fixture)

from sharpscope.errors import UsageError
from sharpscope.reports import report
from sharpscope.reports.data import packed
from sharpscope.results.appending import append_results
from sharpscope.results.records import SCORE_COLUMNS, Place, write_scores
from sharpscope.results.table import read_results


def study(folder: Path, name: str, **how: Any) -> Path:
    """A results table with scores of six trials and one playable file beside it."""
    table = make_results(("seen", "codec"), measures=(("sam", 0.01), ("sam", 0.05), ("loss", NAN)), **how)
    path = folder / name
    append_results(path, table.assign(trials_hash="t" * 12, spec_hash="s" * 12).to_dict("records"))
    (folder / "audio").mkdir(exist_ok=True)
    soundfile.write(folder / "audio" / "a 0.wav", np.zeros(1600), 16000)
    for row in read_results(path).drop_duplicates(["sha256", "set"]).to_dict("records"):
        trials = pd.DataFrame({
            "trial": [f"a{i}" for i in range(6)], "label": ["bonafide"] * 3 + ["spoof"] * 3,
            "score": [-3.0, 2.0, 3.0, -4.0, 5.0, -5.0], "logit_spoof": 0.0, "logit_bonafide": 0.0, "group": -1,
            "half": -1, "speaker": "", "attack": ["", "", "", "A1", "A2", "A2"], "codec": "", "pair": "",
            "path": [f"audio/a {i}.wav" for i in range(6)],
        })[list(SCORE_COLUMNS)]  # fmt: skip
        write_scores(path, Place.of(row), trials)
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    before, after = study(folder, "before.csv"), study(folder, "after.csv", seeds=(0, 1))
    answers = [Answer(read_results(path)) for path in (before, after)]
    return report([before, after], folder / "report.html", correlation=answers)


@pytest.fixture
def opened(browser: Any, page: Path) -> Any:  # noqa: F811
    browser.set_window_size(1200, 1000)
    browser.get("about:blank")
    browser.get(page.as_uri())
    wait(browser, "return document.querySelectorAll('#scatter .main-svg').length > 0")
    return browser


def board(opened: Any) -> list[list[str]]:
    script = "return [...document.querySelectorAll('#board tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    return opened.execute_script(script)


def test_the_answer_stands_before_everything_and_prose_is_folded(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = [
        text.index(f'id="{name}"') for name in ("answer", "leaderboard", "figures", "measurements", "sources")
    ]
    assert places == sorted(places)
    assert text.count('<article class="verdict') == 2
    assert text.index("<details><summary>In full") < text.index("Nothing <em>may</em>")
    assert page.stat().st_size < 6e6


def test_leaderboard_has_every_checkpoint_sorts_and_can_show_the_measure(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    found = board(opened)
    assert len(found) == 6
    means = [float(row[-1]) for row in found]
    assert means == sorted(means)
    cells = [float(row[2]) for row in found]
    opened.find_elements(By.CSS_SELECTOR, "#board th button")[2].click()
    assert [float(row[2]) for row in board(opened)] == sorted(cells)
    paint = "return [...document.querySelectorAll('#board tbody td')].filter(c => c.style.background).length"
    assert opened.execute_script(paint) == 12
    Select(opened.find_element(By.ID, "board-shows")).select_by_value("value")
    assert [row[2] for row in board(opened)] != [row[2] for row in found]


def test_a_cell_opens_its_trials_with_audio_and_its_provenance(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened.find_element(By.CSS_SELECTOR, "#board td button").send_keys(Keys.ENTER)
    dialog = opened.find_element(By.ID, "provenance")
    for words in ("farthest on the wrong side", "A2", "Errors by attack", "50.00", "trials_hash"):
        assert words in dialog.text
    sources = "return [...document.querySelectorAll('#drill audio')].map(a => a.getAttribute('src'))"
    assert opened.execute_script(sources) == ["audio/a%200.wav"]
    opened.execute_script(
        "document.querySelector('#drill audio').preload = 'auto'; document.querySelector('#drill audio').load()"
    )
    wait(opened, "return document.querySelector('#drill audio').duration > 0.09")
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)


def test_the_address_keeps_what_is_shown(opened: Any, page: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    Select(opened.find_element(By.ID, "table")).select_by_visible_text("after")
    assert len(board(opened)) == 4
    Select(opened.find_element(By.ID, "measure")).select_by_visible_text("loss")
    opened.find_element(By.CSS_SELECTOR, "#kinds input").click()
    opened.find_element(By.ID, "theme").click()
    address = opened.current_url
    shown = board(opened)
    assert len(shown) == 2
    opened.get("about:blank")
    opened.get(address)
    wait(opened, "return document.querySelectorAll('#scatter .main-svg').length > 0")
    assert board(opened) == shown
    assert opened.find_element(By.ID, "measure").get_attribute("value") == "loss"
    assert opened.execute_script("return document.documentElement.dataset.theme") == "dark"
    opened.find_element(By.CSS_SELECTOR, "#contents a[href='#measurements']").click()
    assert opened.current_url == address


def test_nothing_left_says_so_and_can_be_undone(opened: Any) -> None:
    from selenium.webdriver.common.by import By

    opened.find_element(By.ID, "query").send_keys("no such checkpoint")
    assert not opened.find_element(By.ID, "live").is_displayed()
    assert opened.find_element(By.ID, "empty").is_displayed()
    opened.find_element(By.ID, "reset").click()
    assert opened.find_element(By.ID, "live").is_displayed()
    assert len(board(opened)) == 6


def test_what_stays_on_screen_covers_little_of_a_narrow_window(opened: Any) -> None:
    opened.set_window_size(700, 700)
    opened.execute_script("document.getElementById('figures').scrollIntoView()")
    box = "const b = document.getElementById('contents').getBoundingClientRect();"
    top, share = opened.execute_script(f"{box} return [b.top, b.height / innerHeight]")
    assert top == 0
    assert share < 0.1


def test_printed_figures_commands_and_downloads_are_there(opened: Any) -> None:
    from selenium.webdriver.common.by import By

    kinds = [f.get_attribute("id") for f in opened.find_elements(By.CSS_SELECTOR, "#printed figure")]
    assert {"printed-rho-curve", "printed-det", "printed-pairs"} <= set(kinds)
    commands = opened.find_element(By.ID, "commands").text
    assert "sharpscope plot det " in commands
    assert "--measure sam --rho 0.05 --m 32" in commands
    names = opened.find_element(By.ID, "downloads").text
    for name in ("results.csv", "correlations.csv", "scatter.pdf", "det.pdf"):
        assert name in names


def test_packed_rows_are_the_rows() -> None:
    rows = make_results().dropna(axis="columns").to_dict("records")
    columns = json.loads(json.dumps(packed(rows)))

    def cell(name: str, i: int) -> Any:
        cells = columns[name]
        return cells[0] if len(cells) == 1 else cells[0][cells[1][i]] if len(cells) == 2 else cells[2][i]

    assert [{name: cell(name, i) for name in columns if name} for i in range(columns[""])] == rows


def test_more_correlations_than_tables_are_refused(tmp_path: Path) -> None:
    table = make_results()
    with pytest.raises(UsageError, match="3 correlations for 2 tables"):
        report([table, table], tmp_path / "r.html", correlation=[make_correlation(table)] * 3)
