"""EmoFake (Zhao et al., 2024): emotions converted; the name of a file tells its label."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpscope.corpora.place import Corpus, Place, counts
from sharpscope.corpora.trials import Trial

PARTS = tuple(
    f"{language}/{split}" for language in ("English", "Chinese") for split in ("train", "dev", "test")
)
REAL = re.compile(r"(\d+)_[A-Za-z]+_(\d+)")
FAKE = re.compile(r"(S\d)_[A-Za-z]+2[A-Za-z]+_(\d+)_(\d+)")


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for part in parts:
        language = "en" if part.startswith("English") else "zh"
        for path in place.listing.walk(place.folder / part):
            trial = f"{part}/{path.stem}"
            if real := REAL.fullmatch(path.stem):
                pair = f"{part}/{real[1]}_{real[2]}"
                yield Trial(trial, str(path), "bonafide", speaker=real[1], language=language, pair=pair)
            elif fake := FAKE.fullmatch(path.stem):
                # S2_Neutral2Sad_0011_000141 was made from 0011_Neutral_000141.
                pair = f"{part}/{fake[2]}_{fake[3]}"
                yield Trial(trial, str(path), "spoof", fake[1], fake[2], language, pair=pair)
            else:
                place.tally.left_out["name that tells no label"] += 1


CORPORA = {
    "emofake": Corpus(
        title="EmoFake (Zhao et al., 2024)",
        read=_read,
        markers=tuple(f"{part}/wav/" for part in PARTS),
        licence="not verified",
        source="address not verified",
        layout="EmoFake/{English,Chinese}/{train,dev,test}/wav/*.wav",
        parts=PARTS,
        default="English/test+Chinese/test",
        synonyms={"en": "English/test", "zh": "Chinese/test"},
        counts={"+".join(PARTS): counts(35000, 53200)},
        evidence="total from a survey; tree verified for English train only",
        traps=("no list: S1_ to S7_ before a name means converted",),
    )
}
