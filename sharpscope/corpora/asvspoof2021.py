"""ASVspoof 2021 LA and DF (Liu et al., 2023): the keys come apart from the audio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.audio.containers import open_bytes
from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import Tally, blank_separated
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

PHASES = ("eval", "progress", "hidden")
COLUMNS = "speaker utterance codec transmission attack label trim phase"


def _key(place: Place, track: str) -> Path:
    # The stage-1 archives of both tracks unpack to the same keys/CM/, and the key of the speaker verification
    # system lies beside it under the same name.
    seen = []
    for path in place.listing.find((place.folder, *place.roots), "trial_metadata.txt", depth=6):
        if path.parent.name in {"ASV", "PA"}:
            continue
        seen.append(path)
        with open_bytes(path) as file:
            first = file.readline().decode("utf-8-sig", "replace")
            if [*first.split(), "", ""][1].startswith(f"{track}_E_"):
                return path
    raise UsageError(
        f"{place.folder}: no key of ASVspoof 2021 {track}; looked for trial_metadata.txt whose utterances begin with "
        f"{track}_E_ in keys/{track}/CM/, keys/CM/ and beside the audio"
        + (f", found only {', '.join(map(str, seen))}" if seen else "")
        + f". The keys are an archive of their own: {track}-keys-full.tar.gz at https://www.asvspoof.org"
    )


def _reader(place: Place, parts: tuple[str, ...], track: str) -> Iterator[Trial]:
    """Read ``speaker utterance codec source attack label trim phase ...``: 8 columns, 13 in the full DF key."""
    folder = f"ASVspoof2021_{track}_eval"
    # Archives of the DF audio unpacked one by one leave a folder each. Any other flac/ comes last: names of LA
    # begin like those of 2019, whose audio may lie under the same root.
    folders = (
        place.audio_folders(f"{folder}/flac/", f"{folder}/wav/", f"{folder}_part0?/flac/")
        or place.audio_folders(f"{folder}/", f"ASVspoof2021_{track}/flac/")
        or place.audio_folders("flac/", "wav/")
    )
    phases = set(PHASES) if "all" in parts else set(parts)
    for phase, trial in key_rows(_key(place, track), place.tally, full=track == "DF"):
        if phase not in phases:
            place.tally.other_parts += 1
            continue
        yield trial._replace(path=place.locate(folders, trial.trial))


def key_rows(path: Path, tally: Tally, *, full: bool = True) -> Iterator[tuple[str, Trial]]:
    """Read a key of the tracks LA and DF without looking for audio.

    Args:
        path: The key.
        tally: Counts its lines.
        full: Take more than eight columns as well, as the full key of DF has them.

    Yields:
        (phase, trial without a path).

    Raises:
        UsageError: If a phase or a label is unknown.
    """
    for where, cells in blank_separated(path, tally, COLUMNS, optional=99 if full else 0):
        speaker, utterance, codec, _, attack, word, _, phase = cells[:8]
        if phase not in PHASES:
            raise UsageError(f"{where}: phase '{phase}'; it is one of {', '.join(PHASES)}")
        label = label_of(word, where)
        made_by = known(attack) if label == "spoof" else ""
        # The last column is the target speaker's language, which need not be the one that is spoken.
        language = "en" if len(cells) < 13 or cells[12] in {"-", "E"} else ""
        yield phase, Trial(utterance, "", label, made_by, known(speaker), language, codec)


def _read_la(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    return _reader(place, parts, "LA")


def _read_df(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    return _reader(place, parts, "DF")


TRAPS = (
    "the literature means the phase eval; the key also holds progress and hidden (non-speech trimmed)",
    "trial_metadata.txt exists for LA, DF, PA and for speaker verification (ASV/)",
    "stage-1 keys of both tracks unpack to the same keys/CM/",
)
CORPORA = {
    "asvspoof2021_la": Corpus(
        title="ASVspoof 2021 LA (Liu et al., 2023)",
        read=_read_la,
        markers=(
            "ASVspoof2021_LA_eval/",
            "ASVspoof2021_LA/",
            "ASVspoof2021.LA.cm.eval.trl.txt & flac/",
            "keys/LA/CM/ & flac/",
        ),
        licence="ODC-By",
        source="https://zenodo.org/records/4837263; keys: https://www.asvspoof.org",
        layout="ASVspoof2021_LA_eval/flac/LA_E_*.flac, keys/LA/CM/trial_metadata.txt",
        aliases=dict.fromkeys(("21LA", "asv21la", "asvspoof_2021_la", "ASVspoof2021_LA_eval"), ""),
        parts=(*PHASES, "all"),
        default="eval",
        counts={
            "eval": counts(14816, 133360),
            "progress": counts(1676, 14788),
            "hidden": counts(1960, 14966),
            "all": counts(18452, 163114),
        },
        evidence="verified (eval, all); classes of progress and hidden from memory, totals derived",
        traps=(*TRAPS, "utterances are called LA_E_... as in 2019"),
    ),
    "asvspoof2021_df": Corpus(
        title="ASVspoof 2021 DF (Liu et al., 2023)",
        read=_read_df,
        markers=(
            "ASVspoof2021_DF_eval/",
            "ASVspoof2021_DF_eval_part0?/",
            "ASVspoof2021_DF/",
            "ASVspoof2021.DF.cm.eval.trl.txt & flac/",
            "keys/DF/CM/ & flac/",
        ),
        licence="ODbL",
        source="https://zenodo.org/records/4835108 (four parts); keys: https://www.asvspoof.org",
        layout="ASVspoof2021_DF_eval/flac/DF_E_*.flac (or ASVspoof2021_DF_eval_part0N/...), "
        "keys/DF/CM/trial_metadata.txt",
        aliases=dict.fromkeys(("21DF", "asv21df", "asvspoof_2021_df", "ASVspoof2021_DF_eval"), ""),
        parts=(*PHASES, "all"),
        default="eval",
        paper="all",
        counts={
            "eval": counts(14869, 519059),
            "progress": counts(5768, 53557),
            "hidden": counts(1980, 16596),
            "all": counts(22617, 589212),
        },
        evidence="verified (eval, all); classes of progress and hidden from memory, totals derived",
        traps=(
            *TRAPS,
            "Huang et al. (2025) take all phases of DF and only eval of LA",
            "the full key has 13 columns, the stage-1 key 8",
        ),
    ),
}
