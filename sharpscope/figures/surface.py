"""Slices of loss surfaces: lines, contours and surfaces, all checkpoints on one scale."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d import Axes3D  # type: ignore[import-untyped]

from sharpscope.errors import UsageError
from sharpscope.figures import legends, panels, style
from sharpscope.figures.heat_maps import small_size
from sharpscope.figures.request import Plotted
from sharpscope.figures.style import INK, PALETTE, SEQUENTIAL, marks
from sharpscope.results import selection, wording

AXIS_WORDS = {
    "random": "random direction, filter norms",
    "sam": "steepest ascent, radius ρ",
}
NUMBERED = ("first", "second")
# Inches from which the letters of a surface need but a small part of its panel.
WIDE = 3.0
COLUMNS = ("checkpoint", "sha256", "set", "subset", "x_axis", "y_axis", "seed", "x", "y", "loss")


def read_points(path: str | Path) -> pd.DataFrame:
    """Read a table of points written by `sharpscope landscape`.

    Args:
        path: landscape.csv.

    Returns:
        Its rows; ``y`` is NaN in one-dimensional slices.

    Raises:
        UsageError: If it is not such a table.
    """
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file; make one with `sharpscope landscape`")
    text = dict.fromkeys(("checkpoint", "sha256", "recipe", "set", "subset", "x_axis", "y_axis"), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=True).fillna(dict.fromkeys(text, ""))
    except (ValueError, OSError) as error:
        raise UsageError(f"{path}: not a table of points ({error})") from error
    missing = [name for name in COLUMNS if name not in table]
    if missing or table.empty:
        raise UsageError(f"{path}: not a table of points; it lacks {', '.join(missing) or 'rows'}")
    return table.astype({"x": float, "y": float, "loss": float})


def axis_words(table: pd.DataFrame) -> tuple[str, str]:
    """Name both axes of a slice; two random directions are told apart by number.

    Args:
        table: Points of slices along the same axes.

    Returns:
        Words for the horizontal and the vertical axis; "" where there is none.

    Example:
        >>> axis_words(pd.DataFrame({"x_axis": ["random"], "y_axis": ["random"]}))
        ('first random direction, filter norms', 'second random direction, filter norms')
        >>> axis_words(pd.DataFrame({"x_axis": ["sam"], "y_axis": ["random"]}))
        ('steepest ascent, radius ρ', 'random direction, filter norms')
    """
    kinds = [str(table["x_axis"].iloc[0]), str(table["y_axis"].iloc[0])]
    words = [AXIS_WORDS.get(kind, "") for kind in kinds]
    if kinds[0] == kinds[1]:
        words = [f"{number} {word}" for number, word in zip(NUMBERED, words, strict=True)]
    return words[0], words[1]


def levels_of(losses: pd.Series, count: int = 13) -> np.ndarray:
    """Return contour levels for all panels together: equal steps of the logarithm where that can be.

    Args:
        losses: Of every panel.
        count: Levels.

    Returns:
        Rising levels.

    Raises:
        UsageError: If no loss is finite.

    Example:
        >>> levels_of(pd.Series([0.01, 1.0]), 3).round(6).tolist()
        [0.01, 0.1, 1.0]
        >>> levels_of(pd.Series([0.0, 1.0]), 3).tolist()
        [0.0, 0.5, 1.0]
    """
    finite = losses[np.isfinite(losses)]
    if finite.empty:
        raise UsageError("no loss of the landscape is finite: nothing to draw")
    low, high = float(finite.min()), float(finite.max())
    if high <= low:
        high = low + max(abs(low), 1e-12) * 1e-6
    return np.geomspace(low, high, count) if low > 0 else np.linspace(low, high, count)


def _grid(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wide = table.pivot(index="y", columns="x", values="loss")
    return wide.columns.to_numpy(), wide.index.to_numpy(), wide.to_numpy()


def contour(table: pd.DataFrame, ax: Axes | None = None, *, levels: np.ndarray | None = None) -> Axes:
    """Draw a two-dimensional slice as filled contours; a cross marks the trained point.

    Args:
        table: Points of one checkpoint on one set.
        ax: Axes to draw into; a new figure's when None.
        levels: Contour levels shared with other panels.

    Returns:
        The axes.
    """
    ax = panels.new_axes(ax)
    x, y, loss = _grid(table)
    levels = levels_of(table["loss"]) if levels is None else levels
    norm = LogNorm(levels[0], levels[-1]) if levels[0] > 0 else Normalize(levels[0], levels[-1])
    masked = np.ma.masked_invalid(loss)
    ax.contourf(x, y, masked, levels=levels, norm=norm, cmap=SEQUENTIAL)
    ax.contour(x, y, masked, levels=levels, colors="white", linewidths=0.3)
    _trained(ax)
    if table["x_axis"].iloc[0] == table["y_axis"].iloc[0]:
        ax.set_aspect("equal")
    panels.few_ticks(ax)
    across, up = axis_words(table)
    ax.set(xlabel=across, ylabel=up)
    return ax


def _trained(ax: Axes) -> None:
    """Mark and name the trained network at the origin, in white with a dark rim so that any loss may lie under it."""
    rim = [withStroke(linewidth=1.8, foreground=INK)]
    ax.plot(
        [0],
        [0],
        marker="+",
        color="white",
        markersize=6,
        markeredgewidth=1.2,
        gid="trained",
        path_effects=rim,
    )
    ax.annotate(
        "trained", (0, 0), (4, 3), textcoords="offset points", color="white", fontsize=small_size(ax), path_effects=rim,
        gid="trained",
    )  # fmt: skip


def surface(table: pd.DataFrame, ax: Axes3D, *, levels: np.ndarray | None = None) -> Axes3D:
    """Draw a two-dimensional slice as a surface, the loss on a logarithmic height where it is positive.

    Args:
        table: Points of one checkpoint on one set.
        ax: Three-dimensional axes.
        levels: Levels shared with other panels; their ends bound height and colour.

    Returns:
        The axes.
    """
    x, y, loss = _grid(table)
    levels = levels_of(table["loss"]) if levels is None else levels
    logarithmic = bool(levels[0] > 0)
    height = np.log10(np.where(loss > 0, loss, np.nan)) if logarithmic else loss
    low, high = (math.log10(levels[0]), math.log10(levels[-1])) if logarithmic else (levels[0], levels[-1])
    mesh = np.meshgrid(x, y)
    ax.computed_zorder = False  # the mark of the trained network stays in sight
    ax.plot_surface(*mesh, height, cmap=SEQUENTIAL, vmin=low, vmax=high, linewidth=0.1, edgecolor="white",
                    rcount=60, ccount=60, zorder=1)  # fmt: skip
    size = small_size(ax)
    here = _at_origin(x, y, height)
    if math.isfinite(here):
        rim = [withStroke(linewidth=2, foreground="white")]
        ax.plot([0, 0], [0, 0], [here, high], color=INK, linewidth=0.6, linestyle=":", zorder=2)
        ax.plot([0], [0], [here], marker="o", color=PALETTE[2], markeredgecolor="white", markersize=4, zorder=3,
                linestyle="none", gid="trained")  # fmt: skip
        ax.text(
            0,
            0,
            high,
            "trained",
            ha="center",
            va="bottom",
            fontsize=size,
            path_effects=rim,
            zorder=4,
            gid="trained",
        )
    ax.set_zlim(low, high)
    # Letters keep their size, so a narrow panel leaves them more of its room.
    ax.set_box_aspect((1, 1, 0.72), zoom=0.96 if _wide(ax) else 0.82)
    # In units of the letters, so that labels keep clear of ticks in every venue; 3.5 points are inside the axis.
    near, far = 0.35 * size - 5.5, 1.3 * size - 14.5
    ax.tick_params(pad=near, labelsize=size)
    ax.zaxis.set_tick_params(pad=near + 0.6 * size)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(3))
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor("#CCCCCC")
    across, up = (words.split(",")[0] for words in axis_words(table))
    ax.set_xlabel(across.removesuffix(" direction"), labelpad=far, fontsize=size)
    ax.set_ylabel(up.removesuffix(" direction"), labelpad=far, fontsize=size)
    ax.set_zlabel(
        "log10 loss (nats)" if logarithmic else "loss (nats)", labelpad=far + 0.6 * size, fontsize=size
    )
    return ax


def _wide(ax: Axes) -> bool:
    spec, figure = ax.get_subplotspec(), ax.get_figure(root=True)
    columns = spec.get_gridspec().ncols if spec is not None else 1
    return figure is None or bool(figure.get_figwidth() / columns > WIDE)


def _at_origin(x: np.ndarray, y: np.ndarray, height: np.ndarray) -> float:
    """Return the height at the trained network; NaN where the grid does not meet it."""
    if not (np.any(np.isclose(x, 0)) and np.any(np.isclose(y, 0))):
        return math.nan
    return float(height[int(np.argmin(np.abs(y))), int(np.argmin(np.abs(x)))])


def slices(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw one-dimensional slices: per checkpoint the mean over directions and their whole spread.

    Args:
        table: Points of one set.
        ax: Axes to draw into; a new figure's when None.

    Returns:
        The axes.
    """
    ax = panels.new_axes(ax)
    found = marks(list(dict.fromkeys(_names(table))))
    for name, part in table.assign(name=_names(table)).groupby("name", sort=False):
        mark = found[str(name)]
        grouped = part.groupby("x")["loss"]
        mean, low, high = grouped.mean(), grouped.min(), grouped.max()
        ax.plot(mean.index, mean, color=mark.colour, linestyle=mark.line, label=str(name), gid="mean")
        if part["seed"].nunique() > 1:
            ax.fill_between(mean.index, low, high, color=mark.colour, alpha=0.15, linewidth=0)
    if bool((table["loss"].dropna() > 0).all()) and table["loss"].max() > 30 * table["loss"].min():
        ax.set_yscale("log")
    panels.few_ticks(ax)
    ax.set_xlabel(axis_words(table)[0])
    ax.set_ylabel("Loss (nats)")
    return ax


def _names(table: pd.DataFrame) -> list[str]:
    """Name checkpoints; two files of one name are told apart by their hash."""
    hashes = table.groupby("checkpoint")["sha256"].nunique()
    return [
        str(name) if hashes[name] == 1 else f"{name} {sha[:6]}"
        for name, sha in zip(table["checkpoint"], table["sha256"], strict=True)
    ]


def plot_landscape(
    points: str | Path | pd.DataFrame, *, kind: str = "contour", venue: str = "interspeech"
) -> Plotted:
    """Draw every slice of a table of points, on one scale and with the same levels.

    Args:
        points: landscape.csv, or its table.
        kind: "contour" or "surface" for two-dimensional slices; one-dimensional ones are lines.
        venue: A key of `sharpscope.figures.style.VENUES`.

    Returns:
        The figure and its caption.

    Raises:
        UsageError: If there is nothing to draw, or slices of several kinds are mixed.
    """
    table = points if isinstance(points, pd.DataFrame) else read_points(points)
    ways = table[["x_axis", "y_axis"]].drop_duplicates()
    if len(ways) > 1:
        raise UsageError("the table mixes slices along different axes; draw them from separate folders")
    levels = levels_of(table["loss"])
    flat = bool(table["y"].isna().all())
    table = table.assign(panel=selection.panel_names(table), name=_names(table))
    with style.context(venue) as where:
        figure = _lines(table, where) if flat else _panels(table, where, kind, levels)
        panels.settle(figure)
    return Plotted(figure, _caption(table, flat))


def _lines(table: pd.DataFrame, where: style.Venue) -> Figure:
    names = list(dict.fromkeys(table["panel"]))
    figure, axes = panels.grid(where, len(names))
    for name, ax in zip(names, axes, strict=True):
        slices(table[table["panel"] == name], ax)
        panels.header(ax, name, [])
        ax.set(xlabel="", ylabel="")
    panels.share_vertical(axes)
    figure.supxlabel(axis_words(table)[0].capitalize())
    figure.supylabel("Loss (nats)")
    legends.legend(figure, list(axes[0].get_legend_handles_labels()[0]))
    return figure


def _panels(table: pd.DataFrame, where: style.Venue, kind: str, levels: np.ndarray) -> Figure:
    keys = list(dict.fromkeys(zip(table["panel"], table["name"], strict=True)))
    several = len({panel for panel, _ in keys}) > 1
    names = list(dict.fromkeys(table["name"]))
    keys.sort(key=lambda key: ([*dict.fromkeys(table["panel"])].index(key[0]), names.index(key[1])))
    # A row per set, so that checkpoints stand beside each other.
    columns = len(names) if several and len(names) in (2, 3, 4) else min(len(keys), 3)
    rows = math.ceil(len(keys) / columns)
    width = where.column if len(keys) == 1 else where.text
    flat = 0.66 if width / columns > WIDE else 0.74
    tall = flat if kind == "surface" else 0.85
    figure = panels.new_figure(width, rows * (width / columns * tall + 0.25))
    last = None
    for i, (panel, name) in enumerate(keys):
        part = table[(table["panel"] == panel) & (table["name"] == name)]
        part = part[part["seed"] == part["seed"].iloc[0]]
        title = f"{name}, {panel}" if several else name
        if kind == "surface":
            ax3 = figure.add_subplot(rows, columns, i + 1, projection="3d")
            surface(part, ax3, levels=levels)
            ax3.set_title(title, loc="left", fontweight="bold", y=0.93)
            continue
        ax = figure.add_subplot(rows, columns, i + 1)
        contour(part, ax, levels=levels)
        panels.header(ax, title, [])
        ax.set(xlabel="", ylabel="")
        last = ax
    if last is not None:
        bar = figure.colorbar(last.collections[0], ax=figure.axes, shrink=0.8, aspect=25, pad=0.02)
        bar.set_label("Loss (nats)")
        bar.set_ticks([float(levels[i]) for i in np.linspace(0, len(levels) - 1, 5).astype(int)])
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
        bar.ax.minorticks_off()
    if kind != "surface":  # a surface names the axes at its own edges
        across, up = axis_words(table)
        figure.supxlabel(across.capitalize())
        figure.supylabel(up.capitalize())
    return figure


def _caption(table: pd.DataFrame, flat: bool) -> str:
    draws = table["seed"].nunique()
    n = int(table["n_trials"].max()) if "n_trials" in table else 0
    where = wording.listed(list(dict.fromkeys(table["panel"])))
    missing = int((~np.isfinite(table["loss"])).sum())
    random = "random" in set(table["x_axis"]) | set(table["y_axis"])
    return (
        f"Loss of {wording.counted(table['sha256'].nunique(), 'checkpoint')} on {where} (n = {n} trials per set at "
        "most) along "
        f"{' and '.join(words for words in axis_words(table) if words)}"
        + (
            "; Gaussian directions, filter-normalised (Li et al., 2018), zero on biases and norms"
            if random
            else ""
        )
        + (f"; mean and range of {draws} directions" if flat and draws > 1 else "")
        + "; the trained network at 0; all panels share scale and levels."
        + (f" {missing} points have no finite loss." if missing else "")
        + " No test."
    )
