"""On a published detector: invariances hold, every family runs, weights come back; needs ../shared."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from sharpscope.audio.decode import read_audio
from sharpscope.detectors import Detector, load_detector
from sharpscope.measures import MEASURES
from sharpscope.measures.geometry import blocks
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import LiveParameters
from sharpscope.measures.precision import exact_arithmetic

SHARED = Path(__file__).resolve().parents[3] / "shared"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared with real detectors is not here")

# Half a second of two trials: enough for every layer, and a forward takes a tenth of a second.
SAMPLES = 8000
INVARIANT = [
    "asam",
    "asam_linf",
    "asam_relative",
    "asam_matched",
    "asam_predicted",
    "grad_norm_adaptive",
    "gradient_curvature_adaptive",
    "fisher_rao",
    "fisher_trace_adaptive",
    "effective_parameters_adaptive",
    "loss",
    "entropy",
]
RHO = 0.01


def two_trials() -> tuple[torch.Tensor, torch.Tensor]:
    folder = SHARED / "minibench"
    table = pd.read_csv(folder / "eval_unseen.csv")
    waves, labels = [], []
    for label in ("bonafide", "spoof"):
        file = table[table["label"] == label]["file"].iloc[0]
        wave = read_audio(folder / file, 16_000)
        waves.append(np.resize(wave, SAMPLES))
        labels.append(int(label == "bonafide"))
    return torch.from_numpy(np.stack(waves)).double(), torch.tensor(labels)


def group_of(detector: Detector, names: list[str]) -> Group:
    waves, labels = two_trials()
    objectives = list(dict.fromkeys(o for name in names for o in MEASURES[name].objectives))
    live = LiveParameters(detector.module, lambda: detector(waves).square().sum())
    weights = torch.full((2,), 0.5, dtype=torch.float64)
    return Group(detector, live, waves, labels, weights, batch_size=2, objectives=objectives)


def values_of(detector: Detector, names: list[str]) -> dict[str, float]:
    with exact_arithmetic():
        group = group_of(detector, names)
        with group.live.guarded():
            return {
                name: next(
                    iter(MEASURES[name].function(group, (RHO,) if MEASURES[name].radius else ()).values())
                )
                for name in names
            }


def rescale(detector: Detector, factors: Callable[[int], torch.Tensor]) -> None:
    """Multiply a convolution's channels and make the batch norm after it divide by the same, exactly."""
    state = dict(detector.module.named_parameters()) | dict(detector.module.named_buffers())
    for block in ("encoder.1", "encoder.3"):
        c = factors(len(state[f"{block}.conv1.bias"]))
        with torch.no_grad():
            state[f"{block}.conv1.weight"].mul_(c.view(-1, 1, 1, 1))
            state[f"{block}.conv1.bias"].mul_(c)
            state[f"{block}.bn2.running_mean"].mul_(c)
            variance = state[f"{block}.bn2.running_var"]
            variance.copy_(c**2 * (variance + 1e-5) - 1e-5)


def small() -> Detector:
    return load_detector(SHARED / "checkpoints" / "AASIST-L.pth", dtype="float64")


@pytest.fixture(scope="module")
def before() -> dict[str, float]:
    return values_of(small(), [*INVARIANT, "sam"])


@pytest.mark.parametrize("change", ["layer", "node"])
def test_rescaling_a_real_detector_leaves_what_is_marked(change: str, before: dict[str, float]) -> None:
    def factors(n: int) -> torch.Tensor:
        if change == "layer":
            return torch.full((n,), 3.0, dtype=torch.float64)
        return torch.logspace(-0.5, 0.5, n, dtype=torch.float64)

    detector = small()
    rescale(detector, factors)
    after = values_of(detector, [*INVARIANT, "sam"])
    for name in INVARIANT:
        assert change in MEASURES[name].invariant_to
        assert after[name] == pytest.approx(before[name], rel=1e-5), name
    assert after["sam"] != pytest.approx(before["sam"], rel=1e-3)


def test_two_files_of_one_function_are_equally_sharp() -> None:
    names = ["sam", "asam", "grad_norm", "fisher_trace", "relative_flatness", "gradient_curvature"]
    one, two = (
        values_of(load_detector(SHARED / "checkpoints" / name, dtype="float64"), names)
        for name in ("AASIST.pth", "AASIST_LanceaKing.pth")
    )
    for name in names:
        assert one[name] == pytest.approx(two[name], rel=1e-10), name


def test_what_crashed_other_tools_runs() -> None:
    """Curvature with parameters that never receive a gradient, in-place activations and exact zeros."""
    names = ["gradient_curvature", "relative_flatness", "fisher_trace"]
    values = values_of(small(), names)
    assert all(np.isfinite(value) for value in values.values())
    assert values["fisher_trace"] > 0
    with exact_arithmetic():
        found = blocks(group_of(small(), ["sam"]), 1e-3)
    assert sum(block.share for block in found) == pytest.approx(1.0)
    assert {"encoder.0", "out_layer"} <= {block.name for block in found}
