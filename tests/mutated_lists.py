"""Lists and keys damaged at random, and what must come of it: trials that account for every line, or a report.

Used by the suite with few edits found by hypothesis, and by ``python -m benchmarks.mutated_lists`` with a thousand
seeded ones a reader.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from corpus_layouts import LAYOUTS, Folder
from corpus_layouts_more import MORE

from sharpscope import corpora
from sharpscope.corpora import keys, reading
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
    ("ctrsvdd", "ctrsvdd@test", "test.txt", 1),
    ("asvspoof2021_pa", "asvspoof2021_pa@all", "keys/PA/CM/trial_metadata.txt", 1),
    ("asvspoof_ld", "asvspoof_ld@Noise", "protocols/*_Noise.txt", 1),
    ("famous_figures", "famous_figures", "*/protocol.txt", 1),
    ("jspaw2_la", "jspaw2_la@L3", "*/protocols/CM_LA/metadata_LA_L3.txt", 1),
    ("dsd", "dsd", "*/DSD_corpus_v1.csv", 1),
    ("auddt", "auddt@odss", "data/odss/processed/manifest_odss.csv", 1),
]
KEYS = {
    "la": b"LA_1 LA_E_1 g722 x bonafide bonafide notrim eval\nLA_2 LA_E_2 g722 x A07 spoof trim hidden\n",
    "pa": b"PA_1 PA_E_1 a m d b m D t bonafide notrim eval\nPA_1 PA_E_2 a m d b m D t spoof notrim eval\n",
    "pa_stage_1": b"PA_1 PA_E_1 R3M3 d4 bonafide notrim eval\nPA_1 PA_E_2 R3M3 d4 spoof notrim eval\n",
    "five": b"E_2 E_3 M - - - - bonafide bonafide -\nE_2 E_4 M - - - AC1 A17 spoof -\n",
    "2019": b"s LA_E_1 - - bonafide\ns LA_E_2 - A07 spoof\n",
    "csv": b'ID,path,label,dataset_name\n1,a.wav,real,x\n2,"b, c.wav",fake,x\n',
    "semicolon": b"utt_id;is_fake\na;0\nb;1\n",
    "two": b"a bonafide\nb spoof\n",
}
OWN = b"file,label,attack,speaker,subset\na.wav,spoof,A01,s1,dev\nb.wav,bona-fide,-,s2,eval\n"
OWN_LISTS = {
    "own list": (OWN, ("",)),
    "own list, a subset": (OWN, ("dev",)),
    "own list, five columns": (b"s a - - bonafide\ns b - A1 spoof\n", ("",)),
    "own list, two columns": (b"a.wav real\nb c.wav fake\n", ("",)),
    "own list, numbers": (b"path\tlabel\na.wav\t1\nb.wav\t0\n", ("bonafide:1",)),
}
NASTY = (b'"', b"|", b",", b" ", b"\t", b"\n", b"\r", b"\n\n", b"\0", b"\xff", b"\xe2\x80\xa8", b"\x0b",
         b"\xef\xbb\xbf", b"-", b"eval", b"bonafide", b"'", b"\\", b"=", b"/", b"../", b"x", b"7")  # fmt: skip
# Reads the damaged bytes: (lines and what became of them, trials, lines of other files).
Read = Callable[[bytes], tuple[Tally, int, int]]


def damaged(content: bytes, edits: bytes) -> bytes:
    """Edit a list by a short program, three bytes an edit: what, where, and with what."""
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


class Case(NamedTuple):
    """One reader and the list that is damaged.

    Attributes:
        name: For people.
        original: The list as it should be.
        read: Reads it damaged.
        per_row: Trials that a row gives.
        folder: In whose name every report must speak.
    """

    name: str
    original: bytes
    read: Read
    per_row: int
    folder: Path


def corpus_case(parser: tuple[str, str, str, int], root: Path) -> Case:
    """Lay a corpus out and return the reader of one of its lists.

    Args:
        parser: One of `PARSERS`.
        root: An empty folder.
    """
    name, spec, protocol, per_row = parser
    {**LAYOUTS, **MORE}[name].write(Folder(root))
    (path,) = root.glob(protocol)
    original = path.read_bytes()
    key, _, part = spec.partition("@")
    chosen = reading._choose(spec, key, part, "rigorous", "none")
    listing = Listing()
    folder = corpora.find_corpus(key, root, listing)
    assert folder is not None

    def trials() -> tuple[Tally, int]:
        tally = Tally()
        found = list(reading._trials(key, chosen, folder, [root], listing, tally))
        assert all(trial.trial and trial.label in {"bonafide", "spoof"} for trial in found)
        return tally, len(found)

    others = trials()[0].lines - lines_in(original)

    def read(content: bytes) -> tuple[Tally, int, int]:
        path.write_bytes(content)
        return *trials(), others

    return Case(spec, original, read, per_row, root)


def own_case(name: str, root: Path) -> Case:
    """Return the reader of a list of one's own, one of `OWN_LISTS`."""
    original, parts = OWN_LISTS[name]
    path = root / "own.csv"
    listing = Listing()
    assert listing.files(root) == frozenset()

    def read(content: bytes) -> tuple[Tally, int, int]:
        path.write_bytes(content)
        tally = Tally()
        place = Place(root, (), listing, tally, "none", reading._no_partner)
        return tally, len(list(read_own_list(place, path, parts))), 0

    return Case(name, original, read, 1, root)


def key_case(name: str, root: Path) -> Case:
    """Return the reader of a key, one of `KEYS`."""
    path = root / "key.txt"

    def read(content: bytes) -> tuple[Tally, int, int]:
        path.write_bytes(content)
        tally = Tally()
        phased = keys._phased(path, tally)
        trials = [one for _, one in phased] if phased is not None else list(keys._plain(path, tally, ""))
        assert all(trial.trial and trial.label in {"bonafide", "spoof"} for trial in trials)
        return tally, len(trials), 0

    return Case(f"key {name}", KEYS[name], read, 1, root)


def outcome(case: Case, edits: bytes) -> str:
    """Damage the list and read it.

    Args:
        case: Reader and list.
        edits: As for `damaged`.

    Returns:
        The report where it was refused, "" where every line is accounted for.

    Raises:
        AssertionError: If a line is lost, or a report does not name the file.
    """
    content = damaged(case.original, edits)
    try:
        tally, n_trials, others = case.read(content)
    except UsageError as error:
        report = str(error)
        if str(case.folder) not in report:
            raise AssertionError(f"a report that names no file: {report}") from error
        return report
    account(tally, n_trials, others + lines_in(content), case.per_row)
    return ""
