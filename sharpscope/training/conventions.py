"""How a run's network takes audio: the same in training, in selection and, by the checkpoint's record, in `measure`."""

from __future__ import annotations

import dataclasses

from sharpscope.detectors import ARCHITECTURES
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError
from sharpscope.training.recipe import Recipe

# What a record declares; the rest of the conventions say who declared them.
DECLARED = ("sample_rate", "n_samples", "padding", "normalisation", "outputs", "bonafide_index")


def conventions(recipe: Recipe) -> DetectorSpec:
    """Return how a recipe's network takes audio in training, selection and measurement.

    Args:
        recipe: The recipe.

    Returns:
        The architecture's conventions, with what ``[data]`` says in their place; the length is never None.

    Raises:
        UsageError: If waves are to be mixed whose missing samples are only marked.

    Example:
        >>> conventions(Recipe({"data": {"samples": 16000, "padding": "zero"}})).n_samples
        16000
    """
    own, data = ARCHITECTURES[recipe["model"]["arch"]].spec, recipe["data"]
    if (data["padding"] or own.padding) == "frames" and recipe["augment"]["mixup"]:
        raise UsageError(
            f"{own.arch} repeats the frames of short files and augment.mixup mixes waves, which end at different "
            'places; set data.padding = "tile" or mixup = 0'
        )
    return dataclasses.replace(
        own,
        n_samples=data["samples"] or own.n_samples or 64_600,
        sample_rate=data["sample_rate"] or own.sample_rate,
        padding=data["padding"] or own.padding,
        normalisation=data["normalisation"] or own.normalisation,
    )
