"""First-order measures and controls: closed forms, an independent implementation, and one battery for all."""

import contextlib
import functools
import json
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from reference_measures import FIRST_ORDER, Surface
from toy_networks import Formula, Perceptron, Tied, make_group, quadratic_objective, trials

from sharpscope.cli import main
from sharpscope.errors import UsageError
from sharpscope.measurement.plan import evaluations
from sharpscope.measures import MEASURES, families, select_measures, worst_case
from sharpscope.measures.group import Group
from sharpscope.measures.registry import Values

RADII = (0.05, 0.01)


def taken(name: str, group: Group) -> Values:
    measure = MEASURES[name]
    return measure.function(group, RADII if measure.radius else ())


def group_for(name: str, network: torch.nn.Module, **options: Any) -> Group:
    return make_group(network, objectives=MEASURES[name].objectives, **options)


@pytest.mark.parametrize("rho", [0.5, 0.05, 1e-3])
def test_closed_forms_on_a_parabola(rho: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """L = |w|^2 / 2 at w = (3, -4): every first-order measure by hand."""
    quadratic_objective(monkeypatch)
    group = make_group(Formula([3.0, -4.0]), objectives=("quadratic",))
    sam = worst_case.sam(group, [rho], objective="quadratic")[rho]
    assert sam == pytest.approx(5 * rho + rho**2 / 2, rel=1e-12)
    linf = worst_case.sam_linf(group, [rho], objective="quadratic")[rho]
    assert linf == pytest.approx(7 * rho + rho**2, rel=1e-12)
    # T g = (9, -16), T^2 g = (27, -64), and the length of T g is sqrt(337).
    asam = worst_case.asam(group, [rho], objective="quadratic")[rho]
    length = 337**0.5
    assert asam == pytest.approx(rho * length + rho**2 / 2 * (27**2 + 64**2) / 337, rel=1e-12)
    linf = worst_case.asam_linf(group, [rho], objective="quadratic")[rho]
    assert linf == pytest.approx(25 * rho + 25 * rho**2 / 2, rel=1e-12)
    relative = worst_case.relative_rise(group, [rho], objective="quadratic")[rho]
    assert relative == pytest.approx((5 * rho + rho**2 / 2) / 12.5, rel=1e-12)
    keskar = worst_case.keskar(group, [rho], objective="quadratic")[rho]
    rise = (4 * 3 + 5 * 4) * rho + (16 + 25) * rho**2 / 2
    assert keskar == pytest.approx(100 * rise / 13.5, rel=1e-12)
    eta = worst_case.asam(group, [rho], objective="quadratic", eta=1.0)[rho]
    t = np.array([4.0, 5.0])
    g = np.array([3.0, -4.0])
    step = rho * t**2 * g / np.linalg.norm(t * g)
    assert eta == pytest.approx(g @ step + step @ step / 2, rel=1e-12)


def test_a_filter_is_scaled_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic_objective(monkeypatch)

    class Row(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor([[3.0, 4.0]], dtype=torch.float64))

        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            return torch.stack([self.w[0, 0] * 0, self.w[0, 0]]).expand(len(waves), 2)

    group = make_group(Row(), objectives=("quadratic",))
    value = worst_case.asam_filterwise(group, [0.1], objective="quadratic")[0.1]
    assert value == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("name", FIRST_ORDER)
@pytest.mark.parametrize("network", [Perceptron, Tied])
def test_equal_to_a_slow_implementation(name: str, network: type[torch.nn.Module]) -> None:
    module = network().double()
    group = group_for(name, module)
    surface = Surface(module, group.live.names, *trials())
    for rho, value in taken(name, group).items():
        assert value == pytest.approx(FIRST_ORDER[name](surface, rho), rel=1e-8)


@pytest.mark.parametrize("base", ["sam", "asam", "sam_linf", "asam_linf"])
def test_variants_equal_a_slow_implementation(base: str) -> None:
    """Matched outputs and the detector's own decisions, through the same slow code."""
    module = Perceptron().double()
    waves, labels, weights = trials()
    margins = module.eval()(waves).diff(dim=1)[:, 0].detach()
    group = group_for(f"{base}_matched", module)
    surface = Surface(module, group.live.names, waves, labels, weights)
    surface.temperature = float(margins.square().mean().sqrt())
    for rho, value in taken(f"{base}_matched", group).items():
        assert value == pytest.approx(FIRST_ORDER[base](surface, rho), rel=1e-8)
    group = group_for(f"{base}_predicted", module)
    surface = Surface(module, group.live.names, waves, (margins > 0).long(), weights)
    for rho, value in taken(f"{base}_predicted", group).items():
        assert value == pytest.approx(FIRST_ORDER[base](surface, rho), rel=1e-8)


def test_controls_by_hand() -> None:
    module = Perceptron().double().eval()
    waves, labels, weights = trials()
    group = make_group(module)
    logits = module(waves).detach().numpy()
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    w, y = weights.numpy(), labels.numpy()
    d = logits[:, 1] - logits[:, 0]
    expected = {
        "loss": -(w * np.log(p[np.arange(6), y])).sum(),
        "entropy": -(w * (p * np.log(p)).sum(axis=1)).sum(),
        "margin": (w * d * (2 * y - 1)).sum(),
        "confidence": (w * abs(d)).sum(),
        "saturated": 0.0,
    }
    for name, value in expected.items():
        assert taken(name, group)[None] == pytest.approx(value, rel=1e-10)
    surface = Surface(module, group.live.names, waves, labels, weights)
    assert taken("grad_norm", group)[None] == pytest.approx(float(surface.gradient().norm()), rel=1e-8)
    assert taken("param_norm", group)[None] == pytest.approx(float(surface.w.norm()), rel=1e-12)


def test_a_saturated_group_is_flat_and_says_so() -> None:
    """Margins of 60: torch's float32 loss is 0 with no slope; ours keeps both, and `saturated` says how many."""
    network = Perceptron()
    with torch.no_grad():
        network.out.weight.zero_()
        network.out.bias.copy_(torch.tensor([60.0, 0.0]))
    group = make_group(network)
    share = taken("saturated", group)[None]
    assert share == pytest.approx(0.5)
    assert taken("loss", group)[None] == pytest.approx(30.0, rel=1e-6)


def test_a_group_without_a_slope_has_no_sharpness(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic_objective(monkeypatch)
    group = make_group(Formula([0.0, 0.0]), objectives=("quadratic",))
    for function in (worst_case.sam, worst_case.asam, worst_case.sam_linf, worst_case.asam_filterwise):
        assert function(group, RADII, objective="quadratic") == dict.fromkeys(RADII, 0.0)


def test_weights_that_are_exactly_zero_stay_there_in_adaptive_steps() -> None:
    """AASIST has such weights; dividing by them silently switched the projection off elsewhere."""
    module = Perceptron().double()
    group = group_for("asam", module)
    seen = []
    original = group.live.move

    def move(direction: Any, scale: float) -> None:
        seen.append(direction[group.live.names.index("first.weight")][0, 0])
        original(direction, scale)

    group.live.move = move  # type: ignore[method-assign]
    assert all(np.isfinite(value) for value in taken("asam", group).values())
    assert seen
    assert all(float(value) == 0.0 for value in seen)


def test_what_is_shared_is_run_once() -> None:
    """EER, loss, and both sharpnesses at R radii: 3 + 2 R passes."""
    group = make_group(Perceptron())
    for name in ("sam", "asam", "loss", "grad_norm", "sam_relative", "asam_relative", "margin"):
        taken(name, group)
    assert group.forwards == 3 + 2 * len(RADII)


# One battery for everything that is registered ------------------------------------------------------------


@functools.cache
def in_double(name: str) -> tuple[float, ...]:
    """The values of the whole group at once, in float64."""
    return tuple(taken(name, group_for(name, Perceptron().double(), batch_size=6)).values())


@pytest.mark.parametrize("name", MEASURES)
def test_battery_same_value_twice_close_to_double_and_weights_untouched(name: str) -> None:
    first, second = (group_for(name, Perceptron()) for _ in range(2))
    before = first.live.checksum()
    values = taken(name, first)
    assert values == taken(name, second)
    keys = ["first", "second", "out"] if MEASURES[name].blocks else [None]
    assert list(values) == (list(RADII) if MEASURES[name].radius else keys)
    assert all(isinstance(value, float) and np.isfinite(value) for value in values.values())
    assert first.live.checksum() == before
    assert list(values.values()) == pytest.approx(in_double(name), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", MEASURES)
def test_battery_physical_batch(name: str) -> None:
    parts = group_for(name, Perceptron().double(), batch_size=1)
    assert list(taken(name, parts).values()) == pytest.approx(in_double(name), rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_battery_weights_restored_whenever_it_fails(name: str, error: type[BaseException]) -> None:
    """The forward fails at its first call, at its second, and so on: the weights are always put back."""
    for failing_call in (1, 2, 5):
        group = group_for(name, Perceptron())
        before, working = group.live.checksum(), group.forward
        calls: list[int] = []

        def failing(
            waves: torch.Tensor, calls: list[int] = calls, at: int = failing_call, run: Any = working
        ) -> torch.Tensor:
            calls.append(1)
            if len(calls) == at:
                raise error
            out: torch.Tensor = run(waves)
            return out

        group.forward = failing
        with contextlib.suppress(error):
            taken(name, group)
        assert group.live.checksum() == before
        assert all(p.grad is None for p in group.live.parameters)


@pytest.mark.parametrize("name", MEASURES)
def test_the_registered_cost_is_what_is_run(name: str) -> None:
    cost = MEASURES[name].cost
    group = group_for(name, Perceptron())
    shared = group.forwards
    if cost.startswith("with "):
        taken(cost.removeprefix("with "), group)
        shared = group.forwards
    taken(name, group)
    run, stated = group.forwards - shared, evaluations(cost, len(RADII))
    assert run <= stated if cost.startswith("up to") else run == stated


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_documented(name: str) -> None:
    measure = MEASURES[name]
    assert measure.summary
    assert measure.cost
    assert measure.families
    assert set(measure.invariant_to) <= {"layer", "node", "logits", "head", "labels"}


def test_the_command_lists_measures() -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["measures", "paper"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[::2]] == ["sam", "loss", "grad_norm"]
    assert "Foret et al. (2021)" in done.stdout
    listed = json.loads(runner.invoke(main, ["measures", "--json"]).stdout)
    assert [row["name"] for row in listed] == list(MEASURES)
    assert set(listed[0]) == {"name", "summary", "families", "radius", "cost", "invariant_to", "source"}
    bad = runner.invoke(main, ["measures", "samm"])
    assert bad.exit_code == 2
    assert "did you mean 'sam'" in bad.stderr


def test_names_and_families_select() -> None:
    assert not set(families()) & set(MEASURES)
    assert families()["all"] == list(MEASURES)
    assert select_measures(["paper"]) == ["sam", "loss", "grad_norm"]
    assert select_measures(["asam", "sam", "asam"]) == ["sam", "asam"]
    with pytest.raises(UsageError, match="did you mean 'paper'"):
        select_measures(["papr"])


def test_a_function_among_the_names_of_measures_says_how_to_name_it() -> None:
    with pytest.raises(UsageError, match=r"function 'taken' is not a name.*register_measure"):
        select_measures(["sam", taken])  # type: ignore[list-item]
