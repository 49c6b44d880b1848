"""Trees that AUDDT prepared: ``DATASET/processed/manifest_*.csv``, one a corpus, read as they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.protocols import file_name, with_header
from sharpscope.corpora.trials import Trial, known, label_of
from sharpscope.errors import UsageError

# AUDDT calls vocoded and coded speech bona fide, which everyone else calls spoofed.
OTHER_POLARITY = {
    "cvoicefake": "cvoicefake",
    "wavefake": "wavefake",
    "codecfake": "codecfake_xie or codecfake_wu",
    "playback_attacks": "a list of your own",
}
MANIFESTS = ("*/processed/manifest_*.csv", "*/manifest_*.csv")
ATTACKS = ("attack_type", "model_name", "attack", "architecture")


def _manifests(place: Place) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for pattern in MANIFESTS:
        for path in place.listing.match(place.folder, pattern):
            found.setdefault(path.relative_to(place.folder).parts[0], path)
    return found


def _audio(place: Place, cell: str, manifest: Path, dataset: str) -> str:
    """Return where the audio lies: as the manifest says, else below the tree's present place."""
    if place.listing.has_file(cell):
        return cell
    _, moved, rest = cell.rpartition(f"/{dataset}/processed/")
    if moved:
        return str(place.folder / dataset / "processed" / rest)
    return str(Path(cell)) if cell.startswith("/") else str(manifest.parent / cell)


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    manifests = _manifests(place)
    for part in parts:
        if part and part not in manifests:
            raise UsageError(f"{place.folder}: no {part} prepared; there are {', '.join(sorted(manifests))}")
        if part.lower() in OTHER_POLARITY:
            raise UsageError(
                f"{manifests[part]}: AUDDT calls vocoded speech bona fide there; read {OTHER_POLARITY[part.lower()]} "
                f"from {place.folder / part / 'processed'} instead"
            )
    for dataset, manifest in sorted(manifests.items()):
        if parts != ("",) and dataset not in parts:
            continue
        if dataset.lower() in OTHER_POLARITY:
            place.tally.notes.append(f"{dataset} left out: AUDDT calls vocoded speech bona fide there")
            continue
        for where, row in with_header(manifest, place.tally, ("audio_path", "label")):
            cell = file_name(row["audio_path"], where)
            label = label_of(row["label"], where)
            attack = next((known(row[name]) for name in ATTACKS if row.get(name)), "")
            name = cell.rpartition(f"/{dataset}/processed/")[2].lstrip("/")
            speaker = known(row.get("speaker_id") or row.get("speaker"))
            yield Trial(
                f"{dataset}/{name}", _audio(place, cell, manifest, dataset), label,
                attack if label == "spoof" else "", speaker, known(row.get("language")),
            )  # fmt: skip


CORPORA = {
    "auddt": Corpus(
        title="trees prepared by AUDDT (Zhu et al., 2025)",
        read=_read,
        markers=MANIFESTS,
        licence="those of the corpora in it",
        source="https://github.com/MuSAELab/AUDDT",
        layout="<dataset>/processed/manifest_*.csv, audio below processed/",
        any_part="folders of data sets as AUDDT calls them",
        evidence="layout verified; counts are those of the corpora",
        traps=(
            "in CVoiceFake, WaveFake and both CodecFakes vocoded speech is bona fide: read them by their own keys",
            "its 2021 LA pools progress, eval and hidden",
            "paths are absolute or relative to where AUDDT was started: what follows processed/ counts",
        ),
    )
}
