"""Mutated checkpoint files: each opens or ends in one line; nothing is imported, nothing hangs.

The suite takes a few hundred; ``python tests/detectors/test_reading_fuzz.py 5000`` runs as many as one likes.
"""

import argparse
import io
import pickle
import random
import resource
import struct
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sharpscope.detectors.reading import read_checkpoint
from sharpscope.errors import UsageError

LOUD = {"os.system", "subprocess.Popen", "os.exec", "pickle.find_class", "socket.connect", "import"}
EVENTS: list[str] = []
ON = [False]
# What the standard library imports late by itself.
LATE = ("encodings.", "lzma", "bz2", "_lzma", "_bz2", "_compression", "zlib")


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if ON[0] and event in LOUD and not str(arguments[0]).startswith(LATE):
        EVENTS.append(f"{event} {arguments[0]!r:.60}")


sys.addaudithook(_listen)


def seeds() -> list[bytes]:
    """Files of every format and content that checkpoints have."""
    network = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimiser = torch.optim.Adam(network.parameters())
    contents = [
        network.state_dict(),
        {"model": network.state_dict(), "optimizer": optimiser.state_dict(), "eer": np.float64(0.1)},
        {"state_dict": network.state_dict(), "curve": np.ones(5), "args": argparse.Namespace(lr=0.1)},
        network,
    ]
    files = []
    for content in contents:
        for new in (True, False):
            stream = io.BytesIO()
            torch.save(content, stream, _use_new_zipfile_serialization=new)
            files.append(stream.getvalue())
        files += [pickle.dumps(content, protocol=protocol) for protocol in (0, 2, 5)]
    return files


def damage(data: bytes, draw: random.Random) -> bytes:
    """Flip, insert, delete, repeat and overwrite bytes, or cut the file."""
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        at, length = draw.randrange(len(changed) + 1), draw.choice([1, 2, 4, 8, 40])
        kind = draw.randrange(7)
        if kind == 0:
            changed[at : at + length] = draw.randbytes(length)
        elif kind == 1:
            changed[at:at] = draw.randbytes(length)
        elif kind == 2:
            del changed[at : at + length]
        elif kind == 3:
            other = draw.randrange(len(changed) + 1)
            changed[at:at] = changed[other : other + length * 8]
        elif kind == 4:
            number = draw.choice([0, 1, -1, 2**31 - 1, 2**31, 2**40, 2**63 - 1])
            changed[at : at + 8] = struct.pack("<q", number)
        elif kind == 5:
            # Instructions of pickle, the dangerous ones among them.
            changed[at : at + 1] = bytes([draw.choice(b"RbcioQP\x81\x92\x93(0utesaqhrj.\x85\x8f\x90\x97")])
        elif draw.random() < 0.2:
            del changed[at:]
    return bytes(changed) or b"\x80"


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Damage a file; of an archive, as often only the skeleton, so that the archive itself is sound."""
    if data[:2] != b"PK" or draw.random() < 0.4:
        return damage(data, draw)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            inner = old.read(name)
            new.writestr(name, damage(inner, draw) if name.endswith(".pkl") else inner)
    return stream.getvalue()


def run(count: int, seed: int, folder: Path) -> tuple[int, float]:
    """Read mutated files; return how many opened and the longest time of one."""
    draw, files = random.Random(seed), seeds()
    path, opened, longest = folder / "c.pt", 0, 0.0
    path.write_bytes(files[0])
    read_checkpoint(path)
    before = set(sys.modules)
    for index in range(count):
        path.write_bytes(mutated(draw.choice(files), draw))
        begun = time.process_time()
        ON[0] = True
        message = ""
        try:
            read_checkpoint(path)
            opened += 1
        except UsageError as error:
            message = str(error)
        finally:
            ON[0] = False
        assert "\n" not in message, (seed, index)
        longest = max(longest, time.process_time() - begun)
        assert EVENTS == [], (seed, index)
    assert {name for name in set(sys.modules) - before if not name.startswith(LATE)} == set()
    return opened, longest


def test_mutated_files_open_or_end_in_one_line(tmp_path: Path) -> None:
    opened, longest = run(400, 20261126, tmp_path)
    assert 0 < opened < 400
    assert longest < 10


if __name__ == "__main__":
    number = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        result = run(number, int(sys.argv[2]) if len(sys.argv) > 2 else 0, Path(place))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{number} files, {result[0]} opened, longest {result[1]:.2f} s, peak {peak:.0f} MiB")
