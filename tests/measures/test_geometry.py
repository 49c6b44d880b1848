"""Geometry and calibration: equal to their definitions, computed slowly with dense derivatives."""

import numpy as np
import pytest
import torch
from reference_measures import Surface
from toy_networks import Formula, Perceptron, Recurrent, Tied, make_group, quadratic_objective, trials

from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures import MEASURES, geometry
from sharpscope.measures.calibration import calibration_error
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import LiveParameters


class OneLogit(torch.nn.Module):
    """A network with a single output, as the loader turns it into two logits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first = torch.nn.Linear(6, 3)
        self.out = torch.nn.Linear(3, 1)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        z = self.out(torch.tanh(self.first(waves)))
        return torch.cat([torch.zeros_like(z), z], dim=1)


NETWORKS = {"perceptron": Perceptron, "tied": Tied, "gru": Recurrent, "one logit": OneLogit}


def surface_of(module: torch.nn.Module, names: list[str]) -> Surface:
    return Surface(module, names, *trials())


@pytest.mark.parametrize("name", NETWORKS)
def test_fisher_and_fisher_rao_by_their_definitions(name: str) -> None:
    module = NETWORKS[name]().double()
    group = make_group(module)
    surface = surface_of(module, group.live.names)
    a = surface.weights
    gradients = surface.trial_gradients()
    # The true Fisher: both labels in turn, each with its probability.
    p = torch.softmax(surface.logits(surface.w), dim=1).detach()
    by_class = []
    for label in (0, 1):
        surface.labels = torch.full_like(surface.labels, label)
        by_class.append(surface.trial_gradients())
    fisher = sum(p[:, c] * by_class[c].square().sum(dim=1) for c in (0, 1))
    scaled = sum(p[:, c] * (surface.w * by_class[c]).square().sum(dim=1) for c in (0, 1))
    expected = {
        "fisher_trace": (a * fisher).sum(),
        "fisher_trace_adaptive": (a * scaled).sum(),
        "fisher_trace_empirical": (a * gradients.square().sum(dim=1)).sum(),
        "fisher_rao": (a * (gradients @ surface.w).square()).sum(),
    }
    for measure, value in expected.items():
        assert MEASURES[measure].function(group, ())[None] == pytest.approx(float(value), rel=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_relative_flatness_equals_its_definition_by_the_hessian(name: str) -> None:
    """sum over s, s' of <w_s, w_s'> tr(H_ss'), H the dense Hessian in the last layer's rows."""
    module = NETWORKS[name]().double()
    group = make_group(module)
    surface = surface_of(module, ["out.weight"])
    rows, width = surface.shapes[0]
    hessian = surface.hessian().reshape(rows, width, rows, width)
    w = surface.w.reshape(rows, width)
    blocks = torch.einsum("sktk->st", hessian).detach()
    expected = float((blocks * (w @ w.T)).sum())
    value = MEASURES["relative_flatness"].function(group, ())[None]
    assert value == pytest.approx(expected, rel=1e-8)


def test_fisher_rao_of_a_network_without_biases_has_a_closed_form() -> None:
    """(L + 1)^2 E <dl/df, f>^2 for L hidden layers without biases (Liang et al., 2019)."""

    class Homogeneous(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            sizes = [(6, 5), (5, 4), (4, 2)]
            self.layers = torch.nn.ModuleList(torch.nn.Linear(i, o, bias=False) for i, o in sizes)

        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            for layer in self.layers[:-1]:
                waves = torch.relu(layer(waves))
            out: torch.Tensor = self.layers[-1](waves)
            return out

    module = Homogeneous().double().eval()
    group = make_group(module)
    waves, labels, weights = trials()
    f = module(waves).detach()
    slope = torch.softmax(f, dim=1) - torch.nn.functional.one_hot(labels, 2)
    expected = 9 * float((weights * (slope * f).sum(dim=1).square()).sum())
    assert MEASURES["fisher_rao"].function(group, ())[None] == pytest.approx(expected, rel=1e-10)


def test_one_pass_serves_the_family() -> None:
    group = make_group(Perceptron())
    before = group.forwards
    for name in (
        "fisher_trace",
        "fisher_trace_adaptive",
        "fisher_trace_empirical",
        "fisher_rao",
        "relative_flatness",
    ):
        MEASURES[name].function(group, ())
    assert group.forwards - before == 3


def test_a_head_that_is_no_linear_layer_is_named() -> None:
    class Cosine(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first = torch.nn.Linear(6, 4)
            self.out = torch.nn.Parameter(torch.randn(2, 4))

        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            return (
                5
                * torch.nn.functional.normalize(torch.tanh(self.first(waves)))
                @ torch.nn.functional.normalize(self.out).T
            )

    group = make_group(Cosine().double())
    with pytest.raises(SharpscopeError, match="leave the measure out"):
        MEASURES["relative_flatness"].function(group, ())


def test_scaled_gradient_norm_and_participation(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic_objective(monkeypatch)
    group = make_group(Formula([3.0, -4.0]), objectives=("quadratic",))
    value = geometry.scaled_gradient_norm(group, objective="quadratic")[None]
    assert value == pytest.approx(337**0.5, rel=1e-12)
    module = Perceptron().double()
    group = make_group(module)
    surface = surface_of(module, group.live.names)
    for name, t in (("effective_parameters", 1.0), ("effective_parameters_adaptive", surface.w.abs())):
        shares = [piece.square().sum() for piece in surface.split(t * surface.gradient()).values()]
        total = sum(shares)
        expected = 1 / float(sum((s / total) ** 2 for s in shares))
        assert MEASURES[name].function(group, ())[None] == pytest.approx(expected, rel=1e-8)


def test_blocks_add_up_to_the_step() -> None:
    module = Perceptron().double()
    group = make_group(module)
    surface = surface_of(module, group.live.names)
    found = geometry.blocks(group, 1e-4)
    assert [block.name for block in found] == ["first", "second", "out"]
    assert [block.weights for block in found] == [35, 24, 10]
    assert sum(block.share for block in found) == pytest.approx(1.0, rel=1e-12)
    g = surface.split(surface.gradient())
    share = (
        g["out.weight"].square().sum() + g["out.bias"].square().sum()
    ) / surface.gradient().square().sum()
    assert found[-1].share == pytest.approx(float(share), rel=1e-8)
    whole = MEASURES["sam"].function(group, [1e-4])[1e-4]
    assert sum(block.rise for block in found) == pytest.approx(whole, rel=1e-3)
    for block in found:
        assert block.rise == pytest.approx(block.share * whole, rel=1e-2)
    assert len(geometry.blocks(group, 0.1, scaling="elementwise")) == 3


def test_shares_of_blocks_are_those_of_the_dense_gradient() -> None:
    module = Perceptron().double()
    group = make_group(module)
    surface = surface_of(module, group.live.names)
    for name, factor in (("sam_layers", torch.ones_like(surface.w)), ("asam_layers", surface.w.abs())):
        parts = surface.split(factor * surface.gradient())
        total = sum(part.square().sum() for part in parts.values())
        found = MEASURES[name].function(group, ())
        for block in ("first", "second", "out"):
            own = sum(part.square().sum() for key, part in parts.items() if key.startswith(f"{block}."))
            assert found[block] == pytest.approx(float(own / total), rel=1e-8)


def test_shares_of_two_weights_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """L = 3 a + 4 b: the shares are 9/25 and 16/25; where the gradient vanishes nobody has one."""

    class Line(torch.nn.Module):
        def __init__(self, slopes: tuple[float, float]) -> None:
            super().__init__()
            self.a, self.b = (Formula([1.0], curvature=torch.zeros(1, 1), slope=[s]) for s in slopes)
            for part in (self.a, self.b):
                part.curvature = part.curvature.double()

        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.a(waves) + self.b(waves)
            return logits

    quadratic_objective(monkeypatch)
    for slopes, expected in (((3.0, 4.0), {"a": 0.36, "b": 0.64}), ((0.0, 0.0), {"a": 0.0, "b": 0.0})):
        group = make_group(Line(slopes), objectives=("quadratic",))
        group.gradients["label"] = group.gradients["quadratic"]
        assert geometry.layers(group) == pytest.approx(expected, rel=1e-12)


def test_calibration_scores_by_hand() -> None:
    module = Perceptron().double().eval()
    group = make_group(module)
    waves, labels, weights = trials()
    p = torch.softmax(module(waves), dim=1).detach().numpy()
    y, w = labels.numpy(), weights.numpy()
    right = p[np.arange(6), y]
    hit = (p.argmax(axis=1) == y).astype(float)
    expected = {
        "brier": (w * (1 - right) ** 2).sum(),
        "overconfidence": (w * (p.max(axis=1) - hit)).sum(),
        "accuracy": (w * hit).sum(),
    }
    for name, value in expected.items():
        assert MEASURES[name].function(group, ())[None] == pytest.approx(value, rel=1e-10)


def test_kernel_calibration_error_by_its_definition() -> None:
    module = Perceptron().double().eval()
    group = make_group(module, m=9)
    waves, labels, weights = trials(9)
    p = torch.softmax(module(waves), dim=1).detach().numpy()[:, 1]
    y, w = labels.numpy(), weights.numpy()
    expected = 0.0
    for c in (0, 1):
        for d in (0, 1):
            values = [
                (y[i] - p[i]) * (y[j] - p[j]) * np.exp(-abs(p[i] - p[j]) / 0.2)
                for i in range(9)
                for j in range(9)
                if i != j and y[i] == c and y[j] == d
            ]
            expected += w[y == c].sum() * w[y == d].sum() * np.mean(values)
    found = MEASURES["kernel_calibration_error"].function(group, ())[None]
    assert found == pytest.approx(expected, rel=1e-10)
    with pytest.raises(SharpscopeError, match=r"1 bona fide and 1 spoof .* larger --m, or"):
        MEASURES["kernel_calibration_error"].function(make_group(module, m=2), ())


def test_kernel_calibration_error_is_zero_on_average_where_a_detector_is_calibrated() -> None:
    """Normal scores one standard deviation either side of 0 have the logit 2 s: groups of eight say so, on average."""

    class Scores(torch.nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor(factor, dtype=torch.float64))

        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            return torch.stack([waves[:, 0] * 0, self.factor * waves[:, 0]], dim=1)

    rng = np.random.default_rng(0)
    labels = torch.arange(8) % 2
    weights = torch.full((8,), 1 / 8, dtype=torch.float64)
    values: dict[float, list[float]] = {2.0: [], 6.0: []}
    for _ in range(1500):
        waves = torch.from_numpy(rng.normal(labels.numpy() * 2.0 - 1.0)).unsqueeze(1)
        for factor, found in values.items():
            network = Scores(factor)
            live = LiveParameters(network, lambda network=network, waves=waves: network(waves).sum())
            group = Group(network, live, waves, labels, weights, batch_size=8, objectives=())
            found.append(MEASURES["kernel_calibration_error"].function(group, ())[None])
    mean, error = np.mean(values[2.0]), np.std(values[2.0]) / 1500**0.5
    assert abs(mean) < 3 * error
    assert np.mean(values[6.0]) > 10 * error


def test_calibration_error_of_calibrated_and_of_overconfident_scores() -> None:
    rng = np.random.default_rng(0)
    difference = rng.normal(0, 2, 200_000)
    labels = (rng.random(200_000) < 1 / (1 + np.exp(-difference))).astype(int)
    logits = np.stack([np.zeros_like(difference), difference], axis=1)
    # Each of 15 bins deviates by chance by about sqrt(2 / pi) * sqrt(p q / n).
    assert calibration_error(logits, labels) < 0.005
    assert calibration_error(3 * logits, labels) > 0.05
    assert calibration_error(logits + 7.0, labels) == pytest.approx(calibration_error(logits, labels))
    with pytest.raises(UsageError, match="fewer bins"):
        calibration_error(logits[:5], labels[:5])
