"""Recipes: how a detector is trained, as TOML in which every key has a default, a type and a meaning."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sharpscope.errors import UsageError


class Key(NamedTuple):
    """One key of a recipe.

    Attributes:
        default: Its value where a recipe does not say; its type is the key's type.
        meaning: The comment behind it.
        choices: Allowed words, () for any.
    """

    default: Any
    meaning: str
    choices: tuple[str, ...] = ()


METHODS = ("none", "sam", "asam", "gsam", "friendly-sam", "looksam")
BASES = ("adam", "adamw", "sgd")

SECTIONS: dict[str, dict[str, Key]] = {
    "": {
        "name": Key("detector", "what the column `recipe` of the results calls it"),
        "seed": Key(0, "of weights, order, crops, augmentation and dropout"),
    },
    "data": {
        "train": Key([], "sets to train on, as `measure --sets` takes them"),
        "dev": Key([], "sets on which the best epoch is chosen: of the source domain, never one under test"),
        "tested_on": Key([], "sets that will be tested; choosing on one of them is refused"),
        "in_domain": Key([], "sets under test of the same speakers, attacks and channels as training"),
        "root": Key("", "folder that holds the corpora; empty takes SHARPSCOPE_DATA"),
        "limit": Key(0, "trials of each set, drawn class-balanced by seed; 0 takes all"),
        "samples": Key(0, "length of a trial in samples; 0 takes the architecture's"),
        "memory_gib": Key(2.0, "decoded audio that is kept in memory"),
        "workers": Key(0, "processes that decode and augment"),
    },
    "model": {
        "arch": Key("tiny", "architecture, see `docs/detectors.md`"),
        "args": Key({}, "its arguments"),
        "init": Key("", "checkpoint to start from"),
        "frontend": Key("", "pretrained wav2vec 2.0, HuBERT or WavLM to start an ssl architecture from"),
        "freeze": Key([], "names, or beginnings of names, of parameters that stay as they are"),
    },
    "optimizer": {
        "base": Key("adam", "torch optimiser", BASES),
        "lr": Key(1e-3, "learning rate at the start"),
        "weight_decay": Key(0.0, "the base optimiser's; it never enters the ascent"),
        "beta1": Key(0.9, "Adam's, or the momentum of SGD"),
        "beta2": Key(0.999, "Adam's"),
        "method": Key("none", "sharpness-aware method around it", METHODS),
        "rho": Key(0.05, "radius of the ascent"),
        "rho_end": Key(-1.0, "radius at the end, reached linearly; -1 keeps it"),
        "eta": Key(0.01, "ASAM: added to the size of every weight"),
        "vectors": Key("plain", "ASAM: biases and scales move `plain` or `adaptive`", ("plain", "adaptive")),
        "alpha": Key(0.1, "GSAM: weight of the gap; LookSAM: of the direction used again"),
        "sigma": Key(1.0, "FriendlySAM: share of the averaged gradient that is taken out"),
        "decay": Key(0.9, "FriendlySAM: of the average"),
        "k": Key(5, "LookSAM: steps from one ascent to the next"),
        "clip": Key(0.0, "largest norm of the gradient; 0 does not clip"),
        "replicas": Key("synchronised", "several processes share the ascent, or each has its own (SAM, ASAM)",
                        ("synchronised", "own")),
    },
    "schedule": {
        "epochs": Key(20, "passes over the training sets"),
        "batch_size": Key(24, "trials in a step, over all processes"),
        "micro_batch": Key(0, "trials that go through the network at once; 0 takes the batch"),
        "lr": Key("cosine", "how the learning rate goes down", ("cosine", "constant")),
        "lr_end": Key(0.0, "learning rate at the end of the cosine"),
        "warmup": Key(0, "steps in which the learning rate rises from 0"),
        "patience": Key(0, "epochs without a better dev EER before it ends; 0 runs them all"),
        "average_from": Key(-1, "epoch from which weights are averaged densely (SWAD); -1 does not"),
    },
    "loss": {
        "spoof_weight": Key(0.5, "weight of a spoofed trial in the weighted mean of cross-entropy"),
        "bonafide_weight": Key(0.5, "weight of a bona fide trial"),
    },
    "augment": {
        "crop": Key("random", "which part of a long trial is heard", ("random", "first")),
        "rawboost": Key(0, "0 none, 1 convolutive, 2 impulsive, 3 stationary, 4 all in series, 5: 1 and 2"),
        "noise": Key(0.0, "share of trials that get white noise of 10 to 40 dB"),
        "codec": Key(0.0, "share of trials that go through a random codec"),
    },
    "run": {
        "device": Key("auto", "auto, cpu or cuda:N"),
        "amp": Key("off", "mixed precision of the passes", ("off", "bf16", "fp16")),
        "deterministic": Key(True, "ask torch for deterministic kernels"),
        "save_every": Key(0, "steps between saved states; 0 saves after every epoch"),
        "tensorboard": Key(False, "write events for TensorBoard too (extra `track`)"),
    },
}  # fmt: skip


class Recipe:
    """A checked recipe: ``recipe["optimizer"]["rho"]``.

    Args:
        given: What the user wrote, nested as in TOML.
        where: Its name for messages.

    Raises:
        UsageError: If a section or key is unknown, or a value has the wrong type or word.

    Example:
        >>> recipe = Recipe({"optimizer": {"method": "sam"}})
        >>> recipe["optimizer"]["method"], recipe["optimizer"]["rho"], recipe.title
        ('sam', 0.05, 'sam0.05')
    """

    def __init__(self, given: Mapping[str, Any], where: str = "recipe") -> None:
        top = {name: value for name, value in given.items() if name not in SECTIONS}
        self.values: dict[str, dict[str, Any]] = {}
        for section, keys in SECTIONS.items():
            found = top if section == "" else given.get(section, {})
            if not isinstance(found, Mapping):
                raise UsageError(f"{where}: {section} is {found!r:.40}; it is a section, [{section}]")
            for name in found:
                if name not in keys:
                    raise UsageError(_unknown(where, section, name))
            self.values[section] = {
                name: _checked(where, section, name, found.get(name, key.default), key)
                for name, key in keys.items()
            }
        self._check(where, named="name" in given)

    def __getitem__(self, section: str) -> dict[str, Any]:
        return self.values[section]

    @property
    def seed(self) -> int:
        """Seed of everything."""
        return int(self.values[""]["seed"])

    @property
    def title(self) -> str:
        """What the results table calls the recipe: its name, or the method and radius where it has none."""
        if self._named:
            return str(self.values[""]["name"])
        optimizer = self.values["optimizer"]
        return str(optimizer["base"]) if not self.sharp else f"{optimizer['method']}{optimizer['rho']:g}"

    @property
    def sharp(self) -> bool:
        """Whether there is an ascent."""
        return bool(self.values["optimizer"]["method"] != "none")

    def leaked(self) -> list[str]:
        """Return the sets that the best epoch is chosen on although they will be tested."""
        data = self.values["data"]
        return sorted({*data["dev"]} & {*data["tested_on"]})

    def with_values(self, changes: Mapping[str, Any]) -> Recipe:
        """Return the recipe with some keys changed.

        Args:
            changes: Values by ``section.key``, ``seed`` or a key that only one section has; ``optimizer`` takes a
                base optimiser or a method.

        Returns:
            A new recipe.

        Raises:
            UsageError: If a key is unknown or stands in several sections.
        """
        nested: dict[str, Any] = {section: dict(keys) for section, keys in self.values.items() if section}
        nested |= {name: value for name, value in self.values[""].items() if name != "name" or self._named}
        for name, value in changes.items():
            if name == "optimizer":
                method = value if value in METHODS else "none"
                nested["optimizer"]["method"] = method
                if method == "none" and value != "none":
                    nested["optimizer"]["base"] = value
                continue
            section, key = locate(name)
            target = nested[section] if section else nested
            target[key] = _as_type(value, SECTIONS[section][key].default, name)
        return Recipe(nested)

    def _check(self, where: str, named: bool) -> None:
        self._named = named
        schedule, optimizer = self.values["schedule"], self.values["optimizer"]
        for section, name in (("schedule", "epochs"), ("schedule", "batch_size"), ("optimizer", "k")):
            if self.values[section][name] < 1:
                raise UsageError(
                    f"{where}: {section}.{name} is {self.values[section][name]}; it is at least 1"
                )
        if not optimizer["lr"] > 0:
            raise UsageError(f"{where}: optimizer.lr is {optimizer['lr']}; a learning rate is positive")
        if schedule["average_from"] >= schedule["epochs"]:
            raise UsageError(
                f"{where}: schedule.average_from is not before the last of {schedule['epochs']} epochs"
            )
        if optimizer["replicas"] == "own" and optimizer["method"] not in ("sam", "asam"):
            raise UsageError(
                f'{where}: optimizer.replicas = "own" is for sam and asam, not {optimizer["method"]}'
            )
        if not 0 <= self.values["augment"]["rawboost"] <= 5:
            raise UsageError(
                f"{where}: augment.rawboost is {self.values['augment']['rawboost']}; it is 0 to 5"
            )


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a file.

    Args:
        path: TOML.

    Returns:
        The recipe; paths of sets in it are relative to its folder.

    Raises:
        UsageError: If it is not there, not TOML, or says something unknown.
    """
    path = Path(path)
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: the recipe cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML ({error}); `sharpscope train --template` prints one") from error
    recipe = Recipe(given, str(path))
    for name in ("init", "frontend"):
        if recipe["model"][name]:
            recipe["model"][name] = str((path.parent / recipe["model"][name]).resolve())
    data = recipe["data"]
    for name in ("train", "dev", "tested_on", "in_domain"):
        data[name] = [_beside(path.parent, spec) for spec in data[name]]
    return recipe


def _beside(folder: Path, spec: str) -> str:
    """Make the file of ``name=file`` absolute: a run may start anywhere."""
    name, equals, file = spec.partition("=")
    return spec if not equals else f"{name}={(folder / file).resolve()}"


def template() -> str:
    """Return a recipe with every key, its default and its meaning.

    Returns:
        TOML.
    """
    lines = []
    for section, keys in SECTIONS.items():
        lines += ["", f"[{section}]"] if section else []
        for name, key in keys.items():
            words = f" ({', '.join(key.choices)})" if key.choices else ""
            lines.append(f"{f'{name} = {toml(key.default)}':32s}# {key.meaning}{words}")
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """Write a value as TOML.

    Args:
        value: A text, number, truth value, list or table of them.

    Returns:
        One line.

    Example:
        >>> toml({"a": [1, True]}), toml("x")
        ('{a = [1, true]}', '"x"')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return repr(value)


def locate(name: str) -> tuple[str, str]:
    """Return section and key that a name means.

    Args:
        name: ``section.key``, or a key that only one section has.

    Returns:
        The section ("" for the top) and the key.

    Raises:
        UsageError: If there is no such key, or several.

    Example:
        >>> locate("rho"), locate("schedule.lr"), locate("seed")
        (('optimizer', 'rho'), ('schedule', 'lr'), ('', 'seed'))
    """
    section, _, key = name.rpartition(".")
    if section:
        if section not in SECTIONS or key not in SECTIONS[section]:
            raise UsageError(_unknown("--grid", section, key))
        return section, key
    found = [one for one, keys in SECTIONS.items() if name in keys]
    if not found:
        raise UsageError(_unknown("--grid", "", name))
    if len(found) > 1:
        raise UsageError(f"'{name}' stands in {' and '.join(found)}; write {found[0]}.{name}")
    return found[0], name


def _unknown(where: str, section: str, name: str) -> str:
    everything = [f"{s}.{k}" if s else k for s, keys in SECTIONS.items() for k in keys]
    full = f"{section}.{name}" if section else name
    near = difflib.get_close_matches(full, everything, n=1, cutoff=0.5)
    if not near:
        last = difflib.get_close_matches(
            name, [one.rpartition(".")[2] for one in everything], n=1, cutoff=0.5
        )
        near = [one for one in everything if last and one.rpartition(".")[2] == last[0]][:1]
    hint = f"; did you mean {near[0]}?" if near else "."
    return f"{where}: there is no key '{full}'{hint} `sharpscope train --template` lists all"


def _checked(where: str, section: str, name: str, value: Any, key: Key) -> Any:
    full = f"{section}.{name}" if section else name
    wanted = type(key.default)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, bool) != (wanted is bool) or not isinstance(value, wanted):
        raise UsageError(
            f"{where}: {full} is {value!r:.60}; it must be of type {wanted.__name__}, such as {toml(key.default)}"
        )
    if wanted is list and not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where}: {full} must be a list of texts")
    if key.choices and value not in key.choices:
        raise UsageError(f"{where}: {full} is '{value}'; it is one of {', '.join(key.choices)}")
    return value


def _as_type(text: Any, default: Any, name: str) -> Any:
    if not isinstance(text, str) or isinstance(default, str):
        return text
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        raise UsageError(f"{name}={text}: not a value such as {toml(default)}") from None
