"""Official keys keep their phases apart; scores are read however other tools print them."""

from pathlib import Path

import pandas as pd
import pytest
from results_tables import make_results

from sharpscope.errors import UsageError
from sharpscope.results.records import KNOWN_OF_TRIALS, Place, write_scores
from sharpscope.results.scored_systems import enter_scores
from sharpscope.scoring.score_files import join, key_notes, read_key, read_score_file

LA = """\
LA_0020 LA_E_1 g722 loc_tx bonafide bonafide notrim eval
LA_0021 LA_E_2 g722 loc_tx A07 spoof notrim eval
LA_0020 LA_E_3 g722 loc_tx bonafide bonafide trim hidden
"""
DF = """\
TGF1 DF_E_2 mp3m4a vcc2020 - bonafide notrim eval bonafide Task2 team12 FF G
TGF1 DF_E_3 mp3m4a vcc2020 - spoof notrim progress unknown Task2 team12 FF G
"""
PA = """\
PA_0010 PA_E_1 a m1 d2 b m2 D3 t1 bonafide notrim eval
PA_0010 PA_E_2 a m1 d2 b m2 D3 t1 spoof notrim eval
PA_0010 PA_E_3 a m1 d2 b m2 D3 t1 spoof notrim progress
"""
PA_2019 = "PA_0001 PA_E_1 aaa - bonafide\nPA_0001 PA_E_2 aaa AB spoof\n"
FIVE = "E_0002 E_3 M - - - - bonafide bonafide -\nE_0002 E_4 M - - - AC1 A17 spoof -\n"


@pytest.mark.parametrize(
    ("text", "phase", "expected"),
    [
        (LA, "", {"LA_E_1": True, "LA_E_2": False}),
        (LA, "@hidden", {"LA_E_3": True}),
        (LA, "@all", {"LA_E_1": True, "LA_E_2": False, "LA_E_3": True}),
        (DF, "", {"DF_E_2": True}),
        (DF, "@progress", {"DF_E_3": False}),
        (PA, "", {"PA_E_1": True, "PA_E_2": False}),
        (PA, "@progress", {"PA_E_3": False}),
        (PA_2019, "", {"PA_E_1": True, "PA_E_2": False}),
        ("ID,path,label,dataset_name\n1,a.wav,real,x\n2,b.wav,fake,x\n", "", {"a": True, "b": False}),
        ("utt_id;is_fake\na;0\nb;1\n", "", {"a": True, "b": False}),
        ("a 1\nb 0\n", "@bonafide:1", {"a": True, "b": False}),
        ("file,label,subset\na,real,dev\nb,fake,eval\n", "@eval", {"b": False}),
        (FIVE, "", {"E_3": True, "E_4": False}),
    ],
)
def test_official_keys_give_the_phase_asked_for(
    tmp_path: Path, text: str, phase: str, expected: dict[str, bool]
) -> None:
    file = tmp_path / "key.txt"
    file.write_text(text)
    key = read_key(f"{file}{phase}")
    assert {name: known.is_bonafide for name, known in key.items()} == expected


def test_what_of_a_key_is_judged_is_said(tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(LA)
    assert "2 eval; left out: 1 hidden" in key_notes(file)[0]
    file.write_text("a bonafide\nb spoof\n")
    assert key_notes(file) == ()


@pytest.mark.parametrize(
    "text",
    [
        "a tensor(0.3)\nb -1\n",
        "a tensor(0.3, device='cuda:0')\nb -1\n",
        "a [0.3]\nb [-1]\n",
        "a;0,3\nb;-1,0\n",
        "a 0,3\nb -1,0\n",
        "Loading\nOutput, a, 1, 0.3\nepoch 2\nOutput, b, 0, -1.0\n",
    ],
)
def test_scores_are_read_as_tools_print_them(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scores.txt"
    file.write_text(text)
    assert read_score_file(file) == {"a": 0.3, "b": -1.0}


def test_folders_before_the_names_do_not_matter_where_the_names_tell_the_trials_apart(tmp_path: Path) -> None:
    file = tmp_path / "key.csv"
    file.write_text("file_name,label\n/data/x/a.wav,bonafide\n/data/x/b.wav,spoof\n")
    assert join({"a": 2.0, "b": 1.0}, read_key(file), "s.txt").scores.tolist() == [2.0, 1.0]
    with pytest.raises(UsageError, match="2 of 2 trials of the key have no score"):
        join({"u/a": 2.0, "v/a": 3.0, "b": 1.0}, read_key(file), "s.txt")


def test_a_phase_that_a_key_does_not_know_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(LA)
    with pytest.raises(UsageError, match="no phase 'evla'; it is one of eval, progress, hidden or all"):
        read_key(f"{file}@evla")
    with pytest.raises(UsageError, match="no trial of phase progress; it has 2 eval, 1 hidden"):
        read_key(f"{file}@progress")


def test_a_decimal_comma_between_commas_is_named(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text("a,0,3\nb,1,0\n")
    with pytest.raises(UsageError, match="decimals need a point where commas separate"):
        read_score_file(file)


def test_rows_of_a_results_table_say_which_phases_were_judged(tmp_path: Path) -> None:
    key, scores = tmp_path / "key.txt", tmp_path / "closed.txt"
    key.write_text(LA)
    scores.write_text("LA_E_1 2\nLA_E_2 1\nLA_E_3 -5\n")
    enter_scores(tmp_path / "results.csv", [scores], key=key, set_name="21la")
    row = pd.read_csv(tmp_path / "results.csv").iloc[0]
    assert row["eer"] == 0
    assert "the key's trials judged: 2 eval; left out: 1 hidden" in row["note"]


def test_our_own_score_files_are_read(tmp_path: Path) -> None:
    """Their first line says whose scores they are, before the header."""
    row = make_results(("seen",), seeds=(0,), recipes=("adam",)).iloc[0].to_dict()
    columns = {"trial": ["a", "b"], "label": ["bonafide", "spoof"], "score": [1.25, -0.5], "logit_spoof": 0.0}
    table = pd.DataFrame(columns | {"logit_bonafide": 0.0, "group": 0} | dict.fromkeys(KNOWN_OF_TRIALS, ""))
    write_scores(tmp_path / "results.csv", Place.of(row), table)
    (path,) = (tmp_path / "scores").rglob("*.txt")
    assert read_score_file(path) == {"a": 1.25, "b": -0.5}
