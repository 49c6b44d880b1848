"""Where the program itself says that a p-value is approximate or careful, or that an interval does not hold."""

from __future__ import annotations

from benchmarks.calibration.design import Design

# Words of the design (or "") and of the test to what the program prints beside the number.
PROMISES: tuple[tuple[str, str, str], ...] = ()


def promise_of(design: Design, test: str) -> str:
    """Return what is said of a test on a design, "" where it is printed as valid.

    Args:
        design: The design.
        test: The test.

    Returns:
        A word or two.
    """
    for words, of_test, said in PROMISES:
        if words in design.name and of_test in test:
            return said
    return ""
