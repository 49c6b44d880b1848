"""ASVspoof 2021 PA (Liu et al., 2023): speech replayed in real rooms; the key comes apart from the audio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.audio.containers import open_bytes
from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import Tally, blank_separated
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

PHASES = ("eval", "progress", "hidden")
COLUMNS = "speaker utterance room microphone distance attacker_room attacker_microphone device talker label trim phase"


def _key(place: Place) -> Path:
    """Return the key; that of the speaker verification system lies beside it under the same name."""
    for path in place.listing.find((place.folder, *place.roots), "trial_metadata.txt", depth=6):
        with open_bytes(path) as file:
            first = file.readline().decode("utf-8-sig", "replace").split()
        if path.parent.name != "ASV" and len(first) == 12 and first[1].startswith("PA_E_"):
            return path
    raise UsageError(
        f"{place.folder}: no key of ASVspoof 2021 PA; looked for trial_metadata.txt of 12 columns in keys/PA/CM/. "
        "The keys are an archive of their own: PA-keys-full.tar.gz at https://www.asvspoof.org"
    )


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    folders = place.audio_folders("ASVspoof2021_PA_eval/flac/", "ASVspoof2021_PA_eval/wav/")
    phases = set(PHASES) if "all" in parts else set(parts)
    for phase, trial in key_rows(_key(place), place.tally):
        if phase not in phases:
            place.tally.other_parts += 1
            continue
        yield trial._replace(path=place.locate(folders, trial.trial))


def key_rows(path: Path, tally: Tally) -> Iterator[tuple[str, Trial]]:
    """Read the key without looking for audio.

    Args:
        path: The key.
        tally: Counts its lines.

    Yields:
        (phase, trial without a path).

    Raises:
        UsageError: If a phase or a label is unknown.
    """
    for where, cells in blank_separated(path, tally, COLUMNS):
        speaker, utterance, device, talker, word, phase = *cells[:2], *cells[7:10], cells[11]
        if phase not in PHASES:
            raise UsageError(f"{where}: phase '{phase}'; it is one of {', '.join(PHASES)}")
        label = label_of(word, where)
        attack = device + talker if label == "spoof" else ""
        yield phase, Trial(utterance, "", label, attack, known(speaker), "en")


CORPORA = {
    "asvspoof2021_pa": Corpus(
        title="ASVspoof 2021 PA (Liu et al., 2023)",
        read=_read,
        markers=("ASVspoof2021_PA_eval/",),
        licence="ODC-By (as LA; not verified)",
        source="https://zenodo.org/records/4834716; keys: https://www.asvspoof.org",
        layout="ASVspoof2021_PA_eval/flac/PA_E_*.flac, keys/PA/CM/trial_metadata.txt",
        aliases=dict.fromkeys(("21PA", "asv21pa", "ASVspoof2021_PA_eval"), ""),
        parts=(*PHASES, "all"),
        default="eval",
        counts={"eval": counts(94068, 627264), "progress": counts(14472, 72576)},
        evidence="layout verified, counts from memory",
        traps=("spoof means replay: no synthesis", "PA/ASV/ holds another key under the same name"),
    )
}
