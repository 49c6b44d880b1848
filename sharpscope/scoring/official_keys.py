"""Rows of the official keys of ASVspoof 2021 (LA, DF, PA) and ASVspoof 5, and the phase that is judged."""

from __future__ import annotations

from pathlib import Path

BONAFIDE = ("bonafide", "bona-fide", "bona_fide", "real", "genuine", "human")
SPOOF = ("spoof", "spoofed", "fake", "deepfake")
PHASES = ("eval", "progress", "hidden")


def official_label(cells: list[str]) -> tuple[str, str]:
    """Return label and phase of a row of an official key of ASVspoof 2021 or 5, "" where it is none.

    ASVspoof 2021 LA and DF (stage 1) have 8 columns, DF 13, ASVspoof 5 has 10; the attack's column also says
    bonafide, so the label is read by its place.

    Args:
        cells: Of one row.

    Returns:
        The label as it is written, and the phase.

    Example:
        >>> official_label("LA_0020 LA_E_1 g722 loc_tx bonafide bonafide notrim eval".split())
        ('bonafide', 'eval')
    """
    if len(cells) >= 8 and cells[5].lower() in BONAFIDE + SPOOF and cells[7] in PHASES:
        return cells[5], cells[7]
    if len(cells) == 10 and cells[8].lower() in BONAFIDE + SPOOF:
        return cells[8], ""
    return "", ""


def key_phases(path: str | Path) -> tuple[Path, str]:
    """Split ``key.txt@phase`` into the file and the phase; "eval" where none is asked for.

    Args:
        path: Of a key, with or without a phase behind it.

    Returns:
        The file and one of eval, progress, hidden and all.

    Example:
        >>> key_phases("trial_metadata.txt@hidden")[1], key_phases("trial_metadata.txt")[1]
        ('hidden', 'eval')
    """
    head, at, phase = str(path).rpartition("@")
    if at and phase in (*PHASES, "all") and not Path(path).exists():
        return Path(head), phase
    return Path(path), "eval"
