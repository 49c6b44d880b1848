"""Further corpora in small copies of their original layouts give exactly the trials they should."""

from pathlib import Path

import pytest
from corpus_layouts import LAYOUTS, Folder
from corpus_layouts_more import MORE

from sharpscope.audio.decode import read_audio
from sharpscope.corpora import read_set
from sharpscope.errors import UsageError

CASES = [(name, spec) for name, layout in MORE.items() for spec in layout.expected]


@pytest.fixture(scope="module")
def further(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layout, each under a data root of its own."""
    root = tmp_path_factory.mktemp("further")
    for name, layout in MORE.items():
        (root / name).mkdir()
        layout.write(Folder(root / name))
    return root


def read(spec: str, root: Path) -> list[tuple[str, str, str]]:
    table = read_set(spec, data=root).table
    for path in table["path"]:
        assert len(read_audio(path, 16_000)) == 800
    return list(zip(table["trial"], table["label"], table["attack"], strict=True))


@pytest.mark.parametrize(("name", "spec"), CASES, ids=[f"{name}-{spec}" for name, spec in CASES])
def test_a_layout_gives_exactly_its_trials(further: Path, name: str, spec: str) -> None:
    assert read(spec, further / name) == MORE[name].expected[spec]


# Whole partners lie there twice.
APART = [(name, spec) for name, spec in CASES if "/all" not in spec]


@pytest.mark.parametrize(("name", "spec"), APART, ids=[f"{name}-{spec}" for name, spec in APART])
def test_they_do_not_disturb_each_other(further: Path, name: str, spec: str) -> None:
    # One root holds each a folder deeper; the trees of AUDDT are told apart by their manifests.
    assert read(spec, further) == MORE[name].expected[spec]


def test_older_corpora_are_found_beside_them(tmp_path: Path) -> None:
    for name, layout in MORE.items():
        layout.write(Folder(tmp_path / name))
    for name in ("asvspoof2021_la", "itw", "wavefake", "decro", "odss", "timit_tts", "cvoicefake"):
        LAYOUTS[name].write(Folder(tmp_path / "older" / name))
        if name != "timit_tts" and name != "wavefake":
            spec, expected = next(iter(LAYOUTS[name].expected.items()))
            table = read_set(spec, data=tmp_path).table
            assert list(zip(table["trial"], table["label"], table["attack"], strict=True)) == expected


def test_what_else_they_know_of_a_trial(further: Path) -> None:
    one = read_set("ctrsvdd", data=further / "ctrsvdd").table
    assert one["language"].tolist() == ["zh", "ja"]
    assert one["speaker"].tolist() == ["CtrSVDD_0001", "CtrSVDD_0097"]
    assert read_set("asvspoof_ld@Filter", data=further / "asvspoof_ld").table["codec"].tolist() == [
        "Filter_lpf_7000"
    ]
    assert read_set("dsd", data=further / "dsd").table["language"].tolist() == ["ko", "en"]
    jspaw = read_set("jspaw2_la@L3+L4", data=further / "jspaw2_la")
    assert "1 left out: real file that an earlier part has already" in jspaw.notes
    emofake = read_set("emofake@en", data=further / "emofake")
    assert "1 left out: name that tells no label" in emofake.notes
    assert emofake.table["speaker"].tolist() == ["0012", "0011"]


def test_what_auddt_calls_bona_fide_is_not_taken_for_it(further: Path) -> None:
    pooled = read_set("auddt", data=further / "auddt")
    assert "wavefake left out: AUDDT calls vocoded speech bona fide there" in pooled.notes
    with pytest.raises(UsageError, match=r"vocoded speech bona fide there; read wavefake from"):
        read_set("auddt@wavefake", data=further / "auddt")
    with pytest.raises(UsageError, match=r"no nosuch prepared; there are decro, odss, wavefake"):
        read_set("auddt@nosuch", data=further / "auddt")


def test_parts_that_are_not_there_are_named(further: Path) -> None:
    with pytest.raises(UsageError, match=r"no condition Reverb; its lists are for Filter, Noise"):
        read_set("asvspoof_ld@Reverb", data=further / "asvspoof_ld")
    with pytest.raises(UsageError, match=r"no metadata_LA_L5\.txt"):
        read_set("jspaw2_la", data=further / "jspaw2_la")
    (further / "bare/ASVspoof2021_PA_eval/flac").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"no key of ASVspoof 2021 PA.*PA-keys-full"):
        read_set("21pa", data=further / "bare")


def test_a_row_of_famous_figures_without_a_file_is_reported(tmp_path: Path) -> None:
    MORE["famous_figures"].write(Folder(tmp_path))
    path = tmp_path / "ff/protocol.txt"
    path.write_bytes(path.read_bytes() + b"Obama\tEleven\tspoof\t\r\n")
    with pytest.raises(UsageError, match=r"protocol\.txt, line 4: '' names no file"):
        read_set("famous_figures", data=tmp_path)


def test_arad_is_read_from_parquet_with_its_own_numbers(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq
    from corpus_layouts import sound

    folder = tmp_path / "Arabic_Audio_Deepfake/data"
    folder.mkdir(parents=True)
    audio = [{"bytes": sound("wav"), "path": f"{i}.wav"} for i in range(2)]
    pq.write_table(pa.table({"audio": audio, "label": [0, 1]}), folder / "test-00000-of-00001.parquet")
    assert read("arad", tmp_path) == [("test/0.wav", "spoof", ""), ("test/1.wav", "bonafide", "")]
