"""Diffuse or Confuse (Firc et al., 2024): LJSpeech's sentences from diffusion and other engines, spoof only."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.pairing import with_originals
from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.trials import Trial


def _fakes(place: Place) -> Iterator[tuple[Trial, str]]:
    for folder in place.listing.under(place.folder, 3):
        for name in sorted(place.listing.files(folder)):
            if name.startswith("LJ") and name.endswith(".wav") and folder.name != "wavs":
                trial = f"{folder.name}/{name[:-4]}"
                yield Trial(trial, f"{folder}/{name}", "spoof", folder.name, "ljspeech", "en"), name[:10]


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    if place.pairing == "none":
        return with_originals(place, _fakes(place), lambda _: None, tuple)
    real = {trial.trial: trial for trial in place.partner("ljspeech")[1]()}
    return with_originals(place, _fakes(place), real.get, real.values)


CORPORA = {
    "diffuse_or_confuse": Corpus(
        title="Diffuse or Confuse (Firc et al., 2024)",
        read=_read,
        markers=("dataset_0[1-4]/*/LJ*.wav", "DiffGAN-TTS_*/LJ*.wav", "wavegrad2/LJ*.wav"),
        licence="not verified",
        source="https://zenodo.org/records/15260248",
        layout="dataset_0{1,2,3,4}/<system>/LJ*.wav (or <system>/LJ*.wav), with LJSpeech under the data root",
        aliases=dict.fromkeys(("DiffuseOrConfuse", "diffuse-or-confuse"), ""),
        classes="spoof",
        partners=("ljspeech",),
        evidence="tree verified, no published count",
        traps=("one voice: that of LJSpeech",),
    )
}
