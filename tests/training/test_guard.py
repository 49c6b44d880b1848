"""Selection on what is tested is found under every spelling: alias, part, file, and what is heard."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sharpscope.errors import UsageError
from sharpscope.training.guard import same_sets, shared_trials
from sharpscope.training.recipe import Recipe
from sharpscope.training.train import checked_selection


@pytest.mark.parametrize(
    ("dev", "tested"),
    [
        ("itw@dev", "itw"),
        ("in_the_wild", "itw"),
        ("asvspoof2019_la@eval", "19la"),
        ("19LA@eval+dev", "asvspoof2019_la"),
        ("mine=lists/../lists/a.csv", "other=lists/a.csv"),
    ],
)
def test_the_same_set_under_two_names(dev: str, tested: str) -> None:
    assert same_sets([dev], [tested]) == [dev]
    recipe = Recipe({"data": {"train": ["19la@train"], "dev": [dev], "tested_on": [tested]}})
    assert recipe.leaked() == [dev]
    with pytest.raises(UsageError, match="test set"):
        checked_selection(recipe)
    assert checked_selection(recipe, force=True) == [dev]


@pytest.mark.parametrize(
    ("dev", "tested"), [("19la@dev", "19la"), ("19la@dev", "21la"), ("a=x.csv", "b=y.csv")]
)
def test_other_parts_and_files_are_other_sets(dev: str, tested: str) -> None:
    assert same_sets([dev], [tested]) == []


def protocol(folder: Path, sounds: Path, names: dict[str, int], where: str = "") -> Path:
    """A list of some of the sounds under names of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,label"]
    for name, index in names.items():
        lines.append(f"{where or folder}/{name},{'bonafide' if index % 2 else 'spoof'}")
    (folder / "list.csv").write_text("\n".join(lines) + "\n")
    return folder / "list.csv"


def test_one_file_in_two_lists_and_behind_a_link(tmp_path: Path, sounds: Path) -> None:
    names = {f"{index}.wav": index for index in range(6)}
    one = protocol(tmp_path / "one", sounds, names, where=str(sounds.parent))
    (tmp_path / "linked").symlink_to(sounds.parent)
    two = protocol(tmp_path / "two", sounds, {"4.wav": 4, "5.wav": 5}, where=str(tmp_path / "linked"))
    found = shared_trials([f"dev={one}"], [f"test={two}"], by_audio=False)
    assert [(shared.trials, shared.dev) for shared in found] == [(2, f"dev={one}")]


def test_copies_under_other_names_are_heard(tmp_path: Path, sounds: Path) -> None:
    one = protocol(tmp_path / "one", sounds, {f"{i}.wav": i for i in range(4)}, where=str(sounds.parent))
    two = protocol(tmp_path / "two", sounds, {"x.wav": 2, "y.wav": 7})
    for name, index in (("x.wav", 2), ("y.wav", 7)):
        shutil.copy(sounds.parent / f"{index}.wav", tmp_path / "two" / name)
    assert shared_trials([f"dev={one}"], [f"test={two}"], by_audio=False) == []
    assert [shared.trials for shared in shared_trials([f"dev={one}"], [f"test={two}"])] == [1]


def test_a_run_is_refused_by_its_trials(
    tmp_path: Path, sounds: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    names = {f"{i}.wav": i for i in range(4)}
    two = protocol(tmp_path / "two", sounds, names, where=str(sounds.parent))
    recipe = Recipe(recipe_for(data__tested_on=[f"test={two}"]))
    assert recipe.leaked() == []
    with pytest.raises(UsageError, match=r"4 trials of held=.* stand in test="):
        checked_selection(recipe)
