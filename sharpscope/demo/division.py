"""Which recordings go into which set, so that no recording and, where it matters, no speaker is in two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sharpscope.demo.channels import INTERNET, TELEPHONE
from sharpscope.demo.speech import Recording
from sharpscope.demo.synthesis import SEEN, UNSEEN
from sharpscope.errors import UsageError

# Pieces that turn out too short once silence is cut are replaced from this reserve.
RESERVE = 1.3
NOISES = ("white", "pink", "chatter")


class SetPlan(NamedTuple):
    """What a set is to be.

    Attributes:
        name: Of the set.
        pairs: Pairs of one human and one spoofed trial.
        pool: Which recordings it is made of.
        what: What is new in it, for readers.
        methods: Vocoders, in turns.
        ways: What both classes go through, in turns, as `heard_through` names it.
        fewest: Pairs below which it is refused.
        repeats: Pairs that a recording gives: the second time its halves change places, and the vocoder is the next.
    """

    name: str
    pairs: int
    pool: str
    what: str
    methods: Sequence[str] = tuple(SEEN)
    ways: Sequence[str] = ("",)
    fewest: int = 16
    repeats: int = 1

    @property
    def recordings(self) -> int:
        """Recordings that it takes."""
        return -(-self.pairs // self.repeats)


TRAIN = SetPlan("train", 400, "home", "what the detectors hear", fewest=40, repeats=2)
DEV = SetPlan("dev", 60, "home", "chooses the epoch", fewest=8)
SEEN_SET = SetPlan(
    "seen", 100, "home", "in-domain: other recordings of the speakers and vocoders of training"
)
DEMO_PLANS = (
    TRAIN,
    DEV,
    SEEN_SET,
    SetPlan("attacks", 100, "home", "vocoders that training never heard", methods=tuple(UNSEEN)),
    SetPlan("codecs", 100, "home", "telephone and internet codecs", ways=TELEPHONE + INTERNET),
    SetPlan("noise", 100, "home", "noise, other voices, echoing rooms", ways=(*NOISES, "room")),
    SetPlan("speakers", 100, "speakers", "speakers that training never heard"),
    SetPlan("languages", 100, "languages", "another language, other speakers"),
)


def divide(
    recordings: Sequence[Recording], seed: int, plans: Sequence[SetPlan] = DEMO_PLANS
) -> dict[str, list[Recording]]:
    """Share recordings of any folder out among the sets.

    With several first-level folders the last ones become the set ``languages`` (``speakers`` where their names
    are not language codes); with three or more folders left, the smallest become ``speakers``. A set whose
    recordings there are not is left out.

    Args:
        recordings: Pieces of speech.
        seed: Of the order.
        plans: The sets.

    Returns:
        Recordings by set, in the order in which they are to be used, with a reserve.

    Raises:
        UsageError: If there are too few.

    Example:
        >>> from pathlib import Path
        >>> flat = [Recording(Path(f"{i}.wav"), "", 0.0, 4.0) for i in range(600)]
        >>> {name: len(found) for name, found in divide(flat, 0).items()}
        {'train': 181, 'dev': 55, 'seen': 91, 'attacks': 91, 'codecs': 91, 'noise': 91}
    """
    wanted = int(RESERVE * max(plan.pairs for plan in plans if plan.pool != "home"))
    pools: dict[str, list[Recording]] = {}
    home = list(recordings)
    if held := _held_out(home, wanted, level=1):
        name = "languages" if all(r.language for r in home) else "speakers"
        pools[name] = [r for r in home if _folder(r, 1) in held]
        home = [r for r in home if _folder(r, 1) not in held]
    if "speakers" not in pools and (held := _held_out(home, wanted, level=2, fewest=3)):
        pools["speakers"] = [r for r in home if _folder(r, 2) in held]
        home = [r for r in home if _folder(r, 2) not in held]
    pools["home"] = home
    return share_out(pools, [plan for plan in plans if plan.pool in pools], seed)


def share_out(
    pools: Mapping[str, Sequence[Recording]], plans: Sequence[SetPlan], seed: int
) -> dict[str, list[Recording]]:
    """Share the recordings of each pool out among its sets, in proportion to their sizes.

    Args:
        pools: Recordings by the name of a pool.
        plans: The sets.
        seed: Of the order.

    Returns:
        Recordings by set, in the order of the plans, with a reserve.

    Raises:
        UsageError: If a set gets fewer recordings than the fewest that it needs.

    Example:
        >>> from pathlib import Path
        >>> pool = [Recording(Path(f"{i}.wav"), "", 0.0, 4.0) for i in range(100)]
        >>> plans = [SetPlan("a", 60, "p", ""), SetPlan("b", 20, "p", "")]
        >>> {name: len(found) for name, found in share_out({"p": pool}, plans, 0).items()}
        {'a': 75, 'b': 25}
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[Recording]] = {}
    for pool in dict.fromkeys(plan.pool for plan in plans):
        own = [plan for plan in plans if plan.pool == pool]
        pieces = pools[pool]
        order = [pieces[i] for i in rng.permutation(len(pieces))]
        ends = np.cumsum([0] + [plan.recordings for plan in own])
        shares = np.floor(len(order) * ends / ends[-1]).astype(int)
        for i, plan in enumerate(own):
            found[plan.name] = order[shares[i] : shares[i + 1]]
    total = sum(len(pieces) for pieces in pools.values())
    for plan in plans:
        if len(found[plan.name]) * plan.repeats < plan.fewest:
            raise UsageError(
                f"{total} usable pieces of speech leave {len(found[plan.name])} for the set '{plan.name}', which "
                f"needs {plan.fewest}; give about 200 recordings of 3 s or some long ones (600 for the full size)"
            )
    return {plan.name: found[plan.name][: int(RESERVE * plan.recordings)] for plan in plans}


def _folder(recording: Recording, level: int) -> str:
    return "/".join(recording.group.split("/")[:level])


def _held_out(recordings: Sequence[Recording], wanted: int, level: int, fewest: int = 2) -> set[str]:
    """Choose folders that hold enough for a set and leave more than half of the recordings."""
    counts = Counter(_folder(r, level) for r in recordings)
    if len(counts) < fewest:
        return set()
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
