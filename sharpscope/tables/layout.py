"""How a table is written: LaTeX with booktabs rules, or Markdown."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd


class Cell(NamedTuple):
    """One cell.

    Attributes:
        text: What stands in it.
        small: What follows in a smaller size (an interval).
        bold: Whether it is the best of its column.
    """

    text: str
    small: str = ""
    bold: bool = False


class Table(NamedTuple):
    r"""A finished table.

    Attributes:
        header: Column names.
        rows: Cells.
        caption: The sentence over it, with n, test and correction.
        label: For LaTeX's ``\ref``.
        rules: Indices of rows before which a rule is drawn.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str
    label: str
    rules: tuple[int, ...] = ()

    def markdown(self) -> str:
        """The table in Markdown, caption last.

        Returns:
            Text that ends with a line break.
        """
        texts = [[_markdown(cell) for cell in row] for row in self.rows]
        lines = [
            [name.replace("|", "\\|") for name in self.header],
            ["---"] + ["---:"] * (len(self.header) - 1),
        ]
        body = "\n".join("| " + " | ".join(line) + " |" for line in [*lines, *texts])
        return f"{body}\n\n{self.caption}\n"

    def latex(self) -> str:
        r"""The table as a LaTeX float with booktabs rules; needs ``\usepackage{booktabs}``.

        Returns:
            Text that ends with a line break.
        """
        frame = pd.DataFrame([[_latex(cell) for cell in row] for row in self.rows])
        frame.columns = pd.Index([f"{{{escape(name)}}}" for name in self.header])
        text: str = frame.style.hide(axis="index").to_latex(
            hrules=True,
            column_format="l" + "r" * (len(self.header) - 1),
            caption=escape(self.caption),
            label=self.label,
            position_float="centering",
            environment="table*" if len(self.header) > 4 else "table",
        )
        lines = text.splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("\\midrule")) + 1
        for rule in sorted(self.rules, reverse=True):
            lines.insert(start + rule, "\\midrule")
        return "\n".join(lines) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "–": "--", "±": r"$\pm$",
    "ρ": r"$\rho$", "<": "$<$", ">": "$>$", "…": r"\dots{}",
}  # fmt: skip


def escape(text: str) -> str:
    r"""Return text as LaTeX prints it.

    Args:
        text: Any text.

    Returns:
        The same with every special character escaped.

    Example:
        >>> escape("w2v_base & 5% ± 1, ρ")
        'w2v\\_base \\& 5\\% $\\pm$ 1, $\\rho$'
    """
    return "".join(_LATEX.get(character, character) for character in text)


def _latex(cell: Cell) -> str:
    text = f"\\textbf{{{escape(cell.text)}}}" if cell.bold else escape(cell.text)
    return f"{text} {{\\scriptsize {escape(cell.small)}}}" if cell.small else text


def _markdown(cell: Cell) -> str:
    text = cell.text.replace("|", "\\|").replace("*", "\\*")
    return (f"**{text}**" if cell.bold else text) + (f" {cell.small}" if cell.small else "")


def percent(value: float, digits: int = 2) -> str:
    """Return a fraction in per cent, an en dash for NaN.

    Args:
        value: A fraction.
        digits: Decimals.

    Returns:
        Text without the sign.

    Example:
        >>> percent(0.0123), percent(float("nan")), percent(-0.01, 1), percent(-1e-9)
        ('1.23', '–', '−1.0', '0.00')
    """
    return "–" if not math.isfinite(value) else f"{100 * value:z.{digits}f}".replace("-", "−")
