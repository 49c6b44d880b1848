"""A damaged protocol never crashes a reader and never loses a trial unseen."""

from pathlib import Path

import pytest
from corpus_layouts import LAYOUTS, Folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharpscope import corpora
from sharpscope.corpora import reading
from sharpscope.corpora.listing import Listing
from sharpscope.corpora.own_list import read_own_list
from sharpscope.corpora.place import Place
from sharpscope.corpora.protocols import Tally
from sharpscope.errors import UsageError

# Layout, set, the protocol that is damaged, trials per row.
PARSERS = [
    ("asvspoof2019_la", "asvspoof2019_la@eval", "*/*/*/*/*cm.eval.trl.txt", 1),
    ("partialspoof", "partialspoof", "*/*/*/*.eval.trl.txt", 1),
    ("asvspoof2021_la", "asvspoof2021_la@all", "keys/LA/CM/trial_metadata.txt", 1),
    ("asvspoof2021_df", "asvspoof2021_df@eval", "keys/DF/CM/trial_metadata.txt", 1),
    ("asvspoof5", "asvspoof5@dev", "*/ASVspoof5.dev.track_1.tsv", 1),
    ("itw", "itw", "*/meta.csv", 1),
    ("mlaad", "mlaad@none", "*/fake/zh-cn/*/meta.csv", 1),
    ("wavefake", "ljspeech", "*/*/metadata.csv", 1),
    ("add", "add2022_t32r2", "*/track3_R2_label.txt", 1),
    ("add", "add2022_track1", "*/track1_label.txt", 1),
    ("add", "add2023_t12@r1", "*/testR1/label.txt", 1),
    ("spoofceleb", "spoofceleb", "*/metadata/evaluation.csv", 1),
    ("codecfake_xie", "codecfake_xie@C2", "*/label/C2.txt", 1),
    ("librisevoc", "librisevoc@test", "*/test.txt", 7),
    ("diffssd", "diffssd@test", "*/train_val_test_splits.csv", 1),
    ("deepfake_eval_2024", "deepfake_eval_2024@test", "*/audio-metadata-publish.csv", 1),
    ("decro", "decro@ch_eval", "*/ch_eval.txt", 1),
    ("replaydf", "replaydf", "*/wav/*/meta.csv", 1),
    ("sonics", "sonics", "*/test.csv", 1),
]
NASTY = (b'"', b"|", b",", b" ", b"\t", b"\n", b"\r", b"\n\n", b"\0", b"\xff", b"\xe2\x80\xa8", b"\x0b",
         b"\xef\xbb\xbf", b"-", b"eval", b"bonafide", b"'", b"\\", b"=", b"/", b"../", b"x", b"7")  # fmt: skip
# Edits as a short program, three bytes each: what, where, and with what.
EDITS = st.binary(min_size=3, max_size=12)


def damaged(content: bytes, edits: bytes) -> bytes:
    for kind, where, what in zip(edits[::3], edits[1::3], edits[2::3], strict=False):
        at = where * len(content) // 255
        length = what % 40 + 1
        if kind % 4 == 0:
            content = content[:at] + NASTY[what % len(NASTY)] + content[at:]
        elif kind % 4 == 1:
            content = content[:at] + content[at + length :]
        elif kind % 4 == 2:
            content = content[:at]
        else:
            content = content[:at] + content[at : at + length] * 2 + content[at + length :]
    return content


def lines_in(content: bytes) -> int:
    text = content.decode("utf-8-sig")
    return text.count("\n") + (not text.endswith("\n") and bool(text))


def account(tally: Tally, n_trials: int, n_lines: int, per_row: int) -> None:
    """Trials read + lines reported = lines."""
    assert tally.lines == n_lines
    assert tally.lines == tally.blank + tally.header + tally.rows
    assert n_trials == per_row * (tally.rows - tally.other_parts - sum(tally.left_out.values()))


@pytest.mark.parametrize(("name", "spec", "protocol", "per_row"), PARSERS, ids=[case[1] for case in PARSERS])
def test_every_line_of_a_damaged_protocol_is_accounted_for(
    tmp_path: Path, name: str, spec: str, protocol: str, per_row: int
) -> None:
    LAYOUTS[name].write(Folder(tmp_path))
    (path,) = tmp_path.glob(protocol)
    original = path.read_bytes()
    key, _, part = spec.partition("@")
    chosen = reading._choose(spec, key, part, "rigorous", "none")
    listing = Listing()
    folder = corpora.find_corpus(key, tmp_path, listing)
    assert folder is not None

    def read() -> tuple[Tally, int]:
        tally = Tally()
        trials = list(reading._trials(key, chosen, folder, [tmp_path], listing, tally))
        assert all(trial.trial and trial.label in {"bonafide", "spoof"} for trial in trials)
        return tally, len(trials)

    whole, _ = read()
    others = whole.lines - lines_in(original)

    @settings(max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(EDITS)
    def check(edits: bytes) -> None:
        content = damaged(original, edits)
        path.write_bytes(content)
        try:
            tally, n_trials = read()
        except UsageError as error:
            # Reported, by the file's name.
            refused.append(str(error))
            return
        account(tally, n_trials, others + lines_in(content), per_row)
        accounted.append(content)

    refused: list[str] = []
    accounted: list[bytes] = []
    check()
    assert len(accounted) > 20
    assert len(refused) > 20
    assert all(str(tmp_path) in message for message in refused)


OWN = b"file,label,attack,speaker,subset\na.wav,spoof,A01,s1,dev\nb.wav,bona-fide,-,s2,eval\n"


@pytest.mark.parametrize(
    ("original", "parts"), [(OWN, ("",)), (OWN, ("dev",)), (b"s a - - bonafide\ns b - A1 spoof\n", ("",))]
)
def test_every_line_of_a_damaged_list_of_one_s_own(
    tmp_path: Path, original: bytes, parts: tuple[str, ...]
) -> None:
    path = tmp_path / "own.csv"
    listing = Listing()
    assert listing.files(tmp_path) == frozenset()

    @settings(max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(EDITS)
    def check(edits: bytes) -> None:
        content = damaged(original, edits)
        path.write_bytes(content)
        tally = Tally()
        try:
            trials = list(
                read_own_list(Place(tmp_path, (), listing, tally, "none", reading._no_partner), path, parts)
            )
        except UsageError as error:
            refused.append(str(error))
            return
        account(tally, len(trials), lines_in(content), 1)

    refused: list[str] = []
    check()
    assert len(refused) > 20
    assert all(str(path) in message for message in refused)
