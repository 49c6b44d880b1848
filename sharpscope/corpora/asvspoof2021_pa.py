"""ASVspoof 2021 PA (Liu et al., 2023): speech replayed in real rooms; the key comes apart from the audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sharpscope.audio.containers import open_bytes
from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import Tally, blank_separated, read_lines
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

PHASES = ("eval", "progress", "hidden")
COLUMNS = "speaker utterance room microphone distance attacker_room attacker_microphone device talker label trim phase"
# The keys of stage 1 say less of the rooms.
STAGE_1 = "speaker utterance environment attack label trim phase"


def _key(place: Place) -> Path:
    """Return the key; that of the speaker verification system lies beside it under the same name."""
    for path in place.listing.find((place.folder, *place.roots), "trial_metadata.txt", depth=6):
        with open_bytes(path) as file:
            first = file.readline().decode("utf-8-sig", "replace").split()
        if path.parent.name != "ASV" and len(first) in {7, 12} and first[1].startswith("PA_E_"):
            return path
    raise UsageError(
        f"{place.folder}: no key of ASVspoof 2021 PA; looked for trial_metadata.txt of 12 columns, 7 in stage 1, in "
        "keys/PA/CM/. The keys are an archive of their own: PA-keys-full.tar.gz at https://www.asvspoof.org"
    )


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    name = "ASVspoof2021_PA_eval"
    # Archives unpacked one by one leave a folder each.
    folders = place.audio_folders(
        f"{name}/flac/", f"{name}/wav/", f"{name}_part0?/flac/"
    ) or place.audio_folders(f"{name}/")
    phases = set(PHASES) if "all" in parts else set(parts)
    for phase, trial in key_rows(_key(place), place.tally):
        if phase not in phases:
            place.tally.other_parts += 1
            continue
        yield trial._replace(path=place.locate(folders, trial.trial))


def is_stage_1(cells: Sequence[str]) -> bool:
    """Tell whether a line is one of the shorter key.

    Args:
        cells: Of the line.

    Returns:
        True for seven columns that end in a phase.

    Example:
        >>> is_stage_1("PA_0010 PA_E_1 R3M3 d4 spoof notrim eval".split())
        True
    """
    return len(cells) == 7 and cells[6] in PHASES


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
    columns = (
        STAGE_1
        if is_stage_1(next((line.split() for line in read_lines(path) if line.strip()), []))
        else COLUMNS
    )
    for where, cells in blank_separated(path, tally, columns):
        speaker, utterance, *about, word, _, phase = cells
        if phase not in PHASES:
            raise UsageError(f"{where}: phase '{phase}'; it is one of {', '.join(PHASES)}")
        label = label_of(word, where)
        # Device and distance to the talker, as the key has them last.
        attack = "".join(about[-2:]) if label == "spoof" and columns == COLUMNS else ""
        yield phase, Trial(utterance, "", label, attack, known(speaker), "en")


CORPORA = {
    "asvspoof2021_pa": Corpus(
        title="ASVspoof 2021 PA (Liu et al., 2023)",
        read=_read,
        markers=("ASVspoof2021_PA_eval/", "ASVspoof2021_PA_eval_part0?/", "keys/PA/CM/ & flac/"),
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
