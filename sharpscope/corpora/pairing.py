"""Real partners of corpora that hold only spoofed speech.

An EER needs both classes. ``paired``: the recordings that the fakes were made from, each once.
``balanced``: the same, and the larger class drawn down to the smaller, seeded. ``all``: every recording of
the partner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd

from sharpscope.corpora.place import Place
from sharpscope.corpora.trials import Trial

PAIRINGS = ("paired", "balanced", "all")


def with_originals(
    place: Place,
    fakes: Iterable[tuple[Trial, str]],
    original: Callable[[str], Trial | None],
    everything: Callable[[], Iterable[Trial]],
) -> Iterator[Trial]:
    """Yield spoofed trials, then the bona fide ones that the mode asks for.

    Args:
        place: Whose ``pairing`` decides.
        fakes: Trials with the name of what each was made from, "" where nothing.
        original: Finds a bona fide trial by that name, None where the partner has none.
        everything: All of the partner.

    Yields:
        Trials; an original that many fakes share comes once.
    """
    wanted: dict[str, None] = {}
    for fake, source in fakes:
        yield fake._replace(pair=source)
        if source:
            wanted[source] = None
    if place.pairing == "none":
        return
    if place.pairing == "all":
        # The others share no pair; those that fakes were made from keep theirs.
        made = {found.trial: source for source in wanted if (found := original(source)) is not None}
        yield from (trial._replace(pair=made.get(trial.trial, "")) for trial in everything())
        return
    without = 0
    for source in wanted:
        trial = original(source)
        if trial is None:
            without += 1
        else:
            yield trial._replace(pair=source)
    if without:
        place.tally.notes.append(f"{without} recordings that fakes were made from are not in the partner")


def balance(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Draw the larger class down to the size of the smaller.

    Args:
        table: Of trials.
        seed: Seeds the draw.

    Returns:
        The kept trials in their order.

    Example:
        >>> balance(pd.DataFrame({"label": ["spoof", "bonafide", "spoof"]}))["label"].value_counts().tolist()
        [1, 1]
    """
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(table["label"] == label) for label in ("bonafide", "spoof")]
    size = min(map(len, classes))
    kept = np.sort(np.concatenate([rng.permutation(rows)[:size] for rows in classes]))
    return table.iloc[kept].reset_index(drop=True)
