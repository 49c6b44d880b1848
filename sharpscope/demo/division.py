"""Which recordings go into which set, so that no recording and, where it matters, no speaker is in two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from sharpscope.demo.speech import Recording
from sharpscope.errors import UsageError

# Pairs of trials per set; training is the only one that a detector hears before it is measured.
SIZES = {"train": 140, "dev": 32, "seen": 40, "attacks": 40, "codecs": 40, "speakers": 40, "languages": 40}
FEWEST = {"train": 40}
FEWEST_ELSEWHERE = 16
# Pieces that turn out too short once silence is cut are replaced from this reserve.
RESERVE = 1.3
SHIFTS = {
    "seen": "in-domain: other recordings of the speakers and vocoders of training",
    "attacks": "vocoders that training never heard",
    "codecs": "telephone and internet codecs on both classes",
    "speakers": "speakers that training never heard",
    "languages": "another language, other speakers",
    "compound": "unheard vocoders through codecs",
}


def divide(recordings: Sequence[Recording], seed: int) -> dict[str, list[Recording]]:
    """Share recordings out among the sets.

    With several first-level folders the last ones become the set ``languages`` (``speakers`` where their names
    are not language codes); with three or more folders left, the smallest become ``speakers``. A flat folder
    gives neither: the third shifted set is then ``compound``, unheard vocoders through codecs.

    Args:
        recordings: Pieces of speech.
        seed: Of the order.

    Returns:
        Recordings by set, in the order in which they are to be used, with a reserve.

    Raises:
        UsageError: If there are too few.

    Example:
        >>> from pathlib import Path
        >>> flat = [Recording(Path(f"{i}.wav"), "", 0.0, 4.0) for i in range(400)]
        >>> {name: len(found) for name, found in divide(flat, 0).items()}
        {'train': 168, 'dev': 39, 'seen': 48, 'attacks': 48, 'codecs': 48, 'compound': 49}
    """
    rng = np.random.default_rng(seed)
    pools: dict[str, list[Recording]] = {}
    home = list(recordings)
    if held := _held_out(home, level=1):
        name = "languages" if all(r.language for r in home) else "speakers"
        pools[name] = [r for r in home if _folder(r, 1) in held]
        home = [r for r in home if _folder(r, 1) not in held]
    if "speakers" not in pools and (held := _held_out(home, level=2, fewest=3)):
        pools["speakers"] = [r for r in home if _folder(r, 2) in held]
        home = [r for r in home if _folder(r, 2) not in held]
    names = ["train", "dev", "seen", "attacks", "codecs"] + ([] if pools else ["compound"])
    home = [home[i] for i in rng.permutation(len(home))]
    total = sum(size_of(name) for name in names)
    shares = np.floor(len(home) * np.cumsum([0] + [size_of(name) for name in names]) / total).astype(int)
    found = {name: home[shares[i] : shares[i + 1]] for i, name in enumerate(names)}
    for name in ("speakers", "languages"):
        if name in pools:
            found[name] = [pools[name][i] for i in rng.permutation(len(pools[name]))]
    for name, pieces in found.items():
        if len(pieces) < FEWEST.get(name, FEWEST_ELSEWHERE):
            raise UsageError(
                f"{len(recordings)} usable pieces of speech leave {len(pieces)} for the set '{name}', which needs "
                f"{FEWEST.get(name, FEWEST_ELSEWHERE)}; give about 200 recordings of 3 s or some long ones "
                "(400 for the full size)"
            )
    return {name: pieces[: int(RESERVE * size_of(name))] for name, pieces in found.items()}


def size_of(name: str) -> int:
    """Return the number of pairs that a set should have.

    Args:
        name: The set.

    Returns:
        Pairs of one human and one spoofed trial.
    """
    return SIZES.get(name, SIZES["attacks"])


def _folder(recording: Recording, level: int) -> str:
    return "/".join(recording.group.split("/")[:level])


def _held_out(recordings: Sequence[Recording], level: int, fewest: int = 2) -> set[str]:
    """Choose folders that hold enough for a set and leave more than half of the recordings."""
    counts = Counter(_folder(r, level) for r in recordings)
    if len(counts) < fewest:
        return set()
    wanted = int(RESERVE * SIZES["speakers"])
    # The last by name at the first level, as a user can see; the smallest below it.
    order = (
        sorted(counts, reverse=True) if level == 1 else sorted(counts, key=lambda name: (counts[name], name))
    )
    held: set[str] = set()
    for name in order[:-1]:
        if sum(counts[h] for h in held) >= min(wanted, len(recordings) // 5):
            break
        held.add(name)
    return held
