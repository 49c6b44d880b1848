from __future__ import annotations

import pandas as pd
import pytest
from results_tables import NAN

from sharpscope.errors import UsageError
from sharpscope.figures.transfer import transfer_caption, transfer_map


def rows() -> pd.DataFrame:
    cells = [
        ("a", "a", 0.9, 0.004, 12),
        ("a", "b", -0.3, 0.2, 12),
        ("b", "a", 0.5, 0.03, 4),
        ("b", "b", NAN, NAN, 12),
    ]
    return pd.DataFrame(
        [
            {"source_set": s, "target_set": t, "spearman": r, "p": p, "p_adjusted": p, "n": n}
            for s, t, r, p, n in cells
        ]
    )


def test_cells_stars_hatching_and_the_framed_row() -> None:
    ax = transfer_map(rows(), in_domain=["b"], order=["b", "a"])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a"]
    assert sorted(t.get_text() for t in ax.texts) == sorted(["−.30", ".90**", ".50"])
    assert [patch.get_hatch() for patch in ax.patches].count("////") == 2
    frame = next(patch for patch in ax.patches if patch.get_gid() == "in-domain")
    assert (frame.get_y(), frame.get_height(), frame.get_width()) == (0, 1, 2)
    assert "n = 4 to 12 checkpoints" in transfer_caption(rows(), in_domain=["b"])


def test_a_table_of_another_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="lacks target_set"):
        transfer_map(rows().drop(columns="target_set"))
    with pytest.raises(UsageError, match="lacks rows"):
        transfer_map(rows().iloc[:0])
