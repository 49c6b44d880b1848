"""Words and numbers as papers print them: names of measures with their unit, coefficients, probabilities, lists."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sharpscope.results.measure_facts import facts_of


def label(measure: str, rho: float = math.nan) -> str:
    """Return the name of an axis that shows a measure, with radius and unit.

    Args:
        measure: Name of the measure.
        rho: Radius; NaN where the measure has none.

    Returns:
        Text for the axis.

    Example:
        >>> label("sam", 0.05)
        'Sharpness (sam, ρ = 0.05), nats'
        >>> label("grad_norm")
        'Gradient norm (grad_norm)'
    """
    name = named(measure, rho)
    unit = facts_of(measure).unit
    name = capital(name) if facts_of(measure).label else name
    return f"{name}, {unit}" if unit else name


def named(measure: str, rho: float = math.nan) -> str:
    """Return what a measure is called in a sentence, with its radius.

    Args:
        measure: Name of the measure.
        rho: Radius; NaN where the measure has none.

    Returns:
        Words.

    Example:
        >>> named("sam", 0.05), named("grad_norm")
        ('sharpness (sam, ρ = 0.05)', 'gradient norm (grad_norm)')
    """
    radius = "" if math.isnan(rho) else f", ρ = {rho:g}"
    label = facts_of(measure).label
    words = label[:1].lower() + label[1:]  # a name inside it keeps its capital
    return f"{words} ({measure}{radius})" if words else f"{measure}{radius}"


def number(value: float, digits: int = 2) -> str:
    """Return a correlation or probability as papers print it: no leading zero, a real minus sign.

    Args:
        value: Between -1 and 1.
        digits: Decimals.

    Returns:
        Text; an en dash for NaN.

    Example:
        >>> number(-0.718), number(1.0), number(0.0)
        ('−.72', '1.00', '.00')
    """
    if not math.isfinite(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    sign = "−" if value < 0 and float(text) > 0 else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def probability(value: float) -> str:
    """Return "= .02" or "< .001" for a p-value.

    Args:
        value: The p-value.

    Returns:
        Relation and number.

    Example:
        >>> probability(0.0002), probability(0.021), probability(0.0004999)
        ('< .001', '= .021', '< .001')
    """
    if math.isfinite(value) and value < 0.001:
        return "< .001"
    return f"= {number(value, 2 if value >= 0.0995 else 3)}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names joined by commas, the rest counted.

    Args:
        names: What to list.
        most: How many are named.

    Returns:
        Text.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def adjusted_over(tests: int, of: str = "") -> str:
    """Say over how many tests p-values are adjusted, or that none was possible.

    Args:
        tests: How many.
        of: What the tests are of, behind their number.

    Returns:
        Part of a sentence.

    Example:
        >>> adjusted_over(1), adjusted_over(6, " of the whole table")
        ('Holm-adjusted over 1 test', 'Holm-adjusted over the 6 tests of the whole table')
        >>> adjusted_over(0)
        'of which there is none: no p-value can reach .05'
    """
    return (
        f"Holm-adjusted over {'the ' if of else ''}{counted(tests, 'test')}{of}"
        if tests
        else "of which there is none: no p-value can reach .05"
    )


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Args:
        count: How many.
        noun: In the singular; the plural adds an s.

    Returns:
        Text.

    Example:
        >>> counted(1, "set"), counted(2, "set")
        ('1 set', '2 sets')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def between(counts: Iterable[float], noun: str) -> str:
    """Return the range of some counts with their noun; one number where they agree.

    Args:
        counts: How many there are in each panel.
        noun: In the singular.

    Returns:
        Text.

    Example:
        >>> between([12, 12], "checkpoint"), between([4, 12], "checkpoint"), between([], "pair")
        ('12 checkpoints', '4 to 12 checkpoints', '0 pairs')
    """
    found = sorted({int(count) for count in counts}) or [0]
    most = counted(found[-1], noun)
    return most if len(found) == 1 else f"{found[0]} to {most}"


def capital(text: str) -> str:
    """Return a sentence's beginning: the first letter in capitals, the others as they are.

    Args:
        text: Words.

    Returns:
        The same.

    Example:
        >>> capital("sharpness (sam)")
        'Sharpness (sam)'
    """
    return text[:1].upper() + text[1:]
