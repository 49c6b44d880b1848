"""Big protocols, generated: seconds and peak memory of reading them, and that the time grows linearly.

The audio files exist, empty, as they must for the check that none is missing; each is a link to one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

LINES_21DF = 611_829
PHASES = ("eval", "eval", "eval", "eval", "eval", "eval", "eval", "eval", "progress", "hidden")
COLUMNS = (
    "path|original_file|language|is_original_language|duration|training_data|model_name|architecture|text"
)


def _touch(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY))


def _write_21df(root: Path, n_lines: int) -> None:
    key = root / "keys" / "DF" / "CM" / "trial_metadata.txt"
    key.parent.mkdir(parents=True)
    with key.open("w", encoding="utf-8") as file:
        for i in range(n_lines):
            label = "bonafide" if i % 28 == 0 else "spoof"
            attack = "-" if label == "bonafide" else f"A{7 + i % 13:02}"
            file.write(
                f"LA_{i % 67:04} DF_E_{2_000_000 + i} low_m4a asvspoof {attack} {label} notrim {PHASES[i % 10]} "
                "neural_vocoder_autoregressive - - - -\n"
            )
    _touch(root / "ASVspoof2021_DF_eval" / "flac", [f"DF_E_{2_000_000 + i}.flac" for i in range(n_lines)])


def _write_mlaad(root: Path, n_tables: int) -> None:
    for table in range(n_tables):
        folder = root / "MLAAD" / "fake" / f"l{table % 38}" / f"model {table} (v{table})"
        originals = [f"en_US/by_book/male/s{table % 20}/b/wavs/b_{i % 700:06}.wav" for i in range(1000)]
        _touch(folder, [f"u{i}.wav" for i in range(1000)])
        rows = [
            f'./fake/l{table % 38}/x/u{i}.wav|{originals[i]}|l{table % 38}|False|2.3|multi|m{table}|a|said "so'
            for i in range(1000)
        ]
        (folder / "meta.csv").write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")
    for speaker in range(min(20, n_tables)):
        _touch(root / f"M-AILABS/en_US/by_book/male/s{speaker}/b/wavs", [f"b_{i:06}.wav" for i in range(700)])


# In a process of its own, so that the peak is the reader's.
_READ = """
import resource, sys, time
from sharpscope.corpora import read_set
start, busy = time.perf_counter(), time.process_time()
trials = read_set(sys.argv[1], data=sys.argv[2])
seconds, busy = time.perf_counter() - start, time.process_time() - busy
print(len(trials.table), seconds, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def _measure(spec: str, root: Path) -> tuple[int, float, float, float]:
    done = subprocess.run(
        [sys.executable, "-c", _READ, spec, str(root)], capture_output=True, text=True, check=True
    )
    trials, seconds, busy, memory = done.stdout.split()
    return int(trials), float(seconds), float(busy), float(memory)


def run() -> None:
    for name, spec, write, sizes in (
        ("21DF key", "21df@all", _write_21df, (LINES_21DF // 4, LINES_21DF)),
        ("MLAAD with M-AILABS", "mlaad", _write_mlaad, (38, 154)),
    ):
        per_trial = []
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                write(Path(folder), size)
                trials, seconds, busy, memory = _measure(spec, Path(folder))
            per_trial.append(busy / trials)
            cost = f"{seconds:.1f} s ({busy:.1f} s of CPU), peak {memory:.0f} MiB"
            print(f"corpus_readers: {name}, size {size}: {trials} trials in {cost}", flush=True)
        print(
            f"corpus_readers: {name}, CPU time per trial, large over small: {per_trial[1] / per_trial[0]:.2f}"
        )


if __name__ == "__main__":
    run()
