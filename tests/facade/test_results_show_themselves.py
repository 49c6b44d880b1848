"""What public calls return holds a table and shows it in a notebook."""

from pathlib import Path

import pytest

from sharpscope.landscapes.landscape import LandscapeReport
from sharpscope.scoring.score_files import score
from sharpscope.training.train import TrainReport


def test_scores_runs_and_landscapes_have_tables(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(f"t{i} {i % 2 + 0.01 * i}\n" for i in range(40)))
    (tmp_path / "key.txt").write_text(
        "".join(f"t{i} {'bonafide' if i % 2 else 'spoof'}\n" for i in range(40))
    )
    judged = score([tmp_path / "a.txt"], key=tmp_path / "key.txt")
    assert judged.table["eer"].tolist() == [0.0]
    assert "<table" in judged._repr_html_()
    (tmp_path / "log.csv").write_text("epoch,dev_eer\n1,0.2\n2,0.1\n")
    trained = TrainReport(tmp_path, 0.1, 2, "epochs")
    assert trained.table["dev_eer"].tolist() == [0.2, 0.1]
    (tmp_path / "landscape.csv").write_text("x,y,loss\n0,0,0.5\n")
    drawn = LandscapeReport(tmp_path / "landscape.csv", 1, 1, ())
    assert drawn.table["loss"].tolist() == pytest.approx([0.5])
    assert "<table" in trained._repr_html_()
    assert "<table" in drawn._repr_html_()
