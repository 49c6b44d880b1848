"""`measure` beyond one set and one number: conditions, growth, leaks, anchors, own losses, decoded audio, its log."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

import sharpscope.audio.batches
from sharpscope.audio.cache import WaveCache, make_room, open_cache
from sharpscope.errors import UsageError
from sharpscope.measurement.measure import measure
from sharpscope.results.table import read_results


def network(folder: Path, model_file: Path, seed: int = 0, **record: Any) -> Path:
    """A state dict of the small network, with a record where one is given."""
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    path = folder / f"net{seed}.pt"
    torch.save(namespace["Tiny"](seed=seed).state_dict(), path)
    return path


def take(paths: list[Path], sets: list[str], model_file: Path, out: Path, **options: Any) -> pd.DataFrame:
    options = {"m": 2, "measures": ["sam", "loss"], "rho": [0.05], "show_progress": False, **options}
    measure(paths, sets, out=out, model=f"{model_file}:Tiny", **options)
    return read_results(out)


def test_each_condition_is_a_row(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    table = take(
        [network(tmp_path, model_file)], [f"t={tone_set}"], model_file, tmp_path / "r.csv", by="attack"
    )
    loss = table[table["measure"] == "loss"].set_index("subset")
    assert list(loss.index) == ["attack=A0", "attack=A1", "attack=A2"]
    assert loss["n_bonafide"].tolist() == [14, 14, 14]
    assert loss["n_spoof"].sum() == 12


def test_growth_keeps_the_counts(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    table = take(
        [network(tmp_path, model_file)],
        [f"t={tone_set}"],
        model_file,
        tmp_path / "r.csv",
        grow="attack",
        orders=2,
        per_class=4,
    )
    loss = table[table["measure"] == "loss"]
    assert loss["subset"].tolist() == [f"order{order}/attacks={k}" for order in (1, 2) for k in (1, 2, 3)]
    assert set(loss["n_spoof"]) == set(loss["n_bonafide"]) == {4}


def test_by_and_grow_exclude_each_other(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    with pytest.raises(UsageError, match="not both"):
        take(
            [network(tmp_path, model_file)],
            [f"t={tone_set}"],
            model_file,
            tmp_path / "r.csv",
            by="attack",
            grow="attack",
        )


def test_trials_that_were_seen_are_reported_and_left_out(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    """Three files stand in a training list under other names, in another container; one id stands in a list of the
    same name."""
    lines = ["file,label"]
    for index in range(3):
        wave, rate = soundfile.read(tone_set.parent / f"t{index}.wav", dtype="int16")
        soundfile.write(tmp_path / f"other{index}.flac", wave, rate)
        lines.append(f"other{index}.flac,{'bonafide' if index % 2 == 0 else 'spoof'}")
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    path = network(tmp_path, model_file)
    sets, used = [f"t={tone_set}"], [f"mine={tmp_path / 'train.csv'}"]

    def row(name: str, **options: Any) -> Any:
        return take([path], sets, model_file, tmp_path / name / "r.csv", **options).iloc[0]

    assert "3 of 26 trials were used" in row("audio", trained_on=used, leaks="audio")["note"]
    left = row("exclude", selected_on=used, leaks="exclude")
    assert (left["n_bonafide"] + left["n_spoof"], left["domain"]) == (23, "")
    assert "3 trials left out" in left["note"]
    same = row("ids", trained_on=[f"t={tone_set}"])
    assert "26 of 26 trials were used" in same["note"]
    assert same["domain"] == "id"
    assert "not checked for trials of nowhere" in row("unread", trained_on=["nowhere"])["note"]
    assert "used" not in row("off", trained_on=used, leaks="off")["note"]
    with pytest.raises(UsageError, match="every trial was used"):
        row("all", trained_on=[f"t={tone_set}"], leaks="exclude")


def loud(folder: Path, bonafide_first: bool) -> Path:
    """A detector that calls loud sounds bona fide, for sounds of which the loud ones are."""
    rng = np.random.default_rng(0)
    lines = ["file,label"]
    for index in range(40):
        gain = 0.5 if index % 2 == 0 else 0.05
        soundfile.write(folder / f"l{index}.wav", gain * rng.standard_normal(4000).clip(-1.9, 1.9), 16_000)
        lines.append(f"l{index}.wav,{'bonafide' if index % 2 == 0 else 'spoof'}")
    (folder / "loud.csv").write_text("\n".join(lines) + "\n")
    order = "power, -power" if bonafide_first else "-power, power"
    (folder / "loud.py").write_text(
        f"""
import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, waves):
        power = self.scale * (waves.square().mean(dim=1) - 0.03) * 50
        return torch.stack([{order}], dim=1)
"""
    )
    torch.save({"scale": torch.ones(1)}, folder / "loud.pt")
    return folder / "loud.py"


@pytest.mark.parametrize("reversed_outputs", [False, True])
def test_an_anchor_verifies_polarity_and_never_flips_it(reversed_outputs: bool, tmp_path: Path) -> None:
    model = loud(tmp_path, reversed_outputs)
    sets = [f"loud={tmp_path / 'loud.csv'}"]
    options: dict[str, Any] = {"anchor": sets[0]}
    if reversed_outputs:
        with pytest.raises(UsageError, match=r"above chance.*--bonafide-index 0"):
            take([tmp_path / "loud.pt"], sets, model, tmp_path / "r.csv", **options)
        table = take([tmp_path / "loud.pt"], sets, model, tmp_path / "r.csv")
        assert table["eer"].iloc[0] == 1.0
        assert "worse than chance" in table["note"].iloc[0]
        assert "above ln 2" in table["note"].iloc[0]
        options["bonafide_index"] = 0
    table = take([tmp_path / "loud.pt"], sets, model, tmp_path / "a.csv", **options)
    assert table["eer"].iloc[0] == 0.0
    assert "polarity verified: EER 0.0%" in table["note"].iloc[0]


def test_a_loss_of_ones_own_takes_the_place_of_cross_entropy(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    """Twice the cross-entropy: the same direction, twice the loss and twice the sharpness."""
    own = tmp_path / "own.py"
    own.write_text(
        model_file.read_text()
        + """
    def trial_losses(self, logits, labels):
        return 2 * torch.nn.functional.cross_entropy(logits, labels, reduction="none")
"""
    )
    path = network(tmp_path, model_file)
    options: dict[str, Any] = {"dtype": "float64", "measures": ["sam", "loss", "entropy"]}
    usual = take([path], [f"t={tone_set}"], model_file, tmp_path / "a.csv", **options)
    doubled = take([path], [f"t={tone_set}"], own, tmp_path / "b.csv", **options)
    assert set(doubled["loss_name"]) == {"class_balanced_own_loss"}
    factors = dict(zip(usual["measure"], doubled["value"] / usual["value"], strict=True))
    assert factors == pytest.approx({"sam": 2, "loss": 2, "entropy": 1}, rel=1e-9)
    mean = own.read_text().replace(', reduction="none"', "")
    own.write_text(mean)
    with pytest.raises(Exception, match="one loss a trial"):
        take([path], [f"t={tone_set}"], own, tmp_path / "c.csv", **options)


def test_several_checkpoints_decode_once(
    tmp_path: Path, tone_set: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARPSCOPE_CACHE", str(tmp_path / "cache"))
    decoded: list[str] = []
    read = sharpscope.audio.batches.read_audio

    def counted(path: Any, *arguments: Any, **options: Any) -> Any:
        decoded.append(str(path))
        return read(path, *arguments, **options)

    monkeypatch.setattr(sharpscope.audio.batches, "read_audio", counted)
    paths = [network(tmp_path, model_file, seed) for seed in range(3)]
    cached = take(paths, [f"t={tone_set}"], model_file, tmp_path / "a.csv", workers=0)
    assert len(decoded) == len(set(decoded)) == 26
    take(paths[:1], [f"t={tone_set}"], model_file, tmp_path / "b.csv", workers=0)
    assert len(decoded) == 26  # one checkpoint makes no pack, but uses one
    plain = take(paths, [f"t={tone_set}"], model_file, tmp_path / "c.csv", cache=False, workers=0)
    assert len(decoded) >= 26 + 26 * 3
    columns = ["value", "eer", "stderr"]
    pd.testing.assert_frame_equal(cached[columns], plain[columns], check_exact=True)


@given(
    st.lists(st.integers(-32768, 32767), min_size=4, max_size=4),
    st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4),
)
def test_what_is_read_back_is_what_was_written(short: list[int], floats: list[float]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        cache = WaveCache(Path(name) / "pack", 3, 4)
        waves = [np.array(short, dtype=np.float32) / 32768, np.array(floats, dtype=np.float32)]
        for trial, wave in enumerate(waves):
            cache.write(trial, wave)
        other = WaveCache(Path(name) / "pack", 3, 4)
        for trial, wave in enumerate(waves):
            assert np.array_equal(other.read(trial), wave)  # type: ignore[arg-type]
        assert other.read(2) is None


def test_a_damaged_slot_is_not_believed(tmp_path: Path) -> None:
    cache = WaveCache(tmp_path / "pack", 2, 100)
    wave = np.linspace(-1, 1, 100, dtype=np.float32)
    for trial in (0, 1):
        cache.write(trial, wave)
    with open(cache.waves, "r+b") as file:
        file.seek(101)
        file.write(b"\x7f")
    assert cache.read(0) is None
    assert np.array_equal(cache.read(1), wave)  # type: ignore[arg-type]
    cache.write(0, wave)
    assert np.array_equal(cache.read(0), wave)  # type: ignore[arg-type]
    os.truncate(cache.index, 20)
    assert cache.read(1) is None


def test_packs_know_their_files_and_leave_room(tmp_path: Path, tone_set: Path) -> None:
    paths = [str(tone_set.parent / f"t{index}.wav") for index in range(4)]
    options: dict[str, Any] = {"sample_rate": 16_000, "padding": "tile", "folder": tmp_path}
    first = open_cache(paths, n_samples=1000, **options)
    assert first is not None
    first.write(0, np.full(1000, 0.1, dtype=np.float32))
    for changed in (
        {"n_samples": 1001},
        {"n_samples": 1000, "padding": "zero"},
        {"n_samples": 1000, "sample_rate": 8000},
    ):
        other = open_cache(paths, **{**options, **changed})
        assert other is not None
        assert other.waves != first.waves
    assert open_cache(paths, n_samples=1000, make=False, **options).read(0) is not None  # type: ignore[union-attr]
    assert open_cache(paths, n_samples=999, make=False, **options) is None
    assert open_cache(paths, n_samples=10_000, limit=10_000, **options) is None
    second = open_cache(paths, n_samples=2000, **options)
    assert second is not None
    second.write(0, np.full(2000, 0.1, dtype=np.float32))
    os.utime(first.index, (1, 1))
    make_room(tmp_path, second.waves.stat().st_blocks * 512 + 4096)
    assert not first.index.exists()
    assert second.index.exists()


def test_a_file_exchanged_behind_its_own_date_is_decoded_again(tmp_path: Path) -> None:
    """Same path, same size, same time of change, other samples: as a copying tool may leave it."""
    file = tmp_path / "a.wav"
    options: dict[str, Any] = {"sample_rate": 16_000, "n_samples": 8, "padding": "tile", "folder": tmp_path}
    packs: list[WaveCache] = []
    for value in (0.1, 0.2):
        soundfile.write(file, np.full(8, value), 16_000)
        os.utime(file, ns=(10**18, 10**18))
        pack = open_cache([str(file)], **options)
        assert pack is not None
        packs.append(pack)
        time.sleep(0.05)  # a kernel's clock moves in ticks
    assert packs[0].waves != packs[1].waves


def test_the_log_is_for_machines(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    take(
        [network(tmp_path, model_file)],
        [f"t={tone_set}"],
        model_file,
        tmp_path / "r.csv",
        log_json=tmp_path / "log.jsonl",
    )
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert (last["done"], last["total"], last["unit"]) == (26, 26, "trials")
    assert last["seconds_waited_for_data"] > 0
