"""A run that is killed, torn, or out of disk goes on where it was and ends with the table of an undisturbed one."""

import csv
import errno
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from sharpscope.devices import Share
from sharpscope.errors import SharpscopeError
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.measure import measure
from sharpscope.results.appending import append_results
from sharpscope.results.table import read_results

KILLS = 50
# Children of a server that has imported torch once start at once.
CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["sharpscope.measurement.measure", "torch"])


def network(folder: Path, model_file: Path, seed: int = 0) -> Path:
    """A state dict of the small network."""
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    path = folder / f"net{seed}.pt"
    torch.save(namespace["Tiny"](seed=seed).state_dict(), path)
    return path


def run(
    paths: list[Path], protocol: Path, model: Path, out: Path, workers: int, cache: Path, ready: Any
) -> None:
    """What a child process does: the whole measurement, with or without processes that decode."""
    torch.set_num_threads(1)
    # As in a process that a user starts; a forkserver of its own would outlive this process when it is killed.
    multiprocessing.set_start_method("fork", force=True)
    os.environ["SHARPSCOPE_CACHE"] = str(cache)
    ready.set()
    measure(
        paths,
        [f"tones={protocol}"],
        out=out,
        model=f"{model}:Tiny",
        m=2,
        rho=[0.05, 0.02],
        measures=["sam", "loss", "grad_norm"],
        workers=workers,
        show_progress=False,
    )


def contents(out: Path) -> list[dict[str, str]]:
    """The table as it is written, without the time at which each row was made."""
    with open(out, encoding="utf-8", newline="") as file:
        return [{**row, "created": ""} for row in csv.DictReader(file)]


def tear(folder: Path, cache: Path, chance: random.Random) -> None:
    """Cut the last line of a journal, and damage a slot of the cache."""
    for file in folder.rglob("*.journal.*"):
        if file.stat().st_size > 40 and chance.random() < 0.5:
            os.truncate(file, file.stat().st_size - chance.randint(1, 30))
    for file in cache.glob("*.waves"):
        with open(file, "r+b") as opened:
            opened.seek(chance.randrange(max(file.stat().st_size - 8, 1)))
            opened.write(b"torn")
    for file in cache.glob("*.index"):
        if chance.random() < 0.3:
            os.truncate(file, file.stat().st_size // 2)


def test_fifty_kills_lose_and_double_nothing(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\n"
        + model_file.read_text().replace("        hidden =", "        time.sleep(0.002)\n        hidden =")
    )
    paths = [network(tmp_path, model_file, seed) for seed in (0, 1)]
    chance = random.Random(0)

    def child(out: Path, workers: int) -> Any:
        ready = CHILDREN.Event()
        process = CHILDREN.Process(target=run, args=(paths, tone_set, slow, out, workers, cache, ready))
        process.start()
        assert ready.wait(60)
        return process

    cache = tmp_path / "undisturbed-cache"
    for name in ("warm", "undisturbed"):  # the first child also waits for the server
        start = time.monotonic()
        child(tmp_path / name / "r.csv", 0).join()
        took = time.monotonic() - start
    expected = contents(tmp_path / "undisturbed" / "r.csv")
    assert len(expected) == 2 * 4
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        folder, cache = tmp_path / f"round{rounds}", tmp_path / f"cache{rounds}"
        while True:
            process = child(folder / "r.csv", workers=chance.choice([0, 0, 0, 0, 0, 1]))
            process.join(chance.uniform(0, took if kills < KILLS else 60))
            if not process.is_alive():
                assert process.exitcode == 0
                break
            os.kill(process.pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
            process.join()
            kills += 1
            tear(folder, cache, chance)
            if kills % 10 == 0:
                # A round that is always killed at its start would prove little.
                process = child(folder / "r.csv", workers=0)
                process.join()
                break
        assert contents(folder / "r.csv") == expected, f"round {rounds}, after {kills} kills"
        assert not list(folder.rglob("*.journal*"))
    assert rounds >= 5


@pytest.mark.parametrize("at", [0, 3, 9])
def test_a_full_disk_stops_with_a_word_and_goes_on_later(
    at: int, tmp_path: Path, tone_set: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [network(tmp_path, model_file)]
    options: dict[str, Any] = {"model": f"{model_file}:Tiny", "m": 2, "show_progress": False}
    measure(paths, [f"tones={tone_set}"], out=tmp_path / "whole" / "r.csv", **options)
    record, count = Journal.record, iter(range(100))

    def full(self: Journal, group: str, values: Any) -> None:
        if next(count) >= at:
            raise OSError(errno.ENOSPC, "No space left on device")
        record(self, group, values)

    out = tmp_path / "full" / "r.csv"
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "record", full)
        with pytest.raises(SharpscopeError, match=r"no space left.*same command again"):
            measure(paths, [f"tones={tone_set}"], out=out, **options)
    assert not out.exists()
    measure(paths, [f"tones={tone_set}"], out=out, **options)
    assert contents(out) == contents(tmp_path / "whole" / "r.csv")


def test_a_small_file_system_that_fills_up(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    """The real thing: a tmpfs of 36 KiB, where the journal fits and the table does not, then one with room."""
    paths = [network(tmp_path, model_file)]
    options: dict[str, Any] = {"model": f"{model_file}:Tiny", "m": 2, "show_progress": False}
    measure(paths, [f"tones={tone_set}"], out=tmp_path / "whole" / "r.csv", **options)
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        with pytest.raises(SharpscopeError, match="no space left"):
            measure(paths, [f"tones={tone_set}"], out=place / "r.csv", **options)
        subprocess.run(["mount", "-o", "remount,size=1m", str(place)], check=True)
        measure(paths, [f"tones={tone_set}"], out=place / "r.csv", **options)
        assert contents(place / "r.csv") == contents(tmp_path / "whole" / "r.csv")
    finally:
        subprocess.run(["umount", str(place)], check=True)


def append_ten(path: Path, template: dict[str, Any], writer: int) -> None:
    for row in range(10):
        append_results(path, [{**template, "sha256": f"{writer:02d}{row:02d}"}])


def test_ten_processes_append_and_lose_nothing(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    measure(
        [network(tmp_path, model_file)],
        [f"tones={tone_set}"],
        out=tmp_path / "r.csv",
        model=f"{model_file}:Tiny",
        m=4,
        measures=["loss"],
        show_progress=False,
    )
    template = read_results(tmp_path / "r.csv").iloc[0].to_dict()
    out = tmp_path / "shared" / "r.csv"
    writers = [CHILDREN.Process(target=append_ten, args=(out, template, writer)) for writer in range(10)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(read_results(out)["sha256"]) == sorted(
        f"{w:02d}{r:02d}" for w in range(10) for r in range(10)
    )


@pytest.mark.parametrize("world", [2, 3, 4])
def test_any_number_of_processes_gives_the_same_table(
    world: int, tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    """26 trials in groups of 4 and two in none: neither number of pieces is a multiple of 2, 3 or 4 throughout."""
    paths = [str(network(tmp_path, model_file, seed)) for seed in (0, 1)]
    command = [
        *(
            "-m",
            "sharpscope",
            "measure",
            *paths,
            "--sets",
            f"tones={tone_set}",
            "--model",
            f"{model_file}:Tiny",
        ),
        *(
            "--group-size",
            "4",
            "--rho",
            "0.05,0.01",
            "--measures",
            "default,average",
            "--workers",
            "0",
            "--no-cache",
        ),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    outs = [tmp_path / "one" / "r.csv", tmp_path / "many" / "r.csv"]
    subprocess.run(
        [sys.executable, *command, "--out", str(outs[0])], env=environment, check=True, capture_output=True
    )
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}"]
    done = subprocess.run(
        [sys.executable, *launch, *command, "--out", str(outs[1])],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("rows written") == 1
    one, many = ({tuple(sorted(row.items())) for row in contents(out)} for out in outs)
    assert one == many
    assert len(contents(outs[1])) == len(many)
    for records in ("groups", "scores"):
        first = sorted(p for p in (outs[0].parent / records).rglob("*") if p.suffix in (".csv", ".txt"))
        for file in first:
            assert file.read_text() == (outs[1].parent / file.relative_to(outs[0].parent)).read_text()


def test_a_process_that_died_is_made_good_by_the_next_run(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    """Two of three processes do their share; a single one later finds it and does the rest."""
    paths = [network(tmp_path, model_file)]
    options: dict[str, Any] = {"model": f"{model_file}:Tiny", "m": 4, "show_progress": False}
    measure(paths, [f"tones={tone_set}"], out=tmp_path / "whole" / "r.csv", **options)
    out = tmp_path / "shared" / "r.csv"
    code = (
        "import sys; from unittest import mock; import sharpscope.measurement.measure as m;"
        "mock.patch.object(m, 'gather', lambda share, value: None).start();"
        "m.measure([sys.argv[1]], [sys.argv[2]], out=sys.argv[3], model=sys.argv[4], m=4, show_progress=False)"
    )
    for rank in ("0", "2"):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RANK": rank, "WORLD_SIZE": "3"}
        subprocess.run(
            [sys.executable, "-c", code, str(paths[0]), f"tones={tone_set}", str(out), f"{model_file}:Tiny"],
            env=environment,
            check=True,
        )
    assert not out.exists()
    journals = list(out.parent.rglob("*.journal.*"))
    assert sum(len(file.read_text().splitlines()) for file in journals) == 5
    measure(paths, [f"tones={tone_set}"], out=out, **options)
    shutil.rmtree(out.parent / "groups", ignore_errors=True)
    assert contents(out) == contents(tmp_path / "whole" / "r.csv")


@pytest.mark.parametrize("sets", [1, 2])
def test_rows_that_nobody_wrote_are_a_failure(
    sets: int, tmp_path: Path, tone_set: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk that shows new files late: each of two processes is done and neither sees the other's journal.

    The first of two sets was written before, so that the call does find rows: a set without any must show all the same.
    """
    path, out = network(tmp_path, model_file), tmp_path / "r.csv"
    options: dict[str, Any] = {"model": f"{model_file}:Tiny", "m": 4, "show_progress": False, "out": out}
    if sets == 2:
        measure([path], [f"known={tone_set}"], **options)
    names = [f"known={tone_set}", f"tones={tone_set}"][-sets:]
    module = importlib.import_module("sharpscope.measurement.measure")
    real, said = Journal.files, []

    def own_files(journal: Journal) -> list[Path]:
        return [file for file in real(journal) if journal._own in file.name]

    monkeypatch.setattr(Journal, "files", own_files)
    monkeypatch.setattr(
        module, "gather", lambda share, value: said.append(value) or (said if not share.rank else None)
    )
    for rank in (1, 0):
        monkeypatch.setattr(module, "this_share", lambda rank=rank: Share(rank, 2, rank))
        if rank:
            assert not measure([path], names, **options).failures
        elif sets == 1:
            with pytest.raises(
                SharpscopeError, match="rows were not written: every process has finished its part"
            ):
                measure([path], names, **options)
        else:
            found = measure([path], names, **options)
            assert found.skipped
            (line,) = found.failures
            assert line.startswith("net0 on tones: ")
            assert "give the same command again, with one process" in line
    monkeypatch.setattr(Journal, "files", real)
    monkeypatch.setattr(module, "this_share", Share)
    monkeypatch.setattr(module, "gather", lambda share, value: [value])
    assert not measure([path], names, **options).failures
    assert set(read_results(out)["set"]) == {name.partition("=")[0] for name in names}
