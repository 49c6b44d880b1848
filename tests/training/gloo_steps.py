"""One of two processes of `test_replicas`: steps on its part of the data, one of which overflows on one process."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed
from torch import Tensor, nn

from sharpscope.devices import Share
from sharpscope.training import OPTIMIZERS
from sharpscope.training.recipe import Recipe
from sharpscope.training.replicas import Replicas
from sharpscope.training.run import Training

STEPS, HURT = 5, 1
CASES = [(name, "synchronised") for name in sorted(OPTIMIZERS)] + [("sam", "own"), ("asam", "own")]


def data() -> tuple[Tensor, Tensor]:
    """Inputs (STEPS, 8, 3) and targets (STEPS, 8, 1)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(STEPS, 8, 3, generator=generator), torch.randn(STEPS, 8, 1, generator=generator)


def run(name: str, kind: str, share: Share, hurt_pass: int, replicas: Replicas) -> Tensor:
    """Train with an overflow of the last process in one pass of step HURT; returns weights and the scale."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    base = torch.optim.SGD(network.parameters(), 0.1)
    # ESAM's mask has the same draws in every process.
    sam = OPTIMIZERS[name].function(base, rho=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    inputs, targets = data()
    for step in range(STEPS):
        passes = iter(range(2))

        def closure(step: int = step, passes: "iter[int]" = passes) -> Tensor:  # type: ignore[valid-type]
            number = next(passes)
            mine = slice(share.rank, None, share.world)
            loss = (network(inputs[step, mine]) - targets[step, mine]).square().sum() / 8
            hurt = step == HURT and number == hurt_pass and share.rank == share.world - 1
            (scaler.scale(loss) * (3e38 if hurt else 1.0)).backward()
            if not (number == 0 and kind == "own"):
                replicas.sum_gradients(sam.parameters)
            return replicas.sum(loss.detach())

        sam.step(closure, scaler=scaler, replicas=replicas if kind == "own" else None)
    flat = torch.cat([p.detach().flatten() for p in network.parameters()])
    return torch.cat([flat, torch.tensor([scaler.get_scale()])])


def everything(share: Share) -> dict[str, Tensor]:
    """Every method and kind, with the overflow in the first pass, in the second and in none."""
    replicas = Replicas(share, torch.device("cpu"))
    return {
        f"{name} {kind} {hurt_pass}": run(name, kind, share, hurt_pass, replicas)
        for name, kind in CASES
        for hurt_pass in (0, 1, 2)
    }


def without_gradient(replicas: Replicas) -> list[Tensor | None]:
    """Sum gradients where one parameter has none anywhere, one has it here, one in the other process only."""
    parameters = [nn.Parameter(torch.ones(2)) for _ in range(3)]
    own = 1 + replicas.share.rank
    parameters[own].grad = torch.full((2,), float(own))
    replicas.sum_gradients(parameters)
    return [p.grad for p in parameters]


def whole_run(protocol: str, folder: Path, share: Share) -> Tensor:
    """Train with dev sets, dropout and a last batch that leaves the second process without a trial."""
    recipe = Recipe(
        {
            "data": {"train": [f"a={protocol}"], "dev": [f"b={protocol}"], "samples": 6000},
            "model": {"arch": "tiny", "args": {"width": 4, "depth": 2, "bands": 8, "dropout": 0.3}},
            "optimizer": {"method": "sam", "lr": 0.01},
            "schedule": {"epochs": 2, "batch_size": 5, "last_batch": "keep", "micro_batch": 3},
        }
    )
    run = Training(recipe, folder / "run", share)
    run.run(show_progress=False)
    return torch.cat(
        [*(t.double().flatten() for t in run.network.state_dict().values()), torch.tensor([run.best_eer])]
    )


if __name__ == "__main__":
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.save(everything(Share(rank, 2, rank)), folder / f"{rank}.pt")
    replicas = Replicas(Share(rank, 2, rank), torch.device("cpu"))
    torch.save(without_gradient(replicas), folder / f"none-{rank}.pt")
    torch.distributed.destroy_process_group()
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": sys.argv[4],
    }
    torch.save(whole_run(sys.argv[3], folder, Share(rank, 2, rank)), folder / f"run-{rank}.pt")
