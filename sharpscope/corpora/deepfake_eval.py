"""Deepfake-Eval-2024 (Chandra et al., 2025), audio: whole recordings, columns that change their names."""

from __future__ import annotations

from collections.abc import Iterator

from sharpscope.corpora.listing import AUDIO_ENDINGS
from sharpscope.corpora.place import Corpus, Place, total
from sharpscope.corpora.protocols import file_name, with_header
from sharpscope.corpora.trials import Trial, known, label_of


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    path = place.protocol("audio-metadata-publish.csv", "audio-metadata-publish-with-links.csv")
    folder = f"{path.parent}/audio-data"
    for where, row in with_header(path, place.tally, ("filename", "ground truth", "finetuning set")):
        part = row["finetuning set"].strip().lower()
        if part not in parts and "all" not in parts:
            place.tally.other_parts += 1
            continue
        if row["ground truth"].strip().lower() == "unknown":
            place.tally.left_out["ground truth unknown"] += 1
            continue
        name = file_name(row["filename"], where)
        audio = f"{folder}/{name}"
        if not place.listing.has_file(audio) and "." in name:
            # Conversions keep the stem.
            audio = place.locate(
                [folder], name.rpartition(".")[0], ("." + name.rpartition(".")[2], *AUDIO_ENDINGS)
            )
        yield Trial(name, audio, label_of(row["ground truth"], where), language=known(row.get("language")))


CORPORA = {
    "deepfake_eval_2024": Corpus(
        title="Deepfake-Eval-2024, audio (Chandra et al., 2025)",
        read=_read,
        markers=("audio-metadata-publish.csv", "audio-metadata-publish-with-links.csv"),
        licence="CC BY-SA 4.0",
        source="https://huggingface.co/datasets/nuriachandra/Deepfake-Eval-2024",
        layout="audio-metadata-publish.csv, audio-data/*",
        aliases=dict.fromkeys(("dfeval24", "DE2024", "deepfake-eval-2024"), ""),
        parts=("train", "test", "all"),
        default="all",
        counts={"all": total(1980)},
        traps=(
            "rows of unknown truth are left out and counted",
            "recordings of minutes: the first seconds are not the published segments",
            "mp4, m4a and four .dat files that libsndfile cannot open: convert them first, keeping the stem",
        ),
    )
}
