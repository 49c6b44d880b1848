"""RawGAT-ST: three key layouts, and a fusion that is told, hinted at or asked for."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sharpscope.detectors import build, load_detector
from sharpscope.errors import UsageError

LETTERS = {
    "GAT_layer1": "GAT_layer_{0}",
    "GAT_layer2": "GAT_layer_{1}",
    "GAT_layer3": "GAT_layer_ST",
    "pool1": "pool_{0}",
    "pool2": "pool_{1}",
    "pool3": "pool_ST",
    "proj1": "proj_{0}",
    "proj2": "proj_{1}",
    "proj": "proj_ST",
    "proj_node": "out_layer",
    "encoder1": "encoder_{0}",
    "encoder2": "encoder_{1}",
}


def network(fusion: str = "mul", first_shortcut: bool = False, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    made = build("rawgat-st", {"fusion": fusion, "first_shortcut": first_shortcut})
    for name, buffer in made.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, 0, 0.1)
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return made.eval()


def eurecom(state: dict[str, Tensor]) -> dict[str, Tensor]:
    out = {}
    for name, tensor in state.items():
        name = re.sub(r"^(encoder\d\.\d)\.", r"\1.0.", name)
        out[re.sub(r"^(encoder\d\.0\.0)\.conv1\.", r"\1.conv_1.", name)] = tensor
    return out


def lettered(state: dict[str, Tensor], bands: str, slim: bool) -> dict[str, Tensor]:
    """As clovaai (blocks inside blocks) or LanceaKing (slim) name them; `bands` is the branch over bands."""
    frames = "T" if bands == "S" else "S"
    out = {}
    for name, tensor in state.items():
        head, dot, rest = name.partition(".")
        name = f"{LETTERS.get(head, head).format(bands, frames)}{dot}{rest}"
        if slim:
            name = re.sub(r"^(encoder_[ST]\.\d)\.bn2\.", r"\1.bn1.", name)
            name = name.replace(".conv_downsample.", ".downsample.")
        else:
            name = re.sub(r"^(encoder_[ST]\.\d)\.", r"\1.0.", name)
        out[name] = tensor
    return out


WAVES = 0.1 * torch.randn(1, 64_600, generator=torch.Generator().manual_seed(0))


def test_lancea_kings_171_tensors_are_read_back_to_equal_outputs(tmp_path: Path) -> None:
    made = network(first_shortcut=True)
    state = lettered(dict(made.state_dict()), "S", slim=True)
    assert len(state) == 171
    assert {"encoder_S.0.conv1.weight", "encoder_S.0.downsample.weight"} <= set(state)
    torch.save(state, tmp_path / "RawGATST_baseline.pth")
    loaded = load_detector(tmp_path / "RawGATST_baseline.pth")
    with torch.no_grad():
        torch.testing.assert_close(loaded(WAVES), made(WAVES), atol=1e-5, rtol=1e-5)
    assert any("multiplies" in line for line in loaded.decisions)
    assert any(line.startswith("fusion=mul taken from a hint") for line in loaded.spec.assumptions)


@pytest.mark.parametrize(("bands", "slim"), [("S", True), ("T", True), ("S", False), ("T", False)])
def test_the_sizes_say_which_letter_reads_the_bands(bands: str, slim: bool, tmp_path: Path) -> None:
    made = network(first_shortcut=True, seed=1)
    torch.save({"model": lettered(dict(made.state_dict()), bands, slim)}, tmp_path / "c.pth")
    state = load_detector(tmp_path / "c.pth").module.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in made.state_dict().items())


@pytest.mark.parametrize("fusion", ["mul", "add", "cat"])
def test_each_fusion_is_its_own_function_with_its_own_hash(fusion: str, tmp_path: Path) -> None:
    made = network(fusion)
    torch.save(eurecom(dict(made.state_dict())), tmp_path / "Best_epoch.pth")
    options: dict[str, Any] = {} if fusion == "cat" else {"model_args": {"fusion": fusion}}
    loaded = load_detector(tmp_path / "Best_epoch.pth", **options)
    with torch.no_grad():
        torch.testing.assert_close(loaded(WAVES), made(WAVES), atol=1e-5, rtol=1e-5)
    assert loaded.spec.assumptions[0] == f"fusion={fusion}"
    assert not any("multiplication" in line for line in (*loaded.decisions, *loaded.spec.assumptions))


def test_weights_that_fit_two_functions_are_asked_for(tmp_path: Path) -> None:
    torch.save(eurecom(dict(network().state_dict())), tmp_path / "Best_epoch.pth")
    path = tmp_path / "Best_epoch.pth"
    with pytest.raises(UsageError, match="fit 2 different functions") as caught:
        load_detector(path)
    assert """--model-args '{"fusion": "mul"}' or --model-args '{"fusion": "add"}'""" in str(caught.value)
    mul, add = (load_detector(path, arch=f"rawgat-st-{fusion}") for fusion in ("mul", "add"))
    with torch.no_grad():
        assert not torch.allclose(mul(WAVES), add(WAVES), atol=1e-2)
    given = load_detector(path, model_args={"fusion": "add"})
    assert len({mul.spec.hash(), add.spec.hash(), given.spec.hash()}) == 3
    assert getattr(given.module, "fusion", None) == "add"
    with pytest.raises(UsageError, match="fusion is 'max'; it must be one of mul, add, cat"):
        load_detector(path, model_args={"fusion": "max"})


def test_names_of_files_are_hints_that_are_said_and_contradictions_are_asked_about(tmp_path: Path) -> None:
    state = eurecom(dict(network().state_dict()))
    hashes = set()
    for place, fusion in (
        ("RawGAT_ST_add/Best_epoch.pth", "add"),
        ("RawGAT_ST_mul/Best_epoch.pth", "mul"),
        ("x/rawgat-mul.pth", "mul"),
    ):
        path = tmp_path / place
        path.parent.mkdir()
        torch.save(state, path)
        loaded = load_detector(path)
        assert getattr(loaded.module, "fusion", None) == fusion
        assert any(f"says '{fusion}'" in line for line in loaded.decisions)
        hashes.add(loaded.spec.hash())
    assert len(hashes) == 2  # what was taken counts, not where the file lies
    # Two hints that disagree, and names in which the challenge ADD, or another word, stands.
    for place in (
        "RawGAT_ST_add/rawgat_mul.pth",
        "ADD2022/rawgat.pth",
        "x/RawGAT_ST_ADD.pth",
        "x/rawgat-st-address.pth",
        "x/trained_on_add.pth",
        "x/simul.pth",
    ):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        torch.save(state, path)
        with pytest.raises(UsageError, match="fit 2 different functions"):
            load_detector(path)


def test_arguments_that_change_no_shape_change_the_hash(tmp_path: Path, model_file: Path) -> None:
    torch.save(build("aasist").state_dict(), tmp_path / "a.pth")
    plain = load_detector(tmp_path / "a.pth", arch="aasist")
    other = load_detector(tmp_path / "a.pth", arch="aasist", model_args={"temperatures": [1.0, 1.0, 10.0]})
    with torch.no_grad():
        assert not torch.allclose(plain(WAVES[:, :16_000]), other(WAVES[:, :16_000]))
    assert plain.spec.hash() != other.spec.hash()
    assert 'arguments given: {"temperatures": [1.0, 1.0, 10.0]}' in other.spec.assumptions
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    torch.save(namespace["Tiny"]().state_dict(), tmp_path / "b.pth")
    own = [
        load_detector(tmp_path / "b.pth", model=f"{model_file}:Tiny", model_args=arguments).spec.hash()
        for arguments in (None, {"width": 4}, {"seed": 2})
    ]
    assert len(set(own)) == 3
