"""LFCC-LCNN: margins told by their widths, cosines by hand, and short files that repeat their own frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sharpscope.audio.batches import load_groups
from sharpscope.audio.decode import ABSENT, fit_length
from sharpscope.detectors import Detector, DetectorSpec, build, load_detector
from sharpscope.detectors.architectures.cepstra import BaselineCepstra
from sharpscope.errors import UsageError
from sharpscope.measurement.first_look import first_look

NOISE = 0.1 * torch.randn(3, 120_000, generator=torch.Generator().manual_seed(0))
STATISTICS = ("input_mean", "input_std", "output_mean", "output_std")


def network(arch: str) -> nn.Module:
    torch.manual_seed(0)
    made = build(arch, {"fft": 512, "bins": 257})
    for name, buffer in made.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, 0, 0.1)
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return made.eval()


def saved(arch: str, folder: Path, angle: str = "m_a_softmax") -> tuple[nn.Module, Path]:
    """As nii's scripts write it: with four statistics that nothing uses."""
    made = network(arch)
    state = {name.replace("m_a_softmax", angle): tensor for name, tensor in made.state_dict().items()}
    torch.save({**state, **{name: torch.ones(1) for name in STATISTICS}}, folder / "trained_network.pt")
    return made, folder / "trained_network.pt"


def short(length: int, row: int = 0) -> Tensor:
    return torch.from_numpy(fit_length(NOISE[row, :length].numpy(), 120_000, "frames"))


@pytest.mark.parametrize(
    ("arch", "angle", "tensors", "outputs"),
    [
        ("lfcc-lcnn", "m_a_softmax", 46, "logit1"),
        ("lfcc-lcnn-a-softmax", "m_a_softmax", 47, "logits2"),
        ("lfcc-lcnn-oc-softmax", "m_a_softmax", 47, "cosine1"),
        ("lfcc-lcnn-am-softmax", "m_angle", 47, "logits2"),
        ("lfcc-lcnn-am-softmax", "m_a_softmax", 47, "logits2"),
    ],
)
def test_margins_are_told_from_their_widths(
    arch: str, angle: str, tensors: int, outputs: str, tmp_path: Path
) -> None:
    made, path = saved(arch, tmp_path, angle)
    assert len(torch.load(path)) == tensors
    loaded = load_detector(path)
    assert (loaded.spec.arch, loaded.spec.outputs, loaded.spec.padding) == (arch, outputs, "frames")
    with torch.no_grad():
        expected = Detector(made, loaded.spec, path, "")(NOISE[:1])
        torch.testing.assert_close(loaded(NOISE[:1]), expected, atol=1e-5, rtol=1e-4)


def test_margins_that_are_not_known_are_refused(tmp_path: Path) -> None:
    made = network("lfcc-lcnn")
    state = dict(made.state_dict())
    # P2SGrad: the widths of the sigmoid form before, an embedding of 64 after.
    state["m_output_act.0.3.weight"], state["m_output_act.0.3.bias"] = torch.ones(64, 80), torch.ones(64)
    state["m_angle.0.weight"] = torch.ones(64, 2)
    torch.save(state, tmp_path / "a.pt")
    with pytest.raises(
        UsageError, match=r"looks like lfcc-lcnn: 33 of its 36 .*it has also m_a_softmax.* P2SGrad"
    ):
        load_detector(tmp_path / "a.pt")
    with pytest.raises(UsageError, match="margin is 'arcface'"):
        build("lfcc-lcnn", {"margin": "arcface"})
    with pytest.raises(UsageError, match="sigmoid with LSTMs"):
        build("lfcc-lcnn-lstm", {"margin": "am_softmax"})


@pytest.mark.parametrize(
    ("arch", "scale"),
    [("lfcc-lcnn-a-softmax", 1.0), ("lfcc-lcnn-am-softmax", 20.0), ("lfcc-lcnn-oc-softmax", 1.0)],
)
def test_scores_are_cosines_with_the_directions(arch: str, scale: float) -> None:
    made: Any = network(arch)
    kept: list[Tensor] = []
    made.m_output_act[0].register_forward_hook(lambda module, inputs, out: kept.append(out))
    with torch.no_grad():
        scores = made(NOISE[:2])
    directions = made.m_a_softmax[0].weight.detach().double().numpy()
    embedding = kept[0].double().numpy()
    for trial in range(2):
        for index in range(directions.shape[1]):
            one, other = embedding[trial], directions[:, index]
            cosine = (one @ other) / np.sqrt((one @ one) * (other @ other))
            assert float(scores[trial, index]) == pytest.approx(scale * cosine, abs=1e-5)


@pytest.mark.parametrize("length", [33_333, 16_000, 1_000, 160, 100, 119_999])
def test_a_short_file_repeats_its_own_frames(length: int) -> None:
    made: Any = network("lfcc-lcnn")
    # As nii's scripts: the features of the file alone, cut to a frame every 160 samples, repeated.
    alone = BaselineCepstra(512, 257)(NOISE[:1, :length])[0, : max(length // 160, 1)]
    expected = alone.repeat(-(-750 // len(alone)), 1)[:750]
    features = made.fixed_features(short(length)[None])
    torch.testing.assert_close(features[0], expected)
    tiled = made.fixed_features(torch.from_numpy(np.resize(NOISE[0, :length].numpy(), 120_000))[None])
    assert not torch.allclose(features, tiled, atol=0.1)


def test_files_of_several_lengths_score_the_same_alone_and_together() -> None:
    made: Any = network("lfcc-lcnn")
    waves = torch.stack([short(40_000), NOISE[1], short(7_000, 2), short(40_000, 1)])
    with torch.no_grad():
        together = made(waves)
        torch.testing.assert_close(
            torch.cat([made(wave[None]) for wave in waves]), together, atol=1e-5, rtol=1e-4
        )
    detector = Detector(made, DetectorSpec("x", outputs="logit1", padding="frames"), Path("x"), "")
    assert first_look(detector, waves[:2], torch.arange(2)).live.count > 0


def test_what_a_file_lacks_is_marked_by_a_number_that_equals_itself(tone_set: Path) -> None:
    paths = [str(tone_set.parent / f"t{index}.wav") for index in range(2)]
    (waves,) = load_groups(paths, [np.arange(2)], sample_rate=16_000, n_samples=12_000, padding="frames")
    assert torch.equal(waves, waves.clone())
    assert bool((waves[:, 8000:] == ABSENT).all())
    assert bool((waves[:, :8000].abs() <= 1).all())
    assert float(torch.tensor(ABSENT).bfloat16()) == ABSENT
    # Digital silence at the end of a file is part of it.
    assert fit_length(np.zeros(5), 8, "frames").tolist() == [0] * 5 + [ABSENT] * 3


def test_marked_samples_cannot_be_normalised() -> None:
    spec = DetectorSpec("x", padding="frames")
    for how in ("layer_norm", "peak"):
        with pytest.raises(UsageError, match="samples that are not there cannot be normalised"):
            spec.declare({"normalisation": how}, "declared")
        assert spec.declare({"normalisation": how, "padding": "tile"}, "declared").normalisation == how
        with pytest.raises(UsageError, match="cannot be normalised"):
            DetectorSpec("y", normalisation=how).declare({"padding": "frames"}, "record")
