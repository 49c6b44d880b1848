"""The shared pass: independent of the physical batch, exact to the last digit, and put back whatever happens."""

from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_measures import Surface
from toy_networks import Attention, Perceptron, Recurrent, Tied, make_group, trials

from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group, baseline_is_exact
from sharpscope.measures.objectives import (
    cross_entropy,
    get_objective,
    prediction_entropy,
    signed_margin,
)
from sharpscope.measures.parameters import LiveParameters
from sharpscope.measures.precision import exact_arithmetic, plain_recurrence

NETWORKS = {"perceptron": Perceptron, "tied": Tied, "gru": Recurrent, "attention": Attention}


def mp_loss(margin: float) -> Any:
    return mpmath.log1p(mpmath.exp(-mpmath.mpf(margin)))


@pytest.mark.parametrize(
    "margin", [-120.0, -30.0, -20.5, -1.0, 0.0, 5.0, 16.0, 17.0, 20.0, 36.0, 80.0, 120.0]
)
def test_losses_equal_mpmath_at_any_margin(margin: float) -> None:
    """float32 cross-entropy is exactly zero from 17 on; ours keeps its digits to 120, and its slope too."""
    mpmath.mp.dps = 200
    z = torch.tensor([[0.0, margin]], dtype=torch.float64, requires_grad=True)
    loss = cross_entropy(z, torch.tensor([1]))
    assert loss.item() == pytest.approx(float(mp_loss(margin)), rel=1e-14, abs=0)
    (slope,) = torch.autograd.grad(loss.sum(), z)
    expected = -float(1 / (1 + mpmath.exp(margin)))
    assert float(slope[0, 1]) == pytest.approx(expected, rel=1e-14, abs=0)
    entropy = prediction_entropy(z, torch.tensor([1]))
    p, q = (1 / (1 + mpmath.exp(-s * mpmath.mpf(margin))) for s in (1, -1))
    expected = float(-p * mpmath.log(p) - q * mpmath.log(q))
    assert entropy.item() == pytest.approx(expected, rel=1e-13, abs=0)
    (slope,) = torch.autograd.grad(entropy.sum(), z)
    assert float(slope[0, 1]) == pytest.approx(float(-margin * p * q), rel=1e-12, abs=0)


def test_float32_cross_entropy_would_be_zero() -> None:
    z = torch.tensor([[0.0, 18.0]])
    assert float(torch.nn.functional.cross_entropy(z, torch.tensor([1]))) == 0.0
    assert float(cross_entropy(z, torch.tensor([1]))) > 1e-8


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=2),
    st.sampled_from([0, 1]),
)
def test_the_loss_depends_on_the_margin_only(logits: list[float], label: int) -> None:
    z = torch.tensor([logits], dtype=torch.float64)
    y = torch.tensor([label])
    margin = float(signed_margin(z, y))
    assert margin == (logits[1] - logits[0]) * (2 * label - 1)
    swapped = cross_entropy(z.flip(1), 1 - y)
    assert float(cross_entropy(z, y)) == float(swapped)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch_size", [1, 2, 5, 6, 100])
def test_m_is_independent_of_the_physical_batch(name: str, batch_size: int) -> None:
    whole = make_group(NETWORKS[name]().double(), batch_size=6)
    parts = make_group(NETWORKS[name]().double(), batch_size=batch_size)
    torch.testing.assert_close(parts.logits, whole.logits, rtol=1e-12, atol=1e-12)
    for a, b in zip(parts.gradient(), whole.gradient(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)
    direction = whole.gradient()
    assert parts.rise(direction, 0.1) == pytest.approx(whole.rise(direction, 0.1), rel=1e-10)
    assert parts.gradient_at(direction, 0.1)[0] == pytest.approx(whole.rise(direction, 0.1), rel=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_equal_a_functional_implementation(name: str) -> None:
    network = NETWORKS[name]().double()
    group = make_group(network)
    # The fused attention kernels have no rule for torch.func.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        surface = Surface(network, group.live.names, *trials())
        expected = surface.gradient()
        moved = surface.gradient(surface.w + 0.05 * expected)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    torch.testing.assert_close(surface.join(group.gradient()), expected, rtol=1e-8, atol=1e-12)
    _, there = group.gradient_at(group.gradient(), 0.05)
    torch.testing.assert_close(surface.join(there), moved, rtol=1e-8, atol=1e-12)


def test_a_ragged_group_weighs_every_trial_as_declared() -> None:
    """A tail of three trials, weights of the published loss: torch's weighted mean over the tail."""
    network = Perceptron().double().eval()
    waves, labels, _ = trials(3)
    class_weights = torch.tensor([0.1, 0.9], dtype=torch.float64)
    raw = class_weights[labels]
    live = LiveParameters(network, lambda: network(waves).sum())
    group = Group(network, live, waves, labels, raw / raw.sum(), batch_size=2)
    expected = torch.nn.functional.cross_entropy(network(waves), labels, weight=class_weights)
    assert group.loss() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["evaluate", "gradient_at"])
def test_a_failing_forward_leaves_the_weights_as_they_were(error: type[BaseException], method: str) -> None:
    group = make_group(Perceptron(), batch_size=2)
    before, working = group.live.checksum(), group.forward
    calls = []

    def failing(waves: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise error
        return working(waves)

    group.forward = failing
    with pytest.raises(error):
        getattr(group, method)(group.gradient(), 0.5)
    assert group.live.checksum() == before


def test_nothing_moved_is_nothing_measured() -> None:
    group = make_group(Perceptron())
    assert group.rise(group.gradient(), 0.0) == 0.0
    assert baseline_is_exact(group)
    still = [torch.zeros_like(g) for g in group.gradient()]
    assert group.rise(still, 1.0) == 0.0


def test_the_rise_responds_to_the_radius() -> None:
    """The stale weight cache of autocast makes sharpness vanish; here it must grow with rho, in either mode."""
    with torch.autocast("cpu", torch.bfloat16), exact_arithmetic():
        group = make_group(Perceptron(), m=12)
        values = MEASURES["sam"].function(group, (0.5, 0.05, 0.005))
    plain = MEASURES["sam"].function(make_group(Perceptron(), m=12), (0.5, 0.05, 0.005))
    assert values == plain
    assert values[0.5] > 5 * values[0.05] > 25 * values[0.005] > 0


def test_switches_are_as_they_were_after_exact_arithmetic() -> None:
    cudnn: Any = torch.backends.cudnn
    switches = [torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn]
    before = [switch.fp32_precision for switch in switches]
    flags = (cudnn.benchmark, cudnn.deterministic, torch.backends.mha.get_fastpath_enabled())

    def interrupted() -> None:
        with exact_arithmetic():
            assert {switch.fp32_precision for switch in switches} == {"ieee"}
            assert not torch.is_autocast_enabled("cpu")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [switch.fp32_precision for switch in switches] == before
    assert flags == (cudnn.benchmark, cudnn.deterministic, torch.backends.mha.get_fastpath_enabled())


def test_recurrent_layers_run_without_cudnn_which_has_no_backward_in_eval_mode() -> None:
    seen = []
    network = Recurrent().eval()
    network.cell.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    network.out.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    with plain_recurrence():
        network(trials()[0].float())
        with pytest.raises(ValueError, match="Expected input"):
            network(torch.zeros(1, 2, 3, 4))
        assert torch.backends.cudnn.enabled
    # The failing call reached the cell's hook too, and the switch was put back after it.
    assert seen == [False, True, False]
    assert torch.backends.cudnn.enabled


def test_batch_norm_keeps_its_statistics() -> None:
    """Also `num_batches_tracked`, which a momentum of zero leaves counting."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 2)
    )
    network(trials()[0].float())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    group = make_group(network)
    for name in ("sam", "asam_apgd", "average", "trace", "fisher_trace"):
        MEASURES[name].function(group, (0.05,) if MEASURES[name].radius else ())
    assert int(before["1.num_batches_tracked"]) == 1
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_fast_attention_has_no_noise_floor() -> None:
    with exact_arithmetic():
        group = make_group(Attention())
        assert baseline_is_exact(group)


def test_noise_depends_on_seed_and_index_only() -> None:
    one, two = make_group(Perceptron(), seed=3), make_group(Perceptron().double(), seed=3, m=4)
    for a, b in zip(one.noise(7), two.noise(7), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0, atol=0)
    assert not torch.equal(one.noise(7)[0], one.noise(8)[0])
    assert not torch.equal(one.noise(7)[0], make_group(Perceptron(), seed=4).noise(7)[0])
    assert set(one.noise(7, "rademacher")[0].unique().tolist()) == {-1.0, 1.0}
    draws = torch.cat([d.reshape(-1) for index in range(200) for d in one.noise(index)])
    assert abs(float(draws.mean())) < 5 / len(draws) ** 0.5
    assert float(draws.var()) == pytest.approx(1.0, abs=5 * (2 / len(draws)) ** 0.5)


def test_logits_that_are_not_finite_are_refused() -> None:
    network = Perceptron()
    with torch.no_grad():
        network.out.bias[0] = float("inf")
    with pytest.raises(SharpscopeError, match="6 of 6 trials"):
        make_group(network)
    with pytest.raises(UsageError, match="did you mean 'entropy'"):
        get_objective("entropie")


def test_a_step_too_far_is_named() -> None:
    group = make_group(Perceptron())
    huge = [torch.full_like(g, 1e38) for g in group.gradient()]
    with pytest.raises(SharpscopeError, match="not finite"):
        group.rise(huge, 1e3)
    with pytest.raises(SharpscopeError, match="smaller radii"):
        group.gradient_at(huge, 1e3)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(6)))
def test_the_order_of_trials_in_a_group_does_not_matter(order: list[int]) -> None:
    group = make_group(Perceptron().double())
    waves, labels, weights = trials()
    network = Perceptron().double().eval()
    live = LiveParameters(network, lambda: network(waves).sum())
    shuffled = Group(network, live, waves[order], labels[order], weights[order], batch_size=4)
    np.testing.assert_allclose(shuffled.loss(), group.loss(), rtol=1e-12)
    np.testing.assert_allclose(shuffled.gradient_norm(), group.gradient_norm(), rtol=1e-12)


def test_fast_takes_the_direction_in_half_precision_and_nothing_else() -> None:
    """Scores, L(w) and the rise along that direction are those of the exact group, bit for bit."""
    exact, fast = (make_group(Perceptron(), m=12, batch_size=5, fast=f) for f in (False, True))
    assert torch.equal(fast.logits, exact.logits)
    assert fast.loss() == exact.loss()
    for index, (half, whole) in enumerate(zip(fast.gradient(), exact.gradient(), strict=True)):
        assert not torch.equal(half, whole), index
        assert torch.nn.functional.cosine_similarity(half.flatten(), whole.flatten(), dim=0) > 0.999
    direction = fast.gradient()
    assert fast.rise(direction, 0.01) == exact.rise(direction, 0.01)
    one, other = (MEASURES["sam"].function(group, (0.05,))[0.05] for group in (fast, exact))
    # A direction that is off by an angle loses its square: far less than the three digits of bfloat16.
    assert one == pytest.approx(other, rel=1e-3)
    assert one != other


def test_fast_finds_the_temperature_without_rounding() -> None:
    exact, fast = (
        make_group(Perceptron(), batch_size=6, objectives=("matched",), fast=f) for f in (False, True)
    )
    assert fast.losses("matched").tolist() == exact.losses("matched").tolist()
