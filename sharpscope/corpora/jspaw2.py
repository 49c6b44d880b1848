"""J-SPAW2, logical access: Japanese, three engines, a list for each, the same real speech in all of them."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.protocols import blank_separated
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

COLUMNS = "speaker utterance - environment system - - - - label trim phase"
ENGINES = {"L3": "CosyVoice2", "L4": "ElevenLabs", "L5": "VALL-E X"}


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    real = set()
    for part in parts:
        name = f"metadata_LA_{part}.txt"
        path = next(place.listing.find((place.folder, *place.roots), name), None)
        if path is None:
            raise UsageError(
                f"{place.folder}: no {name}; the lists are in the authors' repository, protocols/CM_LA/"
            )
        folders = [*place.audio_folders(f"LA/{part}/"), *place.audio_folders("ASV/")]
        for where, cells in blank_separated(path, place.tally, COLUMNS):
            speaker, utterance, label = cells[0], cells[1], label_of(cells[9], where)
            if label == "bonafide" and utterance in real:
                place.tally.left_out["real file that an earlier part has already"] += 1
                continue
            if label == "bonafide":
                real.add(utterance)
            attack = ENGINES[part] if label == "spoof" else ""
            audio = place.locate(folders, utterance, (".wav", ".flac"))
            # F001_R1_E1_L3_BT was made from F001_R1_E1.
            pair = utterance.partition(f"_{part}")[0]
            yield Trial(utterance, audio, label, attack, known(speaker), "ja", pair=pair)


CORPORA = {
    "jspaw2_la": Corpus(
        title="J-SPAW2, logical access",
        read=_read,
        markers=("LA/L3/ & ASV/", "LA/L4/ & ASV/", "LA/L5/ & ASV/"),
        licence="non-commercial (not verified)",
        source="https://github.com/takamichi-lab/j-spaw2",
        layout="jspaw2/{ASV,LA/L3,LA/L4,LA/L5}/*.wav, protocols/CM_LA/metadata_LA_L{3,4,5}.txt from the repository",
        parts=tuple(ENGINES),
        default="+".join(ENGINES),
        counts={part: counts(800, 800) for part in ENGINES},
        evidence="counts as the authors state them; that the real files are shared is not verified",
        traps=("real rows seen are notrim, spoofed ones trim: silence may give the class away",),
    )
}
