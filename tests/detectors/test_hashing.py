"""A file is hashed while it is read, by one digest however large it is."""

import hashlib
import threading
from pathlib import Path

import pytest
import torch

from sharpscope.detectors.reading import hashing, read_checkpoint
from sharpscope.detectors.reading.hashing import BLOCK, hashed_meanwhile, sha256_of
from sharpscope.errors import UsageError


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7])
def test_the_digest_is_that_of_hashlib(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()
    with hashed_meanwhile(path) as digest:
        assert digest() == digest() == hashlib.sha256(content).hexdigest()


def test_whoever_leaves_without_the_digest_stops_the_thread(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(64 * BLOCK))
    before = threading.active_count()
    with pytest.raises(UsageError, match="refused"), hashed_meanwhile(path):
        raise UsageError("refused")
    assert threading.active_count() == before


def test_a_file_that_cannot_be_hashed_says_so(tmp_path: Path) -> None:
    with hashed_meanwhile(tmp_path / "none") as digest, pytest.raises(FileNotFoundError):
        digest()


def test_weights_lie_in_memory_as_torch_lays_it_out(tmp_path: Path) -> None:
    """They become the network's own; products on other addresses may round differently from run to run."""
    state = {name: torch.randn(33, 7) for name in "abc"}
    torch.save(state, tmp_path / "new.pt")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("new.pt", "old.pt"):
        found = read_checkpoint(tmp_path / name)
        assert found.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert all(torch.equal(found.state[key], state[key]) for key in state)
        assert all(tensor.data_ptr() % 64 == 0 for tensor in found.state.values())


def test_a_checkpoint_is_opened_for_hashing_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / "a.pt")
    taken: list[Path] = []
    real = hashing._digest

    def counting(path: Path, enough: threading.Event) -> str:
        taken.append(path)
        return real(path, enough)

    monkeypatch.setattr(hashing, "_digest", counting)
    read_checkpoint(tmp_path / "a.pt")
    assert len(taken) == 1
