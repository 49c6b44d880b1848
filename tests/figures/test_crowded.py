"""Figures of many recipes: no two kinds of checkpoint look alike, and the legend names every one of them."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from matplotlib.lines import Line2D

from sharpscope.figures import legends, pairs_plot, panels
from sharpscope.figures.style import PALETTE, marks

RECIPES = [f"recipe{i:02}" for i in range(16)]
ARCHS = ["aasist", "rawnet2", "tiny"]


def crossed(recipes: list[str]) -> pd.DataFrame:
    return pd.DataFrame(itertools.product(recipes, ARCHS), columns=["recipe", "arch"])


def look(entry: Line2D) -> tuple[object, object, object]:
    return entry.get_color(), entry.get_marker(), entry.get_markerfacecolor()


def test_sixteen_recipes_of_three_architectures_all_look_different() -> None:
    groups = panels.code_checkpoints(crossed(RECIPES)).groups(crossed(RECIPES))
    assert len({look(entry) for entry, _ in groups}) == len(RECIPES) * len(ARCHS)


def test_a_legend_without_room_names_colours_and_shapes() -> None:
    rows = crossed(RECIPES[:11])
    coding = panels.code_checkpoints(rows)
    entries = coding.handles(rows)
    assert [entry.get_label() for entry in entries] == [*RECIPES[:11], *ARCHS]
    assert len(entries) <= legends.MOST
    drawn = {look(entry)[::2] for entry, _ in coding.groups(rows)}
    assert {look(entry)[::2] for entry in entries[:11]} == drawn
    assert [entry.get_marker() for entry in entries[11:]] == [m.marker for m in coding.markers.values()]


@pytest.mark.parametrize("count", [1, 5])
def test_a_legend_with_room_names_every_combination(count: int) -> None:
    rows = crossed(RECIPES[:count])
    entries = panels.code_checkpoints(rows).handles(rows)
    assert len(entries) == count * len(ARCHS)


def test_arrows_of_recipes_with_one_colour_differ_in_line() -> None:
    kinds = marks(RECIPES)
    first, again = RECIPES[0], RECIPES[len(PALETTE)]
    assert kinds[first].colour == kinds[again].colour
    assert pairs_plot.dash(kinds, first) != pairs_plot.dash(kinds, again)
