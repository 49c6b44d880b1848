"""The step under overflow and between processes; one reduction in place of many."""

import copy
import itertools

import pytest
import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError
from sharpscope.training import OPTIMIZERS, SAM, LookSAM
from sharpscope.training.optimizer import make_optimizer
from sharpscope.training.recipe import Recipe
from sharpscope.training.vectors import dot, finite, norm

MATRIX = torch.tensor([[3.0, 1.0], [1.0, 2.0]])


class Overflowing:
    """A quadratic whose second pass overflows at given steps, under a gradient scaler."""

    def __init__(self, at: set[int]) -> None:
        self.w = nn.Parameter(torch.tensor([1.0, -2.0]))
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        self.at = at
        self.step = self.passes = 0

    def closure(self) -> Tensor:
        self.passes += 1
        loss = self.w @ MATRIX @ self.w / 2
        big = 3e38 if self.step in self.at and self.passes == 2 else 1.0
        (self.scaler.scale(loss) * big).backward()
        return loss.detach()

    def run(self, sam: SAM, steps: int) -> list[Tensor]:
        points = []
        for self.step in range(steps):
            self.passes = 0
            sam.step(self.closure, scaler=self.scaler)
            points.append(self.w.detach().clone())
        return points


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_overflow_in_the_second_pass_costs_one_step(name: str) -> None:
    toy = Overflowing({0})
    points = toy.run(OPTIMIZERS[name].function(torch.optim.SGD([toy.w], lr=0.01), rho=0.1), 4)
    assert torch.equal(points[0], torch.tensor([1.0, -2.0]))
    assert toy.scaler.get_scale() == 512.0
    for one, two in itertools.pairwise(points):
        assert torch.isfinite(two).all()
        assert not torch.equal(one, two)


def test_looksam_climbs_again_after_an_overflow() -> None:
    """What it keeps is that of an untouched run: the step that overflowed counts for nothing."""
    hurt, calm = Overflowing({0}), Overflowing(set())
    sams = [LookSAM(torch.optim.SGD([toy.w], lr=0.01), rho=0.1, k=3) for toy in (hurt, calm)]
    late, early = hurt.run(sams[0], 6), calm.run(sams[1], 5)
    for one, other in zip(late[1:], early, strict=True):
        torch.testing.assert_close(one, other)


def test_fresh_masks_are_drawn_on_and_unknown_words_refused() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 16), nn.Dropout(0.5), nn.Linear(16, 1))
    masks: list[Tensor] = []
    network[1].register_forward_hook(lambda _, inputs, out: masks.append((out == 0) & (inputs[0] != 0)))

    def closure() -> Tensor:
        loss = network(torch.ones(4, 3)).square().sum()
        loss.backward()
        return loss.detach()

    base = torch.optim.SGD(network.parameters(), lr=0.0)
    SAM(base, rho=1e-6, masks="fresh").step(closure)
    SAM(base, rho=1e-6).step(closure)
    assert not torch.equal(masks[0], masks[1])
    assert torch.equal(masks[2], masks[3])
    with pytest.raises(UsageError, match="same or fresh"):
        SAM(base, masks="none")


def test_norms_and_products_are_those_of_one_long_vector() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,), (2, 2, 2))]
    others = [torch.randn(part.shape, generator=generator) for part in parts]
    whole, other = (torch.cat([part.flatten() for part in many]).double() for many in (parts, others))
    assert norm([*parts, None]) == pytest.approx(float(whole.norm()), rel=1e-14)
    assert dot(list(zip(parts, others, strict=True))) == pytest.approx(float(whole @ other), rel=1e-12)
    assert norm([torch.zeros(3)]) == norm([]) == 1e-12
    # Squares of the largest float overflow in float32; a finite vector stays finite.
    assert finite([torch.full((4,), 3e38)])
    for bad in (float("nan"), float("inf"), -float("inf")):
        damaged = copy.deepcopy(parts)
        damaged[1][2] = bad
        assert not finite(damaged)


def test_alpha_has_one_default_a_method() -> None:
    network = nn.Linear(2, 2)
    for method, alpha in (("gsam", 0.1), ("looksam", 0.7)):
        built = make_optimizer(Recipe({"optimizer": {"method": method}}), network)
        direct = OPTIMIZERS[method].function(torch.optim.Adam(network.parameters()))
        assert built.alpha == direct.alpha == alpha  # type: ignore[attr-defined]
    given = make_optimizer(Recipe({"optimizer": {"method": "looksam", "alpha": 0.0}}), network)
    assert given.alpha == 0.0  # type: ignore[attr-defined]
