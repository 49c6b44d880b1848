"""Scores that other tools have written, joined to a key and judged, so that closed systems enter the same table."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sharpscope.corpora.keys import read_labels
from sharpscope.corpora.label_words import BONAFIDE, SPOOF
from sharpscope.errors import UsageError
from sharpscope.progress import progress
from sharpscope.scoring.costs import (
    N_RESAMPLES,
    actual_cost,
    area_under_curve,
    likelihood_ratio_cost,
    minimum_cost,
    minimum_likelihood_ratio_cost,
    normal_interval,
    paired_difference,
)
from sharpscope.scoring.eer import eer_interval, equal_error_rate
from sharpscope.scoring.judgement import Judgement

TRIAL_WORDS = (
    "trial",
    "filename",
    "file",
    "file_name",
    "utterance",
    "utt",
    "utt_id",
    "utterance_id",
    "id",
    "name",
    "path",
)
SCORE_WORDS = ("score", "cm-score", "cm_score", "cmscore", "scores", "llr")
N_DRAWS = 1000
AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")


class Scored(NamedTuple):
    """Scores on a key.

    Attributes:
        trials: Names.
        scores: Shape (n,), higher for bona fide.
        is_bonafide: Shape (n,), bool.
        speakers: Shape (n,), or None where the key does not tell them all.
    """

    trials: tuple[str, ...]
    scores: np.ndarray
    is_bonafide: np.ndarray
    speakers: np.ndarray | None


class Key(NamedTuple):
    """What a key says of a trial."""

    is_bonafide: bool
    speaker: str


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return line numbers and cells; commas, tabs and blanks separate."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    # A printed tensor may name its device behind a comma.
    text = re.sub(r"tensor\(([^,()]*),[^()]*\)", r"\1", text)
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    # The first line of our own score files says of which trials and checkpoint they are.
    lines = [(number, line) for number, line in lines if not line.startswith("# trials_hash=")]
    if not lines:
        raise UsageError(f"{path}: no line in it")
    logged = [(number, line.split(",")) for number, line in lines if line.startswith("Output,")]
    if logged:
        # Logs of project-NN's LCNN: Output, trial, class, score, between lines of other kinds.
        if short := [number for number, cells in logged if len(cells) < 3]:
            raise UsageError(f"{path}, line {short[0]}: a logged output without trial and score")
        return [(number, [cells[1].strip(), cells[-1].strip()]) for number, cells in logged]
    for separator in (";", "\t", ","):
        blank = separator == "," and re.fullmatch(r"\S+\s+[-+]?\d+,\d+", lines[0][1].strip())
        if separator in lines[0][1] and not blank:
            return [
                (number, [cell.strip() for cell in next(csv.reader([line], delimiter=separator))])
                for number, line in lines
            ]
    return [(number, line.split()) for number, line in lines]


def _number(text: str) -> float | None:
    # Other tools print tensors, lists of one and decimal commas.
    bare = re.sub(r"^tensor\((.*?)\)$", r"\1", text.strip()).strip("[]() ")
    if re.fullmatch(r"[-+]?\d+,\d+(e[-+]?\d+)?", bare, re.IGNORECASE):
        bare = bare.replace(",", ".")
    try:
        return float(bare)
    except ValueError:
        return None


def _stem(name: str) -> str:
    """A trial's name without the ending of an audio file, which some tools write and others do not."""
    for ending in AUDIO:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def _column(header: list[str], words: tuple[str, ...]) -> int | None:
    lowered = [cell.lower().lstrip("#") for cell in header]
    return next((lowered.index(word) for word in words if word in lowered), None)


def read_score_file(path: str | Path) -> dict[str, float]:
    r"""Read scores by trial: ``utt score``, ASVspoof 2019's ``utt attack key score``, or any file with a header.

    A header names the trial (filename, trial, utt, id, ...) and the score (score, cm-score, ...), or one column for
    each class (bonafide and spoof), whose difference is the score.

    Args:
        path: Blanks, tabs or commas separate.

    Returns:
        Scores by name, as they stand in the file.

    Raises:
        UsageError: If it is not clear which column is the score, one is not finite, or a trial stands twice.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "s.txt"
        ...     _ = file.write_text("LA_E_1 A07 spoof -1.5\nLA_E_2 - bonafide 2\n")
        ...     read_score_file(file)
        {'LA_E_1': -1.5, 'LA_E_2': 2.0}
    """
    path = Path(path)
    lines = _lines(path)
    first = lines[0][1]
    headed = all(_number(cell) is None for cell in first)
    if headed:
        pick = _headed(path, first)
        lines = lines[1:]
    elif len(first) in (2, 4):
        pick = (0, (len(first) - 1,))
    else:
        raise UsageError(
            f"{path}, line {lines[0][0]}: {len(first)} columns without a header; two (trial, score), four (trial, "
            "attack, key, score) or a header that names trial and score are read; decimals need a point where "
            "commas separate"
        )
    found: dict[str, float] = {}
    for number, cells in lines:
        if len(cells) != len(first):
            raise UsageError(f"{path}, line {number}: {len(cells)} columns, the first line has {len(first)}")
        values = [_number(cells[place]) for place in pick[1]]
        if any(value is None or not np.isfinite(value) for value in values):
            raise UsageError(
                f"{path}, line {number}: the score is {cells[pick[1][0]]!r}, not a finite number"
            )
        name = _stem(cells[pick[0]])
        if name in found:
            raise UsageError(f"{path}, line {number}: trial '{name}' stands twice")
        numbers = [float(value) for value in values if value is not None]
        found[name] = numbers[0] if len(numbers) == 1 else numbers[0] - numbers[1]
    return found


def _headed(path: Path, header: list[str]) -> tuple[int, tuple[int, ...]]:
    trial, score = _column(header, TRIAL_WORDS), _column(header, SCORE_WORDS)
    classes = [_column(header, words + tuple(f"{w}_score" for w in words)) for words in (BONAFIDE, SPOOF)]
    if trial is not None and score is not None:
        return trial, (score,)
    if trial is not None and None not in classes:
        return trial, tuple(place for place in classes if place is not None)
    raise UsageError(
        f"{path}: the header is {', '.join(header[:8])}; it must name the trial ({', '.join(TRIAL_WORDS[:5])}, ...) "
        f"and the score ({', '.join(SCORE_WORDS[:3])}, ... or a column bonafide and one spoof)"
    )


def key_notes(path: str | Path) -> tuple[str, ...]:
    """Return what of a key with phases is judged and what is left out, and what 0 and 1 were taken to mean.

    Args:
        path: Of a key, with or without ``@phase``.

    Returns:
        Sentences; none for a key that says all itself.
    """
    file, part = split_key(path)
    found = read_labels(file, part)
    if not found.taken:
        return found.notes
    said = "the key's trials judged: " + ", ".join(f"{n} {name}" for name, n in found.taken.items())
    if found.left:
        said += "; left out: " + ", ".join(f"{n} {name}" for name, n in found.left.items())
        said += f"; {file.name}@all pools them"
    return (said,)


def split_key(path: str | Path) -> tuple[Path, str]:
    """Split ``key.txt@part`` into the file and the part.

    Args:
        path: Of a key, with or without a part behind it: a phase, ``all``, a subset, or ``bonafide:1``.

    Returns:
        The file, and the part, "" where none is asked for.

    Example:
        >>> split_key("trial_metadata.txt@hidden")[1], split_key("trial_metadata.txt")[1]
        ('hidden', '')
    """
    head, at, part = str(path).rpartition("@")
    if at and head and "/" not in part and not Path(path).exists():
        return Path(head), part
    return Path(path), ""


def read_key(path: str | Path) -> dict[str, Key]:
    """Read labels by trial with the corpora's own readers; see `sharpscope.corpora.keys.read_labels`.

    Args:
        path: Of an official key (its phase eval is taken, ``FILE@all`` takes every one), a protocol or a list.

    Returns:
        What is known of each trial, under its name without the ending of an audio file.

    Raises:
        UsageError: If a line has no label or two, or a trial stands twice.
    """
    file, part = split_key(path)
    found: dict[str, Key] = {}
    for trial in read_labels(file, part).trials:
        name = _stem(trial.trial)
        if name in found:
            raise UsageError(f"{file}: trial '{name}' stands twice")
        found[name] = Key(trial.label == "bonafide", trial.speaker)
    if not found:
        raise UsageError(f"{file}: no trial in it")
    return found


def _by_last_name(scores: Mapping[str, float], key: Mapping[str, Key]) -> Mapping[str, float]:
    """Return scores by the key's names where only the folders before the files' names differ, else as they are."""
    if not key or any(name in scores for name in key):
        return scores
    short = {_stem(name.replace("\\", "/").rsplit("/", 1)[-1]): value for name, value in scores.items()}
    names = {name: name.replace("\\", "/").rsplit("/", 1)[-1] for name in key}
    if len(short) < len(scores) or len(set(names.values())) < len(names):
        return scores  # the last names do not tell the trials apart
    return {name: short[last] for name, last in names.items() if last in short}


def join(
    scores: Mapping[str, float], key: Mapping[str, Key], where: str, *, higher: str = "bonafide"
) -> Scored:
    """Join scores to a key; every trial of the key must be scored.

    Args:
        scores: By trial.
        key: By trial.
        where: For messages.
        higher: Which class scores higher, "bonafide" or "spoof"; said by the user, never guessed.

    Returns:
        The scores of the key's trials, in its order.

    Raises:
        UsageError: If a trial of the key has no score, or a class is missing.
    """
    if higher not in ("bonafide", "spoof"):
        raise UsageError(f"higher is '{higher}'; it is bonafide or spoof")
    given = list(scores)[:3]
    scores = _by_last_name(scores, key)
    lacking = [name for name in key if name not in scores]
    if lacking:
        raise UsageError(
            f"{where}: {len(lacking)} of {len(key)} trials of the key have no score, for example "
            f"{', '.join(lacking[:3])}; the file has {', '.join(given)}"
        )
    truth = np.array([known.is_bonafide for known in key.values()])
    if truth.all() or not truth.any():
        raise UsageError(f"{where}: the key holds one class only")
    sign = 1.0 if higher == "bonafide" else -1.0
    speakers = np.array([known.speaker for known in key.values()])
    told = (
        all(s not in ("", "-") for s in speakers)
        and min(len(set(speakers[truth])), len(set(speakers[~truth]))) >= 5
    )
    return Scored(
        tuple(key), sign * np.array([scores[name] for name in key]), truth, speakers if told else None
    )


def judge(scored: Scored, *, advance: Callable[[], object] | None = None) -> dict[str, Any]:
    """Return every figure of merit of one system.

    Args:
        scored: Its scores.
        advance: Called at every draw of the bootstrap.

    Returns:
        Values by name; rates as fractions.
    """
    bonafide, spoof = scored.scores[scored.is_bonafide], scored.scores[~scored.is_bonafide]
    found = equal_error_rate(bonafide, spoof)
    clusters: dict[str, Any] = {}
    if scored.speakers is not None:
        clusters["bonafide_speakers"] = scored.speakers[scored.is_bonafide]
        clusters["spoof_speakers"] = scored.speakers[~scored.is_bonafide]
    drawn, normal = (
        eer_interval(bonafide, spoof, n_resamples=N_DRAWS, advance=advance, **clusters),
        normal_interval(found, len(bonafide), len(spoof)),
    )
    return {
        "n_bonafide": len(bonafide),
        "n_spoof": len(spoof),
        "eer": found.eer,
        "eer_low": drawn.low,
        "eer_high": drawn.high,
        "resampled": "speakers" if clusters else "trials",
        "eer_low_normal": normal.low,
        "eer_high_normal": normal.high,
        "eer_interpolated": equal_error_rate(bonafide, spoof, method="interpolated").eer,
        "eer_rocch": equal_error_rate(bonafide, spoof, method="rocch").eer,
        "auc": area_under_curve(bonafide, spoof),
        "min_dcf": minimum_cost(bonafide, spoof),
        "act_dcf": actual_cost(bonafide, spoof),
        "cllr": likelihood_ratio_cost(bonafide, spoof),
        "min_cllr": minimum_likelihood_ratio_cost(bonafide, spoof),
    }


def score(
    files: Sequence[str | Path],
    *,
    key: str | Path | Mapping[str, Key],
    higher: str = "bonafide",
    show_progress: bool = False,
) -> Judgement:
    """Judge one system's score file, or compare two on the same trials.

    Args:
        files: One or two score files.
        key: Labels of the trials: a file, or what `read_key` made of it.
        higher: Which class scores higher.
        show_progress: Show on standard error how many resamples are done.

    Returns:
        Figures of merit, and the paired difference of two.

    Raises:
        UsageError: If a file cannot be read or does not fit the key.
    """
    if not 1 <= len(files) <= 2:
        raise UsageError(f"{len(files)} score files; one is judged, two are compared")
    known = key if isinstance(key, Mapping) else read_key(key)
    joined = [join(read_score_file(file), known, str(file), higher=higher) for file in files]
    difference = None
    total = N_DRAWS * len(joined) + (N_RESAMPLES if len(joined) == 2 else 0)
    with progress(total, "resamples", show=show_progress) as meter:
        meter.describe("bootstrap")
        systems = {
            str(file): judge(scored, advance=meter.advance)
            for file, scored in zip(files, joined, strict=True)
        }
        if len(joined) == 2:
            one, two = joined
            difference = paired_difference(
                one.scores, two.scores, one.is_bonafide, speakers=one.speakers, advance=meter.advance
            )
    return Judgement(systems, difference)
