"""Sets inside parquet, datasets folders, tars and zips give the trials that the same clips as files would."""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from corpus_layouts import LAYOUTS, Folder, sound

from sharpscope.audio.decode import read_audio
from sharpscope.corpora import read_set
from sharpscope.corpora.survey import survey
from sharpscope.errors import UsageError

NAMES = {
    "info": {
        "features": {
            "path": {"dtype": "string", "_type": "Value"},
            "audio": {"sampling_rate": 16000, "_type": "Audio"},
            "label": {"names": ["bonafide", "spoof"], "_type": "ClassLabel"},
            "notes": {"dtype": "string", "_type": "Value"},
        }
    }
}


def arrow() -> Any:
    return pytest.importorskip("pyarrow")


def clips(labels: list[Any], *, first: int = 0, names: dict[str, Any] | None = NAMES, **columns: Any) -> Any:
    """A table as the public benchmark collections publish theirs."""
    pa = arrow()
    rows = range(first, first + len(labels))
    audio = [{"bytes": sound("flac"), "path": f"E_{i}.flac"} for i in rows]
    table = pa.table({"path": [f"E_{i}.flac" for i in rows], "audio": audio, "label": labels, **columns})
    return table.replace_schema_metadata({"huggingface": json.dumps(names)} if names else None)


def write(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def trials(spec: str, **kinds: Any) -> list[tuple[str, str, str]]:
    found = read_set(spec, **kinds).table
    for path in found["path"]:
        assert len(read_audio(path, 16_000)) == 800
    return list(zip(found["trial"], found["label"], found["attack"], strict=True))


def test_shards_of_a_benchmark_collection(tmp_path: Path) -> None:
    notes = [json.dumps({"utterance_id": f"LA_E_{i}", "attack": "-" if i < 2 else "A07", "speaker": "s"})
             for i in range(4)]  # fmt: skip
    write(clips([0, 0], notes=notes[:2]), tmp_path / "x/data/test-00000-of-00002.parquet")
    write(clips([1, 1], first=2, notes=notes[2:]), tmp_path / "x/data/test-00001-of-00002.parquet")
    assert trials(f"mine={tmp_path / 'x'}") == [
        ("LA_E_0", "bonafide", ""), ("LA_E_1", "bonafide", ""), ("LA_E_2", "spoof", "A07"), ("LA_E_3", "spoof", "A07"),
    ]  # fmt: skip
    done = read_set(f"mine={tmp_path / 'x'}")
    assert "labels 0 = bonafide, 1 = spoof (the file's own names bonafide, spoof)" in done.notes
    assert set(done.table["speaker"]) == {"s"}
    one = read_set(f"mine={tmp_path / 'x/data/test-00001-of-00002.parquet'}")
    assert len(one.table) == 2
    assert "only spoof trials: no EER can be computed" in one.notes


@pytest.mark.parametrize(
    ("labels", "column", "part", "expected"),
    [
        (["real", "Fake"], "label", "", ["bonafide", "spoof"]),
        ([0, 1], "is_fake", "", ["bonafide", "spoof"]),
        ([True, False], "is_real", "", ["bonafide", "spoof"]),
        ([0, 1], "label", "bonafide:0", ["bonafide", "spoof"]),
        ([0, 1], "label", "real:1", ["spoof", "bonafide"]),
        (["0", "1"], "label", "spoof:0", ["spoof", "bonafide"]),
        ([0.0, 1.0], "label", "fake:1", ["bonafide", "spoof"]),
    ],
)
def test_words_and_numbers_of_labels(
    tmp_path: Path, labels: list[Any], column: str, part: str, expected: list[str]
) -> None:
    table = clips(labels, names=None).rename_columns(["path", "audio", column])
    write(table, tmp_path / "a.parquet")
    done = read_set(f"mine{'@' if part else ''}{part}={tmp_path / 'a.parquet'}")
    assert done.table["label"].tolist() == expected
    assert done.subset == ""


def test_numbers_that_nothing_explains_are_refused(tmp_path: Path) -> None:
    write(clips([0, 1], names=None), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=r"row 0: label 0, and nothing.*name@bonafide:0=FILE"):
        read_set(f"mine={tmp_path / 'a.parquet'}")
    write(clips(["maybe", "real"], names=None), tmp_path / "b.parquet")
    with pytest.raises(UsageError, match=r"label 'maybe' is not known"):
        read_set(f"mine={tmp_path / 'b.parquet'}")


def test_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    write(clips([0, 1, -1, None]), tmp_path / "a.parquet")
    done = read_set(f"mine={tmp_path / 'a.parquet'}")
    assert len(done.table) == 2
    assert "2 left out: no label" in done.notes


def test_a_reversed_class_label_is_followed(tmp_path: Path) -> None:
    # The Arabic corpus ArAD numbers fake 0 and real 1.
    names = {"info": {"features": {"label": {"names": ["fake", "real"], "_type": "ClassLabel"}}}}
    write(clips([0, 1], names=names), tmp_path / "a.parquet")
    assert read_set(f"x={tmp_path / 'a.parquet'}").table["label"].tolist() == ["spoof", "bonafide"]


def test_splits_are_parts(tmp_path: Path) -> None:
    write(clips([0, 1]), tmp_path / "x/data/train-00000-of-00001.parquet")
    write(clips([1, 0], first=2), tmp_path / "x/data/test-00000-of-00001.parquet")
    assert [t for t, *_ in trials(f"m@test={tmp_path / 'x'}")] == ["E_2.flac", "E_3.flac"]
    assert [t for t, *_ in trials(f"m@eval={tmp_path / 'x'}")] == ["E_2.flac", "E_3.flac"]
    both = read_set(f"m={tmp_path / 'x'}")
    assert len(both.table) == 4
    assert "test, train taken together; name@test takes one" in both.notes
    with pytest.raises(UsageError, match=r"no part dev; the files hold data, test, train"):
        read_set(f"m@dev={tmp_path / 'x'}")


def test_a_column_of_splits_is_parts(tmp_path: Path) -> None:
    write(clips([0, 1, 1], split=["dev", "test", "dev"]), tmp_path / "a.parquet")
    assert len(read_set(f"m@dev={tmp_path / 'a.parquet'}").table) == 2
    with pytest.raises(UsageError, match=r"no row of .* is of train"):
        read_set(f"m@train={tmp_path / 'a.parquet'}")


def test_names_that_repeat_are_told_apart(tmp_path: Path) -> None:
    write(clips([0]), tmp_path / "x/a.parquet")
    write(clips([1]), tmp_path / "x/b.parquet")
    done = read_set(f"m={tmp_path / 'x'}")
    assert done.table["trial"].tolist() == ["a.parquet::0", "b.parquet::0"]
    assert "1 names in the file repeat: trials are called by their rows" in done.notes


def test_a_parquet_of_paths(tmp_path: Path) -> None:
    pa = arrow()
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav/a.flac").write_bytes(sound("flac"))
    table = pa.table({"ID": ["u1"], "path": ["wav/a.flac"], "label": ["spoof"], "dataset_name": ["x"]})
    write(table, tmp_path / "list.parquet")
    done = read_set(f"m={tmp_path / 'list.parquet'}")
    assert done.table["path"].tolist() == [f"{tmp_path}/wav/a.flac"]


def save_to_disk(table: Any, folder: Path) -> None:
    pa = arrow()
    folder.mkdir(parents=True)
    target = str(folder / "data-00000-of-00001.arrow")
    with pa.OSFile(target, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
    )
    (folder / "dataset_info.json").write_text(json.dumps(NAMES["info"]))


def test_a_folder_of_save_to_disk(tmp_path: Path) -> None:
    save_to_disk(clips([0, 1]), tmp_path / "x/train")
    save_to_disk(clips([1], first=2), tmp_path / "x/test")
    (tmp_path / "x/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    (tmp_path / "x/train/cache-0123.arrow").write_bytes(b"scratch")
    assert trials(f"m@train={tmp_path / 'x'}") == [("E_0.flac", "bonafide", ""), ("E_1.flac", "spoof", "")]
    assert trials(f"m={tmp_path / 'x/test'}") == [("E_2.flac", "spoof", "")]


def test_the_cache_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow()
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    base = tmp_path / "hub/datasets--owner--DFADD"
    blob = base / "blobs/0a"
    write(clips([0, 1]), blob)
    shown = base / "snapshots/abc/data/test-00000-of-00001.parquet"
    shown.parent.mkdir(parents=True)
    shown.symlink_to(blob)
    (base / "refs").mkdir()
    (base / "refs/main").write_text("abc")
    for spec in ("hf://owner/DFADD", "hf://owner/DFADD@test", "DFADD=hf://owner/DFADD"):
        assert len(trials(spec)) == 2
    # The cache as the root of all corpora: the key finds it.
    assert read_set("dfadd", data=tmp_path / "hub").name == "dfadd"
    with pytest.raises(UsageError, match=r"not in the local cache.*HF_HUB_OFFLINE.*hf download owner/none"):
        read_set("hf://owner/none")
    with pytest.raises(UsageError, match="hf://owner/name"):
        read_set("hf://owner")
    save_to_disk(clips([0]), tmp_path / "datasets/owner___made/default/0.0.0/abc")
    assert len(trials("hf://owner/made")) == 1


def test_a_registered_corpus_in_parquet(tmp_path: Path) -> None:
    write(clips([0, 1]), tmp_path / "InTheWild/data/test-00000-of-00001.parquet")
    done = read_set("itw", data=tmp_path)
    assert (done.name, done.subset, len(done.table)) == ("itw", "", 2)
    assert done.notes[0] == "read from InTheWild"
    assert any("19963/11816 published" in note for note in done.notes)
    given = read_set(f"itw={tmp_path / 'InTheWild'}")
    assert given.table.equals(done.table)


def tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def test_shards_of_a_webdataset(tmp_path: Path) -> None:
    one, two = json.dumps({"label": "spoof", "attack": "A1"}).encode(), json.dumps({"label": "real"}).encode()
    tar(tmp_path / "train-000.tar", {"a.flac": sound("flac"), "a.json": one, "a.txt": b"what was said"})
    tar(tmp_path / "train-001.tar", {"b.json": two, "b.flac": sound("flac"), "._b.flac": b"mac"})
    assert trials(f"m={tmp_path}") == [("a", "spoof", "A1"), ("b", "bonafide", "")]
    tar(tmp_path / "cls.tar", {"c.flac": sound("flac"), "c.cls": b"1\n"})
    assert trials(f"m@spoof:1={tmp_path / 'cls.tar'}") == [("c", "spoof", "")]
    tar(tmp_path / "none.tar", {"d.flac": sound("flac")})
    with pytest.raises(UsageError, match=r"d has no label: no d\.json"):
        read_set(f"m={tmp_path / 'none.tar'}")


def zipped(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder).as_posix())


def test_a_zip_whose_folders_are_the_labels(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "x")
    folder.audio("set/real/a.flac", "set/fake/b.flac")
    zipped(tmp_path / "x", tmp_path / "x.zip")
    assert trials(f"m={tmp_path / 'x.zip'}") == [("set/fake/b", "spoof", ""), ("set/real/a", "bonafide", "")]


PACKED = ["asvspoof2019_la", "asvspoof2021_la", "asvspoof5", "itw", "fake_or_real", "decro", "mlaad", "odss"]


@pytest.mark.parametrize("name", PACKED)
def test_a_corpus_that_nobody_unpacked(tmp_path: Path, name: str) -> None:
    LAYOUTS[name].write(Folder(tmp_path / "plain"))
    (tmp_path / "data").mkdir()
    zipped(tmp_path / "plain", tmp_path / "data/download.zip")
    spec, expected = next(iter(LAYOUTS[name].expected.items()))
    found = read_set(spec, data=tmp_path / "data").table
    assert list(zip(found["trial"], found["label"], found["attack"], strict=True)) == expected
    for path in found["path"]:
        assert len(read_audio(path, 16_000)) in range(700, 2000)
    if name == "itw":
        assert len(read_set(f"itw={tmp_path / 'data/download.zip'}").table) == 2


def test_an_archive_in_a_folder_called_like_the_corpus(tmp_path: Path) -> None:
    LAYOUTS["itw"].write(Folder(tmp_path / "plain"))
    (tmp_path / "data/itw").mkdir(parents=True)
    zipped(tmp_path / "plain", tmp_path / "data/itw/release_in_the_wild.zip")
    assert len(read_set("itw", data=tmp_path / "data").table) == 2
    assert len(read_set(f"itw={tmp_path / 'data/itw'}").table) == 2


def test_an_archive_that_must_be_unpacked_is_named(tmp_path: Path) -> None:
    (tmp_path / "release.tar.gz").write_bytes(b"")
    with pytest.raises(UsageError, match=r"release\.tar\.gz has to be unpacked first"):
        read_set("itw", data=tmp_path)


def test_damaged_tables_are_refused(tmp_path: Path) -> None:
    arrow()
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match=r"a\.parquet: not a readable table"):
        read_set(f"m={tmp_path / 'a.parquet'}")
    write(arrow().table({"text": ["a"], "label": ["real"]}), tmp_path / "b.parquet")
    with pytest.raises(UsageError, match="no column holds audio"):
        read_set(f"m={tmp_path / 'b.parquet'}")


def test_the_extra_is_named_where_pyarrow_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"pip install 'sharpscope\[hub\]'"):
        read_set(f"m={tmp_path / 'a.parquet'}")


def test_sets_lists_containers(tmp_path: Path) -> None:
    write(clips([0, 1]), tmp_path / "InTheWild/data/test-00000-of-00001.parquet")
    write(clips([0, 0, 1]), tmp_path / "other/data/test-00000-of-00001.parquet")
    write(clips([0, 1], names=None), tmp_path / "third/a.parquet")
    found = {entry.key: entry for entry in survey(tmp_path)}
    assert (found["itw"].folder, found["itw"].bonafide) == (str(tmp_path / "InTheWild"), 1)
    assert (found["other"].bonafide, found["other"].spoof) == (2, 1)
    assert f"--sets other={tmp_path}/other/data" in found["other"].note
    assert found["third"].bonafide is None
    assert "bonafide:0" in found["third"].note
