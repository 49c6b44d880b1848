"""A set, as it is named on the command line, to its trials."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sharpscope.audio.containers import is_there
from sharpscope.corpora.counts import count_notes, tally_notes
from sharpscope.corpora.embedded import container_of
from sharpscope.corpora.embedded_sets import find_embedded_corpus, read_embedded
from sharpscope.corpora.finding import find_copies, find_corpus
from sharpscope.corpora.hub_cache import SCHEME, hub_name
from sharpscope.corpora.listing import Listing
from sharpscope.corpora.moved import find_moved
from sharpscope.corpora.own_list import read_own_list
from sharpscope.corpora.pairing import PAIRINGS, balance
from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.protocols import Tally
from sharpscope.corpora.registry import CORPORA, is_registered, keys_of, resolve_key
from sharpscope.corpora.trials import Trial, TrialSet, make_set
from sharpscope.errors import UsageError, some_of, unknown_name

# Folders that look like a corpus and are read in search of one whose audio is there.
MOST_COPIES = 12


def read_set(
    spec: str,
    *,
    data: str | Path | None = None,
    skip_missing: bool = False,
    preset: str = "rigorous",
    pairing: str | None = None,
) -> TrialSet:
    """Read a set as `--sets` names it.

    Args:
        spec: ``key``, ``key@part``, ``key@part+part``, ``key@part/balanced``, ``key=DIR``, ``key@part=DIR``,
            ``name=protocol.csv``, ``name@subset=protocol.csv``, or corpora pooled as ``key+key``.
        data: Folder that holds the corpora; None takes the variable SHARPSCOPE_DATA.
        skip_missing: Leave out trials whose audio is missing and count them.
        preset: Which conventions apply where the paper's differ from the literature's.
        pairing: Of a spoof-only corpus with its real partner: "paired" (the default), "balanced" or "all";
            "none" reads it alone.

    Returns:
        The trials.

    Raises:
        UsageError: If the set is unknown, not on disk, or its protocol is damaged.
    """
    name, part, where = _split(spec)
    listing = Listing()
    given = _given(name, part, where, spec, skip_missing, listing, data or os.environ.get("SHARPSCOPE_DATA"))
    if isinstance(given, TrialSet):
        return given
    for one in name.split("+"):
        keys_of(one)  # a misspelt key is told before a missing folder
    roots = _roots(spec, given, data)
    if "+" in name:
        return _pool(name, part, spec, roots, listing, skip_missing, preset)
    key = resolve_key(name, lambda k: find_corpus(k, roots[0], listing) is not None)
    chosen = _choose(spec, key, part or _implied(key, name), preset, pairing)
    corpus = CORPORA[key]
    if corpus.classes == "spoof" and not corpus.partners and chosen.pairing != "none":
        raise UsageError(
            f"set '{spec}': {corpus.title} holds only spoofed speech and declares no real partner; "
            f"pool it with a real corpus, for example {key}+ljspeech"
        )
    if find_corpus(key, roots[0], listing) is None:
        held = find_embedded_corpus(key, corpus, roots[0], listing)
        if held is not None:
            return read_embedded(CORPORA, key, part or _implied(key, name), held, spec, skip_missing)
        listing = Listing(archives=True)
    copy, others = _fullest(spec, key, chosen, roots, listing)
    folder, tally, trials = copy.folder, copy.tally, copy.trials
    done = make_set(
        key, trials, source=folder, subset=chosen.subset, skip_missing=skip_missing, listing=listing
    )
    notes = [*others, *tally_notes(tally), *count_notes(corpus, chosen.parts, done)]
    if chosen.pairing == "balanced" and corpus.classes == "spoof":
        done = done._replace(table=balance(done.table))
        notes.append("larger class drawn down to the smaller, seed 0")
    if corpus.classes == "spoof":
        reals = " and ".join(CORPORA[name].title for name in tally.partners) or "real/ in the corpus"
        notes.append("spoof only" if chosen.pairing == "none" else f"bona fide: {reals}, {chosen.pairing}")
    there = set(done.table["label"])
    if len(there) == 1 and chosen.pairing != "none":
        notes.append(f"only {there.pop()} trials: no EER can be computed")
    return done._replace(notes=tuple(notes))


def _split(spec: str) -> tuple[str, str, str]:
    """Return what stands before the @, between it and the =, and behind that."""
    if spec.startswith(SCHEME):  # the name in the hub is the name of the set
        address, at, part = spec.partition("@")
        spec = f"{hub_name(address)[1]}{at}{part}={address}"
    head, equals, where = spec.partition("=")
    if not head or (equals and not where):
        raise UsageError(f"set '{spec}': write a key, key=DIR or name=protocol.csv")
    name, at, part = head.partition("@")
    if at and not part:
        raise UsageError(f"set '{spec}': nothing after the @; write {name} or {name}@part")
    if not equals and (Path(name).suffix or "/" in name):
        raise UsageError(
            f"set '{spec}' looks like a path, which needs a name before it: KEY=DIR for the folder of a corpus, "
            f"or any name for a protocol of your own, such as {Path(spec).stem}={spec}"
        )
    return name, part, where


def _roots(spec: str, where: str, data: str | Path | None) -> list[Path]:
    """Return the folders to look in: the one given with the set, the data root, the one above."""
    place = data or os.environ.get("SHARPSCOPE_DATA")
    if not where and not place:
        raise UsageError(
            f"set '{spec}': no --data and no SHARPSCOPE_DATA; say where the corpora are, or {spec}=DIR"
        )
    if place and not Path(place).is_dir():
        raise UsageError(f"--data is {place}, which is not a folder")
    beyond = [Path(place).absolute()] if place else []
    first = Path(where).absolute()
    return [first, *beyond, first.parent] if where else beyond


class _Chosen(NamedTuple):
    """Which parts of a corpus are meant, how it is paired, and what the results table calls that."""

    parts: tuple[str, ...]
    pairing: str
    subset: str
    asked: bool = True


def _implied(key: str, name: str) -> str:
    """Return the part that an alias means."""
    aliases = {alias.lower(): part for alias, part in CORPORA[key].aliases.items()}
    return aliases.get(name.lower(), "")


def _choose(spec: str, key: str, part: str, preset: str, pairing: str | None) -> _Chosen:
    corpus = CORPORA[key]
    modes = (*PAIRINGS, "none") if corpus.partners else ("none",)
    if pairing is not None and pairing not in (*PAIRINGS, "none"):
        raise unknown_name("pairing", pairing, (*PAIRINGS, "none"))
    mode = pairing or "paired"
    words = []
    for word in part.split("+") if part else []:
        before, _, last = word.rpartition("/")
        if corpus.partners and last in modes:
            mode, word = last, before
        if word:
            words.append(word)
    default = corpus.paper if preset == "huang2025" and corpus.paper else corpus.default
    parts = tuple(_part(spec, corpus, word) for word in words) or tuple(default.split("+"))
    if len(set(parts)) < len(parts):
        raise UsageError(f"set '{spec}': a part stands twice")
    joined = "+".join(parts)
    subset = "" if joined == corpus.default else joined
    if corpus.partners and mode != "paired":
        subset = f"{subset}/{mode}" if subset else mode
    return _Chosen(parts, mode, subset, bool(words))


def _part(spec: str, corpus: Corpus, word: str) -> str:
    if corpus.any_part:
        return word
    names = {name.lower(): name for name in corpus.parts}
    names |= {name.lower(): part for name, part in corpus.synonyms.items()}
    if word.lower() not in names:
        allowed = f"only {', '.join(corpus.parts)}" if corpus.parts else "nor any other"
        raise UsageError(f"set '{spec}': {corpus.title} has no part '{word}', {allowed}")
    return names[word.lower()]


class _Copy(NamedTuple):
    """One copy of a corpus, read.

    Attributes:
        folder: Where it lies.
        tally: What became of its lines.
        trials: Those of its protocols; none where it cannot be read.
        audio: Trials whose audio is there, -1 where it cannot be read.
        error: Why it cannot be read.
    """

    folder: Path
    tally: Tally
    trials: tuple[Trial, ...]
    audio: int
    error: UsageError | None = None


def _fullest(
    spec: str, key: str, chosen: _Chosen, roots: Sequence[Path], listing: Listing
) -> tuple[_Copy, list[str]]:
    """Return the nearest copy whose audio is all there, else the one with the most, and a note on the others.

    Raises:
        UsageError: If there is no copy, or none can be read.
    """
    corpus = CORPORA[key]
    copies: list[_Copy] = []
    for folder in find_copies(key, roots[0], listing):
        copies.append(_look(key, chosen, folder, roots, listing))
        if 0 < len(copies[-1].trials) == copies[-1].audio or len(copies) == MOST_COPIES:
            break
    if not copies:
        packed = "".join(f". {reason}" for reason in listing.unreadable.values())
        raise UsageError(
            f"set '{spec}': {corpus.title} is not under {roots[0]}; looked for "
            f"{some_of(corpus.markers, ' or ', 4)}, up to four folders deep, also in "
            f"tars and zips{packed}. It is published at {corpus.source} and unpacks to {corpus.layout}"
        )
    best = max(copies, key=lambda copy: copy.audio)
    if best.error is not None:
        raise best.error
    # A folder inside the copy, or above it, may carry a mark as well and gives the same files.
    files = {trial.path for trial in best.trials}
    notes = [
        f"read {best.folder}; another copy, {copy.folder}, has {copy.audio} of its {len(copy.trials)} audio files"
        for copy in copies
        if copy is not best and not {trial.path for trial in copy.trials} <= files
    ]
    notes += [
        f"read {best.folder}; what else looks like it, {copy.folder}, cannot be read: {copy.error}"
        for copy in copies
        if copy.error is not None
    ]
    return best, notes


def _look(key: str, chosen: _Chosen, folder: Path, roots: Sequence[Path], listing: Listing) -> _Copy:
    """Read a copy and count the audio that is there."""
    tally = Tally()
    try:
        trials = tuple(_trials(key, chosen, folder, roots, listing, tally))
    except UsageError as error:
        return _Copy(folder, tally, (), -1, error)
    there = sum(is_there(trial.path, listing.has_file) for trial in trials)
    if there < len(trials):
        trials, notes = find_moved(trials, folder, listing, key)
        tally.notes += notes
        there = sum(is_there(trial.path, listing.has_file) for trial in trials)
    return _Copy(folder, tally, trials, there)


def _trials(
    key: str, chosen: _Chosen, folder: Path, roots: Sequence[Path], listing: Listing, tally: Tally
) -> Iterator[Trial]:
    def partner(other: str) -> tuple[Path, Callable[[], Iterable[Trial]]]:
        places = (find_corpus(other, root, listing) for root in (folder, *roots, folder.parent))
        found = next((place for place in places if place is not None), None)
        whole = _choose(other, other, "", "", "none")
        if found is not None:
            tally.partners.append(other)
            return found, lambda: _trials(other, whole, found, roots, listing, tally)
        corpus = CORPORA[other]
        raise UsageError(
            f"{folder}: {CORPORA[key].title} holds only spoofed speech and its real partner {corpus.title} is not "
            f"on disk; looked for {some_of(corpus.markers, ' or ', 4)} under {', '.join(map(str, roots))}. "
            f"It is published at {corpus.source}"
        )

    place = Place(folder, tuple(roots), listing, tally, chosen.pairing, partner, not chosen.asked)
    return CORPORA[key].read(place, chosen.parts)


def _pool(
    name: str,
    part: str,
    spec: str,
    roots: Sequence[Path],
    listing: Listing,
    skip_missing: bool,
    preset: str,
) -> TrialSet:
    """Read several corpora as one set, each trial under its corpus' name."""
    if part:
        raise UsageError(
            f"set '{spec}': pooled corpora are taken with their default parts; leave out @{part}"
        )
    tally = Tally()
    trials: list[Trial] = []
    keys = []
    for one in name.split("+"):
        key = resolve_key(one, lambda k: find_corpus(k, roots[0], listing) is not None)
        chosen = _choose(name, key, _implied(key, one), preset, "none")
        copy, others = _fullest(name, key, chosen, roots, listing)
        tally.notes += [*others, *tally_notes(copy.tally)]
        trials += [trial._replace(trial=f"{key}/{trial.trial}") for trial in copy.trials]
        keys.append(key)
    notes = (f"pooled: {', '.join(CORPORA[key].title for key in keys)}",)
    done = make_set("+".join(keys), trials, source=roots[0], skip_missing=skip_missing, listing=listing)
    return done._replace(notes=(*notes, *tally_notes(tally)))


def _read_own(
    name: str, part: str, path: Path, spec: str, skip_missing: bool, data: str | Path | None
) -> TrialSet:
    if not path.is_file():
        raise UsageError(f"set '{spec}': {path} does not exist")
    tally, listing = Tally(), Listing()
    roots = (Path(data).absolute(),) if data else ()
    place = Place(path.parent, roots, listing, tally, "none", _no_partner)
    trials = read_own_list(place, path, tuple(part.split("+")))
    said = "+".join(word for word in part.split("+") if ":" not in word)
    done = make_set(name, trials, source=path, subset=said, skip_missing=skip_missing, listing=listing)
    return done._replace(notes=tuple(tally_notes(tally)))


def _given(
    name: str,
    part: str,
    where: str,
    spec: str,
    skip_missing: bool,
    listing: Listing,
    data: str | Path | None,
) -> TrialSet | str:
    """Read a list or containers that stand behind a set's "="; else return the folder of a corpus, "" for none."""
    if not where:
        return ""
    keys = keys_of(name) if is_registered(name) else []
    place = Path(where).absolute()
    if place.is_dir() and any(find_corpus(key, place, listing) for key in keys):
        return where
    held = container_of(where, listing)
    if held is None:
        if place.is_dir() and not keys:
            raise UsageError(
                f"set '{spec}': '{name}' is no corpus that is read from its folder (`sharpscope sets` lists them); for "
                f"files of your own write {name}=LIST.csv with the columns file and label"
            )
        return where if place.is_dir() else _read_own(name, part, Path(where), spec, skip_missing, data)
    inside = Path(f"{held}::") if held.is_file() else held
    if any(find_corpus(key, inside, Listing(archives=True)) for key in keys):
        return str(inside)  # the corpus in it, as its authors pack it
    return read_embedded(CORPORA, name, part, held, spec, skip_missing)


def _no_partner(key: str) -> tuple[Path, Callable[[], Iterable[Trial]]]:
    raise UsageError(f"a list of one's own has no partner {key}")
