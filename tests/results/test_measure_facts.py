"""One table of facts: every registered measure has its facts there, and the costs are those of the code."""

from sharpscope.measures import MEASURES, average, curvature, multi_step
from sharpscope.results.measure_facts import FACTS, facts_of, falls_with_error, is_control


def test_every_measure_has_facts_and_every_fact_a_measure() -> None:
    assert list(dict.fromkeys(MEASURES)) == [name for name in MEASURES if name in FACTS]
    assert set(FACTS) == set(MEASURES)
    for name, measure in MEASURES.items():
        facts = facts_of(name)
        assert (measure.families, measure.cost, measure.radius) == (facts.families, facts.cost, facts.radius)
        assert not facts.same_as or facts.same_as in FACTS


def test_costs_are_those_of_the_code() -> None:
    assert FACTS["average"].cost == f"R x {2 * average.PAIRS}"
    assert FACTS["sam_apgd"].cost == f"R x {3 * (2 * multi_step.STEPS + 1) + 3}"
    assert FACTS["lambda_max"].cost == f"up to {9 * curvature.STEPS}"
    assert FACTS["trace"].cost == str(9 * curvature.PROBES)


def test_what_is_no_sharpness_is_a_control_and_what_is_good_falls_with_error() -> None:
    """The audit: accuracy is 1 - EER and was told as a sharpness that exceeds the controls."""
    controls = {name for name, measure in MEASURES.items() if "controls" in measure.families}
    assert {name for name in MEASURES if is_control(name)} == controls
    assert {name for name in controls if falls_with_error(name)} == {
        "margin",
        "confidence",
        "saturated",
        "accuracy",
    }
    assert is_control("accuracy")
    assert not is_control("sam_layers[encoder.0]")
