"""A copy of a corpus is compared with what is published, and damage that was put in is found, and nothing else."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from sharpscope.cli import main
from sharpscope.corpora import CORPORA
from sharpscope.corpora.verify import cut, verify
from sharpscope.errors import UsageError


def copy_of_itw(root: Path, *, n: int = 30, rate: int = 16_000) -> Path:
    """In-the-Wild with n files, a third of them bona fide; every file has samples of its own."""
    folder = root / "release_in_the_wild"
    folder.mkdir()
    lines = ["file,speaker,label"]
    for i in range(n):
        wave = 0.1 * np.random.default_rng(i).standard_normal(1600)
        soundfile.write(folder / f"{i}.wav", wave, rate)
        lines.append(f"{i}.wav,S,{'bona-fide' if i % 3 == 0 else 'spoof'}")
    (folder / "meta.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    known = CORPORA["itw"]._replace(counts={"eval": (10, 20, 30)})
    monkeypatch.setitem(CORPORA, "itw", known)


@pytest.mark.usefixtures("published")
def test_a_whole_copy_is_sound(tmp_path: Path) -> None:
    copy_of_itw(tmp_path)
    done = verify("itw", data=tmp_path)
    assert done.sound
    assert [(part.bonafide, part.spoof, part.whole) for part in done.parts] == [(10, 20, True)]
    assert done.rates == {"bonafide": {16_000: 10}, "spoof": {16_000: 20}}
    assert (done.files, done.decoded, done.findings) == (30, 30, ())


@pytest.mark.usefixtures("published")
def test_every_damage_is_found_once(tmp_path: Path) -> None:
    folder = copy_of_itw(tmp_path)
    whole = (folder / "1.wav").read_bytes()
    (folder / "1.wav").write_bytes(whole[:2000])
    (folder / "2.wav").write_bytes(b"RIFF")
    soundfile.write(folder / "4.wav", np.zeros(1600), 16_000)
    soundfile.write(folder / "5.wav", 0.1 * np.random.default_rng(99).standard_normal(800), 8000)
    (folder / "7.wav").write_bytes((folder / "8.wav").read_bytes())
    (folder / "9.wav").write_bytes((folder / "10.wav").read_bytes())
    (folder / "11.wav").unlink()
    done = verify("itw", data=tmp_path)
    found = {(finding.kind, finding.trial) for finding in done.findings}
    assert {
        ("silent", "4.wav"),
        ("rate", "5.wav"),
        ("duplicate", "8.wav"),
        ("both classes", "10.wav"),
    } <= found
    # A WAV that is cut is either refused by the decoder or seen by its header.
    assert {trial for kind, trial in found if kind in {"cut", "undecodable"}} == {"1.wav", "2.wav"}
    assert len(found) == len(done.findings) == 6
    assert not done.sound
    part = done.parts[0]
    assert (part.missing, part.whole) == (1, False)
    assert "1 of 30 audio files are missing" in part.note
    assert "11.wav" in part.note


@pytest.mark.usefixtures("published")
def test_the_sample_is_seeded_and_takes_both_classes(tmp_path: Path) -> None:
    copy_of_itw(tmp_path)
    one, two = (verify("itw", data=tmp_path, sample=12) for _ in range(2))
    assert one == two
    assert one.decoded == 12
    assert one.rates == {"bonafide": {16_000: 6}, "spoof": {16_000: 6}}
    few = verify("itw", data=tmp_path, sample=26)
    assert few.rates == {"bonafide": {16_000: 10}, "spoof": {16_000: 16}}


@pytest.mark.usefixtures("published")
def test_a_rate_that_tells_the_class_is_said(tmp_path: Path) -> None:
    folder = copy_of_itw(tmp_path)
    for i in range(0, 30, 3):
        soundfile.write(folder / f"{i}.wav", 0.1 * np.random.default_rng(i).standard_normal(4800), 48_000)
    done = verify("itw", data=tmp_path)
    assert "the rate tells the class: most bonafide has 48000 Hz and spoof has 16000 Hz" in done.notes


@pytest.mark.parametrize("ending", ["flac", "wav"])
def test_cut_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(1600), 16_000)
    assert cut(str(path)) == ""
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    assert cut(str(path)) == ("3100 of 3200 bytes of samples" if ending == "wav" else "")


@pytest.mark.usefixtures("published")
def test_what_is_wrong_is_called_by_its_kind(tmp_path: Path) -> None:
    folder = copy_of_itw(tmp_path)
    soundfile.write(folder / "1.flac", 0.1 * np.random.default_rng(1).standard_normal(8000), 16_000)
    whole = (folder / "1.flac").read_bytes()
    (folder / "1.flac").write_bytes(whole[: len(whole) // 2])
    (folder / "1.wav").unlink()
    (folder / "2.wav").write_bytes(b"")
    (folder / "4.wav").write_bytes(b"no audio at all")
    found = {
        finding.trial: (finding.kind, finding.detail) for finding in verify("itw", data=tmp_path).findings
    }
    assert found["1.wav"][0] == "cut"
    assert "announces 8000 samples and does not decode to its end" in found["1.wav"][1]
    assert found["2.wav"] == ("undecodable", "an empty file")
    assert found["4.wav"] == ("undecodable", "Format not recognised.")


@pytest.mark.usefixtures("published")
def test_parts_that_are_not_there_are_not_said_to_differ(tmp_path: Path) -> None:
    folder = tmp_path / "LA/ASVspoof2019_LA_eval/flac"
    folder.mkdir(parents=True)
    soundfile.write(folder / "LA_E_1.flac", 0.1 * np.random.default_rng(1).standard_normal(800), 16_000)
    (tmp_path / "LA/ASVspoof2019.LA.cm.eval.trl.txt").write_text(
        "s LA_E_1 - - bonafide\ns LA_E_2 - A07 spoof\n"
    )
    shown = CliRunner().invoke(main, ["sets", "--data", str(tmp_path), "--verify", "19la", "--quiet"])
    assert shown.exit_code == 1
    train, _, evaluation = shown.stdout.splitlines()[:3]
    assert train.startswith("train  not there  published 2580/22800  /")
    assert evaluation.startswith("eval  1/0  published 7355/63882  differs, 1 missing")
    said = "parts not there 2, parts other than published 1, files missing 1; get it at https://datashare"
    assert said in shown.stderr


@pytest.mark.usefixtures("published")
def test_the_command_prints_and_ends_as_the_copy_is(tmp_path: Path) -> None:
    folder = copy_of_itw(tmp_path)
    runner = CliRunner()
    good = runner.invoke(main, ["sets", "--data", str(tmp_path), "--verify", "itw", "--quiet"])
    assert good.exit_code == 0, good.output
    assert "10/20  published 10/20  whole" in good.stdout
    (folder / "2.wav").write_bytes(b"RIFF")
    bad = runner.invoke(main, ["sets", "--data", str(tmp_path), "--verify", "itw", "--json", "--quiet"])
    assert bad.exit_code == 1
    entry = json.loads(bad.stdout)
    assert entry["findings"][0]["trial"] == "2.wav"
    assert not entry["sound"]
    assert "get it at" in bad.stderr


def test_what_is_not_there_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"In-the-Wild .* is not under .*deepfake-total"):
        verify("itw", data=tmp_path)
    with pytest.raises(UsageError, match="--sample is -1"):
        verify("itw", data=tmp_path, sample=-1)


def in_parquet(path: Path, seeds: list[int], names: list[str]) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    clips = []
    for seed, name in zip(seeds, names, strict=True):
        buffer = io.BytesIO()
        soundfile.write(
            buffer, 0.1 * np.random.default_rng(seed).standard_normal(1600), 16_000, format="FLAC"
        )
        clips.append({"bytes": buffer.getvalue(), "path": name})
    labels = ["bonafide" if i % 3 == 0 else "spoof" for i in range(len(seeds))]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"path": names, "audio": clips, "label": labels}), path, row_group_size=4)


def test_the_same_clip_twice_in_parquet_is_found_across_files(tmp_path: Path) -> None:
    in_parquet(tmp_path / "x/a.parquet", [0, 1, 2, 3, 1, 5], [f"{i}.flac" for i in range(6)])
    in_parquet(tmp_path / "x/b.parquet", [10, 0, 12], [f"{i}.flac" for i in range(10, 13)])
    done = verify(f"mine={tmp_path / 'x'}")
    found = {(finding.kind, finding.trial, finding.detail) for finding in done.findings}
    assert found == {
        ("duplicate", "4.flac", "the same bytes as 1.flac"),
        ("both classes", "11.flac", "the same bytes as 0.flac"),
    }
    assert (done.files, done.decoded, done.sound, done.source) == (9, 9, False, "")


def test_the_same_name_twice_in_parquet_is_said_and_both_are_kept(tmp_path: Path) -> None:
    in_parquet(tmp_path / "a.parquet", [0, 1, 2], ["a.flac", "b.flac", "a.flac"])
    done = verify(f"mine={tmp_path / 'a.parquet'}")
    assert done.files == 3
    assert done.findings == ()
    assert "1 names in the file repeat: trials are called by their rows" in done.notes


@pytest.mark.usefixtures("published")
def test_a_corpus_in_parquet_whose_splits_are_called_otherwise_is_counted_whole(tmp_path: Path) -> None:
    in_parquet(
        tmp_path / "In-The-Wild/data/train-00000.parquet", list(range(30)), [f"{i}.wav" for i in range(30)]
    )
    done = verify("itw", data=tmp_path)
    assert [(part.part, part.bonafide, part.spoof, part.whole) for part in done.parts] == [("", 10, 20, True)]
    assert done.sound


def test_a_list_of_one_s_own_has_no_published_count_and_is_looked_through(tmp_path: Path) -> None:
    folder = copy_of_itw(tmp_path, n=6)
    (folder / "2.wav").write_bytes((folder / "1.wav").read_bytes())
    rows = [f"{i}.wav,{'real' if i % 3 == 0 else 'fake'}" for i in range(6)]
    (folder / "l.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    done = verify(f"mine={folder / 'l.csv'}")
    assert [(part.bonafide, part.spoof, part.published) for part in done.parts] == [(2, 4, None)]
    assert [(finding.kind, finding.trial) for finding in done.findings] == [("duplicate", "2.wav")]
    shown = CliRunner().invoke(main, ["sets", "--verify", f"mine={folder / 'l.csv'}", "--quiet"])
    assert shown.exit_code == 1
    assert "mine: files at fault 1" in shown.stderr
    assert "get it" not in shown.stderr


def test_of_many_findings_of_a_kind_the_first_are_printed_and_the_others_counted(tmp_path: Path) -> None:
    folder = copy_of_itw(tmp_path)
    for i in range(1, 30):
        (folder / f"{i}.wav").write_bytes((folder / "0.wav").read_bytes())
    shown = CliRunner().invoke(
        main, ["sets", "--data", str(tmp_path), "--verify", "itw", "--quiet", "--sample", "2"]
    )
    kinds = [line.split(":")[0] for line in shown.stdout.splitlines()]
    # Of 29 copies of a real file 20 lie under spoof: all of those are printed; the others are nine.
    assert (kinds.count("both classes"), kinds.count("duplicate")) == (20, 9)
    for i in range(30, 60):
        (folder / f"{i}.wav").write_bytes((folder / "0.wav").read_bytes())
    rows = "".join(f"{i}.wav,S,bona-fide\n" for i in range(30, 60))
    (folder / "meta.csv").write_text((folder / "meta.csv").read_text() + rows)
    shown = CliRunner().invoke(
        main, ["sets", "--data", str(tmp_path), "--verify", "itw", "--quiet", "--sample", "2"]
    )
    assert "duplicate: 19 more; --json names them all" in shown.stdout
