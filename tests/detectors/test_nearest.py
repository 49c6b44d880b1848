"""Forks of known architectures: which one a file looks like, where it stands in it, and what differs."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sharpscope.detectors import build, load_detector
from sharpscope.detectors.nearest import describe_likeness, nearest, part_of
from sharpscope.errors import UsageError

WAVES = 0.1 * torch.randn(1, 64_600, generator=torch.Generator().manual_seed(0))


def state_of(arch: str, **arguments: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return dict(build(arch, arguments).state_dict())


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The blocks of RawNet2 and SpecRNet inside sequences, as their authors have them."""
    return {re.sub(r"^((?:block|fc_attention)\d)\.", r"\1.0.", n): t for n, t in state.items()}


HEAD = {"domain_classifier.0.weight": torch.ones(4, 160), "domain_classifier.0.bias": torch.ones(4)}


def refusal(state: dict[str, Tensor], folder: Path, **options: Any) -> str:
    torch.save(state, folder / "fork.pth")
    with pytest.raises(UsageError) as caught:
        load_detector(folder / "fork.pth", **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (HEAD, "it has also domain_classifier.0.weight, domain_classifier.0.bias"),
        ({"aux_head.weight": torch.ones(5, 160)}, "it has also aux_head.weight"),
        ({"loss_center.center": torch.ones(1, 160)}, "it has also loss_center.center"),
    ],
)
def test_a_second_head_beside_aasist_is_named_and_left_out_when_the_user_says_so(
    more: dict[str, Tensor], words: str, tmp_path: Path
) -> None:
    state = state_of("aasist")
    said = refusal({**state, **more}, tmp_path)
    assert words in said
    assert "looks like aasist" in said
    assert "pass --arch aasist" in said
    loaded = load_detector(tmp_path / "fork.pth", arch="aasist")
    assert all(torch.equal(loaded.module.state_dict()[name], tensor) for name, tensor in state.items())
    assert any("left out as --arch allows" in line for line in loaded.spec.assumptions)
    assert any("left out as --arch allows" in line for line in loaded.decisions)
    torch.save(state, tmp_path / "plain.pth")
    assert load_detector(tmp_path / "plain.pth", arch="aasist").spec.hash() != loaded.spec.hash()


@pytest.mark.parametrize(
    ("arch", "prefix"),
    [("aasist", "feature_extractor."), ("aasist-l", "net.backbone."), ("inc-tssdnet", "base.")],
)
def test_an_architecture_under_another_level_is_found_there(arch: str, prefix: str, tmp_path: Path) -> None:
    state = state_of(arch)
    said = refusal({**under(prefix, state), **HEAD}, tmp_path)
    assert f"looks like {arch} under '{prefix}'" in said
    loaded = load_detector(tmp_path / "fork.pth", arch=arch)
    with torch.no_grad():
        torch.save(state, tmp_path / "plain.pth")
        length = loaded.spec.n_samples or 64_600
        waves = WAVES.repeat(1, 2)[:, :length]
        assert torch.equal(loaded(waves), load_detector(tmp_path / "plain.pth", arch=arch)(waves))


def test_tensors_inside_its_levels_are_another_network_and_never_left_out(tmp_path: Path) -> None:
    for extra in ("encoder.2.se.fc.weight", "attention_gate.weight", "first_bn.head.weight"):
        state = {**state_of("aasist"), extra: torch.ones(4, 4)}
        said = refusal(state, tmp_path)
        assert f"it has also {extra}" in said
        assert "pass --arch aasist:" not in said
        assert "have no place" in refusal(state, tmp_path, arch="aasist")
        assert part_of(state, "aasist") is None


@pytest.mark.parametrize(
    ("arch", "change", "words"),
    [
        (
            "aasist",
            ("out_layer.weight", (3, 160)),
            ["like aasist", "out_layer.weight is (3, 160) instead of (2, 160)"],
        ),
        (
            "aasist",
            ("pos_S", (1, 29, 64)),
            ["looks like aasist", "pos_S is (1, 29, 64) instead of (1, 23, 64)"],
        ),
        ("rawgat-st", ("proj1.weight", (12, 20)), ["looks like rawgat-st", "proj1.weight is (12, 20)"]),
        (
            "specrnet",
            ("fc2_gru.weight", (2, 128)),
            ["like specrnet", "fc2_gru.weight is (2, 128) instead of (1, 128)"],
        ),
    ],
)
def test_forks_of_other_sizes_are_named_with_what_differs(
    arch: str, change: tuple[str, tuple[int, ...]], words: list[str], tmp_path: Path
) -> None:
    state = state_of(arch)
    name, shape = change
    state[name] = torch.ones(shape)
    state = published(state) if arch == "specrnet" else state
    said = refusal(state, tmp_path)
    for word in words:
        assert word in said


def test_a_level_that_is_gone_is_named(tmp_path: Path) -> None:
    state = {n: t for n, t in state_of("aasist").items() if not n.startswith("out_layer.")}
    said = refusal({**state, "classifier.weight": torch.ones(2, 160)}, tmp_path)
    assert "it lacks out_layer.weight, out_layer.bias; it has also classifier.weight" in said


@pytest.mark.parametrize("arch", ["aasist", "rawgat-st", "specrnet"])
def test_renamed_levels_are_found_by_their_shapes(arch: str) -> None:
    state = {f"stage{index}.w": tensor for index, tensor in enumerate(state_of(arch).values())}
    found = nearest(state)
    assert found is not None
    assert found.arch == arch
    assert "under other names" in describe_likeness(found)


def test_what_looks_like_nothing_is_compared_with_nothing(tmp_path: Path) -> None:
    for state in (
        {"a.weight": torch.ones(3, 5), "a.bias": torch.ones(3)},
        {f"layer{i}.weight": torch.ones(16, 16) for i in range(40)},
        {
            "conv1.weight": torch.ones(64, 3, 7, 7),
            "fc.weight": torch.ones(2, 512),
            "out.weight": torch.ones(2, 2),
        },
    ):
        assert nearest(state) is None
        assert "Known: aasist" in refusal(state, tmp_path)
