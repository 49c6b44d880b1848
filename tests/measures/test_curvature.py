"""Average case and curvature: exact on quadratics, equal to dense Hessians, on networks that break other tools."""

import math

import numpy as np
import pytest
import torch
from reference_measures import Surface
from toy_networks import (
    Attention,
    Formula,
    Perceptron,
    Recurrent,
    Tied,
    make_group,
    quadratic_objective,
    trials,
)

from sharpscope.measures import MEASURES
from sharpscope.measures.average import average, average_stderr, average_trace, pair_rises
from sharpscope.measures.curvature import (
    eigenvalue,
    gradient_curvature,
    lanczos,
    trace,
    trace_sketched,
    trace_stderr,
)
from sharpscope.measures.derivatives import hessian_vector
from sharpscope.measures.parameters import dot


def symmetric(values: list[float], seed: int = 0) -> torch.Tensor:
    """A dense matrix with these eigenvalues."""
    generator = torch.Generator().manual_seed(seed)
    n = len(values)
    q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
    return q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ q.T


NETWORKS = {
    "perceptron": Perceptron,
    "tied": Tied,
    "gru": Recurrent,
    "lstm": lambda: Recurrent(torch.nn.LSTM),
    "attention": Attention,
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch_size", [2, 6])
def test_products_equal_a_dense_hessian(name: str, batch_size: int) -> None:
    module = NETWORKS[name]().double()
    group = make_group(module, batch_size=batch_size)
    surface = Surface(module, group.live.names, *trials())
    vector = group.noise(3)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        expected = surface.hessian() @ surface.join(vector)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    product = surface.join(hessian_vector(group, vector))
    torch.testing.assert_close(product, expected, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("values", [[3.0, 1.0, 0.5, 0.1], [1.0, -4.0, 0.5, 0.0], [-1.0, -2.0, -3.0, -5.0]])
def test_the_ends_of_a_known_spectrum(values: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the largest absolute eigenvalue is negative, which power iteration reports as lambda_max."""
    quadratic_objective(monkeypatch)
    group = make_group(Formula([1.0, 2.0, 3.0, 4.0], symmetric(values)), objectives=("quadratic",))
    found = lanczos(group, objective="quadratic", tolerance=1e-12)
    assert found.largest == pytest.approx(max(values), rel=1e-8, abs=1e-8)
    assert found.smallest == pytest.approx(min(values), rel=1e-8, abs=1e-8)
    assert found.residual < 1e-8
    assert found.steps <= 4


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_spectrum_of_a_network_equals_dense_eigenvalues(adaptive: bool) -> None:
    module = Perceptron().double()
    group = make_group(module)
    surface = Surface(module, group.live.names, *trials())
    t = surface.w.abs() if adaptive else torch.ones_like(surface.w)
    matrix = t[:, None] * surface.hessian() * t[None, :]
    dense = torch.linalg.eigvalsh(matrix)
    scaling = "elementwise" if adaptive else "none"
    found = lanczos(group, scaling=scaling, steps=69, tolerance=1e-11)  # type: ignore[arg-type]
    assert found.largest == pytest.approx(float(dense[-1]), rel=1e-8)
    assert found.smallest == pytest.approx(float(dense[0]), rel=1e-8)
    values = {end: eigenvalue(group, end=end, scaling=scaling)[None] for end in ("largest", "residual")}  # type: ignore[arg-type]
    # 20 steps: the residual bounds the error of the eigenvalue.
    assert abs(values["largest"] - float(dense[-1])) <= values["residual"] * float(dense.abs().max()) + 1e-12
    # Probes are exact in expectation; with the same signs they equal the dense quadratic forms.
    z = torch.stack([surface.join(group.noise(k, "rademacher")) for k in range(30)])
    forms = ((z @ matrix) * z).sum(dim=1)
    assert trace(group, scaling=scaling)[None] == pytest.approx(float(forms.mean()), rel=1e-8)  # type: ignore[arg-type]
    error = float(forms.std()) / math.sqrt(30)
    assert trace_stderr(group, scaling=scaling)[None] == pytest.approx(error, rel=1e-8)  # type: ignore[arg-type]
    g = t * surface.gradient()
    along = float(g @ matrix @ g / g.square().sum())
    assert gradient_curvature(group, scaling=scaling)[None] == pytest.approx(along, rel=1e-8)  # type: ignore[arg-type]


def test_trace_of_a_diagonal_hessian_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic_objective(monkeypatch)
    curvature = torch.diag(torch.tensor([1.0, 3.0, -0.5], dtype=torch.float64))
    group = make_group(Formula([1.0, 2.0, -2.0], curvature), objectives=("quadratic",))
    assert trace(group, count=2, objective="quadratic")[None] == pytest.approx(3.5, rel=1e-12)
    scaled = trace(group, count=2, scaling="elementwise", objective="quadratic")[None]
    assert scaled == pytest.approx(1 + 12 - 2, rel=1e-12)


def test_hutchpp_is_exact_for_a_low_rank_and_converges_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic_objective(monkeypatch)
    low = symmetric([5.0, -2.0, 1.0] + [0.0] * 9)
    group = make_group(Formula([0.1] * 12, low), objectives=("quadratic",))
    assert trace_sketched(group, count=15, objective="quadratic")[None] == pytest.approx(4.0, rel=1e-9)
    full = symmetric([10 * 0.7**k for k in range(40)])
    exact = float(full.diagonal().sum())
    errors: dict[str, list[float]] = {"sketched": [], "plain": []}
    for seed in range(20):
        group = make_group(Formula([0.1] * 40, full), objectives=("quadratic",), seed=seed)
        errors["sketched"].append(trace_sketched(group, objective="quadratic")[None] - exact)
        errors["plain"].append(trace(group, objective="quadratic")[None] - exact)
    spread = {name: np.sqrt(np.mean(np.square(values))) for name, values in errors.items()}
    assert abs(np.mean(errors["sketched"])) < 4 * spread["sketched"] / np.sqrt(20)
    assert spread["sketched"] < 0.7 * spread["plain"]


def test_antithetic_pairs_are_exact_quadratic_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a quadratic with a steep slope each pair gives d'Ad/2: the slope has left no trace."""
    quadratic_objective(monkeypatch)
    curvature = symmetric([2.0, 1.0, -0.5])
    network = Formula([3.0, -1.0, 2.0], curvature, slope=[100.0, -50.0, 10.0])
    group = make_group(network, objectives=("quadratic",))
    for scaling, t in (("none", [1.0, 1.0, 1.0]), ("elementwise", [3.0, 1.0, 2.0])):
        rises = pair_rises(group, 0.1, scaling=scaling, objective="quadratic")  # type: ignore[arg-type]
        for index, rise in enumerate(rises):
            d = 0.1 * group.noise(index)[0] * torch.tensor(t, dtype=torch.float64)
            assert rise == pytest.approx(float(d @ curvature @ d) / 2, rel=1e-8)


def test_the_average_converges_to_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic_objective(monkeypatch)
    curvature = symmetric([2.0, 1.0, -0.5])
    group = make_group(Formula([3.0, -1.0, 2.0], curvature), objectives=("quadratic",))
    rises = np.array(pair_rises(group, 0.3, pairs=3000, objective="quadratic"))
    error = rises.std(ddof=1) / np.sqrt(len(rises))
    assert rises.mean() == pytest.approx(0.09 * 2.5 / 2, abs=4 * error)
    # The variance of a pair is rho^4 |A|_F^2 / 2, whatever the slope.
    assert rises.var() == pytest.approx(0.3**4 * (4 + 1 + 0.25) / 2, rel=0.2)


def test_averages_equal_a_slow_implementation() -> None:
    module = Perceptron().double()
    group = make_group(module)
    surface = Surface(module, group.live.names, *trials())
    for scaling, t in (("none", torch.ones_like(surface.w)), ("elementwise", surface.w.abs())):
        rises = []
        for index in range(10):
            step = 0.05 * t * surface.join(group.noise(index))
            rises.append((surface.rise(step) + surface.rise(-step)) / 2)
        values = [f(group, [0.05], scaling=scaling)[0.05] for f in (average, average_stderr, average_trace)]  # type: ignore[arg-type]
        expected = [np.mean(rises), np.std(rises, ddof=1) / np.sqrt(10), 2 * np.mean(rises) / 0.05**2]
        assert values == pytest.approx(expected, rel=1e-8)


def test_the_same_directions_serve_every_checkpoint_and_set() -> None:
    """Two checkpoints that differ a little differ a little, far less than two seeds of directions do."""
    one, two = Perceptron().double(), Perceptron().double()
    with torch.no_grad():
        two.out.bias += 1e-3
    values = [average(make_group(n), [0.1])[0.1] for n in (one, two)]
    other = average(make_group(one, seed=1), [0.1])[0.1]
    assert abs(values[0] - values[1]) < 0.01 * abs(values[0] - other)


def test_trace_and_average_share_their_passes() -> None:
    group = make_group(Perceptron())
    before = group.forwards
    for name in ("average", "average_stderr", "average_trace"):
        MEASURES[name].function(group, [0.01, 0.001])
    assert group.forwards - before == 2 * 10 * 2
    before = group.forwards
    for name in ("lambda_max", "lambda_min", "lambda_residual"):
        MEASURES[name].function(group, ())
    assert group.forwards - before <= 9 * 20


def test_a_network_that_is_linear_in_its_weights_has_no_curvature(monkeypatch: pytest.MonkeyPatch) -> None:
    quadratic_objective(monkeypatch)
    group = make_group(torch.nn.Linear(6, 2).double(), objectives=("quadratic",))
    product = hessian_vector(group, group.noise(0), objective="quadratic")
    assert dot(product, product) == 0.0
    assert lanczos(group, objective="quadratic").largest == 0.0
