"""Sets whose audio lies in containers: which container a set means, and its trials with their notes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sharpscope.corpora.counts import count_notes, tally_notes
from sharpscope.corpora.embedded import embedded_trials, find_embedded
from sharpscope.corpora.listing import Listing
from sharpscope.corpora.place import Corpus
from sharpscope.corpora.protocols import Tally
from sharpscope.corpora.trials import TrialSet, make_set


def find_embedded_corpus(key: str, corpus: Corpus, root: Path, listing: Listing) -> Path | None:
    """Return where a corpus lies in containers: a folder called like it, by key, alias or title, that holds some.

    Args:
        key: Of the corpus.
        corpus: What is known about it.
        root: Folder that holds corpora.
        listing: Folders that were listed already.

    Returns:
        Its folder or file, None where there is none.
    """
    plain = [alias for alias, part in corpus.aliases.items() if not part]
    return find_embedded((key, *plain, corpus.title.split(" (")[0].split(",")[0]), root, listing)


def read_embedded(
    corpora: Mapping[str, Corpus], name: str, part: str, place: Path, spec: str, skip_missing: bool
) -> TrialSet:
    """Read a set from containers; a registered corpus with its default part and its published counts.

    Args:
        corpora: The registry.
        name: Key or alias of a corpus, or any name.
        part: Splits or configurations joined by "+", and what numbers mean as ``bonafide:1``; "" for the default.
        place: The container or the folder that holds some.
        spec: The set as the user wrote it.
        skip_missing: Leave out trials whose audio is missing and count them.

    Returns:
        The trials.

    Raises:
        UsageError: If a container is damaged, there is no such part, or labels cannot be understood.
    """
    tally, listing = Tally(), Listing()
    keys = [
        key
        for key, one in corpora.items()
        if name.lower() in (key, *(alias.lower() for alias in one.aliases))
    ]
    corpus = corpora[keys[0]] if len(keys) == 1 else None
    default = corpus.default if corpus else ""
    trials = embedded_trials(place, part, listing, tally, spec=spec, default=default)
    done = make_set(
        keys[0] if corpus else name,
        trials,
        source=place,
        subset="+".join(word for word in part.split("+") if ":" not in word),
        skip_missing=skip_missing,
        listing=listing,
    )
    notes = [f"read from {place.name}", *tally_notes(tally)]
    if corpus:
        notes += count_notes(corpus, tuple((part or default).split("+")), done)
    there = set(done.table["label"])
    if len(there) == 1:
        notes.append(f"only {there.pop()} trials: no EER can be computed")
    return done._replace(notes=tuple(notes))
