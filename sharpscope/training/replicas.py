"""Several processes that train one network: sums of gradients, and decisions that all of them take together."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed
from torch import Tensor, nn

from sharpscope.devices import Share, join_processes
from sharpscope.errors import UsageError


class Replicas:
    """The processes of a run.

    Args:
        share: This process.
        device: Where its network is.

    Example:
        >>> Replicas(Share(), torch.device("cpu")).agree(True)
        True
    """

    def __init__(self, share: Share, device: torch.device) -> None:
        self.share = share
        self.device = device

    def agree(self, flag: bool) -> bool:
        """Return whether a thing is so in every process.

        Args:
            flag: Whether it is so in this one.

        Returns:
            The same in all.
        """
        if self.share.alone:
            return flag
        found = torch.tensor(int(flag), device=self.device)
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MIN)
        return bool(found)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sums over processes; where one has none it counts as zero.

        A parameter that has none in any process keeps none, so that no decay moves what one process would leave.

        Args:
            parameters: The same in every process.
        """
        if self.share.alone:
            return
        everything = list(parameters)
        there = torch.tensor([p.grad is not None for p in everything], dtype=torch.int32, device=self.device)
        torch.distributed.all_reduce(there, torch.distributed.ReduceOp.MAX)
        for p, found in zip(everything, there.tolist(), strict=True):
            if not found:
                continue
            if p.grad is None:
                p.grad = torch.zeros_like(p)
            torch.distributed.all_reduce(p.grad)

    def sum(self, value: Tensor) -> Tensor:
        """Sum a tensor over processes, in place.

        Args:
            value: Of equal shape in every process.

        Returns:
            The sum.
        """
        if not self.share.alone:
            torch.distributed.all_reduce(value)
        return value

    def share_buffers(self, network: nn.Module) -> None:
        """Give every process the running statistics of the first one: a checkpoint has only those.

        Args:
            network: The same in every process but for its buffers.
        """
        if not self.share.alone:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def gathered(self, value: Tensor) -> list[Tensor]:
        """Collect one tensor of every process in all of them.

        Args:
            value: On the CPU; shapes may differ in the first axis.

        Returns:
            In order of rank.
        """
        if self.share.alone:
            return [value]
        found: list[Tensor | None] = [None] * self.share.world
        torch.distributed.all_gather_object(found, value)
        return [one for one in found if one is not None]


def device_of(name: str, share: Share) -> torch.device:
    """Return the device of this process.

    Args:
        name: "auto", "cpu" or "cuda:N".
        share: This process; "auto" gives those of one machine a GPU each.

    Returns:
        The device, which is made torch's own too.

    Raises:
        UsageError: If this machine has no such device.

    Example:
        >>> device_of("cpu", Share())
        device(type='cpu')
    """
    if name == "auto":
        name = f"cuda:{share.local % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 0
    if kind != "cpu" and (kind != "cuda" or not (number or "0").isdigit() or int(number or "0") >= count):
        there = f"cuda:0 to cuda:{count - 1}" if count else "this machine has no CUDA device"
        raise UsageError(f"run.device is '{name}'; it is auto, cpu or cuda:N ({there})")
    device = torch.device(name)
    if kind == "cuda":
        torch.cuda.set_device(device)
    return device


class process_group:
    """The processes that torchrun started, for as long as they train together.

    Args:
        share: This process.
    """

    def __init__(self, share: Share) -> None:
        self.share = share

    def __enter__(self) -> None:
        if not self.share.alone:
            join_processes("nccl" if torch.cuda.is_available() else "gloo")

    def __exit__(self, *_: object) -> None:
        if not self.share.alone:
            torch.distributed.destroy_process_group()
