"""Two corpora that differ in a capital: Codecfake (Xie et al., 2025) and CodecFake (Wu et al., 2024); and VCTK."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sharpscope.corpora.pairing import with_originals
from sharpscope.corpora.place import Corpus, Place, counts, total
from sharpscope.corpora.protocols import blank_separated, file_name
from sharpscope.corpora.trials import Trial, label_of

CODECS = tuple(f"C{i}" for i in range(1, 8))
OTHERS = ("A1", "A2", "A3")


def _read_xie(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    """Read ``file label codec``. The same real files stand in every list: pooled, they come once."""
    real = set()
    for part in place.parts_there(parts, "label/{}.txt", "{}.txt"):
        path = place.protocol(f"label/{part}.txt", f"{part}.txt")
        root = place.folder
        folders = [f"{root}/{name}" for name in (f"test/{part}", part, f"{part}_fake", f"test/{part}_fake")]
        folders += [f"{root}/test/{other}" for other in CODECS] + [f"{root}/{other}" for other in CODECS]
        for where, cells in blank_separated(path, place.tally, "file label codec", optional=1):
            label = label_of(cells[1], where)
            stem = file_name(cells[0], where).removesuffix(".wav")
            if label == "bonafide":
                if stem in real:
                    place.tally.left_out["real file that an earlier part has already"] += 1
                    continue
                real.add(stem)
            codec = f"F{int(cells[2]):02}" if len(cells) == 3 and cells[2].isdecimal() else "".join(cells[2:])
            trial = stem if label == "bonafide" else f"{part}/{stem}"
            attack = codec if label == "spoof" else ""
            # F01_SSB13650058 is SSB13650058 through the first codec.
            pair = re.sub(r"^F\d\d_", "", stem)
            yield Trial(trial, place.locate(folders, stem, (".wav",)), label, attack, pair=pair)


def _read_wu(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    def fakes() -> Iterator[tuple[Trial, str]]:
        for folder in place.listing.under(place.folder, 2):
            for name in sorted(place.listing.files(folder)):
                found = re.fullmatch(r"(.+)\+((p\d+|s5)_\d+)(?:_mic[12])?\.wav", name)
                if found is not None and not name.startswith("._"):
                    codec, utterance, speaker = found.groups()
                    yield Trial(name[:-4], f"{folder}/{name}", "spoof", codec, speaker, "en"), utterance

    if place.pairing == "none":
        return with_originals(place, fakes(), lambda _: None, tuple)
    real = {trial.trial: trial for trial in place.partner("vctk")[1]()}
    return with_originals(place, fakes(), real.get, real.values)


def _read_vctk(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    for name in ("wav48_silence_trimmed", "wav48"):
        for path in place.listing.walk(place.folder / name, (".flac", ".wav")):
            # Version 0.92 has two microphones; the first is that of the older version.
            if path.stem.endswith("_mic2"):
                place.tally.left_out["second microphone"] += 1
                continue
            utterance = path.stem.removesuffix("_mic1")
            yield Trial(utterance, str(path), "bonafide", speaker=path.parent.name, language="en")
        if place.listing.folders(place.folder / name):
            return


CORPORA = {
    "codecfake_xie": Corpus(
        title="Codecfake (Xie et al., 2025)",
        read=_read_xie,
        markers=("label/C?.txt", "label/A?.txt", "label/train.txt", "label/dev.txt", "C?.txt & C?/"),
        licence="CC BY-NC-ND 4.0",
        source="https://zenodo.org/records/13838106 (train), 13841216 (dev), 13838823 and 11125029 (test)",
        layout="Codecfake/{label/*.txt, train/*.wav, dev/*.wav, test/{C1...C7,A1,A2,A3}/*.wav}",
        aliases={
            **dict.fromkeys(("Codecfake", "codecfake_alm"), ""),
            **{f"codecfake_{part.lower()}": part for part in (*CODECS, *OTHERS)},
        },
        parts=("train", "dev", *CODECS, *OTHERS),
        default="+".join(CODECS),
        counts={
            "train": counts(105821, 634926),
            "dev": counts(13228, 79368),
            **{part: counts(13228, 13228) for part in CODECS[:6]},
            "C7": counts(13228, 132277),
            "+".join(CODECS): counts(13228, 6 * 13228 + 132277),
            "A1": total(8887),
            "A2": total(8887),
            "A3": counts(49274, 49838),
        },
        evidence="C1 to C6 and A1 to A3 counted in real lists, train, dev and C7 derived",
        shared_bonafide=True,
        traps=(
            "the same 13,228 real files stand in C1 to C7: here they count once, elsewhere seven times",
            "some lines end in a blank",
            "A1 and A2 list 8,887 files; toolkits say 8,902",
            "A3.zip unpacks to A3_fake/, C7 may lie beside test/",
        ),
    ),
    "codecfake_wu": Corpus(
        title="CodecFake (Wu et al., 2024)",
        read=_read_wu,
        markers=("*/*+p[0-9][0-9][0-9]_*.wav", "*+p[0-9][0-9][0-9]_*.wav"),
        licence="CC BY 4.0",
        source="https://huggingface.co/datasets/rogertseng/CodecFake_wavs",
        layout="<codec>/<codec>+pNNN_MMM.wav, with VCTK under the data root",
        aliases=dict.fromkeys(("CodecFake", "codecfake_ntu", "CodecFake_wavs"), ""),
        classes="spoof",
        partners=("vctk",),
        evidence="no published count",
        traps=("no label file", "the name differs from Codecfake (Xie et al.) only in a capital"),
    ),
    "vctk": Corpus(
        title="VCTK (Yamagishi et al., 2019)",
        read=_read_vctk,
        markers=("wav48_silence_trimmed/", "wav48/p225/"),
        licence="CC BY 4.0",
        source="https://datashare.ed.ac.uk/handle/10283/3443",
        layout="VCTK-Corpus*/wav48/pNNN/*.wav or wav48_silence_trimmed/pNNN/*_mic1.flac",
        aliases=dict.fromkeys(("VCTK-Corpus",), ""),
        classes="bonafide",
        evidence="layout from memory",
        traps=("48 kHz", "version 0.92 holds two microphones"),
    ),
}
