"""ASVspoof 2019 LA (Wang et al., 2020): protocols without header, blanks between the columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.trials import Trial, known, label_of, read_lines
from sharpscope.errors import UsageError

PROTOCOLS = "ASVspoof2019_LA_cm_protocols"


def find(folder: Path) -> bool:
    """Tell whether a folder is the corpus: it holds the protocols' folder.

    Args:
        folder: A candidate.

    Returns:
        True if it is.
    """
    return (folder / PROTOCOLS).is_dir()


def read(folder: Path, split: str) -> Iterator[Trial]:
    """Read ``speaker utterance - attack label`` of one split.

    The audio folders hold files that are in no protocol, so the protocol decides.

    Args:
        folder: The corpus.
        split: "train", "dev" or "eval".

    Yields:
        Its trials, the utterance name as id.

    Raises:
        UsageError: If the protocol is not there or a line has not five columns.
    """
    names = [f"ASVspoof2019.LA.cm.{split}.{kind}.txt" for kind in ("trl", "trn")]
    path = next((folder / PROTOCOLS / name for name in names if (folder / PROTOCOLS / name).is_file()), None)
    if path is None:
        raise UsageError(f"{folder / PROTOCOLS}: neither {names[0]} nor {names[1]} is there")
    audio = folder / f"ASVspoof2019_LA_{split}" / "flac"
    ending = "flac"
    if not audio.is_dir() and audio.with_name("wav").is_dir():
        audio, ending = audio.with_name("wav"), "wav"
    for number, line in enumerate(read_lines(path), start=1):
        cells = line.split()
        if not cells:
            continue
        where = f"{path}, line {number}"
        if len(cells) != 5:
            raise UsageError(f"{where}: {len(cells)} columns; expected speaker utterance - attack label")
        speaker, utterance, _, attack, word = cells
        label = label_of(word, where)
        yield Trial(
            utterance,
            str(audio / f"{utterance}.{ending}"),
            label,
            attack=known(attack),
            speaker=speaker,
            language="en",
        )
