"""The corpora that are known, by key and by other names."""

from __future__ import annotations

from collections.abc import Callable

from sharpscope.corpora import (
    add,
    arad,
    asvspoof,
    asvspoof5,
    asvspoof2021,
    asvspoof2021_pa,
    auddt,
    codecfake,
    ctrsvdd,
    decro,
    deepfake_eval,
    diffssd,
    diffuse_or_confuse,
    dsd,
    emofake,
    fake_or_real,
    famous_figures,
    folders,
    in_the_wild,
    jspaw2,
    laundered,
    mlaad,
    replaydf,
    sonics,
    speech_only,
    spoofceleb,
    vocoded,
    wavefake,
)
from sharpscope.corpora.place import Corpus
from sharpscope.errors import UsageError, unknown_name
from sharpscope.plugins import CORPORA as CORPUS_PLUGINS
from sharpscope.plugins import load_plugins

CORPORA: dict[str, Corpus] = {
    **asvspoof.CORPORA,
    **asvspoof2021.CORPORA,
    **asvspoof5.CORPORA,
    **in_the_wild.CORPORA,
    **mlaad.CORPORA,
    **fake_or_real.CORPORA,
    **wavefake.CORPORA,
    **add.CORPORA,
    **spoofceleb.CORPORA,
    **codecfake.CORPORA,
    **vocoded.CORPORA,
    **diffssd.CORPORA,
    **deepfake_eval.CORPORA,
    **folders.CORPORA,
    **decro.CORPORA,
    **replaydf.CORPORA,
    **sonics.CORPORA,
    **ctrsvdd.CORPORA,
    **asvspoof2021_pa.CORPORA,
    **laundered.CORPORA,
    **famous_figures.CORPORA,
    **jspaw2.CORPORA,
    **dsd.CORPORA,
    **diffuse_or_confuse.CORPORA,
    **emofake.CORPORA,
    **speech_only.CORPORA,
    **arad.CORPORA,
    **auddt.CORPORA,
}


def register_corpus(key: str, corpus: Corpus) -> None:
    """Add a corpus under a key of its own, for ``--sets`` and `sharpscope sets`.

    Args:
        key: As ``--sets`` has it, in small letters.
        corpus: Its facts and its reader; `sharpscope.corpora.decro` is an example of forty lines.

    Raises:
        UsageError: If the key or an alias is taken.
    """
    taken = {*CORPORA, *(alias.lower() for known in CORPORA.values() for alias in known.aliases)}
    if clash := [name for name in (key, *corpus.aliases) if name.lower() in taken]:
        raise UsageError(f"a corpus is called '{clash[0]}' already; choose another key")
    CORPORA[key] = corpus


def is_registered(name: str) -> bool:
    """Tell whether a name is a key or an alias of a corpus.

    Args:
        name: As the user wrote it.

    Returns:
        True in any case of its letters.

    Example:
        >>> is_registered("ITW"), is_registered("mine")
        (True, False)
    """
    load_plugins(CORPUS_PLUGINS)
    lowered = name.lower()
    return any(lowered in (key, *(a.lower() for a in one.aliases)) for key, one in CORPORA.items())


def resolve_key(name: str, among: Callable[[str], bool] | None = None) -> str:
    """Return the key of a corpus from its key or an alias, in any case.

    Args:
        name: What the user wrote.
        among: Tells which of several corpora that share a name is meant: the one on disk.

    Returns:
        A key of ``CORPORA``.

    Raises:
        UsageError: If no corpus has that name, or several have and ``among`` does not decide.

    Example:
        >>> resolve_key("ITW"), resolve_key("19LA")
        ('itw', 'asvspoof2019_la')
    """
    keys = keys_of(name)
    if len(keys) > 1 and among is not None:
        there = [key for key in keys if among(key)]
        keys = there if len(there) == 1 else keys
    if len(keys) > 1:
        raise UsageError(
            f"set '{name}' is the name of {' and of '.join(f'{CORPORA[k].title} ({k})' for k in keys)}; "
            "write the one in brackets"
        )
    return keys[0]


def keys_of(name: str) -> list[str]:
    """Return every key that a name stands for, at least one."""
    load_plugins(CORPUS_PLUGINS)
    lowered = name.lower()
    if lowered in CORPORA:
        return [lowered]
    keys = [key for key, corpus in CORPORA.items() if lowered in (alias.lower() for alias in corpus.aliases)]
    if not keys:
        known = [*CORPORA, *(alias for c in CORPORA.values() for alias in c.aliases)]
        raise unknown_name("set", name, known, see="sharpscope sets")
    return keys
