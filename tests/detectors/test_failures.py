"""A network that fails is told in one line: what it was given, what it raised, how to wrap it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sharpscope.detectors.failures import describe_failure, first_line
from sharpscope.detectors.front_ends import on_features
from sharpscope.errors import SharpscopeError, UsageError

WAVES = torch.randn(2, 4_000, generator=torch.Generator().manual_seed(0))


class Channel(nn.Module):
    """Wants (B, 1, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 2, 9)

    def forward(self, waves: Tensor) -> Tensor:
        if waves.dim() != 3:
            raise ValueError(f"expected (B, 1, T), got {tuple(waves.shape)}\nand more")
        return self.conv(waves).mean(dim=2)


class Last(nn.Module):
    """Wants (B, T, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(1, 2, batch_first=True)

    def forward(self, waves: Tensor) -> Any:
        batch, _, _ = waves.shape
        return {"scores": self.cell(waves[:, :50])[0][:, -1].view(batch, 2)}


class Features(nn.Module):
    """Wants (B, frames, 60)."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(60, 2)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(features).mean(dim=1)


class Two(nn.Module):
    """Wants lengths too."""

    def forward(self, waves: Tensor, lengths: Tensor) -> Tensor:
        return waves[:, :2] * lengths


class Raises(nn.Module):
    """Raises what it is told to."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def forward(self, waves: Tensor) -> Tensor:
        raise self.error


def failure(network: nn.Module, waves: Tensor = WAVES) -> SharpscopeError:
    try:
        network(waves)
    except Exception as error:
        return describe_failure(error, tuple(waves.shape), network)
    raise AssertionError("it did not fail")


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (
            Channel(),
            ["it takes (B, 1, T)", "super().forward(waves.unsqueeze(1))", "ValueError: expected (B, 1, T)"],
        ),
        (Last(), ["it takes (B, T, 1)", "waves.unsqueeze(2)", "not enough values to unpack"]),
        (Features(), ["it takes features, not waves", "front_ends", "2x4000"]),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), ["it takes features, not waves", "Sequential"]),
        (Two(), ["gets the waves alone", "'lengths'"]),
        (Raises(KeyError("x")), ["KeyError", "must map (B, T) to (B, 2) or (B, 1)"]),
        (Raises(RuntimeError("")), ["RuntimeError", "of 2x4000 with RuntimeError"]),
    ],
)
def test_one_line_says_what_to_do(network: nn.Module, words: list[str]) -> None:
    error = failure(network)
    assert isinstance(error, UsageError)
    assert "\n" not in str(error)
    for word in words:
        assert word in str(error)


def test_the_line_of_the_users_code_is_named() -> None:
    line = next(
        n
        for n, text in enumerate(Path(__file__).read_text().splitlines(), 1)
        if "expected (B, 1, T), got" in text
    )
    assert f"(test_failures.py, line {line})" in str(failure(Channel()))


def test_memory_and_our_own_errors_keep_their_kind() -> None:
    error = failure(Raises(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")))
    assert type(error) is SharpscopeError
    assert "--batch-size" in str(error)
    assert failure(Raises(RuntimeError("DefaultCPUAllocator: out of memory"))).exit_code == 1
    own = SharpscopeError("said already")
    assert failure(Raises(own)) is own
    assert first_line(RuntimeError("x" * 1000)).startswith("RuntimeError: xxx")
    assert len(first_line(RuntimeError("x" * 1000))) == 220


class Image(nn.Module):
    """Wants (B, 1, D, T)."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.bands = bands

    def forward(self, image: Tensor) -> Tensor:
        if image.dim() != 4 or image.shape[2] != self.bands:
            raise ValueError(f"expected (B, 1, {self.bands}, T)")
        return self.conv(image).mean(dim=(2, 3))


def test_the_order_of_axes_that_works_is_said_for_a_front_end() -> None:
    network = on_features(Image(128), "mel")
    assert """'{"front_end": {"layout": "(B, 1, D, T)"}}'""" in str(failure(network))
    assert network.sharpscope_front_end[0].layout == "(B, D, T)"
    assert "no order of axes works" in str(failure(on_features(Image(7), "mel")))
    assert "failed on features of 2x128x6" in str(describe_failure(ValueError("x"), (2, 128, 6), network))
