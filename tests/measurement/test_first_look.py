"""What is checked is what is measured: networks that would be measured wrong in silence come out right or refused."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sharpscope
from sharpscope.detectors import Detector, DetectorSpec
from sharpscope.errors import SharpscopeError
from sharpscope.measurement import first_look as looking
from sharpscope.measurement import guards
from sharpscope.measurement.first_look import first_look, fitted_batch

SAMPLES = 8_000
LABELS = torch.tensor([1, 0])


class Body(nn.Module):
    """Conv1d(1, 8, 64, 32), batch norm, ReLU, mean, linear: the network of the audit."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 8, 64, 32)
        self.norm = nn.BatchNorm1d(8)
        self.out = nn.Linear(8, 2)

    def body(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.conv(x.unsqueeze(1)))).mean(dim=2)
        logits: Tensor = self.out(hidden)
        return logits


class Sound(Body):
    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class PreEmphasis(Body):
    """Writes the filtered wave into its input, as seven public front-ends do."""

    def forward(self, x: Tensor) -> Tensor:
        x[:, 1:] = x[:, 1:] - 0.97 * x[:, :-1].clone()
        return self.body(x)


class PreEmphasisCopied(Body):
    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, 1:] = x[:, 1:] - 0.97 * x[:, :-1].clone()
        return self.body(x)


class Halved(Body):
    def forward(self, x: Tensor) -> Tensor:
        x *= 0.5
        return self.body(x)


class HalvedCopied(Body):
    def forward(self, x: Tensor) -> Tensor:
        return self.body(x * 0.5)


class Normalised(Body):
    """Subtracts the mean in place, through a view."""

    def forward(self, x: Tensor) -> Tensor:
        x.view(len(x), -1).sub_(x.mean(dim=1, keepdim=True)).add_(0.01)
        return self.body(x)


class NormalisedCopied(Body):
    def forward(self, x: Tensor) -> Tensor:
        return self.body(x - x.mean(dim=1, keepdim=True) + 0.01)


class Features(Body):
    """Writes into what it split off as fixed features, and into the waves on the way there."""

    def fixed_features(self, waves: Tensor) -> Tensor:
        waves *= 2.0
        return waves

    def from_features(self, features: Tensor) -> Tensor:
        features -= 0.001
        return self.body(features)


class FeaturesCopied(Body):
    def forward(self, x: Tensor) -> Tensor:
        return self.body(2.0 * x - 0.001)


def batch(n: int = 8, dtype: torch.dtype = torch.float32) -> tuple[np.ndarray, list[int]]:
    generator = torch.Generator().manual_seed(1)
    waves = 0.1 * torch.randn(n, SAMPLES, generator=generator, dtype=torch.float64)
    return waves.to(dtype).numpy(), [1, 0] * (n // 2)


def table_of(network: nn.Module, **options: Any) -> Any:
    return sharpscope.measure(
        sharpscope.as_detector(network, spec={"n_samples": SAMPLES}, dtype=options.get("dtype", "float32")),
        {"noise": batch()},
        measures=["sam", "asam", "lambda_max", "average", "loss"],
        rho=[0.05, 0.01],
        m=8,
        show_progress=False,
        **options,
    ).table


@pytest.mark.parametrize(
    ("writing", "copying"),
    [
        (PreEmphasis, PreEmphasisCopied),
        (Halved, HalvedCopied),
        (Normalised, NormalisedCopied),
        (Features, FeaturesCopied),
    ],
)
def test_a_network_that_writes_into_its_input_has_the_numbers_of_its_copying_twin(
    writing: type[nn.Module], copying: type[nn.Module]
) -> None:
    found, twin = table_of(writing()), table_of(copying())
    assert found["value"].tolist() == pytest.approx(twin["value"].tolist(), rel=1e-9, abs=1e-12)
    assert found["eer"].tolist() == twin["eer"].tolist()
    assert found["note"].str.contains("writes into its input: every forward is given a copy").all()
    assert not twin["note"].str.contains("writes into").any()


def test_the_toy_of_the_audit_has_the_value_of_float64_torch() -> None:
    """sam at 0.05 by hand for the pre-emphasis network: one gradient, one step, one difference."""
    network = PreEmphasisCopied().double().eval()
    waves, labels = batch(dtype=torch.float64)
    x, y = torch.from_numpy(waves), torch.tensor(labels)
    loss = nn.functional.cross_entropy(network(x), y)
    gradient = torch.autograd.grad(loss, list(network.parameters()))
    norm = torch.sqrt(sum((g * g).sum() for g in gradient))
    with torch.no_grad():
        for parameter, g in zip(network.parameters(), gradient, strict=True):
            parameter += 0.05 * g / norm
        rise = float(nn.functional.cross_entropy(network(x), y) - loss)
    found = table_of(PreEmphasis(), dtype="float64")
    sam = found[(found["measure"] == "sam") & (found["rho"] == 0.05)]["value"].iloc[0]
    assert sam == pytest.approx(rise, rel=1e-7)  # the waves pass through float32


class Views(Body):
    """Returns a part of a buffer that its next forward overwrites, and one of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = torch.zeros(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.body(x)
        if logits.requires_grad:
            return logits
        self.kept[: len(x)] = logits
        return self.kept[: len(x)]


def test_a_network_that_returns_the_same_memory_every_time_has_the_numbers_of_a_sound_one() -> None:
    assert (
        table_of(Views(), batch_size=2)["value"].tolist() == table_of(Sound(), batch_size=2)["value"].tolist()
    )


class Faulty(Body):
    """A sound network with one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.calls = 0
        self.mean = 0.0
        self.register_buffer("running", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.fault == "batch std":
            return self.body((x - x.mean(0)) / x.std(0))
        if self.fault == "batch mean":
            return self.body(x - x.mean(0))
        if self.fault == "counts":
            return self.body(x) * (1 + 1e-3 * self.calls)
        if self.fault == "remembers":
            self.mean = 0.9 * self.mean + float(x.mean())
            return self.body(x - self.mean)
        if self.fault == "buffer":
            self.running = 0.9 * self.running + 0.1 * x.abs().mean().detach()
            return self.body(x) + 0 * self.running
        if self.fault == "grad only" and torch.is_grad_enabled():
            x *= 0.5
        return self.switched(x)

    def switched(self, x: Tensor) -> Tensor:
        if self.fault == "tf32":
            torch.backends.cuda.matmul.fp32_precision = "tf32"
        if self.fault == "old tf32":
            torch.backends.cuda.matmul.allow_tf32 = True
        if self.fault == "benchmark":
            torch.backends.cudnn.benchmark = True
        if self.fault == "dtype":
            torch.set_default_dtype(torch.float64)
        if self.fault == "grad":
            torch.set_grad_enabled(True)
        if self.fault == "seed":
            torch.manual_seed(3)
        if self.fault == "python random":
            random.random()
        if self.fault == "no grad":
            with torch.no_grad():
                return self.body(x)
        if self.fault == "raises":
            raise KeyError("mel")
        return self.body(x)


def detector(network: nn.Module) -> Detector:
    return Detector(network.eval(), DetectorSpec("x", n_samples=SAMPLES), Path("x.pt"), "0" * 64)


def look(network: nn.Module) -> looking.Look:
    return first_look(detector(network), torch.from_numpy(batch(2)[0]), LABELS)


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    cudnn: Any = torch.backends.cudnn
    yield
    torch.set_default_dtype(torch.float32)
    torch.backends.cuda.matmul.fp32_precision = "none"
    cudnn.benchmark = False


FAULTS = [
    ("batch std", "alone and in a batch"),
    ("batch mean", "alone and in a batch"),
    ("counts", "run again"),
    ("remembers", "run again"),
    ("buffer", r"writes into its buffers \(running\)"),
    ("grad only", "only while a gradient is taken"),
    ("tf32", "global switches.*matrix products"),
    ("old tf32", "global switches.*matrix products"),
    ("benchmark", "global switches.*cuDNN benchmark"),
    ("dtype", "global switches.*default dtype"),
    ("grad", "global switches.*grad mode"),
    ("no grad", "whole forward runs under no_grad"),
    (
        "raises",
        r"Faulty\) failed on waves \(B, T\) of 2x8000 with KeyError: 'mel' \(test_first_look.py, line \d+\)",
    ),
]


@pytest.mark.filterwarnings("ignore:std")
@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_fault_is_refused_in_one_line(fault: str, words: str) -> None:
    with pytest.raises(SharpscopeError, match=words) as caught:
        look(Faulty(fault))
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:std")
@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_fault_is_refused_where_the_detector_is_measured(fault: str, words: str) -> None:
    """A measurement looks by one trial alone and at that trial in its first group: it must miss no fault."""
    with pytest.raises(SharpscopeError, match=words) as caught:
        sharpscope.measure(
            detector(Faulty(fault)),
            {"noise": batch()},
            measures=["sam"],
            rho=[0.05],
            m=4,
            show_progress=False,
        )
    assert "\n" not in str(caught.value)


class Cropping(Body):
    """Takes its features from a place that moves on with every call."""

    calls = 0

    def fixed_features(self, waves: Tensor) -> Tensor:
        self.calls += 1
        return waves.roll(self.calls, dims=1)

    def from_features(self, features: Tensor) -> Tensor:
        return self.body(features * torch.linspace(0, 1, SAMPLES))


def test_features_that_differ_each_time_are_refused_where_the_detector_is_measured() -> None:
    with pytest.raises(SharpscopeError, match="alone and in a batch"):
        table_of(Cropping())


class Counting(Body):
    """Counts the trials that go forwards through it, and backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.forwards = self.backwards = 0

    def forward(self, x: Tensor) -> Tensor:
        self.forwards += len(x)
        logits = self.body(x)
        if logits.requires_grad:
            logits.register_hook(self.count)
        return logits

    def count(self, gradient: Tensor) -> None:
        self.backwards += len(gradient)


def test_the_look_before_a_group_takes_less_than_two_trials_forwards_and_backwards() -> None:
    network, waves = Counting(), torch.from_numpy(batch(2)[0])
    found = looking.look_before_group(detector(network), waves, LABELS, place=0)
    assert (network.forwards, network.backwards) == (3, 1)
    whole = look(Counting())
    assert found.live.names == whole.live.names
    assert (found.batch_size, found.saved_bytes) == (whole.batch_size, whole.saved_bytes)
    assert (found.shared_baseline, found.notes) == (whole.shared_baseline, whole.notes)


def test_the_step_aside_moves_every_parameter_that_is_not_zero_and_leaves_the_weights_as_they_were() -> None:
    network = Sound()
    seen: list[list[Tensor]] = []
    network.register_forward_hook(lambda *_: seen.append([p.detach().clone() for p in network.parameters()]))
    found = look(network)
    trained = [p.detach().clone() for p in network.parameters()]
    moved = [weights for weights in seen if not all(map(torch.equal, weights, trained))]
    assert len(moved) == 1
    assert not any(torch.equal(a, b) for a, b in zip(moved[0], trained, strict=True) if b.any())
    assert all(map(torch.equal, found.live.trained, found.live.tensors))


@pytest.mark.parametrize("fault", ["seed", "python random"])
def test_random_numbers_that_change_no_logit_are_said(fault: str) -> None:
    assert look(Faulty(fault)).notes == (
        "the network's forward draws random numbers, though its logits repeat",
    )


def test_old_and_new_switches_can_be_read_and_set_inside_a_measurement() -> None:
    """A user's forward may use `cudnn.flags` or read `cudnn.allow_tf32`, which torch refuses when switches disagree."""

    class Flags(Body):
        def forward(self, x: Tensor) -> Tensor:
            cudnn: Any = torch.backends.cudnn
            assert not cudnn.allow_tf32
            with cudnn.flags(enabled=False, allow_tf32=False):
                return self.body(x)

    assert look(Flags()).notes == ()


def test_a_state_that_shows_late_is_found_before_anything_is_written(tmp_path: Path) -> None:
    class Late(Body):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.body(x) * (1.0 if self.calls < 12 else 1.001)

    with pytest.raises(SharpscopeError, match="keeps a state between calls"):
        sharpscope.measure(
            sharpscope.as_detector(Late(), spec={"n_samples": SAMPLES}),
            {"noise": batch(16)},
            measures=["sam", "loss"],
            rho=[0.05],
            m=2,
            show_progress=False,
        )


GUARDS: dict[str, Callable[[], Any]] = {
    "same alone": lambda: guards.same_alone(
        torch.full((1, 2), math.nan), torch.zeros(2, 2), detector(Sound()), torch.zeros(2, SAMPLES)
    ),
    "finite": lambda: guards.finite(torch.full((1, 2), math.nan)),
    "deterministic": lambda: guards.deterministic(
        torch.full((1, 2), math.nan), detector(Sound()), torch.zeros(1, SAMPLES)
    ),
    "same buffers": lambda: guards.same_buffers(Sound(), {"norm.running_mean": torch.full((8,), math.nan)}),
    "still the same": lambda: looking.still_the_same(
        look(Sound())._replace(logits=torch.full((2, 2), math.nan))
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_nan_fails_every_guard(guard: str) -> None:
    with pytest.raises(SharpscopeError):
        GUARDS[guard]()


def test_the_physical_batch_depends_on_network_m_and_device_only_and_comes_in_equal_parts() -> None:
    network = Sound()
    device = torch.device("cpu")
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    per_trial = (looking.CPU_ACTIVATION_BYTES - 3 * weights) // 25
    assert fitted_batch(network, per_trial, 32, device) == 16
    assert fitted_batch(network, per_trial, 24, device) == 24
    assert fitted_batch(network, 1, 32, device) == 32
    assert fitted_batch(network, 10**15, 32, device) == 1


@pytest.mark.parametrize(("millions", "expected"), [(60, 7), (316, 3), (2000, 16)])
def test_a_large_detector_takes_less_than_five_copies_of_its_weights(millions: int, expected: int) -> None:
    """Four are the weights, the trained values and two gradients: activations get half a copy, or 2 GiB with all."""
    network = nn.Linear(1_000_000, millions, bias=False, device="meta")
    weights, per_trial = 4_000_000 * millions, 180 * 2**20
    batch = fitted_batch(network, per_trial, 32, torch.device("cpu"))
    assert batch == expected
    assert 4 * weights + batch * per_trial <= max(4.5 * weights, 2 * 2**30 + weights)


def test_weights_are_not_counted_as_activations() -> None:
    class Wide(nn.Module):
        """Saves its weights (a million) and next to nothing else."""

        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(SAMPLES, 128)
            self.last = nn.Linear(128, 2)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.last(torch.relu(self.out(x)))
            return logits

    assert look(Wide()).saved_bytes < 4 * (2 * SAMPLES + 1000)


def test_rows_tell_the_live_share_and_the_physical_batch() -> None:
    class Frozen(Body):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                hidden = torch.relu(self.norm(self.conv(x.unsqueeze(1)))).mean(dim=2)
            logits: Tensor = self.out(hidden)
            return logits

    table = table_of(Frozen(), batch_size=4)
    whole = sum(p.numel() for p in Frozen().parameters())
    assert set(table["live_share"]) == {18 / whole}
    assert set(table["batch_size"]) == {4.0}
