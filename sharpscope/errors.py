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


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that no registry holds, listing what exists and the nearest.

    Args:
        kind: What the name should have been, in the singular ("measure", "set", "architecture").
        name: What was received.
        known: Every allowed name.

    Returns:
        An error to raise.

    Example:
        >>> print(unknown_name("measure", "samm", ["sam", "asam"]))
        unknown measure 'samm'; did you mean 'sam'? Known: asam, sam
    """
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1)
    guess = next((n for n in names if near and n.lower() == near[0]), None)
    hint = f"; did you mean '{guess}'?" if guess else "."
    return UsageError(f"unknown {kind} '{name}'{hint} Known: {', '.join(names)}")
