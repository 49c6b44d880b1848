"""What is seen of runs from outside: journals as the runs write them, locks of living and dead processes."""

import base64
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from results_tables import make_results

from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.measurement.journal import Journal
from sharpscope.results.appending import append_results
from sharpscope.results.records import Place, folders
from sharpscope.watching.runs import Unfinished, look
from sharpscope.watching.shown import lines, page

PLACE = Place("best", "814331d088032bb4", "itw", "de", "0a1b2c3d4e5f", 8, "rigorous", "feedc0ffee00")


def logits(trials: int) -> str:
    return base64.b64encode(np.zeros((trials, 2)).tobytes()).decode()


def begin(folder: Path, groups: int = 3, trials: int = 8) -> Journal:
    journal = Journal(folders(folder / "r.csv")[1] / f"{PLACE.file}.journal", "now")
    for group in range(groups):
        journal.record(str(group), {"logits": logits(trials), "values": ""})
    return journal


def holder(journal: Journal, process: int, host: str) -> None:
    assert journal.path is not None
    name = journal.path.name.removesuffix(".journal")
    locks = journal.path.parent / ".locks"
    locks.mkdir(exist_ok=True)
    (locks / f"{name}.csv.run.lock.holder").write_text(f"process {process} on {host}")


def only(folder: Path, seconds_later: float = 0.0) -> Unfinished:
    (found,) = look(folder, now=time.time() + seconds_later)
    (one,) = found.unfinished
    return one


@pytest.mark.parametrize("trials", [1, 2, 7, 8, 32])
def test_finished_groups_and_their_trials_are_counted(trials: int, tmp_path: Path) -> None:
    begin(tmp_path, 3, trials)
    one = only(tmp_path)
    assert (one.groups, one.trials) == (3, 3 * trials)
    assert (one.checkpoint, one.set, one.m, one.preset) == ("best-814331d0", "itw.de", 8, "rigorous")
    assert one.running
    assert one.per_second > 0
    assert one.total is None
    assert one.seconds_left is None


def test_a_finished_row_of_another_checkpoint_tells_how_many_trials_there_are(tmp_path: Path) -> None:
    begin(tmp_path)
    table = make_results(("itw",), seeds=(0,), recipes=("adam",))
    table = table.assign(subset="de", trials_hash=PLACE.trials_hash, n_bonafide=40.0, n_spoof=60.0)
    append_results(tmp_path / "r.csv", table.to_dict("records"))
    one = only(tmp_path)
    assert one.total == 100
    assert one.seconds_left == pytest.approx((100 - 24) / one.per_second)
    assert "24 of 100 trials" in "\n".join(lines(look(tmp_path)))
    assert "done     tiny-adam-0.pt on itw@de: EER" in "\n".join(lines(look(tmp_path)))


def test_processes_of_one_measurement_are_one_line_and_groups_count_once(tmp_path: Path) -> None:
    first, second = begin(tmp_path, 2), begin(tmp_path, 3)
    assert first.path == second.path
    one = only(tmp_path)
    assert one.groups == 3
    assert len(one.processes) == 2


def test_groups_of_other_options_are_not_counted(tmp_path: Path) -> None:
    path = folders(tmp_path / "r.csv")[1] / f"{PLACE.file}.journal"
    Journal(path, "before").record("0", {"logits": logits(8), "values": ""})
    time.sleep(0.02)
    begin(tmp_path, 2)
    assert only(tmp_path).groups == 2


def test_a_killed_process_is_told_from_a_slow_one(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    holder(journal, dead.pid, socket.gethostname())
    assert not only(tmp_path).running
    assert "is gone" in only(tmp_path).why
    holder(journal, os.getpid(), socket.gethostname())
    # A group of a large detector may take an hour.
    assert only(tmp_path, 3600).running
    holder(journal, 1, "elsewhere")
    assert only(tmp_path, 10).running
    assert "process 1 on elsewhere" in only(tmp_path, 3600).why


def test_without_a_lock_silence_tells(tmp_path: Path) -> None:
    begin(tmp_path)
    assert only(tmp_path, 100).running
    assert not only(tmp_path, 200).running
    assert "STOPPED" in "\n".join(lines(look(tmp_path, now=time.time() + 200)))


def test_a_line_in_the_making_is_left_out_and_a_damaged_one_is_said(tmp_path: Path) -> None:
    (file,) = begin(tmp_path, 4).files()
    whole = file.read_text()
    file.write_text(whole[:-10])
    assert only(tmp_path).groups == 3
    assert only(tmp_path).why == ""
    file.write_text("0" + whole)
    assert only(tmp_path).groups == 3
    assert "damaged lines in its journal: 1" in only(tmp_path).why


def test_the_page_is_whole_names_no_address_and_escapes(tmp_path: Path) -> None:
    begin(tmp_path)
    text = page(look(tmp_path), "<b>", every=7)
    assert "<meta http-equiv=refresh content=7>" in text
    assert "http://" not in text
    assert "https://" not in text
    assert "<b>" not in text
    assert "itw.de" in text


def test_the_command_writes_both_and_loads_no_torch(tmp_path: Path) -> None:
    begin(tmp_path / "below" / "deep")
    code = f"""
import sys
from sharpscope.cli import main
main(['watch', {str(tmp_path)!r}, '--once', '--page', {str(tmp_path / "p.html")!r}], standalone_mode=False)
assert 'torch' not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "24 trials, 3 groups" in done.stdout
    assert "24 trials, 3 groups" in (tmp_path / "p.html").read_text()


def test_nothing_there_is_said(tmp_path: Path) -> None:
    assert lines(look(tmp_path)) == ["no run has begun here yet"]
    with pytest.raises(UsageError, match="not there"):
        look(tmp_path / "no")
    (tmp_path / "bad.csv").write_text("a,b\n")
    assert "cannot be read" in CliRunner().invoke(main, ["watch", str(tmp_path / "bad.csv"), "--once"]).output
