"""The demo: speech, benchmark, detectors, measurement, correlation, and what that does and does not show."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sharpscope.analysis.correlate import Correlation, correlate, write_correlation
from sharpscope.demo.benchmark import build_benchmark
from sharpscope.demo.debian import fetch_speech
from sharpscope.demo.division import DEMO_PLANS, divide
from sharpscope.demo.speech import find_recordings
from sharpscope.demo.synthesis import load_pyworld
from sharpscope.demo.training import EPOCHS, population
from sharpscope.devices import worker_processes
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.measure import measure
from sharpscope.progress import progress
from sharpscope.training.train import train_all

MEASURES = ("sam", "asam", "loss", "grad_norm", "entropy", "margin")
RADII = (0.05,)
M = 16
MARKER = ".sharpscope-demo"


class DemoReport(NamedTuple):
    """What the demo left behind.

    Attributes:
        out: The folder.
        checkpoints: The trained detectors.
        sets: The measured sets, the in-domain one first.
        correlation: What was found.
    """

    out: Path
    checkpoints: tuple[Path, ...]
    sets: tuple[str, ...]
    correlation: Correlation


def run_demo(
    speech: str | Path | None = None,
    *,
    out: str | Path = "demo",
    seed: int = 0,
    workers: int = 2,
    show_progress: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> DemoReport:
    """Build a shifted benchmark from recordings, train detectors, measure them and correlate.

    Args:
        speech: Folder of recordings; None fetches some from Debian.
        out: Folder for everything. An earlier demo in it is replaced but for the recordings that it fetched.
        seed: Of the segments, the sets and the detectors.
        workers: Processes that synthesise and train.
        show_progress: Show a bar or lines on standard error.
        say: Called with a line at every stage.

    Returns:
        Where things are and what was found.

    Raises:
        UsageError: If there is too little speech, or ``out`` holds something else.
        SharpscopeError: If recordings cannot be fetched or a detector cannot be measured.
    """
    folder = Path(out)
    _prepare(folder, "--out")
    corpus = folder / "corpus"
    protocols = make_corpus(
        speech,
        corpus,
        fetched=folder / "speech",
        seed=seed,
        workers=workers,
        show_progress=show_progress,
        say=say,
    )
    recipes = population(corpus, seed)
    say(f"training {len(recipes)} small detectors for {EPOCHS} epochs each")
    trained = train_all(recipes, folder / "checkpoints", jobs=workers, show_progress=show_progress)
    paths = tuple(report.folder / "best.pt" for report in trained)
    sets = tuple(name for name in protocols if name not in ("train", "dev"))
    say(f"measuring on {', '.join(sets)}")
    report = measure(
        paths,
        [f"{name}={protocols[name]}" for name in sets],
        out=folder / "results.csv",
        measures=MEASURES,
        rho=RADII,
        m=M,
        seed=seed,
        device="cpu",
        show_progress=show_progress,
    )
    if report.failures:
        raise SharpscopeError("not measured: " + "; ".join(report.failures))
    found = correlate(folder / "results.csv", by="recipe", seed=seed)
    # The figures are the presentation's business: the command line draws them.
    write_correlation(found, folder / "correlation")
    return DemoReport(folder, paths, sets, found)


def example_corpus(
    out: str | Path,
    speech: str | Path | None = None,
    *,
    seed: int = 0,
    workers: int = 2,
    show_progress: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Path]:
    """Build the demo's corpus alone: sets for training, for choosing an epoch, and under several shifts.

    Args:
        out: Folder for it. An earlier corpus in it is replaced but for the recordings that it fetched.
        speech: Folder of recordings; None fetches some from Debian.
        seed: Of the segments and the sets.
        workers: Processes that synthesise.
        show_progress: Show a bar or lines on standard error.
        say: Called with a line at every stage.

    Returns:
        Protocol by set.

    Raises:
        UsageError: If there is too little speech, or ``out`` holds something else.
        SharpscopeError: If recordings cannot be fetched.
    """
    folder = Path(out)
    _prepare(folder, "FOLDER")
    shutil.rmtree(folder / "audio", ignore_errors=True)
    for path in folder.glob("*.csv"):
        path.unlink()
    return make_corpus(
        speech,
        folder,
        fetched=folder / "speech",
        seed=seed,
        workers=workers,
        show_progress=show_progress,
        say=say,
    )


def make_corpus(
    speech: str | Path | None,
    corpus: Path,
    *,
    fetched: Path,
    seed: int,
    workers: int,
    show_progress: bool,
    say: Callable[[str], None],
) -> dict[str, Path]:
    """Turn recordings into sets: ``<set>.csv``, their audio, and where it is from.

    Args:
        speech: Folder of recordings; None fetches some from Debian.
        corpus: Where the sets go.
        fetched: Where recordings from Debian go.
        seed: Of the segments and the sets.
        workers: Processes that synthesise.
        show_progress: Show a bar or lines on standard error.
        say: Called with a line at every stage.

    Returns:
        Protocol by set.

    Raises:
        UsageError: If there is too little speech.
        SharpscopeError: If recordings cannot be fetched.
    """
    load_pyworld()  # before 72 MB are fetched in vain
    sources = _sources(speech, fetched, say)
    recordings = find_recordings(fetched if speech is None else Path(speech), note=say)
    division = divide(recordings, seed, DEMO_PLANS)
    corpus.mkdir(exist_ok=True)
    (corpus / "SOURCES.txt").write_text("\n".join(sources) + "\n", encoding="utf-8")
    if (fetched / "licences").is_dir() and speech is None:
        shutil.copytree(fetched / "licences", corpus / "licences", dirs_exist_ok=True)
    say(f"{len(recordings)} pieces of speech; sets: {', '.join(division)}")
    pairs = sum(plan.pairs for plan in DEMO_PLANS if plan.name in division)
    with (
        worker_processes(workers) as pool,
        progress(pairs, "pairs of trials", show=show_progress) as meter,
    ):
        meter.describe("human speech and its copies")
        return build_benchmark(division, corpus, pool, plans=DEMO_PLANS, seed=seed, meter=meter)


def _prepare(folder: Path, option: str) -> None:
    """Clear an earlier demo; refuse a folder that holds something else."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{option} is {folder}, which is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise UsageError(f"{option} is {folder}, which holds something that is no demo; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).touch()
    for name in ("corpus", "checkpoints", "correlation", "scores", "groups"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in folder.glob("results.csv*"):
        path.unlink()


def _sources(speech: str | Path | None, fetched: Path, say: Callable[[str], None]) -> list[str]:
    if speech is not None:
        return [f"{Path(speech).resolve()}: your own recordings, under your own terms"]
    if not fetched.is_dir():
        say("fetching human speech from Debian (72 MB) with apt-get download; nothing is installed")
    lines = fetch_speech(fetched)
    for line in lines:
        say(f"source: {line}")
    return lines
