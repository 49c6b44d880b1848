"""Sets whose audio lies inside other files: parquet, ``datasets`` folders, WebDataset tars and zips nobody unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sharpscope.audio.archives import ENDINGS as ARCHIVES
from sharpscope.audio.containers import TABLES
from sharpscope.corpora.embedded_rows import ABOUT, IDS, SPLITS, Labels, Row, said_numbers
from sharpscope.corpora.embedded_tables import table_rows
from sharpscope.corpora.hub_cache import SCHEME, hub_folder
from sharpscope.corpora.listing import Listing
from sharpscope.corpora.protocols import Tally
from sharpscope.corpora.trials import Trial, known
from sharpscope.corpora.webdataset import samples
from sharpscope.errors import UsageError

_SAME = {
    **dict.fromkeys(("eval", "evaluation", "test", "testing"), "test"),
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "validation"),
    **dict.fromkeys(("train", "training"), "train"),
}


class Source(NamedTuple):
    """One container.

    Attributes:
        file: The container.
        split: "train", "test", ...; "" where its name tells none.
        words: Names of the folders above, which tell the configuration.
    """

    file: Path
    split: str
    words: tuple[str, ...]


def split_of(name: str) -> str:
    """Return the split that the name of a container tells, "" for none.

    Args:
        name: Without its ending.

    Returns:
        "train", "validation", "test" or "".

    Example:
        >>> split_of("test-00000-of-00003"), split_of("0000"), split_of("name-train-00000-of-00002")
        ('test', '', 'train')
    """
    words = [_SAME[word] for word in re.split(r"[^a-z]+", name.lower()) if word in _SAME]
    return words[0] if words else ""


def sources(place: Path, listing: Listing, endings: Sequence[str] = (*TABLES, *ARCHIVES)) -> list[Source]:
    """Return the containers of one kind in a folder, or the one given, in the order of their names.

    Args:
        place: A folder or a container.
        listing: Folders that were listed already.
        endings: Of the containers to look for.

    Returns:
        Parquet before arrow before tars before zips; none where the folder holds none.
    """
    if not listing.has_folder(place) and place.name.lower().endswith((*TABLES, *ARCHIVES)):
        return [Source(place, split_of(place.stem), ())]
    for ending in endings:
        found = []
        for folder in listing.under(place, 4):
            for name in sorted(listing.files(folder)):
                # Scratch files of datasets.map lie beside the tables under names that begin with cache-.
                if name.lower().endswith(ending) and not name.startswith((".", "cache-")):
                    words = folder.relative_to(place).parts
                    split = split_of(Path(name).stem) or next(filter(None, map(split_of, words[::-1])), "")
                    found.append(Source(folder / name, split, words))
        if found:
            return found
    return []


def embedded_trials(
    place: Path, part: str, listing: Listing, tally: Tally, *, spec: str, default: str = ""
) -> Iterator[Trial]:
    """Read the trials of a container or a folder of them.

    Args:
        place: File or folder.
        part: Splits or configurations joined by "+", and the meaning of numbers as ``bonafide:1``; "" takes all.
        listing: Folders that were listed already.
        tally: Counts what becomes of the rows.
        spec: The set as the user wrote it, for messages.
        default: Splits that are meant without a part, where the containers tell theirs.

    Yields:
        Trials, in the order of files and rows.

    Raises:
        UsageError: If there is no container, no such part, or labels cannot be understood.
    """
    wanted, given = said_numbers(part.split("+") if part else [], spec)
    found = sources(place, listing)
    if not found:
        raise UsageError(f"{place}: no parquet, arrow, tar or zip file in it")
    chosen, by_column = _chosen(found, wanted, default, spec, tally)
    trials = []
    for source in chosen:
        trials += list(_of_source(source, place, given, by_column, listing, tally))
    ids = [trial.trial for trial, _ in trials]
    if by_column and not trials:
        raise UsageError(f"set '{spec}': no row of {place} is of {', '.join(sorted(by_column))}")
    repeated = len(ids) - len(set(ids))
    if repeated:
        tally.notes.append(f"{repeated} names in the file repeat: trials are called by their rows")
    for trial, where in trials:
        yield trial._replace(trial=where) if repeated else trial


def _chosen(
    found: Sequence[Source], wanted: Sequence[str], default: str, spec: str, tally: Tally
) -> tuple[Sequence[Source], set[str]]:
    """Return the containers of the parts that are asked for, or the words to look for in a column."""
    splits = sorted({source.split for source in found if source.split})
    words = list(wanted) or [word.rpartition("/")[2] for word in default.split("+") if word]
    names = {_SAME.get(word.lower(), word.lower()) for word in words}

    def of(source: Source) -> set[str]:
        return {source.split, *(word.lower() for word in source.words)} - {""}

    chosen = [source for source in found if names & of(source)]
    if chosen:
        return chosen, set()
    if wanted and splits:
        there = sorted({word for source in found for word in of(source)})
        raise UsageError(f"set '{spec}': no part {'+'.join(wanted)}; the files hold {', '.join(there)}")
    if len(splits) > 1:
        tally.notes.append(f"{', '.join(splits)} taken together; name@{splits[0]} takes one")
    return found, {word.lower() for word in wanted}


def _of_source(
    source: Source, place: Path, given: dict[int, str], by_column: set[str], listing: Listing, tally: Tally
) -> Iterator[tuple[Trial, str]]:
    if source.file.name.lower().endswith(ARCHIVES):
        names: list[str] = []
        rows = samples(source.file)
    else:
        names, rows = table_rows(source.file, listing)
    labels = Labels(names, given)
    short = source.file.relative_to(place).as_posix() if place in source.file.parents else source.file.name
    for row in rows:
        tally.rows += 1
        split = next((str(row.cells[name]) for name in SPLITS if row.cells.get(name)), "").lower()
        if by_column and split not in by_column and _SAME.get(split) not in by_column:
            tally.other_parts += 1
            continue
        where = f"{source.file}, {row.where}"
        label = labels.of(row.cells, where)
        if label is None:
            tally.left_out["no label"] += 1
            continue
        yield _trial(row, label), f"{short}::{row.where.rpartition(' ')[2]}"
    if labels.said and labels.said not in tally.notes:
        tally.notes.append(labels.said)


def _trial(row: Row, label: str) -> Trial:
    name = next(
        (str(row.cells[column]) for column in IDS if row.cells.get(column) not in (None, "")), row.where
    )
    about = {
        field: next((known(str(row.cells[name])) for name in names if row.cells.get(name) is not None), "")
        for field, names in ABOUT.items()
    }
    if label == "bonafide" or about["attack"].lower() in {"bonafide", "bona-fide", "real"}:
        about["attack"] = ""
    # An absolute path is the uploader's and tells nothing here.
    return Trial(name.rsplit("/", 1)[-1] if name.startswith("/") else name, row.path, label, **about)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def find_embedded(names: Iterable[str], root: Path, listing: Listing) -> Path | None:
    """Return the folder or file under a root that is called like a corpus and is parquet or arrow, or holds some.

    Args:
        names: Key, aliases and title of the corpus; case and punctuation do not count.
        root: Folder that holds corpora.
        listing: Folders that were listed already.

    Returns:
        It, None where there is none.
    """
    wanted = {_plain(name) for name in names}
    for folder in listing.under(root, 3):
        # The hub's cache writes datasets--owner--name, copies often owner___name.
        own = re.split(r"--|___", folder.name)[-1]
        # Archives of that name may hold the corpus in its own layout, which is looked for elsewhere.
        if _plain(own) in wanted and sources(folder, listing, TABLES):
            return folder
        for name in sorted(listing.files(folder)):
            if name.lower().endswith(TABLES) and _plain(Path(name).stem) in wanted:
                return folder / name
    return None


def container_of(where: str, listing: Listing) -> Path | None:
    """Return the container, or the folder of containers, that a set names behind its "=".

    Args:
        where: A path, or ``hf://owner/name``.
        listing: Folders that were listed already.

    Returns:
        A path, None where it is neither.

    Raises:
        UsageError: If it is a name of the hub that is not in the cache, or a container that does not exist.
    """
    if where.startswith(SCHEME):
        return hub_folder(where)
    path = Path(where).absolute()
    if path.is_dir():
        return path if sources(path, listing) else None
    return path if path.is_file() and path.name.lower().endswith((*TABLES, *ARCHIVES)) else None
