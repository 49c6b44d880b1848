"""Parity with the published script, and with itself on two files of one function; needs ../shared."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sharpscope.measurement.measure import measure
from sharpscope.results.table import read_results

SHARED = Path(__file__).resolve().parents[3] / "shared"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared with the reference numbers is not here"
)


def reference(checkpoint: str, protocol: str) -> dict[str, Any]:
    records = json.loads((SHARED / "reference" / "reference.json").read_text())
    return next(r for r in records if r["checkpoint"] == checkpoint and r["protocol"] == protocol)


def take(checkpoint: str, protocol: Path, out: Path, **options: Any) -> pd.DataFrame:
    report = measure(
        [SHARED / "checkpoints" / checkpoint],
        [f"set={protocol}"],
        out=out,
        m=8,
        show_progress=False,
        **options,
    )
    assert not report.failures
    return read_results(out)


def value(table: pd.DataFrame, measure_name: str, rho: float | None = None) -> float:
    rows = table[table["measure"] == measure_name]
    rows = rows if rho is None else rows[rows["rho"] == rho]
    assert len(rows) == 1
    return float(rows["value"].iloc[0])


@pytest.mark.slow
def test_huang2025_is_the_published_script(tmp_path: Path) -> None:
    expected = reference("AASIST-L.pth", "seen16.csv")
    table = take(
        "AASIST-L.pth",
        SHARED / "reference" / "seen16.csv",
        tmp_path / "r.csv",
        preset="huang2025",
        rho=[0.05, 0.01],
        measures=["sam", "asam", "loss"],
    )
    for rho in (0.05, 0.01):
        assert value(table, "sam", rho) == pytest.approx(expected["m_sharpness"][str(rho)], rel=1e-4)
    assert value(table, "asam", 0.05) == pytest.approx(expected["adaptive_m_sharpness"]["0.05"], rel=1e-4)
    assert value(table, "loss") == pytest.approx(np.mean(expected["weighted_ce_per_batch"]), rel=1e-5)
    scores = next((tmp_path / "scores").rglob("set.*.txt")).read_text().splitlines()[2:]
    logits = np.array([[float(cell) for cell in line.split()[3:5]] for line in scores])
    np.testing.assert_allclose(logits, expected["logits_spoof_bonafide"], atol=1e-4)


@pytest.mark.slow
def test_two_files_of_one_function_measure_alike(tmp_path: Path) -> None:
    """AASIST_LanceaKing.pth is AASIST.pth without its dead parameters; no measure may tell them apart."""
    protocol = tmp_path / "four.csv"
    lines = (SHARED / "reference" / "seen8.csv").read_text().splitlines()
    rows = [line.replace("../minibench", str(SHARED / "minibench")) for line in lines[:5]]
    protocol.write_text("\n".join(rows) + "\n")
    tables = [
        take(name, protocol, tmp_path / name / "r.csv", preset="huang2025", rho=[0.01], measures=["default"])
        for name in ("AASIST.pth", "AASIST_LanceaKing.pth")
    ]
    for column in ("measure", "rho"):
        assert tables[0][column].equals(tables[1][column])
    np.testing.assert_allclose(tables[0]["value"], tables[1]["value"], rtol=1e-5)
