"""Outputs that are not what they are declared to be are noticed by their values; NaN passes no guard."""

import pytest
import torch
from torch import Tensor

from sharpscope.detectors.outputs import (
    are_between,
    are_log_probabilities,
    are_probabilities,
    describe_outputs,
)
from sharpscope.detectors.outputs import doubt_outputs as doubt

LOGITS = 3 * torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
NAN = torch.full((4, 2), float("nan"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_softmax_rows_are_noticed_in_any_precision(dtype: torch.dtype) -> None:
    rows = LOGITS.to(dtype).softmax(dim=1)
    for declared in ("logits2", "log_softmax2"):
        said = describe_outputs(rows, declared)
        assert said is not None
        assert '"probability2"' in said
    assert describe_outputs(rows, "probability2") is None
    assert describe_outputs(LOGITS.to(dtype), "logits2") is None


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0, 1e4])
def test_softmax_rows_are_noticed_at_any_confidence_and_for_one_trial(scale: float) -> None:
    for rows in ((LOGITS * scale).softmax(dim=1), (LOGITS[:1] * scale).softmax(dim=1)):
        assert describe_outputs(rows, "logits2") is not None


@pytest.mark.parametrize(
    "rows",
    [
        LOGITS,
        LOGITS.abs(),
        LOGITS.sigmoid() * 0.9,
        -LOGITS.abs(),
        torch.zeros(4, 2),
        torch.ones(4, 2),
        LOGITS * 1e-6,
    ],
)
def test_logits_of_any_sign_and_size_are_left_alone(rows: Tensor) -> None:
    assert describe_outputs(rows, "logits2") is None


def test_what_is_no_probability_and_no_cosine_is_said() -> None:
    for rows, declared, better in (
        (LOGITS, "probability2", "logits2"),
        (LOGITS.log_softmax(dim=1), "probability2", "log_softmax2"),
        (LOGITS.sigmoid(), "probability2", "logits2"),
        (LOGITS[:, :1], "probability1", "logit1"),
        (LOGITS[:, 0], "probability1", "logit1"),
        (LOGITS[:, :1], "cosine1", "logit1"),
    ):
        said = describe_outputs(rows, declared)
        assert said is not None
        assert said.endswith(f'"{better}"')
    for rows, declared in (
        (LOGITS[:, :1].sigmoid(), "probability1"),
        (LOGITS[:, :1].tanh(), "cosine1"),
        (torch.ones(3, 1), "cosine1"),
        (LOGITS[:, :1], "logit1"),
        (LOGITS.log_softmax(dim=1), "log_softmax2"),
        (LOGITS, "log_softmax2"),
    ):
        assert describe_outputs(rows, declared) is None


def test_nan_fails_every_guard() -> None:
    assert not are_probabilities(NAN)
    assert not are_log_probabilities(NAN)
    assert not are_between(NAN, -9, 9)
    one = LOGITS.softmax(dim=1)
    one[3, 0] = float("nan")
    assert not are_probabilities(one)
    assert describe_outputs(NAN, "probability2") is not None
    assert describe_outputs(NAN[:, :1], "probability1") is not None
    assert describe_outputs(NAN[:, :1], "cosine1") is not None


def test_what_proves_nothing_is_a_doubt_and_not_a_refusal() -> None:
    assert "probability1" in (doubt(LOGITS[:, :1].sigmoid(), "logit1") or "")
    assert "probability1" in (doubt(LOGITS[:, 0].sigmoid(), "logit1") or "")
    assert "log_softmax2" in (doubt(LOGITS.log_softmax(dim=1), "logits2") or "")
    assert "sigmoid" in (doubt(LOGITS.sigmoid(), "logits2") or "")
    for rows, declared in (
        (LOGITS[:, :1], "logit1"),
        (LOGITS[:2, :1].sigmoid(), "logit1"),
        (LOGITS, "logits2"),
        (LOGITS.log_softmax(dim=1), "log_softmax2"),
        (LOGITS[:, :1].sigmoid(), "probability1"),
    ):
        assert doubt(rows, declared) is None


def test_log_softmax_has_the_cross_entropy_of_its_logits() -> None:
    labels = torch.arange(16) % 2
    losses = [torch.nn.functional.cross_entropy(x, labels) for x in (LOGITS, LOGITS.log_softmax(dim=1))]
    torch.testing.assert_close(losses[0], losses[1])
