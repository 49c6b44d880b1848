"""A hook of mkdocs: formulas become MathML while the pages are built, so that every browser sets them, offline too.

Pages write formulas between dollar signs; docstrings write them as ``:math:`` and ``.. math::``. Both end up here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

import latex2mathml.converter
from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

_ROLE = re.compile(r":math:`([^`]+)`")
_BLOCK = re.compile(r"^( *)\.\. math::[ \t]*(.*(?:\n\1 +\S.*)*)", re.MULTILINE)
_SET = re.compile(
    r'<(span|div) class="arithmatex">\s*\\([(\[])(.*?)\\[)\]]\s*</\1>',
    re.DOTALL,
)


class _Docstrings(Preprocessor):
    """Turns the formulas of docstrings into those of pages."""

    def run(self, lines: list[str]) -> list[str]:
        text = _ROLE.sub(r"$\1$", "\n".join(lines))
        text = _BLOCK.sub(lambda m: f"{m[1]}$$\n{m[1]}{' '.join(m[2].split())}\n{m[1]}$$", text)
        return list(_fenced(text.split("\n")))


def _fenced(lines: Iterable[str]) -> Iterator[str]:
    """Put the examples of docstrings into fences: left bare, their brackets would be links."""
    fence = inside = False
    indent = ""
    for line in lines:
        if line.lstrip().startswith(("```", "~~~")):
            fence = not fence
        starts = not fence and not inside and line.lstrip().startswith(">>> ")
        if starts:
            indent = line[: len(line) - len(line.lstrip())]
            yield f"{indent}```pycon"
        elif inside and not line.strip():
            yield f"{indent}```"
        inside = starts or (inside and bool(line.strip()))
        yield line
    if inside:
        yield f"{indent}```"


class _Formulas(Extension):
    """Adds the preprocessor in front of all others."""

    def extendMarkdown(self, md: Markdown) -> None:
        md.preprocessors.register(_Docstrings(md), "formulas-of-docstrings", 100)


def on_config(config: Any) -> Any:
    """Add the extension, for pages and for docstrings alike."""
    config["markdown_extensions"].append(_Formulas())
    return config


def _typeset(found: re.Match[str]) -> str:
    display = "block" if found[2] == "[" else "inline"
    return latex2mathml.converter.convert(html.unescape(found[3]).strip(), display=display)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Set every formula of a finished page; none is left as source."""
    done = _SET.sub(_typeset, output)
    if left := re.findall(r'class="arithmatex".{0,80}', done):
        raise ValueError(f"{page.file.src_path}: formulas that could not be set: {left[:3]}")
    return done
