from __future__ import annotations

import numpy as np
import pandas as pd
from results_tables import make_results

from sharpscope.figures import plot
from sharpscope.figures.curves import scale_of

RADII = tuple(("sam", rho) for rho in (0.001, 0.01, 0.1))


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """Values that grow with the square of the radius."""
    return table.assign(value=100 * table["rho"] ** 2 * (1 + table["eer"]))


def test_sharpness_along_its_radius_has_a_logarithmic_axis() -> None:
    figure = plot("rho-curve", spread(make_results(measures=RADII))).figure
    assert {ax.get_yscale() for ax in figure.axes} == {"log"}


def test_negative_sharpness_is_shown_and_explained() -> None:
    table = spread(make_results(measures=RADII))
    table.loc[0, "value"] = -0.02
    done = plot("rho-curve", table)
    assert {ax.get_yscale() for ax in done.figure.axes} == {"symlog"}
    drawn = np.concatenate(
        [line.get_ydata() for ax in done.figure.axes for line in ax.lines if line.get_gid()]
    )
    assert drawn.min() == -0.02
    assert done.figure.axes[0].get_ylim()[0] < -0.02
    assert "1 value below zero" in done.caption
    assert "linear between" in done.caption


def test_scale_follows_the_values() -> None:
    assert scale_of(pd.Series([1.0, 3.0, -2.0]))[0] == "linear"
    assert scale_of(pd.Series([1e-9, -5.0])) == ("symlog", 0.001)
    assert scale_of(pd.Series([np.nan]))[0] == "linear"


def test_caption_says_which_m_was_drawn_and_which_was_not() -> None:
    caption = plot("rho-curve", make_results(measures=RADII, ms=(4.0, 8.0, 16.0))).caption
    assert "groups of m = 4, rigorous preset; the table also holds m = 8, m = 16, not drawn" in caption
    assert "on seen." in plot("rho-curve", make_results(sets=("seen",), measures=RADII)).caption


def test_what_was_added_has_its_name_and_no_interval_is_named_that_is_not_drawn() -> None:
    table = make_results(recipes=("adam",), seeds=(0, 1))
    grown = [
        table.assign(subset=f"order{o}/attacks={k}", value=table["value"] + 0.01 * k + 0.001 * o)
        for o in (1, 2) for k in (1, 2, 3)
    ]  # fmt: skip
    done = plot("grow", pd.concat(grown, ignore_index=True))
    assert done.figure._supxlabel.get_text() == "Number of attacks in the subset"  # type: ignore[attr-defined]
    assert "mean over 2 random orders" in done.caption
    assert "interval" not in done.caption
    assert not any(ax.collections for ax in done.figure.axes)


def test_the_interval_of_a_mean_is_drawn_where_it_is_named() -> None:
    done = plot("rho-curve", make_results(measures=RADII))
    assert "95% bootstrap interval over checkpoints" in done.caption
    assert all(len(ax.collections) == 2 for ax in done.figure.axes)  # one band a recipe


def test_the_caption_of_single_checkpoints_speaks_of_no_mean() -> None:
    table = make_results(("seen",), measures=(("sam", 0.01), ("sam", 0.05)), seeds=(0,))
    caption = plot("rho-curve", table).caption
    assert "A line per checkpoint, n = 2 checkpoints" in caption
    assert "mean" not in caption
    assert (
        "thick: means"
        in plot("rho-curve", make_results(("seen",), measures=(("sam", 0.01), ("sam", 0.05)))).caption
    )
