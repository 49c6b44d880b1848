"""Recipes: how a detector is trained, as TOML in which every key has a default, a type and a meaning."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sharpscope.errors import UsageError
from sharpscope.training.guard import same_sets
from sharpscope.training.keys import METHODS, SECTIONS, Key

# Counts above it are slips of the hand, and some would not fit a float.
LARGEST = 2**53


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
        """Return the dev sets that name the same part of the same corpus, or the same file, as a tested set."""
        data = self.values["data"]
        return same_sets(data["dev"], data["tested_on"])

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
        """Check what no key can say alone."""
        self._named = named
        schedule, optimizer = self.values["schedule"], self.values["optimizer"]
        if schedule["average_from"] >= schedule["epochs"]:
            raise UsageError(
                f"{where}: schedule.average_from is {schedule['average_from']}, which is not before the last of "
                f"{schedule['epochs']} epochs"
            )
        if schedule["average"] == "swad" and schedule["average_from"] >= 0 and not self.values["data"]["dev"]:
            raise UsageError(
                f'{where}: schedule.average = "swad" finds its window by the dev loss; name data.dev'
            )
        if optimizer["replicas"] == "own" and optimizer["method"] not in ("sam", "asam"):
            raise UsageError(
                f'{where}: optimizer.replicas = "own" is for sam and asam, not {optimizer["method"]}'
            )


def read_recipe(path: str | Path, *, beside: Path | None = None) -> Recipe:
    """Read a recipe from a file.

    Args:
        path: TOML.
        beside: Folder that paths in it are relative to; None takes its own.

    Returns:
        The recipe.

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
    beside = beside or path.parent
    if recipe["model"]["init"]:
        recipe["model"]["init"] = str((beside / recipe["model"]["init"]).resolve())
    if recipe["model"]["frontend"] and (beside / recipe["model"]["frontend"]).exists():
        recipe["model"]["frontend"] = str((beside / recipe["model"]["frontend"]).absolute())
    data = recipe["data"]
    for name in ("train", "dev", "tested_on", "in_domain"):
        data[name] = [_beside(beside, spec) for spec in data[name]]
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
            words = f" ({', '.join(word or 'empty' for word in key.choices)})" if key.choices else ""
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
    titles = difflib.get_close_matches(name, [s for s in SECTIONS if s], n=1, cutoff=0.7)
    if not section and titles:
        return (
            f"{where}: there is no key '{name}'; did you mean the section [{titles[0]}]? "
            "`sharpscope train --template` lists all"
        )
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
    if wanted is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
        value = float(value)
    if isinstance(value, bool) != (wanted is bool) or not isinstance(value, wanted):
        raise UsageError(
            f"{where}: {full} is {value!r:.60}; it must be of type {wanted.__name__}, such as {toml(key.default)}"
        )
    if wanted is int and abs(value) > LARGEST:
        raise UsageError(f"{where}: {full} is {value!r:.60}; no whole number here is above {LARGEST}")
    if wanted is list and not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where}: {full} must be a list of texts")
    if not key.fits(value):
        raise UsageError(f"{where}: {full} is {_shown(value)}; it is {key.allowed}")
    return value


def _shown(value: Any) -> str:
    return f"'{value:.60}'" if isinstance(value, str) else f"{value!r:.60}"


def _as_type(text: Any, default: Any, name: str) -> Any:
    if not isinstance(text, str) or isinstance(default, str):
        return text
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        raise UsageError(f"{name}={text}: not a value such as {toml(default)}") from None
