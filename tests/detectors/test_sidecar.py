"""What stands in NAME.sharpscope.json beside a program or a folder is taken over, or named when it is nonsense."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sharpscope.detectors import build, load_detector
from sharpscope.detectors.outputs import describe_outputs
from sharpscope.detectors.sidecar import read_sidecar
from sharpscope.errors import UsageError

WAVES = torch.randn(3, 32_000, generator=torch.Generator().manual_seed(5)) * 0.1


class Softmax(nn.Module):
    """A detector that ends in a softmax."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = build("tiny")

    def forward(self, waves: Tensor) -> Tensor:
        out: Tensor = self.body(waves).softmax(dim=1)
        return out


def program(folder: Path, network: nn.Module) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network.eval(), WAVES), folder / "a.pt")  # type: ignore[no-untyped-call]
    return folder / "a.pt"


def test_a_program_that_ends_in_a_softmax_is_noticed_and_can_be_declared(tmp_path: Path) -> None:
    network = Softmax()
    path = program(tmp_path, network)
    loaded = load_detector(path, arch="torchscript")
    assert len(loaded.spec.assumptions) == 3
    with torch.no_grad():
        assert "probability2" in (describe_outputs(network(WAVES), loaded.spec.outputs) or "")
    record = {
        "bonafide_index": 0,
        "spec": {"outputs": "probability2", "n_samples": 32_000, "sample_rate": 16_000},
    }
    (tmp_path / "a.sharpscope.json").write_text(json.dumps(record))
    declared = load_detector(path, arch="torchscript")
    assert (declared.spec.outputs, declared.spec.bonafide_index) == ("probability2", 0)
    assert declared.spec.polarity_source == "record"
    assert declared.spec.assumptions == ()
    with torch.no_grad():
        logits = network.body(WAVES)
        torch.testing.assert_close(
            declared(WAVES).diff(dim=1)[:, 0], logits[:, 0] - logits[:, 1], atol=1e-5, rtol=1e-4
        )
    assert loaded.spec.hash() != declared.spec.hash()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"spec": 3}', "must be an object"),
        ('{"spec": {"outputs": "softmax"}}', "convention outputs is 'softmax'"),
        ('{"spec": {"frames": 3}}', "unknown convention 'frames'"),
        ('{"bonafide_index": 2}', "convention bonafide_index is 2"),
    ],
)
def test_nonsense_beside_a_program_is_named(content: str, word: str, tmp_path: Path) -> None:
    path = program(tmp_path, build("tiny"))
    (tmp_path / "a.sharpscope.json").write_text(content)
    with pytest.raises(UsageError, match=word):
        load_detector(path, arch="torchscript")


def test_a_folder_has_its_record_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "my.model"
    folder.mkdir()
    assert read_sidecar(folder) == {}
    (tmp_path / "my.model.sharpscope.json").write_text('{"spec": {"n_samples": 8000}}')
    assert read_sidecar(folder) == {"spec": {"n_samples": 8000}}


def test_arguments_in_a_sidecar_are_part_of_the_hash(tmp_path: Path) -> None:
    torch.save(build("aasist").state_dict(), tmp_path / "a.pth")
    hashes = set()
    records: list[dict[str, Any]] = [
        {"arch": "aasist"},
        {"arch": "aasist", "arch_args": {"temperatures": [1.0, 1.0, 10.0]}},
        {"arch": "aasist", "arch_args": {"pool_ratios": [0.5, 0.5, 0.5]}},
    ]
    for record in records:
        (tmp_path / "a.sharpscope.json").write_text(json.dumps(record))
        hashes.add(load_detector(tmp_path / "a.pth").spec.hash())
    assert len(hashes) == 3
