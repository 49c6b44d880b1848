from __future__ import annotations

import io
from importlib import resources
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from PIL import Image
from pypdf import PdfReader

from sharpscope.errors import UsageError
from sharpscope.figures import style
from sharpscope.figures.heat_maps import coefficients
from sharpscope.figures.panels import new_axes, new_figure


def _figure(venue: str):
    with style.context(venue) as where:
        figure = new_figure(where.column, 2)
        ax = figure.add_subplot()
        ax.plot([1, 2], [3, 4], label="ρ = 0.05")
        ax.set_xlabel("$\\alpha$ and ρ")
    return figure


def font_types(path: Path) -> set[str]:
    """Every font of a PDF: its type, and for composite ones that of the embedded descendant."""
    found = set()
    for page in PdfReader(path).pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            found.add(str(font["/Subtype"]))
            for child in font.get("/DescendantFonts", []):
                child = child.get_object()
                found.add(str(child["/Subtype"]))
                assert "/FontFile2" in child["/FontDescriptor"].get_object()
    return found


@pytest.mark.parametrize("venue", style.VENUES)
def test_pdf_has_the_column_width_embedded_fonts_and_no_type_3(venue: str, tmp_path: Path) -> None:
    path = style.save(_figure(venue), tmp_path / "a.pdf", caption="n = 2", venue=venue)
    reader = PdfReader(path)
    assert float(reader.pages[0].mediabox.width) / 72 == pytest.approx(style.VENUES[venue].column, abs=0.01)
    assert "/Type3" not in font_types(path)
    assert font_types(path) >= {"/Type0", "/CIDFontType2"}
    assert reader.metadata is not None
    assert reader.metadata.subject == "n = 2"


@pytest.mark.parametrize("ending", [".pdf", ".png", ".svg"])
def test_same_figure_same_bytes(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for name, clock in (("a", "1"), ("b", "1700000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", clock)  # what a later day would change
        paths.append(style.save(_figure("interspeech"), tmp_path / f"{name}{ending}"))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_png_carries_its_caption(tmp_path: Path) -> None:
    path = style.save(_figure("web"), tmp_path / "a.png", caption="n = 2", venue="web")
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        assert image.text["Description"] == "n = 2"  # type: ignore[attr-defined]
        assert image.width == round(style.VENUES["web"].column * style.VENUES["web"].dpi)


def test_nothing_is_printed_below_six_points() -> None:
    for name in style.VENUES:
        sizes = [
            v
            for k, v in style.parameters(name).items()
            if k.endswith(("labelsize", "titlesize", "fontsize", "font.size"))
        ]
        assert sizes
        assert min(sizes) >= 6


def test_first_colours_keep_apart_in_grey_and_marks_never_repeat() -> None:
    grey = [
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), to_rgb(p), strict=True))
        for p in style.PALETTE[:3]
    ]
    assert min(abs(a - b) for i, a in enumerate(grey) for b in grey[:i]) > 0.1
    drawn = style.marks([str(i) for i in range(24)])
    assert len({(m.colour, m.marker) for m in drawn.values()}) == 24


def test_global_settings_are_left_alone() -> None:
    before = mpl.rcParams["font.size"]
    with style.context("ieee"):
        assert mpl.rcParams["pdf.fonttype"] == 42
    assert mpl.rcParams["font.size"] == before


def test_unknown_venue_and_ending_say_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'interspeech'"):
        style.venue_named("interspech")
    with pytest.raises(UsageError, match=r"\.pdf, \.png, \.svg"):
        style.save(_figure("ieee"), tmp_path / "a.bmp")


def test_every_colour_of_a_mark_stands_out_from_its_page() -> None:
    # WCAG 2.2 section 1.4.11 asks for 3:1 of what is needed to understand a graphic.
    for colour in (*style.PALETTE, style.GREY, style.INK):
        assert style.contrast(colour, style.LIGHT_PAGE) >= 3, colour
        assert style.contrast(colour, style.BAND) >= 2.8, colour
    for colour in style.DARK_PALETTE:
        assert style.contrast(colour, style.DARK_PAGE) >= 3, colour
    assert style.contrast("#767676", "#ffffff") == pytest.approx(
        4.54, abs=0.005
    )  # the example of WCAG's authors
    assert len(style.PALETTE) == len(style.DARK_PALETTE) == len(set(style.DARK_PALETTE))


def test_the_page_of_the_report_has_the_dark_ground_that_the_palette_is_judged_on() -> None:
    page = resources.files("sharpscope.reports").joinpath("page.css").read_text(encoding="utf-8")
    assert f"--back: {style.DARK_PAGE.lower()}" in page


def test_numbers_in_a_heat_map_stand_out_from_every_colour_of_its_scale() -> None:
    """White on the salmon of a correlation of 0.48 had 2.9:1; text needs 4.5:1."""
    values = pd.DataFrame([np.linspace(-1, 1, 41)]).rename(index={0: "set"})
    ax = new_axes(None)
    coefficients(values, values.map(lambda v: f"{v:.2f}"), ax, named="Spearman")
    cells = [text for text in ax.texts if text.get_gid() == "cell"]
    assert [text.get_text() for text in cells] == [f"{v:.2f}" for v in values.iloc[0]]
    grounds = [to_hex(colour) for colour in ax.collections[0].get_facecolors()]
    assert len(grounds) == 41
    for text, ground in zip(cells, grounds, strict=True):
        assert style.contrast(to_hex(text.get_color()), ground) >= 4.5, text.get_text()
