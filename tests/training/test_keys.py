"""Every number of a recipe has a range, and a value outside is told with the range."""

import math

import pytest

from sharpscope.errors import UsageError
from sharpscope.training.keys import SECTIONS, Key
from sharpscope.training.recipe import Recipe, template

NUMBERS = {
    f"{section}.{name}" if section else name: key
    for section, keys in SECTIONS.items()
    for name, key in keys.items()
    if isinstance(key.default, int | float) and not isinstance(key.default, bool)
}


def given(name: str, value: object) -> dict[str, object]:
    section, _, key = name.rpartition(".")
    return {section: {key: value}} if section else {key: value}


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_a_range(name: str) -> None:
    key = NUMBERS[name]
    assert not math.isinf(key.low), "every number has a smallest value"
    assert math.isfinite(key.high) or isinstance(key.default, int)
    kind = type(key.default)
    bad = [key.low - 1 if key.special != key.low - 1 else key.low - 2]
    bad += [key.high * 1.1 + 1] if math.isfinite(key.high) else []
    bad += [float("nan"), float("inf")] if kind is float else [2**60]
    for value in bad:
        with pytest.raises(UsageError) as told:
            Recipe(given(name, kind(value)))
        assert name in str(told.value)
        assert key.allowed in str(told.value) or "no whole number" in str(told.value)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", NUMBERS)
def test_defaults_and_ends_of_ranges_are_allowed(name: str) -> None:
    key = NUMBERS[name]
    assert key.fits(key.default)
    assert key.fits(key.low) != key.above
    assert key.special is None or key.fits(key.special)
    assert not math.isfinite(key.high) or key.fits(key.high)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"schedule": {"micro_batch": -3}}, "schedule.micro_batch is -3; it is at least 0"),
        ({"loss": {"spoof_weight": -0.5}}, "loss.spoof_weight is -0.5; it is above 0, at most 1000000"),
        ({"loss": {"spoof_weight": 0.0, "bonafide_weight": 0.0}}, "loss.spoof_weight is 0.0; it is above 0"),
        ({"augment": {"noise": 7}}, "augment.noise is 7.0; it is from 0 to 1"),
        ({"schedule": {"lr_end": -1}}, "schedule.lr_end is -1.0; it is from 0"),
        ({"data": {"samples": -8000}}, "data.samples is -8000; it is from 400 to 57600000, or 0"),
        ({"optimizer": {"lr": 1e38}}, "optimizer.lr is 1e.38; it is above 0, at most 1e.30"),
        ({"data": {"padding": "loop"}}, "data.padding is 'loop'; it is one of"),
        ({"runn": {"amp": "off"}}, "did you mean the section .run."),
        ({"optimizer": {"rho": 10**400}}, "must be of type float"),
    ],
)
def test_the_values_of_the_audit_are_refused(sections: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Recipe(sections)


def test_words_of_a_range() -> None:
    assert Key(1.0, "", low=0, high=2, above=True).allowed == "above 0, at most 2"
    assert Key("a", "", ("a", "b")).allowed == "one of a, b"
    assert Key("a", "").allowed == ""
    assert "above" not in template().partition("[data]")[0]
