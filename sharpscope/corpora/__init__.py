"""Corpora as their authors ship them. One file per family, each registered in `registry` with its facts."""

from sharpscope.corpora.finding import find_corpus
from sharpscope.corpora.place import Corpus
from sharpscope.corpora.reading import read_set
from sharpscope.corpora.registry import CORPORA, register_corpus, resolve_key
from sharpscope.corpora.trials import TrialSet, trials_hash

__all__ = [
    "CORPORA",
    "Corpus",
    "TrialSet",
    "find_corpus",
    "read_set",
    "register_corpus",
    "resolve_key",
    "trials_hash",
]
