"""A pack of decoded audio is looked for only where it can be."""

import os
from pathlib import Path

import pytest

from sharpscope.audio.cache import open_cache


def test_a_pack_that_cannot_exist_costs_no_look_at_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """21DF has 611,830 files; asking each for its time before the size was known took minutes on a cluster."""
    asked: list[object] = []
    real = os.stat

    def counting(path: object, *args: object, **options: object) -> os.stat_result:
        if str(path).endswith(".flac"):
            asked.append(path)
        return real(path, *args, **options)  # type: ignore[arg-type, call-overload, no-any-return]

    paths = []
    for index in range(5):
        (tmp_path / f"{index}.flac").write_bytes(b"x")
        paths.append(str(tmp_path / f"{index}.flac"))
    monkeypatch.setattr(os, "stat", counting)
    how = {"sample_rate": 16_000, "n_samples": 100, "padding": "tile", "folder": tmp_path / "packs"}
    assert open_cache(paths, limit=5 * 100 * 4 - 1, **how) is None  # type: ignore[arg-type]
    assert not asked
    assert open_cache(paths, limit=5 * 100 * 4, **how) is not None  # type: ignore[arg-type]
    assert len(asked) == 5
