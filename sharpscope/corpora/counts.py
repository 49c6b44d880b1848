"""Published counts of corpora, and what a set has to say against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sharpscope.corpora.place import Corpus, Counts
from sharpscope.corpora.protocols import Tally
from sharpscope.corpora.trials import TrialSet


def tally_notes(tally: Tally) -> Iterator[str]:
    """Yield what a reader of a result should know about the rows that gave no trial.

    Args:
        tally: Of the set.

    Yields:
        Notes.
    """
    for reason, number in tally.left_out.items():
        yield f"{number} left out: {reason}"
    yield from tally.notes


def published(corpus: Corpus, parts: Sequence[str]) -> Counts | None:
    """Return the published counts of parts of a corpus.

    Args:
        corpus: The corpus.
        parts: Some of its parts.

    Returns:
        (bona fide, spoof, total), None where they are not known.

    Example:
        >>> from sharpscope.corpora import CORPORA
        >>> published(CORPORA["asvspoof2019_la"], ("dev", "eval"))
        (9903, 86178, 96081)
    """
    if "+".join(parts) in corpus.counts:
        return corpus.counts["+".join(parts)]
    if any(part not in corpus.counts for part in parts):
        return None
    each = [corpus.counts[part] for part in parts]
    bonafide = [count[0] for count in each if count[0] is not None]
    spoof = [count[1] for count in each if count[1] is not None]
    known = len(bonafide) == len(each)
    if corpus.shared_bonafide and len(parts) > 1:
        # The real files of the parts are the same ones, and a pool has them once.
        if not (known and len(spoof) == len(each)):
            return None
        return max(bonafide), sum(spoof), max(bonafide) + sum(spoof)
    return sum(bonafide) if known else None, sum(spoof) if known else None, sum(count[2] for count in each)


def count_notes(corpus: Corpus, parts: Sequence[str], trials: TrialSet) -> Iterator[str]:
    """Yield a note where a set's counts are not the published ones.

    Args:
        corpus: What is known about the corpus.
        parts: Those that were read.
        trials: The set.

    Yields:
        At most one note.
    """
    known = published(corpus, parts)
    if known is None:
        return
    bonafide = int((trials.table["label"] == "bonafide").sum())
    spoof = len(trials.table) - bonafide
    # The partner's trials are not in the published count of a spoof-only corpus.
    count = spoof if corpus.classes == "spoof" else bonafide + spoof
    same_classes = known[0] is None or corpus.classes == "spoof" or (bonafide, spoof) == known[:2]
    if abs(count - known[2]) > corpus.slack or (not same_classes and not corpus.slack):
        figures = f"{known[0]}/{known[1]}" if known[0] is not None else f"{known[2]} in all"
        yield f"{bonafide}/{spoof} trials found, {figures} published ({corpus.evidence})"
