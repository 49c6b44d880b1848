"""Decoded audio on disk, so that the second checkpoint on a set does not decode it again.

A pack is two files: ``.waves`` with one slot per trial and ``.index`` with a checksum for each. A slot is read only
when its checksum is right, and every process writes the same bytes into it, so that several may write at once, a
half-written slot is decoded anew, and a pack may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from sharpscope.audio.containers import file_of
from sharpscope.errors import UsageError

GIB = 1024**3
DEFAULT_GIB = 32.0
_RECORD = struct.Struct("<cxxxII")
_SHORT, _FLOAT = b"h", b"f"


def cache_folder() -> Path:
    """Return where packs lie: the variable SHARPSCOPE_CACHE, or the user's cache folder."""
    given = os.environ.get("SHARPSCOPE_CACHE")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "sharpscope"


def cache_limit() -> int:
    """Return how many bytes all packs may take: SHARPSCOPE_CACHE_GIB, or 32 GiB.

    Raises:
        UsageError: If the variable is not a number.
    """
    text = os.environ.get("SHARPSCOPE_CACHE_GIB", str(DEFAULT_GIB))
    try:
        return int(float(text) * GIB)
    except ValueError:
        raise UsageError(f"SHARPSCOPE_CACHE_GIB is '{text}'; it is a number of GiB, such as 32") from None


class WaveCache:
    """The decoded trials of one set at one rate and length.

    Waves that came from 16-bit files at their own rate take two bytes a sample, all others four: what is read back
    is what was written, bit for bit.

    Args:
        path: The pack, without its endings.
        n_trials: Slots.
        n_samples: Length of every wave.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> cache = WaveCache(Path(folder.name) / "pack", 2, 3)
        >>> cache.write(1, np.array([0.5, -1.0, 0.1], dtype=np.float32))
        >>> cache.read(0) is None, cache.read(1).tolist() == [0.5, -1.0, np.float32(0.1)]
        (True, True)
        >>> folder.cleanup()
    """

    def __init__(self, path: Path, n_trials: int, n_samples: int) -> None:
        self.waves = path.with_name(f"{path.name}.waves")
        self.index = path.with_name(f"{path.name}.index")
        self.n_trials = n_trials
        self.n_samples = n_samples
        self._files: tuple[int, int, int] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_files": None}

    def __del__(self) -> None:
        files, self._files = self._files, None
        if files is not None and files[0] == os.getpid():
            os.close(files[1])
            os.close(files[2])

    def _open(self) -> tuple[int, int]:
        # A worker that was forked shares offsets with its parent, but reads and writes name theirs.
        if self._files is None:
            self.waves.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT
            self._files = os.getpid(), os.open(self.waves, flags, 0o644), os.open(self.index, flags, 0o644)
        return self._files[1], self._files[2]

    def read(self, trial: int) -> np.ndarray | None:
        """Return a wave, or None where it is not there or damaged.

        Args:
            trial: Its slot.

        Returns:
            Shape (n_samples,), float32.
        """
        try:
            waves, index = self._open()
            record = os.pread(index, _RECORD.size, trial * _RECORD.size)
            if len(record) < _RECORD.size:
                return None
            kind, length, checksum = _RECORD.unpack(record)
            if kind not in (_SHORT, _FLOAT) or length != self.n_samples:
                return None
            size = length * (2 if kind == _SHORT else 4)
            data = os.pread(waves, size, trial * self.n_samples * 4)
        except OSError:
            return None
        if len(data) != size or zlib.crc32(data, trial) != checksum:
            return None
        if kind == _SHORT:
            return np.frombuffer(data, dtype="<i2").astype(np.float32) * np.float32(1 / 32768)
        return np.frombuffer(data, dtype="<f4").astype(np.float32)

    def write(self, trial: int, wave: np.ndarray) -> None:
        """Keep a wave; a full disk keeps nothing and says nothing, since the wave is at hand.

        Args:
            trial: Its slot.
            wave: Shape (n_samples,), float32.
        """
        scaled = wave * np.float32(32768)
        short = np.clip(scaled, -32768, 32767).astype("<i2")
        exact = bool((short.astype(np.float32) == scaled).all())
        data = short.tobytes() if exact else wave.astype("<f4").tobytes()
        record = _RECORD.pack(_SHORT if exact else _FLOAT, len(wave), zlib.crc32(data, trial))
        try:
            waves, index = self._open()
            if os.pwrite(waves, data, trial * self.n_samples * 4) == len(data):
                os.pwrite(index, record, trial * _RECORD.size)
        except OSError:
            return


def open_cache(
    paths: Sequence[str],
    *,
    sample_rate: int | None,
    n_samples: int,
    padding: str,
    make: bool = True,
    folder: Path | None = None,
    limit: int | None = None,
) -> WaveCache | None:
    """Open the pack of a set, and make room for it.

    A pack belongs to its files by path, size and times of change, and to how they are decoded. The packs that were
    not used for longest go when there is not room enough.

    Args:
        paths: One audio file per trial.
        sample_rate: Hz; None for each file's own.
        n_samples: Length of every wave.
        padding: How short ones are lengthened.
        make: Make the pack where there is none.
        folder: Where packs lie; None takes `cache_folder`.
        limit: Bytes that all packs may take; None takes `cache_limit`.

    Returns:
        The pack, or None: not there, larger than the limit or than half of what the disk has free.
    """
    folder = folder or cache_folder()
    limit = cache_limit() if limit is None else limit
    needed = len(paths) * n_samples * 4
    if needed > limit:  # no such pack can be there, and asking for the times of its files may take minutes
        return None
    digest = hashlib.sha256(
        repr(
            (2, sample_rate, n_samples, padding, soundfile.__libsndfile_version__, soxr.__version__)
        ).encode()
    )
    for path in paths:
        try:
            found = os.stat(file_of(path))
        except OSError:
            return None
        # The time of the last change to the inode cannot be set back, as copying tools set that of the content.
        stamp = f"{os.path.abspath(path)}\t{found.st_size}\t{found.st_mtime_ns}\t{found.st_ctime_ns}\n"
        digest.update(stamp.encode(errors="surrogateescape"))
    cache = WaveCache(folder / digest.hexdigest()[:24], len(paths), n_samples)
    if cache.index.is_file():
        os.utime(cache.index)
        return cache
    if not make:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_room(folder, limit - needed)
        return cache if shutil.disk_usage(folder).free > 2 * needed else None
    except OSError:
        return None


def make_room(folder: Path, limit: int) -> int:
    """Remove packs, those not used for longest first, until the rest takes no more than a limit.

    Args:
        folder: Where packs lie.
        limit: Bytes that may stay.

    Returns:
        Bytes that stay.
    """
    packs = []
    for index in folder.glob("*.index"):
        try:
            waves = index.with_suffix(".waves")
            size = sum(file.stat().st_blocks * 512 for file in (index, waves) if file.exists())
            packs.append((index.stat().st_mtime, index, waves, size))
        except OSError:  # another process has just removed it
            continue
    total = sum(size for *_, size in packs)
    for _, index, waves, size in sorted(packs):
        if total <= limit:
            break
        index.unlink(missing_ok=True)
        waves.unlink(missing_ok=True)
        total -= size
    return total
