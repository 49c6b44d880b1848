"""What a lab adds to sharpscope without a fork: a measure, a corpus, a detector, each in a few lines."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import sharpscope
from sharpscope.corpora.place import Corpus, Place
from sharpscope.corpora.trials import Trial, label_of
from sharpscope.detectors.architecture import Architecture, as_published
from sharpscope.measures.group import Group


def worst_loss(group: Group, radii: Sequence[float] = ()) -> dict[float | str | None, float]:
    """Largest loss of a trial of the group, in nats."""
    return {None: float(group.losses().max())}


def measures() -> None:
    """Register the lab's measures; called once, when sharpscope's own are there."""
    sharpscope.register_measure(
        "lab_worst_loss",
        worst_loss,
        summary="largest loss of a trial in the group",
        reference="this example",
        families=("lab",),
        objectives=(),
        unit="nats",
        label="Worst loss",
        control=True,
    )


def _read(place: Place, parts: tuple[str, ...]) -> Iterator[Trial]:
    path = place.protocol("lab_corpus.csv")
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            label = label_of(row["kind"], f"{path}, line {number}")
            yield Trial(row["clip"], str(path.parent / "clips" / row["clip"]), label)


def corpora() -> None:
    """Register the lab's corpora."""
    corpus = Corpus(
        title="The lab's recordings (this example)",
        read=_read,
        markers=("lab_corpus.csv",),
        licence="the lab's own",
        source="sharpscope examples plugin",
        layout="lab_corpus.csv (clip,kind) beside clips/*.wav",
    )
    sharpscope.register_corpus("lab_corpus", corpus)


class LabNet(nn.Module):
    """One filter bank and a linear layer."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.lab_filters = nn.Conv1d(1, width, 65, stride=16)
        self.lab_out = nn.Linear(width, 2)

    def forward(self, waves: Tensor) -> Tensor:
        """Waves (B, T) to logits (B, 2), columns spoof and bona fide."""
        energy = self.lab_filters(waves.unsqueeze(1)).square().mean(dim=2)
        logits: Tensor = self.lab_out(torch.log1p(energy))
        return logits


def _matches(state: Mapping[str, Tensor]) -> dict[str, Any] | None:
    found = state.get("lab_filters.weight")
    return None if found is None else {"width": found.shape[0]}


def detectors() -> None:
    """Register the lab's architectures."""
    spec = sharpscope.DetectorSpec("lab-net", n_samples=None)
    architecture = Architecture(
        LabNet,
        _matches,
        as_published,
        spec,
        "log energies of a filter bank",
        "this example",
        "lab_filters.weight",
    )
    sharpscope.register_architecture("lab-net", architecture)
