r"""Curvature: extreme eigenvalues by Lanczos, the trace by random probes, and the direction of the gradient.

Each is of the Hessian of the group's loss, so it depends on m as sharpness does. With T = diag(|w|) the same is
taken of T H T, which does not change when layers or nodes are rescaled.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sharpscope.measures.derivatives import hessian_vector
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import dot
from sharpscope.measures.registry import Definition, Values
from sharpscope.measures.scaling import Scaling, scaled, scales
from sharpscope.measures.worst_case import FLAT

STEPS = 20
PROBES = 30
TOLERANCE = 1e-3


def _product(group: Group, vector: Sequence[Tensor], by: list[Tensor] | None, objective: str) -> list[Tensor]:
    return scaled(hessian_vector(group, scaled(vector, by), objective=objective), by)


class Spectrum(NamedTuple):
    r"""Ends of a spectrum.

    Attributes:
        largest: Largest eigenvalue.
        smallest: Smallest eigenvalue; a saddle where it is negative.
        residual: Norm of :math:`H v - \lambda v` over the larger absolute end, the worse of both ends.
        steps: Products with the Hessian.
    """

    largest: float
    smallest: float
    residual: float
    steps: int


def _orthogonalise(vector: list[Tensor], basis: list[list[Tensor]]) -> list[Tensor]:
    # Twice is enough (Parlett, 1998); once loses orthogonality in float32.
    for _ in range(2):
        for known in basis:
            vector = list(torch._foreach_add(vector, known, alpha=-dot(vector, known)))
    return vector


def lanczos(
    group: Group,
    *,
    scaling: Scaling = "none",
    objective: str = "label",
    steps: int = STEPS,
    tolerance: float = TOLERANCE,
) -> Spectrum:
    r"""Find both ends of the Hessian's spectrum by Lanczos with full reorthogonalisation.

    The Ritz values of a Krylov space of up to ``steps`` vectors, from a seeded start; the residual of the k-th
    is :math:`|\beta\, s_k|` with s the last component of its vector in that space. Stops early when both ends
    have converged. Memory: one vector of weights per step. Cost: 9 F per step.

    Args:
        group: The trials.
        scaling: "none" for H, "elementwise" for T H T.
        objective: Which loss.
        steps: Most products.
        tolerance: Relative residual at which to stop.

    Returns:
        The ends and how well they are known; kept in the group's cache.

    Example:
        For L(w) = w'Aw / 2 the ends of A, to rounding, after as many steps as A has eigenvalues.
    """
    key = ("lanczos", scaling, objective, steps, tolerance)
    if key in group.cache:
        found: Spectrum = group.cache[key]
        return found
    by = scales(group.live.trained, scaling)
    start = group.noise(0)
    vector = [x / dot(start, start) ** 0.5 for x in start]
    basis: list[list[Tensor]] = []
    diagonal: list[float] = []
    off: list[float] = []
    spectrum = Spectrum(0.0, 0.0, math.inf, 0)
    for step in range(1, min(steps, group.live.count) + 1):
        basis.append(vector)
        product = _product(group, vector, by, objective)
        diagonal.append(dot(product, vector))
        product = _orthogonalise(product, basis)
        beta = dot(product, product) ** 0.5
        spectrum = _ritz(diagonal, off, beta, step)
        if spectrum.residual <= tolerance or beta <= FLAT:
            break
        off.append(beta)
        vector = [x / beta for x in product]
    group.cache[key] = spectrum
    return spectrum


def _ritz(diagonal: list[float], off: list[float], beta: float, steps: int) -> Spectrum:
    tridiagonal = np.diag(diagonal) + np.diag(off, 1) + np.diag(off, -1)
    values, vectors = np.linalg.eigh(tridiagonal)
    size = max(abs(values[0]), abs(values[-1]))
    ends = beta * max(abs(vectors[-1, 0]), abs(vectors[-1, -1]))
    return Spectrum(float(values[-1]), float(values[0]), float(ends / size) if size > FLAT else 0.0, steps)


def eigenvalue(
    group: Group,
    radii: Sequence[float] = (),
    *,
    end: str = "largest",
    scaling: Scaling = "none",
    objective: str = "label",
) -> Values:
    r"""An end of the Hessian's spectrum, :math:`\lambda_{\max}(H)` or :math:`\lambda_{\min}(H)`, with its sign.

    At a minimum twice the worst-case rise over rho squared. Cost: up to 9 F per Lanczos step, shared by both
    ends and the residual.

    Args:
        group: The trials.
        radii: Not used.
        end: "largest", "smallest" or "residual", a field of `Spectrum`.
        scaling: "none" or "elementwise".
        objective: Which loss.

    Returns:
        One value; the residual is relative to the larger absolute end.

    Example:
        For L(w) = (w_1^2 - 3 w_2^2) / 2 the ends are 1 and -3.
    """
    return {None: float(getattr(lanczos(group, scaling=scaling, objective=objective), end))}


def probes(
    group: Group, *, scaling: Scaling = "none", count: int = PROBES, objective: str = "label"
) -> list[float]:
    r"""Return :math:`z_k^\top T H T z_k` for random signs z: each has the trace as its expectation.

    Args:
        group: The trials.
        scaling: "none" or "elementwise".
        count: Probes.
        objective: Which loss.

    Returns:
        One number per probe; kept in the group's cache.
    """
    done: list[float] = group.cache.setdefault(("probes", scaling, objective), [])
    by = scales(group.live.trained, scaling)
    for index in range(len(done), count):
        z = group.noise(index, "rademacher")
        done.append(dot(z, _product(group, z, by, objective)))
    return done[:count]


def trace(
    group: Group,
    radii: Sequence[float] = (),
    *,
    scaling: Scaling = "none",
    count: int = PROBES,
    objective: str = "label",
) -> Values:
    r"""Trace of the Hessian by random signs, :math:`\frac1K \sum_k z_k^\top H z_k` (Hutchinson, 1990).

    Exact for a diagonal Hessian. A fixed number of probes: stopping when two running means agree, as is
    common, stops early by luck. Cost: 9 F per probe; `average_trace` costs 2.

    Args:
        group: The trials.
        radii: Not used.
        scaling: "none" for tr(H), "elementwise" for the sum of w_i^2 H_ii.
        count: Probes.
        objective: Which loss.

    Returns:
        One value.

    Example:
        For L(w) = (w_1^2 + 3 w_2^2) / 2 it is 4.
    """
    return {None: statistics.fmean(probes(group, scaling=scaling, count=count, objective=objective))}


def trace_stderr(
    group: Group, radii: Sequence[float] = (), *, scaling: Scaling = "none", count: int = PROBES
) -> Values:
    """Standard error that the random probes leave on `trace`; groups share their probes.

    Args:
        group: The trials.
        radii: Not used.
        scaling: "none" or "elementwise".
        count: Probes, at least 2.

    Returns:
        One value. Cost: none beside `trace`.

    Example:
        0 for a diagonal Hessian.
    """
    return {None: statistics.stdev(probes(group, scaling=scaling, count=count)) / math.sqrt(count)}


def trace_sketched(
    group: Group, radii: Sequence[float] = (), *, count: int = PROBES, objective: str = "label"
) -> Values:
    r"""Trace of the Hessian by Hutch++ (Meyer et al., 2021).

    .. math::
        \mathrm{tr}(Q^\top H Q) + \tfrac{3}{K} \sum_{k \le K/3} g_k^\top (I-QQ^\top) H (I-QQ^\top) g_k,
        \qquad Q = \mathrm{orth}(H S)

    A third of the products sketches the large eigenvalues and a third takes their part of the trace exactly,
    so that the random rest has little left to vary. Memory: K/3 vectors of weights. Cost: 9 F per product.

    Args:
        group: The trials.
        radii: Not used.
        count: Products K.
        objective: Which loss.

    Returns:
        One value.

    Example:
        Exact where the Hessian has a rank below K/3.
    """
    third = min(count // 3, group.live.count)
    basis: list[list[Tensor]] = []
    for index in range(third):
        column = _product(group, group.noise(index, "rademacher"), None, objective)
        before = dot(column, column) ** 0.5
        column = _orthogonalise(column, basis)
        length = dot(column, column) ** 0.5
        # What is left of a column inside the space is rounding, and would turn up as a random direction.
        if length > max(FLAT, 1e-5 * before):
            basis.append([x / length for x in column])
    exact = math.fsum(dot(q, _product(group, q, None, objective)) for q in basis)
    rest = []
    for index in range(third, 2 * third):
        outside = _orthogonalise(group.noise(index, "rademacher"), basis)
        rest.append(dot(outside, _product(group, outside, None, objective)))
    return {None: exact + statistics.fmean(rest)}


def gradient_curvature(
    group: Group, radii: Sequence[float] = (), *, scaling: Scaling = "none", objective: str = "label"
) -> Values:
    r"""Curvature along the gradient, :math:`u^\top T H T u` with :math:`u = T g / \lVert T g \rVert`.

    The second-order part of `sam` is rho squared over two times this number. Cost: one product, 9 F.

    Args:
        group: The trials.
        radii: Not used.
        scaling: "none" for `sam`, "elementwise" for `asam`.
        objective: Which loss.

    Returns:
        One value; 0 where the gradient vanishes.

    Example:
        For L(w) = (w_1^2 + 3 w_2^2) / 2 at w = (0, 1) it is 3.
    """
    by = scales(group.live.trained, scaling)
    gradient = scaled(group.gradient(objective), by)
    length = dot(gradient, gradient) ** 0.5
    if length < FLAT:
        return {None: 0.0}
    unit = [g / length for g in gradient]
    return {None: dot(unit, _product(group, unit, by, objective))}


LANCZOS = "Lanczos (1950)"
HUTCHINSON = "Hutchinson (1990)"


def _measures(suffix: str, scaling: Scaling, matrix: str) -> dict[str, Definition]:
    unchanged = ("layer", "node") if scaling == "elementwise" else ()

    def of_spectrum(end: str, summary: str) -> Definition:
        function = partial(eigenvalue, end=end, scaling=scaling)
        return Definition(function, f"{summary} of {matrix}", LANCZOS, (), unchanged)

    return {
        f"lambda_max{suffix}": of_spectrum("largest", "largest eigenvalue"),
        f"lambda_min{suffix}": of_spectrum("smallest", "smallest eigenvalue"),
        f"lambda_residual{suffix}": of_spectrum("residual", "relative residual of both ends"),
        f"trace{suffix}": Definition(
            partial(trace, scaling=scaling), f"trace of {matrix}, {PROBES} probes", HUTCHINSON, (), unchanged
        ),
        f"trace{suffix}_stderr": Definition(
            partial(trace_stderr, scaling=scaling),
            f"standard error that the probes leave on trace{suffix}",
            HUTCHINSON,
            (),
            unchanged,
        ),
        f"gradient_curvature{suffix}": Definition(
            partial(gradient_curvature, scaling=scaling),
            f"curvature of {matrix} along the ascent direction",
            "",
            ("label",),
            unchanged,
        ),
    }


MEASURES: dict[str, Definition] = {
    **_measures("", "none", "the Hessian"),
    **_measures("_adaptive", "elementwise", "the Hessian scaled by the weights"),
    "trace_sketched": Definition(
        trace_sketched, f"trace of the Hessian by Hutch++, {PROBES} products", "Meyer et al. (2021)", ()
    ),
}
