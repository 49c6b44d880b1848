r"""Second derivatives and per-trial gradients of a group's loss, on live parameters, over physical batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from sharpscope.errors import SharpscopeError
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import Direction, dot
from sharpscope.measures.precision import plain_recurrence


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Keep to kernels that have a derivative of their derivative.

    Fused attention and cuDNN's recurrent layers have none; the plain ones compute the same to rounding.

    Yields:
        Nothing.
    """
    with sdpa_kernel(SDPBackend.MATH), plain_recurrence():
        yield


def hessian_vector(group: Group, vector: Direction, *, objective: str = "label") -> list[Tensor]:
    r"""Return the Hessian of the group's loss times a vector, :math:`H v = \nabla (g^\top v)`.

    By a second backward through the first (Pearlmutter, 1994), batch by batch: memory is that of one physical
    batch. Cost: about 9 F.

    Args:
        group: The trials.
        vector: One tensor per live parameter.
        objective: Which loss.

    Returns:
        One tensor per live parameter.

    Raises:
        SharpscopeError: If an operation of the detector has no second derivative, or a component is not
            finite.

    Example:
        For L(w) = w^2 the product is 2 v (``tests/measures/test_curvature.py``).
    """
    parameters = group.live.parameters
    total = [torch.zeros_like(v) for v in vector]
    _, labels = group.targets(objective, group.logits, group.labels)
    loss = group.trial_loss(objective)
    for part in group.batches():
        with torch.enable_grad(), twice_differentiable():
            scaled, _ = group.targets(objective, group.forward(group.waves[part]), labels[part])
            value = (loss(scaled, labels[part]) * group.weights[part]).sum()
            gradient = torch.autograd.grad(
                value, parameters, create_graph=True, allow_unused=True, materialize_grads=True
            )
            inner = torch.stack(
                [(g.double() * v.double()).sum() for g, v in zip(gradient, vector, strict=True)]
            ).sum()
            # A loss that is linear in the weights has no second derivative to ask for.
            if not inner.requires_grad:
                continue
            try:
                product = torch.autograd.grad(inner, parameters, allow_unused=True, materialize_grads=True)
            except RuntimeError as error:
                if "not implemented" not in str(error):
                    raise
                raise SharpscopeError(
                    f"a layer of the detector has no second derivative ({str(error).splitlines()[0]}); take "
                    "average_trace, which needs forward passes only, instead of the measures of curvature"
                ) from None
        torch._foreach_add_(total, product)
    group.forwards += 9
    if not all(bool(torch.isfinite(t).all()) for t in total):
        raise SharpscopeError(
            "a product with the Hessian is not finite: the detector overflows on these trials"
        )
    return total


class TrialGradients(NamedTuple):
    r"""What is kept of the gradient of each trial's logit difference :math:`\Delta_i = z_1 - z_0`.

    Attributes:
        squared: :math:`\lVert \nabla \Delta_i \rVert^2`, shape (m,), float64.
        scaled: :math:`\lVert w \odot \nabla \Delta_i \rVert^2`, shape (m,).
        along: :math:`\langle w, \nabla \Delta_i \rangle`, shape (m,).
        features: :math:`\lVert \phi_i \rVert^2` of the last layer's input, shape (m,); empty where no last
            linear layer was found.
        head: :math:`\lVert w_1 - w_0 \rVert^2` of the last layer; NaN without one.
    """

    squared: Tensor
    scaled: Tensor
    along: Tensor
    features: Tensor
    head: float


def trial_gradients(group: Group) -> TrialGradients:
    r"""Take the gradient of each trial's logit difference, one trial at a time.

    With two classes every gradient of a trial's loss is a multiple of this one,
    :math:`\nabla l_i = -y_i\,\sigma(-d_i)\,\nabla \Delta_i`, so one pass serves the Fisher trace with and without
    labels, the Fisher-Rao norm and relative flatness; and it stays exact where the loss is saturated.
    Cost: 3 F in batches of one trial, once per group.

    Args:
        group: The trials.

    Returns:
        Norms and inner products; no gradient is stored.

    Raises:
        SharpscopeError: If a gradient is not finite.
    """
    if "trial_gradients" in group.cache:
        found: TrialGradients = group.cache["trial_gradients"]
        return found
    weights = group.live.trained
    squared, scaled, along, features = [], [], [], []
    head: int | None = None
    for index in range(len(group.labels)):
        with torch.enable_grad():
            out = group.forward(group.waves[index : index + 1]).double()  # (1, 2)
            gradient = torch.autograd.grad(
                (out[:, 1] - out[:, 0]).sum(),
                group.live.parameters,
                allow_unused=True,
                materialize_grads=True,
            )
        squared.append(dot(gradient, gradient))
        product = [w * g for w, g in zip(weights, gradient, strict=True)]
        scaled.append(dot(product, product))
        along.append(dot(weights, gradient))
        if index == 0:
            head = _last_layer(gradient, one_logit=bool((out[:, 0] == 0.0).all()))
        if head is not None:
            # The rows of the last layer's gradient are phi and -phi (or phi alone).
            features.append(float(gradient[head][-1].double().square().sum()))
    group.forwards += 3
    if not bool(torch.isfinite(torch.tensor(squared)).all()):
        raise SharpscopeError("the gradient of a trial is not finite: the detector overflows on it")

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=group.weights.device)

    found = TrialGradients(
        column(squared),
        column(scaled),
        column(along),
        column(features),
        float("nan") if head is None else _head_norm(weights[head]),
    )
    group.cache["trial_gradients"] = found
    return found


def _head_norm(weight: Tensor) -> float:
    difference = weight[-1].double() if len(weight) == 1 else weight[1].double() - weight[0].double()
    return float(difference.square().sum())


def _last_layer(gradient: Sequence[Tensor], *, one_logit: bool) -> int | None:
    """Find the weight whose two rows have opposite gradients, as only a linear layer onto the logits has."""
    for index in reversed(range(len(gradient))):
        rows = gradient[index]
        if rows.dim() != 2 or len(rows) != (1 if one_logit else 2):
            continue
        largest = float(rows.abs().max())
        if largest > 0.0 and (one_logit or float((rows[0] + rows[1]).abs().max()) <= 1e-5 * largest):
            return index
    return None
