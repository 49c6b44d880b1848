"""A damaged protocol never crashes a reader and never loses a trial unseen."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutated_lists import KEYS, OWN_LISTS, PARSERS, Case, corpus_case, key_case, outcome, own_case

from sharpscope.corpora.keys import read_labels
from sharpscope.errors import UsageError

# A thousand a reader, seeded, are those of `python -m benchmarks.mutated_lists`.
EXAMPLES = 150
EDITS = st.binary(min_size=3, max_size=12)


def check_all(case: Case) -> None:
    refused: list[bool] = []

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(EDITS)
    def check(edits: bytes) -> None:
        refused.append(bool(outcome(case, edits)))

    check()
    # Both happen, so that neither check is empty.
    assert 5 < sum(refused) < len(refused) - 5


@pytest.mark.parametrize("parser", PARSERS, ids=[parser[1] for parser in PARSERS])
def test_every_line_of_a_damaged_protocol_is_accounted_for(
    tmp_path: Path, parser: tuple[str, str, str, int]
) -> None:
    check_all(corpus_case(parser, tmp_path))


@pytest.mark.parametrize("name", OWN_LISTS)
def test_every_line_of_a_damaged_list_of_one_s_own(tmp_path: Path, name: str) -> None:
    check_all(own_case(name, tmp_path))


@pytest.mark.parametrize("name", KEYS)
def test_every_line_of_a_damaged_key(tmp_path: Path, name: str) -> None:
    check_all(key_case(name, tmp_path))


@pytest.mark.parametrize("name", KEYS)
def test_a_key_s_own_entry_takes_what_its_reader_takes(tmp_path: Path, name: str) -> None:
    path = tmp_path / "key.txt"
    path.write_bytes(KEYS[name])
    found = read_labels(path)
    assert {trial.label for trial in found.trials} | set(found.left) >= {"bonafide"}
    path.write_bytes(KEYS[name] + b"\0")
    with pytest.raises(UsageError, match=r"key\.txt"):
        read_labels(path)
