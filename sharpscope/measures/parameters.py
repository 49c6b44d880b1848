"""The live parameters of a network: found by a backward pass, moved in place, restored by copy."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sharpscope.errors import SharpscopeError

Direction = Sequence[Tensor]

# Weights move in parts of about this size: a direction that is made while it is used takes no more room than a part.
PART_BYTES = 16 * 1024**2
# Numbers widened to float64 at once on a CPU: what a piece needs stays in the processor's cache.
PIECE = 65_536
# Random directions on another device are kept up to this size, since they are drawn on the CPU.
KEPT_DRAWS = 256 * 1024**2
# Numbers whose bits are summed at once: what stays in a cache, and what is worth a kernel elsewhere.
SUMMED_IN_CACHE, SUMMED_AT_ONCE = 2**15, 2**21
# The same bits as whole numbers, by bytes of a value.
_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
# The fractional part of the golden ratio in 64 bits: its multiples spread evenly, and odd ones can be divided by.
_SPREAD = 0x9E3779B97F4A7C15 - 2**64


class LiveParameters:
    """The parameters that a loss really depends on, with the trained values kept beside them.

    A parameter is live when it requires a gradient and one backward pass of the loss reaches it. Published
    detectors carry dead ones (AASIST: the first batch norm of five blocks), which must neither be
    perturbed nor counted in a norm. Tied parameters count once.

    Args:
        module: The network, in eval mode.
        loss: Returns a scalar that depends on the network's output; called once.

    Attributes:
        names: Names of the live parameters, in the module's order.
        tensors: The parameters themselves, each of its own shape.
        trained: Copies of the values that they are restored to.
        dead: Names that require a gradient but never receive one.
        frozen: Names that do not require a gradient.
        found: The gradients of the backward pass, one per live parameter.
        parts: Slices of the live parameters that are moved one after the other.

    Raises:
        SharpscopeError: If no parameter is live.

    Example:
        >>> network = nn.Linear(2, 1, bias=False)
        >>> live = LiveParameters(network, lambda: network(torch.ones(1, 2)).sum())
        >>> live.names, live.count
        (['weight'], 2)
    """

    def __init__(self, module: nn.Module, loss: Callable[[], Tensor]) -> None:
        named = list(module.named_parameters())
        asked = [(name, parameter) for name, parameter in named if parameter.requires_grad]
        self.frozen = [name for name, parameter in named if not parameter.requires_grad]
        if not asked:
            raise SharpscopeError(
                "every parameter of the detector is frozen: there is no loss surface to measure"
            )
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss(), [p for _, p in asked], allow_unused=True)
        live = [(name, p) for (name, p), g in zip(asked, gradients, strict=True) if g is not None]
        self.dead = [name for (name, _), g in zip(asked, gradients, strict=True) if g is None]
        if not live:
            raise SharpscopeError("no parameter of the detector receives a gradient from the loss")
        self.found = [g for g in gradients if g is not None]
        self.names = [name for name, _ in live]
        self.tensors = [parameter.detach() for _, parameter in live]
        self.parameters = [parameter for _, parameter in live]
        self.trained = [tensor.clone() for tensor in self.tensors]
        self.parts = slices_of(self.trained, PART_BYTES)
        self._checksum = self.checksum()
        self._norm: float | None = None
        self._draws: dict[tuple[int, bool], list[Tensor]] = {}

    @property
    def count(self) -> int:
        """Number of live parameter values."""
        return sum(tensor.numel() for tensor in self.tensors)

    def norm(self) -> float:
        r"""Euclidean norm of the trained live parameters, :math:`\lVert w \rVert_2`.

        Returns:
            The norm, taken in float64 and once: the trained values never change.
        """
        if self._norm is None:
            self._norm = math.sqrt(dot(self.trained, self.trained))
        return self._norm

    def checksum(self) -> str:
        r"""SHA-256 of one number per live parameter as it is now, :math:`\sum_i c_i b_i \bmod 2^{64}` over its bits b.

        The factors c are fixed, odd and different, so that any one value that changes changes the sum, and several
        do but for a chance of about one in :math:`2^{64}`. Sums are taken where the weights lie and fetched at once:
        the weights of a large network never leave the device, which is waited for once.

        Returns:
            64 hexadecimal digits.
        """
        sizes = torch.tensor([tensor.numel() for tensor in self.tensors])
        sums = torch.stack([sizes, stacked([sum_of_bits(tensor) for tensor in self.tensors])])
        return hashlib.sha256(sums.numpy().tobytes()).hexdigest()

    def draw(self, seed: int, *, signs: bool = False) -> list[Tensor]:
        """Draw a random direction on the CPU, so that every device and every model of GPU has the same one.

        Drawn in float32 whatever the precision of the network, so that a run in float64 checks one in float32.

        Args:
            seed: Of the draw, which depends on nothing else but the shapes.
            signs: Plus or minus one instead of standard normal numbers.

        Returns:
            One tensor per live parameter, which nobody may write into.
        """
        kept = self._draws.get((seed, signs))
        if kept is not None:
            return kept
        drawn = normal_like(self.tensors, torch.Generator().manual_seed(seed))
        if signs:
            drawn = [torch.where(draw < 0, -1.0, 1.0).to(draw.dtype) for draw in drawn]
        held = sum(draw.numel() * draw.element_size() for draw in drawn)
        if drawn[0].device.type != "cpu" and held * (len(self._draws) + 1) <= KEPT_DRAWS:
            self._draws[seed, signs] = drawn
        return drawn

    def move(self, direction: Direction, scale: float) -> None:
        """Set the parameters to ``trained + scale * direction``.

        Args:
            direction: One tensor per live parameter, of its shape.
            scale: Factor of the direction.
        """
        for part in self.parts:
            weights, trained, steps = self.tensors[part], self.trained[part], list(direction[part])
            if weights[0].device.type == "cpu":  # one pass through memory instead of two, of the same numbers
                for weight, value, step in zip(weights, trained, steps, strict=True):
                    torch.add(value, step, alpha=scale, out=weight)
            else:
                torch._foreach_copy_(weights, trained)
                torch._foreach_add_(weights, steps, alpha=scale)

    def restore(self) -> None:
        """Set the parameters back to the trained values, bit for bit."""
        torch._foreach_copy_(self.tensors, self.trained)

    @contextmanager
    def guarded(self) -> Iterator[LiveParameters]:
        """Restore the trained values at the end, whatever happened inside, and prove it by checksum.

        Yields:
            This object.

        Raises:
            SharpscopeError: If the weights after restoring are not the weights before.
        """
        try:
            yield self
        finally:
            self.restore()
            if self.checksum() != self._checksum:
                raise SharpscopeError(
                    "the detector's weights could not be restored: something else changed them during the "
                    "measurement. Nothing of this set was written; start again from the file"
                )


def block_of(name: str) -> str:
    """Return the block of a network that a parameter belongs to.

    It ends at the first number in the name, so that each layer of a stack is one block; without a number it is the
    top-level module.

    Args:
        name: Of a parameter.

    Returns:
        The beginning of the name.

    Example:
        >>> block_of("frontend.encoder.layers.3.attention.k_proj.weight"), block_of("GAT_layer_S.bn.weight")
        ('frontend.encoder.layers.3', 'GAT_layer_S')
    """
    parts = name.split(".")
    depth = next((i for i, part in enumerate(parts) if part.isdigit()), 0)
    return ".".join(parts[: depth + 1])


def slices_of(tensors: Sequence[Tensor], size: int) -> list[slice]:
    """Cut a list of tensors into consecutive parts of no more than so many bytes, or of one tensor.

    Args:
        tensors: Of any shape.
        size: Bytes that a part of several tensors may take.

    Returns:
        Slices that cover the list.

    Example:
        >>> slices_of([torch.zeros(2), torch.zeros(1), torch.zeros(9)], size=12)
        [slice(0, 2, None), slice(2, 3, None)]
    """
    found: list[slice] = []
    start = held = 0
    for index, tensor in enumerate(tensors):
        needed = tensor.numel() * tensor.element_size()
        if index > start and held + needed > size:
            found.append(slice(start, index))
            start, held = index, 0
        held += needed
    return [*found, slice(start, len(tensors))]


def sum_of_bits(tensor: Tensor) -> Tensor:
    """Sum the bits of a tensor's values, each times a fixed odd number, modulo two to the 64.

    Args:
        tensor: Of any shape and type.

    Returns:
        A whole number without dimensions, where the tensor lies.

    Example:
        >>> one, other = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0])
        >>> bool(sum_of_bits(one) == sum_of_bits(one.clone())), bool(sum_of_bits(one) == sum_of_bits(other))
        (True, False)
    """
    flat = tensor.detach().contiguous().reshape(-1)
    whole = flat.view(_WHOLE.get(flat.element_size(), torch.uint8))
    most = SUMMED_IN_CACHE if whole.device.type == "cpu" else SUMMED_AT_ONCE
    size = max(1, min(len(whole), most))
    factors = torch.arange(size, device=whole.device) * _SPREAD | 1
    total = torch.zeros((), dtype=torch.int64, device=whole.device)
    for part in torch.split(whole, size):
        total = total * _SPREAD + (part * factors[: len(part)]).sum()
    return total


def normal_like(tensors: Sequence[Tensor], generator: torch.Generator) -> list[Tensor]:
    """Draw standard normal numbers on the CPU, one tensor after the other, and send them to the device at once.

    Args:
        tensors: Whose shapes, type and device the draws get.
        generator: Of the CPU.

    Returns:
        Draws in float32, rounded to the type of each tensor.

    Example:
        >>> first, second = normal_like([torch.zeros(2), torch.zeros(3)], torch.Generator().manual_seed(0))
        >>> torch.equal(second, torch.randn(5, generator=torch.Generator().manual_seed(0))[2:])
        True
    """
    sizes = [tensor.numel() for tensor in tensors]
    flat = torch.empty(sum(sizes))
    for part in torch.split(flat, sizes):
        part.normal_(generator=generator)
    there = flat.to(tensors[0].device)
    return [
        part.view(tensor.shape).to(tensor.dtype)
        for part, tensor in zip(torch.split(there, sizes), tensors, strict=True)
    ]


def products(a: Direction, b: Direction) -> Tensor:
    """Inner product of each pair of tensors, accumulated in float64 where they lie and fetched at once.

    A device is waited for once, however many tensors there are.

    Args:
        a: One tensor per parameter.
        b: Tensors of the same shapes.

    Returns:
        Shape (n,), float64, on the CPU.

    Example:
        >>> products([torch.ones(2), torch.ones(3)], [torch.ones(2), torch.ones(3)]).tolist()
        [2.0, 3.0]
    """
    return stacked([_product(x, y) for x, y in zip(a, b, strict=True)])


def _product(x: Tensor, y: Tensor) -> Tensor:
    """Inner product in float64; a tensor with itself is widened once."""
    if x.device.type == "cpu" and x.numel() > PIECE and x.is_contiguous() and y.is_contiguous():
        pieces = zip(torch.split(x.reshape(-1), PIECE), torch.split(y.reshape(-1), PIECE), strict=True)
        return torch.stack([_product(a, a if y is x else b) for a, b in pieces]).sum()
    wide = x.double()
    return (wide * (wide if y is x else y.double())).sum()


def stacked(values: Sequence[Tensor]) -> Tensor:
    """Fetch numbers from a device at once.

    Args:
        values: Tensors without dimensions, all of one device.

    Returns:
        Shape (n,), on the CPU.
    """
    return torch.stack(list(values)).cpu()


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Tell whether every number is finite, waiting for the device once.

    Args:
        tensors: Floating-point tensors of one device.

    Returns:
        False where one is NaN or infinite.

    Example:
        >>> all_finite([torch.ones(2), torch.tensor([float("nan")])]), all_finite([torch.ones(2), torch.zeros(0)])
        (False, True)
    """
    filled = [tensor for tensor in tensors if tensor.numel()]
    if not filled:
        return True
    # On a CPU a sum takes a tenth of the time; where it is finite so is every number.
    if filled[0].device.type == "cpu" and bool(torch.stack([t.sum() for t in filled]).isfinite().all()):
        return True
    # The largest size keeps NaN and infinity, and nothing else makes them.
    return bool(torch.isfinite(torch.stack(torch._foreach_norm(filled, math.inf))).all())


def dot(a: Direction, b: Direction) -> float:
    """Inner product of two directions, accumulated in float64.

    Args:
        a: One tensor per parameter.
        b: Tensors of the same shapes.

    Returns:
        The sum over all parameters of the products.

    Example:
        >>> dot([torch.tensor([1.0, 2.0])], [torch.tensor([3.0, 4.0])])
        11.0
    """
    return float(products(a, b).sum())
