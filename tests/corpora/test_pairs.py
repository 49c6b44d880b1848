"""A corpus that names originals keeps, in the trials, which fakes belong to which recording."""

from pathlib import Path

import pytest
from corpus_layouts import LAYOUTS, Folder
from corpus_layouts_more import MORE

from sharpscope.corpora import read_set

PAIRED = {
    "wavefake": "wavefake",
    "mlaad": "mlaad",
    "codecfake_wu": "codecfake_wu",
    "codecfake_xie": "codecfake_xie@C2",
    "librisevoc": "librisevoc",
    "cvoicefake": "cvoicefake",
    "odss": "odss",
    "diffuse_or_confuse": "diffuse_or_confuse",
    "jspaw2_la": "jspaw2_la@L3",
}
# Corpora whose file names tell the original; the real file of each pair, one fake, and what both are.
NAMED = {
    "dfadd": ("DATASET_VCTK_BONAFIDE/test/p227_164.wav", "DATASET_GradTTS/test/p227_164_GradTTS.wav", "p227_164"),
    "emofake": ("EmoFake/English/test/wav/0011_Neutral_000141.wav",
                "EmoFake/English/test/wav/S2_Neutral2Sad_0011_000141.wav", "English/test/0011_000141"),
    "cfad@codec/test_seen": ("codec_version/test_seen_codec/real_codec/aishell3/SSB09660003_m4a.wav",
                             "codec_version/test_seen_codec/fake_codec/lpcnet/SSB09660003_lpcnet_m4a.wav",
                             "codec_version/SSB09660003"),
    "cfad@test_seen": ("clean_version/test_seen_clean/real_clean/thchs30/A11_0.wav",
                       "clean_version/test_seen_clean/fake_clean/gl/A11_0_gl.wav", "clean_version/A11_0"),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "spec"), PAIRED.items())
def test_every_original_stands_in_a_pair_with_a_fake(tmp_path: Path, layout: str, spec: str) -> None:
    {**LAYOUTS, **MORE}[layout].write(Folder(tmp_path))
    table = read_set(spec, data=tmp_path, skip_missing=True).table
    bonafide = table["label"] == "bonafide"
    assert bonafide.any()
    assert (table["pair"][bonafide] != "").all()
    assert set(table["pair"][bonafide]) & set(table["pair"][~bonafide])


@pytest.mark.parametrize("spec", NAMED)
def test_a_fake_that_is_called_after_its_original_is_its_pair(tmp_path: Path, spec: str) -> None:
    real, fake, pair = NAMED[spec]
    # What a part needs to be found, and a recording that no fake was made from.
    Folder(tmp_path).audio(
        real, fake, "EmoFake/Chinese/test/wav/0001_Happy_000700.wav", "clean_version/x/y.wav"
    )
    table = read_set(f"{spec}@en" if spec == "emofake" else spec, data=tmp_path).table
    assert table["pair"].tolist() == [pair, pair]
    assert sorted(table["label"]) == ["bonafide", "spoof"]


def test_all_the_partner_s_recordings_keep_the_pairs_of_those_that_fakes_were_made_from(
    tmp_path: Path,
) -> None:
    LAYOUTS["wavefake"].write(Folder(tmp_path))
    paired = read_set("wavefake", data=tmp_path).table
    everything = read_set("wavefake@both/all", data=tmp_path).table
    assert set(paired["pair"]) == set(everything["pair"]) | set(paired["pair"])
    pairs = dict(zip(everything["trial"], everything["pair"], strict=True))
    assert all(pairs[trial] == pair for trial, pair in zip(paired["trial"], paired["pair"], strict=True))


def test_a_corpus_without_originals_leaves_the_pair_blank(tmp_path: Path) -> None:
    LAYOUTS["itw"].write(Folder(tmp_path))
    assert set(read_set("itw", data=tmp_path).table["pair"]) == {""}


def test_a_list_of_one_s_own_may_name_pairs(tmp_path: Path) -> None:
    Folder(tmp_path).audio("a.wav", "b.wav")
    Folder(tmp_path).text("list.csv", "file,label,pair", "a.wav,real,7", "b.wav,fake,7")
    assert read_set(f"mine={tmp_path / 'list.csv'}").table["pair"].tolist() == ["7", "7"]
