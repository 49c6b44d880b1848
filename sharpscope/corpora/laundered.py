"""ASVspoof Laundered Database (Ali et al., 2024): 2019 LA after 29 treatments, a list for each kind of them."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import blank_separated
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

COLUMNS = "speaker utterance system label laundering parameter"
# The authors' own spelling, and that of whoever mended it.
LISTS = ("ASVspoofLauneredDatabase_*.txt", "ASVspoofLaunderedDatabase_*.txt")


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    lists = {
        path.stem.partition("_")[2]: path
        for name in LISTS
        for path in place.listing.find((place.folder,), name)
    }
    unknown = [part for part in parts if part and part not in lists]
    if unknown or not lists:
        what = ", ".join(unknown) or "at all"
        raise UsageError(
            f"{place.folder}: no condition {what}; its lists are for {', '.join(lists) or 'none'}"
        )
    for condition, path in lists.items():
        if parts != ("",) and condition not in parts:
            continue
        # One copy keeps a folder a condition, the authors' has one for all.
        folders = place.audio_folders(f"{condition}/flac/", "flac/")
        for where, (speaker, utterance, system, word, kind, amount) in blank_separated(
            path, place.tally, COLUMNS
        ):
            label = label_of(word, where)
            attack = known(system) if label == "spoof" else ""
            codec = "_".join(filter(None, (known(kind), known(amount))))
            trial = f"{condition}/{utterance}"
            yield Trial(trial, place.locate(folders, utterance), label, attack, known(speaker), "en", codec)


CORPORA = {
    "asvspoof_ld": Corpus(
        title="ASVspoof Laundered Database (Ali et al., 2024)",
        read=_read,
        markers=tuple(f"{folder}{name}" for name in LISTS for folder in ("protocols/", "")),
        licence="see the corpus (not verified)",
        source="Deep Blue Data, University of Michigan (address not verified)",
        layout="flac/*.flac (or <condition>/flac/) and protocols/ASVspoofLauneredDatabase_<condition>.txt",
        aliases=dict.fromkeys(("ASVspoofLD", "ASVspoof_Laundered"), ""),
        any_part="conditions as the lists are called",
        counts={"": counts(213295, 1852578)},
        evidence="derived: 29 times the evaluation part of 2019 LA, equal to the published total",
        traps=(
            "two million files in one folder",
            "29 versions of one trial are not independent of each other",
            "the lists are called Launered, without the d",
        ),
    )
}
