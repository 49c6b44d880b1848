"""Corpora as their authors ship them. One file per family, each registered here with its facts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sharpscope.corpora import asvspoof, in_the_wild, mlaad
from sharpscope.corpora.own_list import read_own_list
from sharpscope.corpora.trials import Trial, TrialSet, make_set, trials_hash
from sharpscope.errors import UsageError, unknown_name

__all__ = ["CORPORA", "Corpus", "TrialSet", "find_corpus", "read_set", "resolve_key", "survey", "trials_hash"]


class Corpus(NamedTuple):
    """A registered corpus.

    Attributes:
        title: Official name.
        aliases: Other names that `--sets` takes.
        find: Tells whether a folder is the corpus.
        read: (folder, split) to its trials.
        splits: Parts; empty where any folder name may be one.
        default: The part that is meant without one.
        markers: What `find` looks for, in words.
        counts: Published (bona fide, spoof) per split.
        licence: Of the audio.
        source: Where it is published.
        partner: Tells whether a folder is the real partner of a spoof-only corpus.
    """

    title: str
    aliases: tuple[str, ...]
    find: Callable[[Path], bool]
    read: Callable[..., Iterator[Trial]]
    splits: tuple[str, ...]
    default: str
    markers: str
    counts: dict[str, tuple[int, int]]
    licence: str
    source: str
    partner: Callable[[Path], bool] | None = None


CORPORA: dict[str, Corpus] = {
    "asvspoof2019_la": Corpus(
        "ASVspoof 2019 LA",
        ("19LA", "asv19", "asvspoof2019", "ASVspoof2019_LA_eval", "eval_2019"),
        asvspoof.find,
        asvspoof.read,
        ("train", "dev", "eval"),
        "eval",
        "ASVspoof2019_LA_cm_protocols/",
        {"train": (2580, 22800), "dev": (2548, 22296), "eval": (7355, 63882)},
        "ODC-By 1.0",
        "https://datashare.ed.ac.uk/handle/10283/3336",
    ),
    "itw": Corpus(
        "In-the-Wild",
        ("in_the_wild", "InTheWild", "wild", "release_in_the_wild"),
        in_the_wild.find,
        in_the_wild.read,
        ("eval",),
        "eval",
        "meta.csv beside 0.wav",
        {"eval": (19963, 11816)},
        "CC BY-SA 4.0 (dataset card) or Apache-2.0 (other statements)",
        "https://deepfake-total.com/in_the_wild",
    ),
    "mlaad": Corpus(
        "MLAAD with M-AILABS",
        ("mlaad_v5", "mlaad_v9", "Multilingual"),
        mlaad.find,
        mlaad.read,
        (),
        "all",
        "fake/<language>/<model>/meta.csv",
        {},
        "CC BY-NC 4.0 (MLAAD), BSD-like (M-AILABS)",
        "https://deepfake-total.com/mlaad",
        mlaad.find_partner,
    ),
}


def resolve_key(name: str) -> str:
    """Return the key of a corpus from its key or an alias, in any case.

    Args:
        name: What the user wrote.

    Returns:
        A key of ``CORPORA``.

    Raises:
        UsageError: If no corpus has that name.

    Example:
        >>> resolve_key("ITW"), resolve_key("19LA")
        ('itw', 'asvspoof2019_la')
    """
    lowered = name.lower()
    for key, corpus in CORPORA.items():
        if lowered == key or lowered in (alias.lower() for alias in corpus.aliases):
            return key
    raise unknown_name("set", name, [*CORPORA, *(alias for c in CORPORA.values() for alias in c.aliases)])


def _candidates(root: Path, depth: int = 3) -> Iterator[Path]:
    """Yield a folder and what lies under it, nearest first."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        below: list[Path] = []
        for folder in level:
            try:
                below += sorted(Path(entry) for entry in os.scandir(folder) if entry.is_dir())
            except OSError:
                continue
        # A level this wide holds audio, not corpora.
        level = [path for path in below if not path.name.startswith(("._", "__MACOSX"))][:2000]


def _first(root: Path, fits: Callable[[Path], bool]) -> Path | None:
    return next((folder for folder in _candidates(root) if fits(folder)), None)


def find_corpus(key: str, root: Path) -> Path | None:
    """Return where a corpus lies under a root, up to three folders deep.

    Args:
        key: Of ``CORPORA``.
        root: Folder that holds corpora, or the corpus itself.

    Returns:
        Its folder, None when it is not there.
    """
    return _first(root, CORPORA[key].find)


def read_set(
    spec: str, *, data: str | Path | None = None, skip_missing: bool = False, preset: str = "rigorous"
) -> TrialSet:
    """Read a set as `--sets` names it.

    Args:
        spec: ``key``, ``key@split``, ``key=DIR`` or ``name=protocol.csv``.
        data: Folder that holds the corpora; None takes the variable SHARPSCOPE_DATA.
        skip_missing: Leave out trials whose audio is missing and count them.
        preset: Which conventions apply where the paper's differ from the literature's.

    Returns:
        The trials.

    Raises:
        UsageError: If the set is unknown, not on disk, or its protocol is damaged.
    """
    name, equals, place = spec.partition("=")
    if equals and not place:
        raise UsageError(f"set '{spec}': nothing after the =; write {name}=DIR or {name}=protocol.csv")
    if equals and not Path(place).is_dir():
        path = Path(place)
        if not path.is_file():
            raise UsageError(f"set '{spec}': {path} does not exist")
        return make_set(name, read_own_list(path), source=path, skip_missing=skip_missing)
    key_name, at, split = name.partition("@")
    key = resolve_key(key_name)
    corpus = CORPORA[key]
    split = split if at else corpus.default
    if corpus.splits and split not in corpus.splits:
        raise UsageError(
            f"set '{spec}': {corpus.title} has no part '{split}', only {', '.join(corpus.splits)}"
        )
    root = Path(place) if equals else _data_root(data, spec)
    folder = find_corpus(key, root)
    if folder is None:
        raise UsageError(
            f"set '{spec}': {corpus.title} is not under {root}; looked for {corpus.markers}, up to three folders "
            f"deep. It is published at {corpus.source}"
        )
    reader: Callable[..., Iterator[Trial]] = corpus.read
    if corpus.partner is not None:
        around = _data_root(data, spec) if data or os.environ.get("SHARPSCOPE_DATA") else root
        reader = partial(reader, partner=_first(around, corpus.partner))
    subset = "" if split == corpus.default else split
    trials = make_set(key, reader(folder, split), source=folder, subset=subset, skip_missing=skip_missing)
    return trials._replace(notes=(*trials.notes, *_count_notes(corpus, split, trials)))


def _data_root(data: str | Path | None, spec: str) -> Path:
    place = data or os.environ.get("SHARPSCOPE_DATA")
    if not place:
        raise UsageError(
            f"set '{spec}': no --data and no SHARPSCOPE_DATA; say where the corpora are, or {spec}=DIR"
        )
    root = Path(place)
    if not root.is_dir():
        raise UsageError(f"--data is {root}, which is not a folder")
    return root


def _count_notes(corpus: Corpus, split: str, trials: TrialSet) -> Iterator[str]:
    published = corpus.counts.get(split)
    if published is None:
        return
    n_bonafide = int((trials.table["label"] == "bonafide").sum())
    found = (n_bonafide, len(trials.table) - n_bonafide)
    if found != published:
        yield f"{found[0]}/{found[1]} trials where {published[0]}/{published[1]} are published"


class Found(NamedTuple):
    """One line of `sharpscope sets`."""

    key: str
    title: str
    folder: str
    n_bonafide: int | None
    n_spoof: int | None
    published: str
    missing: int | None
    licence: str
    source: str
    note: str


def survey(data: str | Path | None = None) -> list[Found]:
    """Look for every known corpus under a root and count its trials.

    Args:
        data: Folder that holds the corpora; None takes SHARPSCOPE_DATA, and looks nowhere without it.

    Returns:
        One entry per corpus, found or not.
    """
    place = data or os.environ.get("SHARPSCOPE_DATA")
    return [_look(key, corpus, Path(place) if place else None) for key, corpus in CORPORA.items()]


def _look(key: str, corpus: Corpus, root: Path | None) -> Found:
    published = "/".join(map(str, corpus.counts.get(corpus.default, ())))
    folder = find_corpus(key, root) if root is not None else None
    if folder is None:
        return Found(
            key,
            corpus.title,
            "",
            None,
            None,
            published,
            None,
            corpus.licence,
            corpus.source,
            f"looked for {corpus.markers}",
        )
    try:
        trials = read_set(key, data=root, skip_missing=True)
    except UsageError as error:
        return Found(
            key,
            corpus.title,
            str(folder),
            None,
            None,
            published,
            None,
            corpus.licence,
            corpus.source,
            str(error),
        )
    n_bonafide = int((trials.table["label"] == "bonafide").sum())
    return Found(
        key,
        corpus.title,
        str(folder),
        n_bonafide,
        len(trials.table) - n_bonafide,
        published,
        trials.skipped,
        corpus.licence,
        corpus.source,
        "; ".join(trials.notes),
    )
