"""How figures look: real column widths, embedded fonts, marks that survive grey printing, same bytes twice.

Nothing here touches matplotlib's global state: every figure is drawn inside `context(venue)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from sharpscope.errors import UsageError, unknown_name
from sharpscope.files import replacing

MILLIMETRE = 1 / 25.4  # inches


class Venue(NamedTuple):
    """Where a figure will be printed.

    Attributes:
        column: Width of one column, in inches.
        text: Width of the whole text, in inches.
        size: Font size of labels, in points; nothing is printed below 1 point less.
        family: Font families by preference; the first ones come with matplotlib, so any machine has them.
        dpi: Resolution of PNG files.
        summary: One line for `--help` and the documentation.
    """

    column: float
    text: float
    size: float
    family: tuple[str, ...]
    dpi: int
    summary: str


ENDINGS = (".pdf", ".png", ".svg")
SERIF = ("STIXGeneral", "DejaVu Serif")
SANS = ("DejaVu Sans",)

VENUES: dict[str, Venue] = {
    "interspeech": Venue(80 * MILLIMETRE, 170 * MILLIMETRE, 8, SERIF, 300, "80 mm column, 8 pt Times"),
    "ieee": Venue(3.5, 7.16, 8, SERIF, 300, "3.5 in column, 8 pt Times"),
    "web": Venue(5.2, 8.0, 9, SANS, 150, "5.2 in wide, 9 pt sans serif"),
}

# After Paul Tol's high-contrast triple, darkened until each colour has 3:1 on white: it keeps its order of
# lightness in grey. A colour never stands alone, each level of a grouping has its own marker too.
PALETTE = ("#004488", "#B8860B", "#BB5566", "#2A93B5", "#222222", "#7A7A1F", "#AA4499", "#117733")
# The same hues for a dark page, place by place: 3:1 or more on DARK_PAGE.
DARK_PALETTE = ("#77AADD", "#E3B448", "#EE99AA", "#99DDFF", "#DDDDDD", "#BBBB55", "#DD88CC", "#55B57D")
LIGHT_PAGE, DARK_PAGE = "#FFFFFF", "#16181C"
MARKERS = ("o", "s", "^", "D", "v", "X", "P", "<", "*", ">", "h", "p")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (7, 2)), (0, (3, 1, 1, 1)))
GREY = "#767676"
INK = "#222222"
BAND = "#F1F1F1"  # behind every second set, so that neighbours do not run together
DIVERGING = "RdBu_r"  # correlations, centred at 0
SEQUENTIAL = "viridis"  # losses


def contrast(first: str, second: str) -> float:
    r"""Return the contrast of two colours as the Web Content Accessibility Guidelines define it.

    .. math:: (L_1 + 0.05) / (L_2 + 0.05)

    with the relative luminances :math:`L_1 \ge L_2`. Marks need 3, text 4.5.

    Args:
        first: A colour that matplotlib knows.
        second: Another.

    Returns:
        Between 1 and 21.

    Source:
        W3C, WCAG 2.2 (2023), section 1.4.11.

    Example:
        >>> round(contrast("black", "white"), 6)
        21.0
    """
    bright, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def readable_on(ground: str) -> str:
    """Return the colour of letters on a coloured ground: black or white, whichever stands out more.

    Args:
        ground: A colour that matplotlib knows.

    Returns:
        A colour with a contrast of 4.5 at least.

    Example:
        >>> readable_on("yellow"), readable_on("navy")
        ('black', 'white')
    """
    return max(("black", "white"), key=lambda letters: contrast(letters, ground))


def on_dark(colour: str) -> str:
    """Return the colour that stands for one of the palette on a dark page.

    Args:
        colour: One of ``PALETTE``.

    Returns:
        The colour of the same place in ``DARK_PALETTE``.

    Example:
        >>> on_dark(PALETTE[0]) == DARK_PALETTE[0]
        True
    """
    return DARK_PALETTE[PALETTE.index(colour)]


class Mark(NamedTuple):
    """How one level of a grouping is drawn: always colour and shape together."""

    colour: str
    marker: str
    line: Any


def marks(levels: Sequence[str]) -> dict[str, Mark]:
    """Return a colour, marker and line style for each level of a grouping.

    Args:
        levels: Names of the levels, in the order of the legend.

    Returns:
        One mark per level; no two are the same for up to 24 levels.

    Example:
        >>> marks(["adam", "sam"])["sam"].marker
        's'
    """
    return {
        level: Mark(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)], LINES[i % len(LINES)])
        for i, level in enumerate(levels)
    }


def venue_named(name: str) -> Venue:
    """Return a venue by name.

    Args:
        name: A key of ``VENUES``.

    Returns:
        The venue.

    Raises:
        UsageError: If no venue has that name.

    Example:
        >>> round(venue_named("interspeech").column * 25.4)
        80
    """
    if name not in VENUES:
        raise unknown_name("venue", name, VENUES)
    return VENUES[name]


def parameters(name: str) -> dict[str, Any]:
    """Return matplotlib's rcParams for a venue.

    Args:
        name: A key of ``VENUES``.

    Returns:
        A dict for ``matplotlib.rc_context``.

    Example:
        >>> parameters("ieee")["pdf.fonttype"]
        42
    """
    venue = venue_named(name)
    small = venue.size - 1
    return {
        "font.family": list(venue.family),
        "font.size": venue.size,
        "axes.titlesize": venue.size,
        "axes.labelsize": venue.size,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "figure.titlesize": venue.size,
        "figure.labelsize": venue.size,
        "mathtext.fontset": "stix" if venue.family is SERIF else "dejavusans",
        "pdf.fonttype": 42,  # TrueType: publishers' checks refuse Type 3
        "ps.fonttype": 42,
        "svg.hashsalt": "sharpscope",
        "text.usetex": False,
        "axes.unicode_minus": True,
        "axes.linewidth": 0.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.axisbelow": True,
        "grid.linewidth": 0.4,
        "grid.color": "#DDDDDD",
        "hatch.linewidth": 0.4,
        "lines.linewidth": 1.0,
        "lines.markersize": 3.5,
        "lines.markeredgewidth": 0.5,
        "patch.linewidth": 0.5,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "xtick.major.pad": 2,
        "ytick.major.pad": 2,
        "axes.labelpad": 2,
        "legend.frameon": False,
        "legend.handletextpad": 0.3,
        "legend.columnspacing": 1.0,
        "legend.borderaxespad": 0.2,
        "figure.dpi": venue.dpi,
        "savefig.dpi": venue.dpi,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.h_pad": 0.03,
        "figure.constrained_layout.w_pad": 0.03,
    }


@contextmanager
def context(name: str = "interspeech") -> Iterator[Venue]:
    """Draw for a venue inside this block; matplotlib's own settings are untouched outside it.

    Args:
        name: A key of ``VENUES``.

    Yields:
        The venue, for its widths.
    """
    settings: Any = parameters(name)
    with mpl.rc_context(settings):
        yield venue_named(name)


def checked_ending(path: str | Path) -> Path:
    """Refuse a file name that no figure can be written to.

    Args:
        path: Where it shall be written.

    Returns:
        The path.

    Raises:
        UsageError: If its ending is another one than .pdf, .png or .svg.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path}: a figure is written as {', '.join(ENDINGS)}; name it so")
    return path


def save(figure: Figure, path: str | Path, *, caption: str = "", venue: str = "interspeech") -> Path:
    """Write a figure at exactly its own size; the same figure gives the same bytes.

    The caption travels inside the file (PDF subject, PNG and SVG description), so that a figure is never
    without its statistics.

    Args:
        figure: What to write.
        path: Ends in .pdf, .png or .svg.
        caption: The sentence that belongs under the figure.
        venue: A key of ``VENUES``; fixes fonts and resolution.

    Returns:
        The path.

    Raises:
        UsageError: If the ending is another one.
    """
    path = checked_ending(path)
    metadata: dict[str, dict[str, Any]] = {
        ".pdf": {"CreationDate": None, "Subject": caption},
        ".png": {"Software": None, "Description": caption},
        ".svg": {"Date": None, "Description": caption},
    }
    with replacing(path) as part, context(venue):
        figure.savefig(part, metadata=metadata[path.suffix])
    return path
