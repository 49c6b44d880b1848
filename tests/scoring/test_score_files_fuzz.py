"""A damaged score file ends in scores, or in one line that names the file; keys are in test_corpora_fuzz.py."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharpscope.errors import UsageError
from sharpscope.scoring.score_files import read_score_file

SCORES = {
    "two": b"a 0.5\nb -1\n",
    "four": b"a - bonafide 0.5\nb A07 spoof -1\n",
    "header": b"filename\tcm-score\na\t2\nb\t-1e3\n",
    "log": b"Output, a, 1, 0.5\nepoch\nOutput, b, 0, -1\n",
    "tensor": b"a tensor(0.5, device='cuda:0')\nb tensor(-1)\n",
}
BYTES = st.lists(
    st.tuples(
        st.integers(0, 120), st.integers(0, 9),
        st.sampled_from(
            [b"", b'"', b",", b";", b"\t", b"\n", b" ", b"0", b"\0", b"\xff", b"tensor(", b"eval", b"\r", b"spoof"]
        ),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def damaged(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, what in edits:
        content = content[:at] + what + content[at + length :]
    return content


@pytest.mark.parametrize("name", SCORES)
def test_a_damaged_score_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "scores.txt"

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(BYTES)
    def check(edits: list[tuple[int, int, bytes]]) -> None:
        path.write_bytes(damaged(SCORES[name], edits))
        try:
            found = read_score_file(path)
        except UsageError as error:
            refused.append(str(error))
            return
        assert all(abs(value) < float("inf") for value in found.values())

    refused: list[str] = []
    check()
    assert refused
    assert all(str(path) in message and "\n" not in message for message in refused)
