"""Where the program itself says that a p-value is approximate or careful, or that an interval does not hold.

Each line names words of a design, words of a test, what the tables say, and where the program says it.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.calibration.design import Design


class Promise(NamedTuple):
    """What is said of a test on some designs.

    Attributes:
        design: Words of the design's name; "" for all.
        test: Words of the test's name.
        said: What the tables say.
        where: Where the program or a page says it.
    """

    design: str
    test: str
    said: str
    where: str


SPREADS = "ten times the spread"
PROMISES: tuple[Promise, ...] = (
    Promise(SPREADS, "one set, ", "approximate", "warning of correlate"),
    Promise(SPREADS, "all sets", "approximate", "warning of correlate"),
    Promise(SPREADS, "headline", "approximate", "warning of correlate"),
    Promise(SPREADS, "soft pairwise", "approximate", "warning of correlate"),
    Promise(SPREADS, "swapped", "approximate", "note in comparisons.csv"),
    Promise("", "Williams", "approximate", "note in questions.csv"),
    Promise("two measures equally good", "swapped", "approximate", "note in comparisons.csv"),
    Promise("n = 6", "", "few orders: careful", "docs/statistics.md"),
    Promise("--by arch: 6", "", "64 orders: careful", "docs/statistics.md"),
    Promise("6 pairs", "sign flips", "64 flips: careful", "docs/statistics.md"),
    Promise(SPREADS, "inside", "approximate", "warning of correlate"),
    Promise("eleven splits", "across halves", "careful", "docs/statistics.md"),
    Promise("only through the loss", "given the loss", "careful", "docs/statistics.md"),
    Promise("mixed model", "mixed model", "careful", "note in questions.csv"),
    Promise("grid of 20", "sentinel", "careful", "docs/statistics.md"),
    Promise("--tolerance", "stopped early", "skewed groups: too narrow", "docs/limits.md"),
    Promise("the rest zero", "every run", "all measured: the value itself", "docs/limits.md"),
    Promise("--tolerance 0.1: log-normal 1", "every run", "mostly all measured", "docs/limits.md"),
    Promise("log-normal 1.5", "every run", "mostly all measured", "docs/limits.md"),
    Promise("log-normal .5", "every run", "too narrow", "docs/limits.md"),
    Promise("beside others alike", "every run", "rare groups stay unseen", "docs/limits.md"),
    Promise("a set of", "value of a measure", "skewed groups: too narrow", "docs/limits.md"),
    Promise("n = 5", "Spearman", "careful", "docs/statistics.md"),
    Promise("on the floor", "Spearman", "careful", "docs/statistics.md"),
    Promise("EER", "over trials", "careful where few err", "docs/statistics.md"),
    Promise("5 speakers", "EER", "careful where few err", "docs/statistics.md"),
)


def promise_of(design: Design, test: str) -> str:
    """Return what is said of a test on a design, "" where it is printed as valid.

    Args:
        design: The design.
        test: The test.

    Returns:
        A word or two.
    """
    return next((one.said for one in PROMISES if one.design in design.name and one.test in test), "")
