"""A corpus that names originals keeps, in the trials, which fakes belong to which recording."""

from pathlib import Path

import pytest
from corpus_layouts import LAYOUTS, Folder

from sharpscope.corpora import read_set

PAIRED = {
    "wavefake": "wavefake",
    "mlaad": "mlaad",
    "codecfake_wu": "codecfake_wu",
    "codecfake_xie": "codecfake_xie@C2",
    "librisevoc": "librisevoc",
    "cvoicefake": "cvoicefake",
}


@pytest.mark.parametrize(("layout", "spec"), PAIRED.items())
def test_every_original_stands_in_a_pair_with_a_fake(tmp_path: Path, layout: str, spec: str) -> None:
    LAYOUTS[layout].write(Folder(tmp_path))
    table = read_set(spec, data=tmp_path, skip_missing=True).table
    bonafide = table["label"] == "bonafide"
    assert bonafide.any()
    assert (table["pair"][bonafide] != "").all()
    assert set(table["pair"][bonafide]) & set(table["pair"][~bonafide])


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
