"""The errors that reach a user as one line, and how they end a command."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SharpscopeError(Exception):
    """A failure that the user can understand and act on; ends a command with exit status 1."""

    exit_code = 1


class UsageError(SharpscopeError, ValueError):
    """Misuse or a bad file: says what was received, what is allowed, what to do; exit status 2."""

    exit_code = 2


# More names than these are not read by anyone; the nearest are shown, and where the rest stands.
MOST_NAMES = 10


def some_of(names: Iterable[str], between: str = ", ", most: int = MOST_NAMES) -> str:
    """Join names for a message: no more of them than anyone reads.

    Args:
        names: All of them.
        between: What stands between two.
        most: How many are shown.

    Returns:
        The first ones, and how many are left out.

    Example:
        >>> some_of("abc", " or ", most=2)
        'a or b and 1 more'
    """
    every = list(names)
    return between.join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")


def unknown_name(kind: str, name: str, known: Iterable[str], *, see: str = "") -> UsageError:
    """Return the error for a name that no registry holds, with the nearest names: ten at most.

    Args:
        kind: What the name should have been, in the singular ("measure", "set", "architecture").
        name: What was received.
        known: Every allowed name.
        see: The command that lists them all, for registries too long for one line.

    Returns:
        An error to raise.

    Example:
        >>> print(unknown_name("measure", "samm", ["sam", "asam"]))
        unknown measure 'samm'; did you mean 'sam'? Known: asam, sam
        >>> print(unknown_name("letter", "c", "abcdefghijklmnop", see="sharpscope letters"))
        unknown letter 'c'; did you mean 'c'? See `sharpscope letters`
    """
    names = sorted(set(known))
    near = _nearest(name, names)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    if len(names) <= MOST_NAMES:
        return UsageError(f"unknown {kind} '{name}'{hint} Known: {', '.join(names)}")
    more = f" Near it: {', '.join(near[1:MOST_NAMES])}." if len(near) > 1 else ""
    rest = f" See `{see}`" if see else f" There are {len(names)}: {', '.join(names[:MOST_NAMES])} ..."
    return UsageError(f"unknown {kind} '{name}'{hint}{more}{rest}")


def _nearest(name: str, names: list[str]) -> list[str]:
    """Return the names most like what was received, in any case of letters, nearest first."""
    spelled: dict[str, str] = {}
    for known in names:
        spelled.setdefault(known.lower(), known)
    close = difflib.get_close_matches(name.lower(), list(spelled), n=MOST_NAMES)
    return [spelled[lowered] for lowered in close]
