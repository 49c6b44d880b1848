"""The optimisers against closed forms, and against the defects that published ones have."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from sharpscope.errors import UsageError
from sharpscope.training import ASAM, GSAM, OPTIMIZERS, SAM, FriendlySAM, LookSAM

H = torch.tensor([[3.0, 1.0], [1.0, 2.0]])


def quadratic(w: nn.Parameter, matrix: Tensor = H) -> Callable[[], Tensor]:
    def closure() -> Tensor:
        loss = w @ matrix @ w / 2
        loss.backward()
        return loss.detach()

    return closure


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def network(seed: int = 0, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 1))


def batches(count: int) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(16, 3, generator=generator), torch.randn(16, 1, generator=generator))
        for _ in range(count)
    ]


def train(sam: SAM, model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> None:
    for inputs, targets in data:

        def closure(x: Tensor = inputs, y: Tensor = targets) -> Tensor:
            loss = mse_loss(model(x), y)
            loss.backward()
            return loss.detach()

        sam.step(closure)


def same(one: nn.Module, other: nn.Module) -> bool:
    states = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in states)


def test_sam_on_a_quadratic() -> None:
    w = parameter(1.0, -2.0)
    start, matrix = w.detach().clone(), H.double()
    gradient = matrix @ start
    expected = start - 0.1 * matrix @ (start + 0.3 * gradient / gradient.norm())
    SAM(torch.optim.SGD([w], lr=0.1), rho=0.3).step(quadratic(w, matrix))
    torch.testing.assert_close(w.detach(), expected)


@pytest.mark.parametrize("vectors", ["adaptive", "plain"])
def test_asam_on_a_quadratic(vectors: str) -> None:
    w = parameter(1.0, -2.0)
    start, matrix = w.detach().clone(), H.double()
    size = start.abs() + 0.01 if vectors == "adaptive" else torch.ones_like(start)
    scaled = size * (matrix @ start)
    expected = start - 0.1 * matrix @ (start + 0.3 * size * scaled / scaled.norm())
    ASAM(torch.optim.SGD([w], lr=0.1), rho=0.3, vectors=vectors).step(quadratic(w, matrix))
    torch.testing.assert_close(w.detach(), expected)


def test_asam_sees_no_difference_between_rescaled_layers() -> None:
    """f = a b x is the same function after a -> c a, b -> b / c; so are its perturbed outputs."""

    def perturbed_output(a: float, b: float) -> float:
        first, second = parameter(a), parameter(b)
        seen = []

        def closure() -> Tensor:
            seen.append(float((first * second).detach()))
            loss = ((first * second - 1.0) ** 2).sum()
            loss.backward()
            return loss.detach()

        base = torch.optim.SGD([first, second], lr=0.0)
        ASAM(base, rho=0.2, eta=0.0, vectors="adaptive").step(closure)
        return seen[1]

    assert perturbed_output(2.0, 3.0) == pytest.approx(perturbed_output(20.0, 0.3), rel=1e-12)
    assert perturbed_output(2.0, 3.0) > 6.0


def test_gsam_direction() -> None:
    w = parameter(1.0, -2.0)
    start, matrix = w.detach().clone(), H.double()
    here = matrix @ start
    there = matrix @ (start + 0.3 * here / here.norm())
    orthogonal = here - (here @ there) / (there @ there) * there
    assert float(orthogonal.norm()) > 1e-3
    GSAM(torch.optim.SGD([w], lr=0.1), rho=0.3, alpha=0.5).step(quadratic(w, matrix))
    torch.testing.assert_close(w.detach(), start - 0.1 * (there - 0.5 * orthogonal))


def test_friendly_sam_directions_of_two_steps() -> None:
    w = parameter(1.0, -2.0)
    matrix, value, average = H.double(), w.detach().clone(), torch.zeros(2, dtype=torch.float64)
    sam = FriendlySAM(torch.optim.SGD([w], lr=0.1), rho=0.3, sigma=0.7, decay=0.6)
    for _ in range(2):
        gradient = matrix @ value
        average = 0.6 * average + 0.4 * gradient
        own = gradient - 0.7 * average
        value = value - 0.1 * matrix @ (value + 0.3 * own / own.norm())
        sam.step(quadratic(w, matrix))
        torch.testing.assert_close(w.detach(), value)


def test_looksam_reuses_the_orthogonal_part() -> None:
    w = parameter(1.0, -2.0)
    matrix, value = H.double(), w.detach().clone()
    gradient = matrix @ value
    there = matrix @ (value + 0.3 * gradient / gradient.norm())
    kept = there - (there @ gradient) / (gradient @ gradient) * gradient
    value = value - 0.1 * there
    gradient = matrix @ value
    value = value - 0.1 * (gradient + 0.7 * gradient.norm() / kept.norm() * kept)
    sam = LookSAM(torch.optim.SGD([w], lr=0.1), rho=0.3, k=2, alpha=0.7)
    sam.step(quadratic(w, matrix))
    sam.step(quadratic(w, matrix))
    torch.testing.assert_close(w.detach(), value)


def test_looksam_with_k_1_is_sam() -> None:
    one, other, data = network(), network(), batches(5)
    train(SAM(torch.optim.Adam(one.parameters(), 1e-2), rho=0.1), one, data)
    train(LookSAM(torch.optim.Adam(other.parameters(), 1e-2), rho=0.1, k=1), other, data)
    assert same(one, other)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_rho_0_is_the_base_optimiser_bit_for_bit(name: str) -> None:
    one, other, data = network(dropout=0.3), network(dropout=0.3), batches(4)
    base = torch.optim.AdamW(one.parameters(), 1e-2)
    torch.manual_seed(3)
    for inputs, targets in data:
        base.zero_grad()
        mse_loss(one(inputs), targets).backward()
        base.step()
    torch.manual_seed(3)
    wrapped = OPTIMIZERS[name].function(torch.optim.AdamW(other.parameters(), 1e-2), rho=0.0)
    train(wrapped, other, data)
    assert same(one, other)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_resume_is_bit_exact_and_holds_no_weights(name: str) -> None:
    make, data = OPTIMIZERS[name].function, batches(7)
    whole, first = network(), network()
    train(make(torch.optim.Adam(whole.parameters(), 1e-2), rho=0.1, network=whole), whole, data)
    sam = make(torch.optim.Adam(first.parameters(), 1e-2), rho=0.1, network=first)
    train(sam, first, data[:3])
    # T31: the moments of the base optimiser are in the state.
    state = copy.deepcopy(sam.state_dict())
    assert len(state["base"]["state"]) == len(list(first.parameters()))
    weights = [p.detach().clone() for p in first.parameters()]
    held = [t for t in state["own"].values() if isinstance(t, list)]
    assert not any(torch.equal(t, w) for kept in held for t, w in zip(kept, weights, strict=True))
    second = network(seed=9)
    second.load_state_dict(first.state_dict())
    resumed = make(torch.optim.Adam(second.parameters(), 1e-2), rho=0.1, network=second)
    resumed.load_state_dict(state)
    train(resumed, second, data[3:])
    assert same(whole, second)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_a_parameter_without_a_second_gradient_is_restored(name: str) -> None:
    """T30: layer drop may use a parameter in the first pass only; it must not stay perturbed."""
    used, dropped = parameter(1.0, 2.0), parameter(3.0, 4.0)
    before, calls = dropped.detach().clone(), []

    def closure() -> Tensor:
        calls.append(dropped.detach().clone())
        loss = (used**2).sum() + ((dropped**2).sum() if len(calls) == 1 else 0.0)
        loss.backward()
        return loss.detach()

    OPTIMIZERS[name].function(torch.optim.SGD([used, dropped], lr=0.0), rho=0.5).step(closure)
    assert torch.equal(dropped.detach(), before)
    assert len(calls) == 2
    assert name == "friendly-sam" or not torch.equal(calls[1], before)


def test_an_exception_in_the_second_pass_leaves_the_weights() -> None:
    w, calls = parameter(1.0, 2.0), []

    def closure() -> Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("stop")
        loss = (w**2).sum()
        loss.backward()
        return loss.detach()

    with pytest.raises(RuntimeError, match="stop"):
        SAM(torch.optim.SGD([w], lr=0.1), rho=0.5).step(closure)
    assert w.tolist() == [1.0, 2.0]


def test_both_passes_draw_the_same_dropout() -> None:
    """T32."""
    model, masks = network(dropout=0.5), []
    model[3].register_forward_hook(lambda _, inputs, out: masks.append((out == 0) & (inputs[0] != 0)))
    model.eval()
    model[3].train()
    train(SAM(torch.optim.SGD(model.parameters(), lr=0.0), rho=1e-6), model, batches(2))
    assert torch.equal(masks[0], masks[1])
    assert torch.equal(masks[2], masks[3])
    assert not torch.equal(masks[0], masks[2])


def test_batch_norm_counts_the_first_pass_only_and_survives_nan() -> None:
    model, plain, data = network(), network(), batches(3)
    for inputs, _ in data:
        plain(inputs)
    train(SAM(torch.optim.SGD(model.parameters(), lr=0.0), rho=0.5, network=model), model, data)
    assert int(model[1].num_batches_tracked) == 3
    torch.testing.assert_close(model[1].running_var, plain[1].running_var, rtol=0, atol=0)
    calls = []

    def closure() -> Tensor:
        calls.append(1)
        inputs = data[0][0] if len(calls) == 1 else data[0][0] * float("nan")
        loss = model(inputs).sum()
        loss.backward()
        return loss.detach()

    SAM(torch.optim.SGD(model.parameters(), lr=0.0), rho=0.5, network=model).step(closure)
    assert torch.isfinite(model[1].running_mean).all()


def test_weight_decay_stays_out_of_the_ascent() -> None:
    points = []
    for decay in (0.0, 10.0):
        w, seen = parameter(1.0, -2.0), []

        def closure(w: nn.Parameter = w, seen: list[Tensor] = seen) -> Tensor:
            seen.append(w.detach().clone())
            return quadratic(w, H.double())()

        SAM(torch.optim.SGD([w], lr=0.1, weight_decay=decay), rho=0.3).step(closure)
        points.append(seen[1])
    assert torch.equal(points[0], points[1])


def test_accumulated_micro_batches_give_the_step_of_the_whole_batch() -> None:
    whole, parts = nn.Linear(3, 1).double(), nn.Linear(3, 1).double()
    parts.load_state_dict(whole.state_dict())
    inputs, targets = (t.double() for t in batches(1)[0])

    def once() -> Tensor:
        loss = mse_loss(whole(inputs), targets)
        loss.backward()
        return loss.detach()

    def in_parts() -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for x, y in zip(inputs.split(4), targets.split(4), strict=True):
            loss = mse_loss(parts(x), y) / 4
            loss.backward()
            total += loss.detach()
        return total

    SAM(torch.optim.SGD(whole.parameters(), lr=0.1), rho=0.3).step(once)
    SAM(torch.optim.SGD(parts.parameters(), lr=0.1), rho=0.3).step(in_parts)
    torch.testing.assert_close(parts.weight, whole.weight)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_a_gradient_scaler_changes_nothing_but_skips_overflow(name: str) -> None:
    plain, scaled, data = network(), network(), batches(4)
    train(OPTIMIZERS[name].function(torch.optim.SGD(plain.parameters(), 0.1), rho=0.1), plain, data)
    sam = OPTIMIZERS[name].function(torch.optim.SGD(scaled.parameters(), 0.1), rho=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for inputs, targets in data:

        def closure(x: Tensor = inputs, y: Tensor = targets) -> Tensor:
            loss = mse_loss(scaled(x), y)
            scaler.scale(loss).backward()
            return loss.detach()

        sam.step(closure, scaler=scaler)
    for one, other in zip(plain.parameters(), scaled.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    kept = [p.detach().clone() for p in scaled.parameters()]

    def overflow() -> Tensor:
        loss = scaled(data[0][0]).sum() * 1e38 * 1e10
        scaler.scale(loss).backward()
        return loss.detach()

    sam.step(overflow, scaler=scaler)
    assert all(torch.equal(a, b) for a, b in zip(kept, scaled.parameters(), strict=True))
    assert scaler.get_scale() == 512.0


def test_clipping_and_frozen_parameters() -> None:
    w, frozen = parameter(30.0, 40.0), parameter(1.0)
    frozen.requires_grad_(False)
    base = torch.optim.SGD([w, frozen], lr=1.0)

    def closure() -> Tensor:
        loss = (w**2).sum() / 2 * frozen.squeeze()
        loss.backward()
        return loss.detach()

    SAM(base, rho=0.5).step(closure, clip=5.0)
    torch.testing.assert_close(w.detach(), torch.tensor([27.0, 36.0], dtype=torch.float64), rtol=1e-5, atol=0)
    assert frozen.item() == 1.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda base: SAM(base, rho=-1.0), "rho is -1.0"),
        (lambda base: ASAM(base, eta=-1.0), "eta is -1.0"),
        (lambda base: ASAM(base, vectors="no"), "plain or adaptive"),
        (lambda base: GSAM(base, alpha=float("nan")), "alpha is nan"),
        (lambda base: FriendlySAM(base, decay=1.0), "decay is 1.0"),
        (lambda base: LookSAM(base, k=0), "k is 0"),
    ],
)
def test_bad_settings_are_refused(make: Callable[[torch.optim.Optimizer], SAM], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(torch.optim.SGD([parameter(1.0)], lr=0.1))
