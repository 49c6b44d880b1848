"""The counts as Markdown, and the part of docs/statistics.md that they fill.

    python -m benchmarks.calibration.tables

writes that part anew; a test says when it is out of date.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.calibration import power
from benchmarks.calibration.__main__ import DESIGNS
from benchmarks.calibration.design import Design, Rate, rates_of, read_rates
from benchmarks.calibration.promises import promise_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
BEGIN, END = "<!-- calibration: written by benchmarks.calibration.tables -->", "<!-- end of calibration -->"
FIELD = "field: "
# With fewer a rate of 5 % is known to no better than a point.
FEWEST_RUNS = 500
# A section whose designs share this many tests of ours is a table of tests by designs.
MANY_TESTS = 4
Row = tuple[Design, dict[str, Rate]]


def drawn() -> list[Row]:
    """Return the designs that were drawn often enough to be shown, with their rates."""
    known = read_rates()
    rows = [(design, rates_of(known, design)) for design in DESIGNS]
    return [
        (design, rates)
        for design, rates in rows
        if max((r.runs for r in rates.values()), default=0) >= FEWEST_RUNS
    ]


def shown(rate: Rate | None, *, bold: bool = False) -> str:
    """Return a share in per cent; a dash where there was no answer.

    Args:
        rate: How often.
        bold: Whether it is outside of what is promised.

    Returns:
        Such as "4.9 %", with how often there was an answer where there was not always one.

    Example:
        >>> shown(Rate(5, 100, 100)), shown(Rate(9, 10, 20)), shown(Rate(0, 0, 20))
        ('5.0 %', '90.0 % of 50 %', '–')
    """
    if rate is None or not rate.given:
        return "–"
    text = f"{100 * rate.share:.1f} %"
    text = f"**{text}**" if bold else text
    return text if rate.given == rate.runs else f"{text} of {100 * rate.given / rate.runs:.0f} %"


def ours(rates: dict[str, Rate]) -> list[str]:
    """Return the names of the package's own tests."""
    return [test for test in rates if not test.startswith(FIELD)]


def off(design: Design, test: str, rate: Rate) -> bool:
    """Tell whether a rate is surely outside the band that is asked of it: by two Monte Carlo errors.

    Args:
        design: Of it.
        test: Its name.
        rate: How often.

    Returns:
        True beyond 3.5 to 6.5 % of rejections, 93 to 97 % of intervals that hold, or 86 to 94 % of those of 90 %.
    """
    if design.kind == "power" or not rate.given:
        return False
    low, high = (0.035, 0.065) if design.kind == "level" else (0.86, 0.94) if "90 %" in test else (0.93, 0.97)
    return not low - 2 * rate.error <= rate.share <= high + 2 * rate.error


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_design(rows: Sequence[Row]) -> str:
    """Return one line for each design and test of ours, what the field does beside it."""
    verb = {"level": "rejects", "power": "finds it", "interval": "holds"}[rows[0][0].kind]
    lines = []
    for design, rates in rows:
        usual = [test for test in rates if test.startswith(FIELD)]
        beside = "; ".join(f"{shown(rates[test])} ({test.removeprefix(FIELD)})" for test in usual)
        answered = [test for test in ours(rates) if rates[test].given] or ours(rates)[:1] or [""]
        for place, test in enumerate(answered):
            rate = rates.get(test)
            runs, error = _precision(rate if rate is not None else rates[usual[0]])
            flagged = rate is not None and off(design, test, rate)
            said = promise_of(design, test)
            said = said if flagged or said.startswith("approximate") else ""
            value = shown(rate, bold=flagged)
            lines.append(
                (
                    design.name if not place else "",
                    test or "none is printed",
                    value + (f" ({said})" if said else ""),
                    beside if not place else "",
                    runs,
                    error,
                )
            )
    return table(("design", "test", verb, "the field's usual", "runs", "±"), lines)


def by_test(rows: Sequence[Row]) -> str:
    """Return one line for each test, one column for each design."""
    tests = list(dict.fromkeys(test for _, rates in rows for test in rates))
    tests = [test for test in tests if not test.startswith(FIELD)] + [t for t in tests if t.startswith(FIELD)]
    lines = []
    for test in tests:
        cells = []
        for design, rates in rows:
            rate = rates.get(test)
            flagged = rate is not None and not test.startswith(FIELD) and off(design, test, rate)
            said = promise_of(design, test) if flagged else ""
            cells.append(shown(rate, bold=flagged) + (f" ({said})" if said else ""))
        lines.append((test.replace(FIELD, "the field's usual: "), *cells))
    firsts = [next(iter(rates.values())) for _, rates in rows]
    lines.append(("runs (±)", *(f"{runs} ({error})" for runs, error in map(_precision, firsts))))
    return table(("test", *(design.name for design, _ in rows)), lines)


def _precision(rate: Rate) -> tuple[str, str]:
    return f"{rate.runs:,}", "–" if math.isnan(rate.share) else f"{100 * rate.error:.1f}"


def page_part() -> str:
    """Return the part of the page, with its markers."""
    parts = []
    for section in dict.fromkeys(design.section for design, _ in drawn()):
        rows = [row for row in drawn() if row[0].section == section]
        wide = [row for row in rows if len(ours(row[1])) >= MANY_TESTS]
        narrow = [row for row in rows if row not in wide]
        tables = ([by_test(wide)] if wide else []) + ([by_design(narrow)] if narrow else [])
        parts += [f"### {section}", *tables]
        if section == "Power" and (said := power.words()):
            parts.append(said)
    return "\n\n".join([BEGIN, *parts, END])


def with_part(page: str) -> str:
    """Return a page with its calibration part as the counts say."""
    before, rest = page.split(BEGIN)
    return before + page_part() + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(with_part(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
