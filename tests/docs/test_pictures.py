"""The pictures of the pages: each is there, is drawn by commands that exist, the first by the page's own numbers."""

import shlex

import click
import pytest

from docs_build.gallery import PAGE, PICTURES, commands, pictures, with_table
from docs_build.hero import LEVEL, designs
from docs_build.hero import PAGE as NUMBERS
from sharpscope.cli import main


def test_every_picture_of_the_gallery_is_there_and_no_other() -> None:
    shown = set(pictures(PAGE.read_text(encoding="utf-8")))
    readme = (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    study = (PAGE.parent / "study.md").read_text(encoding="utf-8")
    there = {path.stem for path in PICTURES.glob("*.png")}
    assert shown <= there
    assert {name for name in there if f"gallery/{name}.png" not in readme + study} <= shown


def test_every_command_of_the_gallery_parses() -> None:
    found = commands(PAGE.read_text(encoding="utf-8"))
    assert len(found) > 15
    for line in found:
        name, *words = shlex.split(line)[1:]
        # Below the group, as on the command line: a command keeps the help option of its first context.
        above = click.Context(main, **main.context_settings)
        context = main.commands[name].make_context(name, words, above, resilient_parsing=False)
        assert not context.args, line
    drawn = " ".join(found)
    for name in pictures(PAGE.read_text(encoding="utf-8")):
        assert f"{name}.png" in drawn or name in ("contour", "surface", "report")


def test_what_a_command_printed_replaces_the_table_below_it() -> None:
    page = "    sharpscope table eer r.csv\n\n| old |\n| --- |\n\nMore.\n"
    new = with_table(page, "sharpscope table eer r.csv", "| new |\n| --- |\n| 1 |\n\nnote\n")
    assert new == "    sharpscope table eer r.csv\n\n| new |\n| --- |\n| 1 |\n\nMore.\n"


def test_the_first_picture_has_the_numbers_of_the_page() -> None:
    found = designs(NUMBERS.read_text(encoding="utf-8"))
    assert len(found) >= 5
    for one in found:
        assert abs(one.across - LEVEL) < 3 < 50 < one.same <= 100
    assert designs(
        "| checkpoints | trials a class | sets | true spread of detectors | across halves | from the same trials |\n"
        "|---|---|---|---|---|---|\n| 12 | 40 | 1 | none | 5.3 % | **70 %** |\n| 12 | 40 | 1 | .25 | 9 % | no test |\n"
    ) == [("12 detectors, one set,\n40 trials a class", 5.3, 70.0)]
    with pytest.raises(ValueError, match="no table"):
        designs("nothing")
