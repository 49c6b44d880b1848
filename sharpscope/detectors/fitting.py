"""Weights into a network: every name and shape must fit; what is missing must be proved unused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sharpscope.detectors.failures import describe_failure
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import SharpscopeError, UsageError


def build_to_fit(
    build: Callable[..., nn.Module],
    arguments: Mapping[str, Any],
    state: Mapping[str, Tensor],
    path: Path,
    arch: str,
) -> nn.Module:
    """Build a network once its names and shapes, seen without memory, are those of the file.

    Args:
        build: Makes the network.
        arguments: Keyword arguments of ``build``.
        state: The weights, under the network's names.
        path: Their file, for messages.
        arch: Name of the architecture, for messages.

    Returns:
        The network; where the file holds all of its weights, these are not drawn at random only to be replaced.

    Raises:
        UsageError: If it cannot be built, or does not fit.
    """
    try:
        with torch.device("meta"), _shapes_alone():
            outline = build(**arguments)
        own = outline.state_dict()
        _check_shapes(own, state, path, arch)
        with _without_random_start() if own.keys() <= state.keys() else nullcontext():
            return build(**arguments)
    except SharpscopeError:
        raise
    except Exception as error:  # arguments come from files and users; a constructor may raise anything
        shown = ", ".join(f"{name}={value!r:.40}" for name, value in arguments.items())
        raise UsageError(
            f"{path}: {arch} cannot be built with {shown or 'its defaults'} ({error})"
        ) from error


# What draws the values of a new network; filling with a constant costs little and stays. By name: transformers puts
# functions of its own in the place of torch's while it builds.
_DRAWS = {
    *(f"{name}_" for name in ("normal", "uniform", "trunc_normal", "orthogonal", "sparse")),
    *(f"{kind}_{draw}_" for kind in ("xavier", "kaiming") for draw in ("normal", "uniform")),
}

_METHODS = {Tensor.normal_, Tensor.uniform_}


class _without_random_start(TorchFunctionMode):
    """Leave the memory of parameters as it is where a constructor would draw numbers into it."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        # transformers passes weight.float(), which is the same memory and no Parameter.
        if _draws(func) or (func in _METHODS and isinstance(target, nn.Parameter)):
            return target
        return func(*args, **kwargs)


class _shapes_alone(_without_random_start):
    """Draw nothing where tensors have no memory: torch's draws there load a package for symbols, half a second."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (torch.randn, torch.rand):
            return torch.empty(
                *args, **{name: value for name, value in kwargs.items() if name != "generator"}
            )
        if func in _METHODS and args and args[0].is_meta:
            return args[0]
        return super().__torch_function__(func, types, args, kwargs)


def _draws(func: Any) -> bool:
    """Tell whether this is one of the functions of `torch.nn.init` that draw, or what stands in for it."""
    place = str(getattr(func, "__module__", ""))
    return getattr(func, "__name__", "") in _DRAWS and place in (
        "torch.nn.init",
        "transformers.initialization",
    )


def check_numbers(state: Mapping[str, Tensor], path: Path) -> None:
    """Check that weights are finite floating-point numbers.

    Args:
        state: Tensors by name.
        path: Their file, for messages.

    Raises:
        UsageError: If they are not.
    """
    for name, tensor in state.items():
        if tensor.is_complex() or tensor.is_quantized or tensor.is_sparse or tensor.is_meta:
            kind = "without data" if tensor.is_meta else f"of {tensor.dtype}, {tensor.layout}"
            raise UsageError(f"{path}: {name} is {kind}; dense floating-point weights are needed")
    broken = [name for name, tensor in state.items() if not _finite(tensor)]
    if broken:
        raise UsageError(
            f"{path}: {len(broken)} tensors hold NaN or infinity ({', '.join(broken[:4])}); the training of this "
            "checkpoint diverged, use an earlier one"
        )


def _finite(tensor: Tensor) -> bool:
    """Tell whether every number is finite: a finite sum says so at once, any other is looked into."""
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    return bool(tensor.sum().isfinite()) or bool(tensor.isfinite().all())


def _check_shapes(own: Mapping[str, Tensor], state: Mapping[str, Tensor], path: Path, arch: str) -> None:
    unexpected = [name for name in state if name not in own]
    if unexpected:
        raise UsageError(
            f"{path}: {len(unexpected)} tensors have no place in {arch} ({', '.join(unexpected[:4])}); is it "
            "another architecture?"
        )
    wrong = [name for name in state if own[name].shape != state[name].shape]
    if wrong:
        name = wrong[0]
        raise UsageError(
            f"{path}: {name} is {tuple(state[name].shape)} where {arch} has {tuple(own[name].shape)}; pass the "
            "sizes with --model-args"
        )
    for name, tensor in state.items():
        if own[name].is_floating_point() and not tensor.is_floating_point():
            raise UsageError(f"{path}: {name} is {tensor.dtype}; {arch} needs floating-point weights there")
    missing = [name for name in own if name not in state]
    held = sum(tensor.numel() for tensor in state.values())
    absent = sum(own[name].numel() for name in missing)
    if absent > held:
        raise UsageError(
            f"{path}: {len(missing)} tensors of {arch} are not in the file ({', '.join(missing[:4])})"
        )


def fill(
    network: nn.Module,
    state: Mapping[str, Tensor],
    path: Path,
    spec: DetectorSpec,
    *,
    given_away: bool = False,
) -> list[str]:
    """Load the weights; what the file lacks is accepted only where a backward pass proves it unused.

    Args:
        network: To fill, in place.
        state: Tensors under the network's names.
        path: Their file, for messages.
        spec: The network's conventions.
        given_away: Let the network keep the tensors of ``state`` as its own instead of copying them. For networks that
            hold their parameters nowhere but in their modules, and a state that nobody reads afterwards.

    Returns:
        Lines for the list of decisions.

    Raises:
        UsageError: If a tensor has no place, another shape, no finite values, or is missing and used.
    """
    own = network.state_dict()
    _check_shapes(own, state, path, spec.arch)
    check_numbers(state, path)
    if given_away and not _tied(network):
        network.load_state_dict(_apart(state, own), strict=False, assign=True)
    else:
        network.load_state_dict(state, strict=False)  # which copies, and converts where types differ
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    if not missing:
        return []
    alive = sorted(set(missing) - _unused(network, spec))
    if alive:
        raise UsageError(
            f"{path}: {len(alive)} tensors of {spec.arch} are not in the file ({', '.join(alive[:4])})"
        )
    return [f"{len(missing)} tensors are not in the file and proved unused by a backward pass"]


def _tied(network: nn.Module) -> bool:
    """Tell whether a parameter has two names, which only copying keeps."""
    return len(list(network.parameters())) < len(list(network.named_parameters(remove_duplicate=False)))


def _apart(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors that each lie alone in memory, in the network's types: one that moves must move no other."""
    users = Counter(tensor.untyped_storage().data_ptr() for tensor in state.values())
    found = {}
    for name, tensor in state.items():
        storage = tensor.untyped_storage()
        alone = users[storage.data_ptr()] == 1 and storage.nbytes() == tensor.numel() * tensor.element_size()
        right = tensor.to(own[name].dtype, memory_format=torch.contiguous_format)
        if right is tensor and not alone:
            right = tensor.clone()
        found[name] = right
    return found


def _tensors_of(out: Any) -> list[Tensor]:
    """Return every tensor that a forward returned, through mappings, sequences and objects with logits."""
    if isinstance(out, Tensor):
        return [out]
    if isinstance(out, Mapping):
        out = list(out.values())
    if isinstance(out, list | tuple):
        return [tensor for item in out for tensor in _tensors_of(item)]
    return _tensors_of(out.logits) if hasattr(out, "logits") else []


def _unused(network: nn.Module, spec: DetectorSpec) -> set[str]:
    """Names of parameters that receive no gradient, with the buffers of the modules that hold only such."""
    network.eval()
    waves = torch.randn(2, spec.n_samples or spec.sample_rate, generator=torch.Generator().manual_seed(0))
    try:
        out = network(waves)
    except Exception as error:  # the network may be the user's
        raise describe_failure(error, tuple(waves.shape), network) from error
    tensors = [tensor for tensor in _tensors_of(out) if tensor.requires_grad]
    if not tensors:
        raise UsageError(
            f"the network of {spec.arch} returns nothing that has a gradient (a forward under no_grad?), so that "
            "nothing can prove the tensors unused that the file lacks"
        )
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(
        sum((t.sum() for t in tensors), torch.zeros((), dtype=tensors[0].dtype)),
        list(parameters.values()),
        allow_unused=True,
    )
    dead = {name for name, gradient in zip(parameters, gradients, strict=True) if gradient is None}
    for module_name, module in network.named_modules():
        prefix = f"{module_name}." if module_name else ""
        own = [f"{prefix}{name}" for name, _ in module.named_parameters(recurse=False)]
        if own and all(name in dead for name in own):
            dead |= {f"{prefix}{name}" for name, _ in module.named_buffers(recurse=False)}
    return dead
