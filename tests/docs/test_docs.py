"""The documentation does not drift: the command line's page is its own help, and every page is in the menu.

`SHARPSCOPE_WRITE_DOCS=1 pytest tests/docs/test_docs.py` writes the page anew.
"""

import os
import re
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sharpscope.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cli.md"


def page() -> str:
    """The help of every command, as it prints itself."""
    parts = [
        "# Command line\n\nThis page is what `--help` prints. Exit status: 0 done; 1 a measurement failed, the "
    ]
    parts[0] += (
        "others are finished and listed;\n2 misuse, a bad file among it. Messages go to standard error, tables "
    )
    parts[0] += "to standard output.\n"
    for name in ["", *sorted(main.commands)]:
        arguments = [name, "--help"] if name else ["--help"]
        shown = CliRunner().invoke(main, arguments, prog_name="sharpscope", terminal_width=100)
        assert shown.exit_code == 0
        parts.append(f"## sharpscope {name}".rstrip() + f"\n\n```text\n{shown.output.rstrip()}\n```\n")
    return "\n".join(parts)


def test_the_command_line_page_is_current() -> None:
    if os.environ.get("SHARPSCOPE_WRITE_DOCS"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page(), "run SHARPSCOPE_WRITE_DOCS=1 pytest tests/docs/test_docs.py"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_says_what_it_does(name: str) -> None:
    command = main.commands[name]
    assert command.help
    for parameter in command.params:
        assert not isinstance(parameter, click.Option) or parameter.help or parameter.name == "venue", (
            parameter.name
        )


def test_examples_in_the_help_stand_on_lines_of_their_own() -> None:
    shown = [line.strip() for line in page().splitlines()]
    assert not [line for line in shown if "\\b" in line]
    examples = [line for line in shown if line.startswith("sharpscope ")]
    assert len(examples) > 15
    assert not [line for line in examples if line.count("sharpscope ") > 1]


def test_every_page_is_in_the_menu_and_there() -> None:
    menu = set(re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.MULTILINE))
    assert menu == {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}


def test_the_readme_names_only_commands_and_targets_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", text)) <= targets
    assert set(re.findall(r"^\s*(?:\$ )?sharpscope ([a-z]+)", text, flags=re.MULTILINE)) <= set(main.commands)


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    import sharpscope

    assert project["version"] == sharpscope.__version__
    assert f"version: {sharpscope.__version__}" in (ROOT / "CITATION.cff").read_text()
