"""The page says of known corpora only how far each reader was held against something real."""

from sharpscope.corpora import CORPORA
from sharpscope.corpora.verified import VERIFIED


def test_every_key_is_a_corpus() -> None:
    assert set(VERIFIED) <= set(CORPORA)
