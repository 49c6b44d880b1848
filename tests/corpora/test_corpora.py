"""Every corpus in a small copy of its original layout gives exactly the trials it should."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from corpus_layouts import LAYOUTS, MIXED, Folder
from corpus_layouts_more import MORE

from sharpscope.audio.decode import read_audio
from sharpscope.cli import main
from sharpscope.corpora import CORPORA, read_set, resolve_key
from sharpscope.corpora.document import documentation
from sharpscope.errors import UsageError

SHARED = Path(__file__).resolve().parents[3] / "shared"
CASES = [(name, spec) for name, layout in LAYOUTS.items() for spec in layout.expected]


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layout, each under a data root of its own."""
    root = tmp_path_factory.mktemp("corpora")
    for name, layout in LAYOUTS.items():
        (root / name).mkdir()
        layout.write(Folder(root / name))
    return root


@pytest.mark.parametrize(("name", "spec"), CASES, ids=[f"{name}-{spec}" for name, spec in CASES])
def test_a_layout_gives_exactly_its_trials(corpora: Path, name: str, spec: str) -> None:
    table = read_set(spec, data=corpora / name).table
    found = list(zip(table["trial"], table["label"], table["attack"], strict=True))
    assert found == LAYOUTS[name].expected[spec]
    for path in table["path"]:
        assert len(read_audio(path, 16_000)) in range(700, 2000)  # 0.05 s; mp3 pads
    assert table.map(lambda cell: isinstance(cell, str)).all(axis=None)


# The second copy of a corpus, whole partners that lie there twice, and the name that two corpora share.
APART = [(name, spec) for name, spec in CASES
         if name not in {"itw_kaggle", "timit_tts"} and "/all" not in spec and spec.lower() != "codecfake"]  # fmt: skip


@pytest.mark.parametrize(("name", "spec"), APART, ids=[f"{name}-{spec}" for name, spec in APART])
def test_all_corpora_under_one_root_do_not_disturb_each_other(corpora: Path, name: str, spec: str) -> None:
    table = read_set(spec, data=corpora).table
    assert (
        list(zip(table["trial"], table["label"], table["attack"], strict=True))
        == LAYOUTS[name].expected[spec]
    )


def test_every_registered_corpus_has_a_layout() -> None:
    keys = {resolve_key(part.split("@")[0]) for name, spec in CASES if name[:9] != "codecfake"
            for part in spec.split("@")[0].split("+")}  # fmt: skip
    partners = {"vctk", "codecfake_xie", "codecfake_wu"}
    # Those of tests/corpora: further layouts, the partner of one of them, and what is published as parquet only.
    assert set(CORPORA) == keys | partners | {*MORE, "jvnv", "arad"}


def test_the_machine_readable_facts_are_all_covered() -> None:
    facts = SHARED / "facts" / "corpora.jsonl"
    if not facts.is_file():
        pytest.skip("no shared facts here")
    for line in facts.read_text().splitlines():
        fact = json.loads(line)
        key = {"in_the_wild": "itw"}.get(fact["key"], fact["key"])
        corpus = CORPORA[key]
        for alias in fact["aliases"]:
            try:
                assert resolve_key(alias) == key
            except UsageError as error:
                assert alias.lower() == "codecfake", error  # noqa: PT017
        for part, count in (fact["counts"] or {}).items():
            known = corpus.counts.get(
                part, corpus.counts.get(corpus.default) if part in {"eval", "all"} else None
            )
            if (
                known is not None
                and count is not None
                and key != "decro"
                and len(count) == 2
                and None not in count
            ):
                assert known[0] in {None, count[0]}, (key, part)


def test_the_paper_s_keys() -> None:
    wanted = {
        "19LA": "asvspoof2019_la", "21LA": "asvspoof2021_la", "21DF": "asvspoof2021_df", "ITW": "itw",
        "FOR": "fake_or_real", "for": "fake_or_real", "WF": "wavefake", "WFJ": "wavefake", "WFL": "wavefake",
        "ADD": "add2022_t32r2", "ADDE": "add2022_t32r2", "SC": "spoofceleb", "SCE": "spoofceleb", "SCD": "spoofceleb",
    }  # fmt: skip
    assert {name: resolve_key(name) for name in wanted} == wanted


def test_the_paper_s_parts(corpora: Path) -> None:
    df = read_set("21DF", data=corpora / "asvspoof2021_df", preset="huang2025")
    assert (df.name, df.subset, len(df.table)) == ("asvspoof2021_df", "all", 3)
    la = read_set("21LA", data=corpora / "asvspoof2021_la", preset="huang2025")
    assert (la.subset, len(la.table)) == ("", 2)
    fake_or_real = read_set("FOR", data=corpora / "fake_or_real", preset="huang2025")
    assert (fake_or_real.subset, len(fake_or_real.table)) == ("norm/validation+norm/testing", 4)


def test_an_empty_file_of_fake_or_real_is_counted(corpora: Path) -> None:
    notes = read_set("for", data=corpora / "fake_or_real").notes
    assert notes[0] == "1 left out: empty file"
    assert "2264/2370 published" in notes[1]


def test_unknown_truth_is_left_out_and_counted(corpora: Path) -> None:
    notes = read_set("DE2024", data=corpora / "deepfake_eval_2024").notes
    assert "1 left out: ground truth unknown" in notes


def test_real_files_of_codecfake_count_once(corpora: Path) -> None:
    notes = read_set("Codecfake", data=corpora / "codecfake_xie").notes
    assert "6 left out: real file that an earlier part has already" in notes


def test_the_ambiguous_codecfake(corpora: Path) -> None:
    with pytest.raises(UsageError, match=r"codecfake_xie.*codecfake_wu"):
        read_set("CodecFake", data=corpora)
    assert read_set("codecfake", data=corpora / "codecfake_wu").name == "codecfake_wu"


def test_speakers_languages_and_codecs(corpora: Path) -> None:
    la = read_set("21LA", data=corpora / "asvspoof2021_la").table
    assert la[["speaker", "language", "codec"]].to_numpy().tolist() == [
        ["LA_0009", "en", "alaw"],
        ["LA_0009", "en", "none"],
    ]
    mlaad = read_set("mlaad", data=corpora / "mlaad").table
    assert mlaad["language"].tolist() == ["it", "zh-cn", "zh-cn", "it", "en"]
    assert mlaad["speaker"].tolist() == ["", "", "", "", "elliot_miller"]
    itw = read_set("itw", data=corpora / "itw").table
    assert itw["speaker"].tolist() == ["Alec Guinness", "Obama, Barack"]


def test_a_folder_given_with_the_set(corpora: Path) -> None:
    for place in ("itw", "itw/release_in_the_wild"):
        assert len(read_set(f"itw={corpora / place}").table) == 2
    assert len(read_set(f"19la@dev={corpora / 'asvspoof2019_la'}").table) == 2
    assert len(read_set(f"21la={corpora / 'asvspoof2021_la' / 'ASVspoof2021_LA_eval'}").table) == 2
    # The partner lies under the data root.
    mlaad = f"mlaad={corpora / 'mlaad' / 'MLAAD_v5'}"
    assert len(read_set(mlaad, data=corpora / "mlaad").table) == 5
    assert len(read_set(mlaad).table) == 5


def test_a_missing_partner_is_refused_by_name(tmp_path: Path) -> None:
    LAYOUTS["mlaad"].write(Folder(tmp_path / "a"))
    (tmp_path / "a" / "M-AILABS").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"only spoofed speech.*M-AILABS.*by_book.*caito"):
        read_set("mlaad", data=tmp_path / "a")
    with pytest.raises(UsageError, match=r"declares no real partner.*timit_tts\+ljspeech"):
        read_set("timit_tts", data=tmp_path / "a")


def test_balanced_pairing_draws_the_larger_class_down(corpora: Path) -> None:
    whole = read_set("wavefake@ljspeech/balanced", data=corpora / "wavefake")
    assert whole.table["label"].value_counts().to_dict() == {"bonafide": 2, "spoof": 2}
    assert whole.subset == "ljspeech/balanced"
    again = read_set("wavefake@ljspeech/balanced", data=corpora / "wavefake")
    assert whole.table.equals(again.table)
    # Only the partner that was taken is named.
    assert whole.notes[-1] == "bona fide: LJSpeech 1.1 (Ito and Johnson, 2017), balanced"


def test_originals_inside_mlaad_need_no_partner(tmp_path: Path) -> None:
    LAYOUTS["mlaad"].write(Folder(tmp_path))
    (tmp_path / "M-AILABS").rename(tmp_path / "MLAAD_v5" / "real")
    trials = read_set("mlaad@it", data=tmp_path)
    assert trials.table["trial"].tolist() == ["fake/it/xtts_v2/a.wav", f"real/{MIXED}"]
    assert trials.notes[-1] == "bona fide: real/ in the corpus, paired"


def test_a_corpus_that_is_not_there_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"release_in_the_wild/meta\.csv.*deepfake-total\.com"):
        read_set("itw", data=tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nosuch", "unknown set 'nosuch'"),
        ("itw@dev", "no part 'dev'"),
        ("itw@", "nothing after the @"),
        ("itw=", "write a key"),
        ("x=nowhere.csv", "does not exist"),
        ("19la@dev+dev", "stands twice"),
        ("mlaad@xx", "no language 'xx'"),
        ("my.csv", "any name for a protocol of your own, such as my=my.csv"),
        ("/corpora/itw", "KEY=DIR for the folder of a corpus"),
    ],
)
def test_misspelt_sets_are_refused(corpora: Path, spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_set(spec, data=corpora)


def test_no_data_root_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SHARPSCOPE_DATA", raising=False)
    with pytest.raises(UsageError, match="no --data and no SHARPSCOPE_DATA"):
        read_set("itw")
    with pytest.raises(UsageError, match="did you mean 'itw'"):
        read_set("itww")
    monkeypatch.setenv("SHARPSCOPE_DATA", str(tmp_path / "gone"))
    with pytest.raises(UsageError, match="not a folder"):
        read_set("itw")


def test_missing_audio_stops_or_is_counted(tmp_path: Path) -> None:
    LAYOUTS["itw"].write(Folder(tmp_path))
    (tmp_path / "release_in_the_wild" / "0.wav").unlink()
    with pytest.raises(UsageError, match=r"1 of 2 audio files are missing .*0\.wav"):
        read_set("itw", data=tmp_path)
    partial = read_set("itw", data=tmp_path, skip_missing=True)
    assert (partial.skipped, len(partial.table)) == (1, 1)
    (tmp_path / "release_in_the_wild" / "1.wav").unlink()
    with pytest.raises(UsageError, match="none of its 2 audio files"):
        read_set("itw", data=tmp_path, skip_missing=True)


def test_sets_prints_what_is_there(corpora: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["sets", "--data", str(corpora / "mlaad"), "--quiet"])
    assert done.exit_code == 0, done.output
    line = next(line for line in done.stdout.splitlines() if line.startswith("mlaad"))
    assert "2/3" in line
    assert "MLAAD_v5" in line
    assert "looked for" in next(line for line in done.stdout.splitlines() if line.startswith("itw"))
    as_json = runner.invoke(main, ["sets", "--data", str(corpora / "itw"), "--json", "--quiet"])
    entries = {entry["key"]: entry for entry in json.loads(as_json.stdout)}
    assert set(entries) == set(CORPORA)
    assert (entries["itw"]["bonafide"], entries["itw"]["spoof"], entries["itw"]["missing"]) == (1, 1, 0)
    assert "19963/11816 published" in entries["itw"]["note"]


def test_sets_check_names_what_cannot_be_decoded(tmp_path: Path) -> None:
    LAYOUTS["itw"].write(Folder(tmp_path))
    (tmp_path / "release_in_the_wild" / "0.wav").write_bytes(b"RIFF")
    done = CliRunner().invoke(main, ["sets", "--data", str(tmp_path), "--check", "itw"])
    assert done.exit_code == 1
    assert done.stdout.startswith("0.wav: ")


def test_reading_twice_gives_the_same(corpora: Path) -> None:
    one, two = (read_set("mlaad", data=corpora / "mlaad") for _ in range(2))
    assert one.table.equals(two.table)
    assert np.array_equal(one.table.index, np.arange(5))


def test_the_page_of_corpora_is_current() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "corpora.md"
    assert page.read_text(encoding="utf-8") == documentation(), "run python -m sharpscope.corpora.document"
