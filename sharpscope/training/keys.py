"""The keys of a recipe: for each its default, what it means and which values it may take."""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Key(NamedTuple):
    """One key of a recipe.

    Attributes:
        default: Its value where a recipe does not say; its type is the key's type.
        meaning: The comment behind it.
        choices: Allowed words, () for any.
        low: Smallest allowed number.
        high: Largest allowed number.
        above: Whether ``low`` itself is too small.
        special: One more allowed number, which means something of its own.
    """

    default: Any
    meaning: str
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    special: float | None = None

    @property
    def allowed(self) -> str:
        """The allowed values in words, "" for any.

        Example:
            >>> Key(0.1, "share", low=0, high=1).allowed, Key(1, "count", low=1).allowed
            ('from 0 to 1', 'at least 1')
        """
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if not isinstance(self.default, int | float) or isinstance(self.default, bool):
            return ""
        least, most = _number(self.low), _number(self.high)
        if math.isinf(self.high):
            words = "a finite number" if math.isinf(self.low) else f"at least {least}"
        else:
            words = f"from {least} to {most}"
        if self.above:
            words = f"above {least}" + ("" if math.isinf(self.high) else f", at most {most}")
        return words + ("" if self.special is None else f", or {self.special:g}")

    def fits(self, value: Any) -> bool:
        """Tell whether a value of the right type is allowed; NaN and infinity never are.

        Args:
            value: Of the key's type.

        Returns:
            True where it may stand in a recipe.
        """
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float) or isinstance(value, bool):
            return True
        if value == self.special:
            return True
        inside = value > self.low if self.above else value >= self.low
        return bool(inside and value <= self.high and math.isfinite(value))


def _number(value: float) -> str:
    """Write whole numbers below a milliard with all their digits."""
    return f"{value:.0f}" if abs(value) < 1e9 and value == int(value) else f"{value:g}"


METHODS = ("none", "sam", "asam", "gsam", "friendly-sam", "looksam", "esam")
BASES = ("adam", "adamw", "sgd")
AVERAGES = ("dense", "swad", "ewa", "lawa")


def _share(meaning: str, default: float = 0.0) -> Key:
    return Key(default, meaning, low=0, high=1)


def _dropout(meaning: str) -> Key:
    return Key(-1.0, f"{meaning}; -1 takes its authors'", low=0, high=0.99, special=-1)


def _count(default: int, meaning: str, low: int = 0) -> Key:
    return Key(default, meaning, low=low)


SECTIONS: dict[str, dict[str, Key]] = {
    "": {
        "name": Key("detector", "what the column `recipe` of the results calls it"),
        "seed": Key(0, "of weights, order, crops, augmentation and dropout", low=0, high=2**31 - 1),
    },
    "data": {
        "train": Key([], "sets to train on, as `measure --sets` takes them"),
        "dev": Key([], "sets on which the best epoch is chosen: of the source domain, never one under test"),
        "tested_on": Key([], "sets that will be tested; choosing on trials of theirs is refused"),
        "in_domain": Key([], "sets under test of the same speakers, attacks and channels as training"),
        "root": Key("", "folder that holds the corpora; empty takes SHARPSCOPE_DATA"),
        "limit": Key(0, "trials of each set, drawn class-balanced by seed; 0 takes all", low=2, special=0),
        "samples": Key(
            0, "length of a trial in samples; 0 takes the architecture's", low=400, high=57_600_000, special=0
        ),
        "sample_rate": Key(
            0, "Hz of the waves; 0 takes the architecture's", low=1000, high=384_000, special=0
        ),
        "padding": Key("", "how a short trial is lengthened; empty takes the architecture's", ("", "tile", "zero")),
        "normalisation": Key(
            "", "of each wave; empty takes the architecture's", ("", "none", "layer_norm", "peak")
        ),
        "memory_gib": Key(2.0, "decoded audio that is kept in memory", low=0, high=1e6),
        "workers": Key(0, "processes that decode and augment", low=0, high=1024),
    },
    "model": {
        "arch": Key("tiny", "architecture, see `docs/detectors.md`"),
        "args": Key({}, "its arguments"),
        "init": Key("", "checkpoint to start from"),
        "frontend": Key("", "pretrained wav2vec 2.0, HuBERT or WavLM to start an ssl architecture from"),
        "freeze": Key([], "names, or beginnings of names, of parameters that stay as they are"),
    },
    "frontend": {
        "dropout": _dropout("dropout of a self-supervised front-end behind attention and dense layers"),
        "attention_dropout": _dropout("its dropout of attention weights"),
        "activation_dropout": _dropout("its dropout inside dense layers"),
        "input_dropout": _dropout("its dropout behind the projection of the convolutions"),
        "layerdrop": Key(0.0, "share of its layers that a step leaves out", low=0, high=0.9),
        "grad_mult": Key(
            -1.0, "factor on the gradient of its convolutions, 0 keeps them; -1 takes its authors'",
            low=0, high=10, special=-1,
        ),
        "freeze_steps": _count(0, "first steps in which it stays as it is and only the rest is trained"),
        "lr_scale": Key(1.0, "its learning rate over that of the rest", low=0, high=1000),
        "layer_decay": Key(1.0, "learning rate of a layer over that of the next one", low=0, high=1, above=True),
        "checkpointing": Key(False, "compute its activations again in the backward pass, which saves memory"),
    },
    "optimizer": {
        "base": Key("adam", "torch optimiser", BASES),
        "lr": Key(1e-3, "learning rate at the start", low=0, high=1e30, above=True),
        "weight_decay": Key(0.0, "the base optimiser's; it never enters the ascent", low=0, high=1e6),
        "beta1": Key(0.9, "Adam's, or the momentum of SGD", low=0, high=0.999999),
        "beta2": Key(0.999, "Adam's", low=0, high=0.99999999),
        "method": Key("none", "sharpness-aware method around it", METHODS),
        "rho": Key(0.05, "radius of the ascent", low=0, high=1e6),
        "rho_end": Key(-1.0, "radius at the end, reached linearly; -1 keeps it", low=0, high=1e6, special=-1),
        "eta": Key(0.01, "ASAM: added to the size of every weight", low=0, high=1e6),
        "vectors": Key("plain", "ASAM: biases and scales move `plain` or `adaptive`", ("plain", "adaptive")),
        "alpha": Key(
            -1.0, "GSAM: weight of the gap; LookSAM: of the direction used again; -1 takes 0.1 and 0.7",
            low=0, high=1e6, special=-1,
        ),
        "sigma": Key(1.0, "FriendlySAM: share of the averaged gradient that is taken out", low=0, high=1e6),
        "decay": Key(0.9, "FriendlySAM: of the average", low=0, high=0.999999),
        "k": Key(5, "LookSAM: steps from one ascent to the next", low=1),
        "beta": Key(0.6, "ESAM: share of the weights that the ascent moves", low=0, high=1, above=True),
        "gamma": Key(0.5, "ESAM: share of the trials in the second pass", low=0, high=1, above=True),
        "clip": Key(0.0, "largest norm of the gradient; 0 does not clip", low=0, high=1e30),
        "masks": Key("same", "dropout in both passes of an ascent: the `same`, or `fresh` ones", ("same", "fresh")),
        "replicas": Key("synchronised", "several processes share the ascent, or each has its own (SAM, ASAM)",
                        ("synchronised", "own")),
    },
    "schedule": {
        "epochs": _count(20, "passes over the training sets", 1),
        "batch_size": _count(24, "trials in a step, over all processes", 1),
        "micro_batch": _count(0, "trials that go through the network at once; 0 takes the batch"),
        "last_batch": Key("drop", "the last, smaller batch of an epoch", ("drop", "keep")),
        "lr": Key("cosine", "how the learning rate goes down", ("cosine", "constant")),
        "lr_end": Key(0.0, "learning rate at the end of the cosine", low=0, high=1e30),
        "warmup": _count(0, "steps in which the learning rate rises from 0"),
        "patience": _count(0, "epochs without a better dev EER before it ends; 0 runs them all"),
        "selection": Key("pooled", "EER that chooses: of all dev trials, or the mean over dev sets",
                         ("pooled", "mean")),
        "ties": Key("loss", "between epochs of equal dev EER the lower dev `loss` or the `first` is kept",
                    ("loss", "first")),
        "average_from": Key(-1, "epoch from which weights are averaged; -1 does not", low=0, special=-1),
        "average": Key("dense", "mean of every step, SWAD's window, exponential mean, mean of the last epochs",
                       AVERAGES),
        "average_decay": Key(0.999, "EWA: decay a step", low=0, high=0.9999999),
        "average_last": _count(5, "LAWA: epochs in the mean", 1),
        "swad_start": _count(3, "SWAD: dev losses without a lower one that begin the window", 1),
        "swad_end": _count(6, "SWAD: dev losses above the bound that end it", 1),
        "swad_bound": Key(1.3, "SWAD: the bound over the mean dev loss at its beginning", low=1, high=100),
    },
    "loss": {
        "spoof_weight": Key(0.5, "weight of a spoofed trial in the weighted mean of cross-entropy",
                            low=0, high=1e6, above=True),
        "bonafide_weight": Key(0.5, "weight of a bona fide trial", low=0, high=1e6, above=True),
    },
    "augment": {
        "crop": Key("random", "which part of a long trial is heard", ("random", "first")),
        "speed": _share("share of trials played 0.9 to 1.1 times as fast"),
        "room": _share("share of trials heard in a room made on the spot"),
        "rawboost": Key(0, "0 none, 1 convolutive, 2 impulsive, 3 stationary, 4 all in series, 5: 1 and 2, "
                        "6: 1 and 3, 7: 2 and 3, 8: 1 beside 2", low=0, high=8),
        "noise": _share("share of trials that get white noise of 10 to 40 dB"),
        "codec": _share("share of trials that go through a random codec"),
        "codecs": Key([], "which ones; empty takes the eight of libsndfile: ulaw, alaw, vorbis, opus, mp3, ima_adpcm, "
                      "gsm, g721; of ffmpeg, where it is there: aac, wma, g722, speex, amr_nb, amr_wb"),
        "mask": _share("share of trials that lose a stretch of time and a band of frequencies"),
        "mixup": Key(0.0, "trials are mixed in pairs by a share from Beta(mixup, mixup); 0 does not",
                     low=0, high=100),
    },
    "run": {
        "device": Key("auto", "auto, cpu or cuda:N"),
        "amp": Key("off", "mixed precision of the passes", ("off", "bf16", "fp16")),
        "deterministic": Key(True, "ask torch for deterministic kernels"),
        "save_every": _count(0, "steps between saved states; 0 saves after every epoch"),
        "tensorboard": Key(False, "write events for TensorBoard too (extra `track`)"),
    },
}  # fmt: skip
