"""A WAV file that breaks off in the middle is named, where the crop would miss what is gone."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from sharpscope.audio.decode import read_audio
from sharpscope.errors import SharpscopeError


def broken(folder: Path, *, keep: float, subtype: str = "PCM_16") -> Path:
    path = folder / "a.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(32_000), 16_000, subtype=subtype)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    return path


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_a_file_cut_in_the_middle_is_named(tmp_path: Path, subtype: str) -> None:
    path = broken(tmp_path, keep=0.5, subtype=subtype)
    with pytest.raises(
        SharpscopeError, match=r"a\.wav: cut off, \d+ of \d+ bytes of samples are there; fetch"
    ):
        read_audio(path)
    with pytest.raises(SharpscopeError, match="cut off"):
        read_audio(path, 16_000, n_samples=20_000)


def test_a_crop_that_is_all_there_is_read(tmp_path: Path) -> None:
    path = broken(tmp_path, keep=0.5)
    assert len(read_audio(path, 16_000, n_samples=10_000)) == 10_000


def test_a_whole_file_and_one_whose_length_was_left_open_are_read(tmp_path: Path) -> None:
    path = broken(tmp_path, keep=1.0)
    assert len(read_audio(path)) == 32_000
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    for length in (b"\xff\xff\xff\xff", (64_000 + 44).to_bytes(4, "little")):
        content[at : at + 4] = length
        path.write_bytes(content)
        assert len(read_audio(path)) == 32_000
