"""Files to tensors: envelopes, prefixes, records, and files that are no checkpoints."""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor, nn

from sharpscope.cli import main
from sharpscope.detectors import build, load_detector
from sharpscope.detectors.reading import (
    read_checkpoint,
    sha256_of,
    strip_prefixes,
    write_checkpoint,
    write_safetensors,
)
from sharpscope.errors import UsageError

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize(
    "envelope", ["", "model", "state_dict", "model_state", "model_state_dict", "MODEL_STATE"]
)
@pytest.mark.parametrize(
    "prefix", ["", "module.", "module.module.", "model.", "model.module.", "detect_model."]
)
def test_envelopes_and_prefixes(tmp_path: Path, envelope: str, prefix: str) -> None:
    state = {f"{prefix}{name}": tensor for name, tensor in STATE.items()}
    content = (
        {envelope: state, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}} if envelope else state
    )
    torch.save(content, tmp_path / "c.pth")
    read = read_checkpoint(tmp_path / "c.pth")
    assert same(read.state, STATE)
    assert (read.envelope, read.prefix) == (envelope, prefix)
    assert set(read.siblings) == ({"epoch", "optimizer"} if envelope else set())


def test_a_prefix_that_not_all_names_share_stays() -> None:
    state = {"model.a": torch.ones(1), "head.a": torch.ones(1)}
    assert strip_prefixes(state) == (state, "")


def test_safetensors_and_the_older_format(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "c.safetensors")
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(read_checkpoint(tmp_path / "c.safetensors").state, STATE)
    assert same(read_checkpoint(tmp_path / "old.pth").state, STATE)


def test_written_checkpoints_come_back_with_their_record(tmp_path: Path) -> None:
    record = {"arch": "tiny", "arch_args": {"width": 4}, "seed": 7, "trained_on": ["itw"]}
    write_checkpoint(tmp_path / "deep" / "c.pt", STATE, record)
    write_safetensors(tmp_path / "c.safetensors", STATE, record)
    for path in (tmp_path / "deep" / "c.pt", tmp_path / "c.safetensors"):
        read = read_checkpoint(path)
        assert same(read.state, STATE)
        assert read.record == record
        assert read.sha256 == sha256_of(path)
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["c.pt"]


def test_a_sidecar_is_the_record(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "c.pth")
    (tmp_path / "c.sharpscope.json").write_text('{"arch": "tiny"}')
    assert read_checkpoint(tmp_path / "c.pth").record == {"arch": "tiny"}
    (tmp_path / "c.sharpscope.json").write_text("{arch")
    with pytest.raises(UsageError, match="not JSON"):
        read_checkpoint(tmp_path / "c.pth")


def test_two_sets_of_weights_are_never_a_silent_choice(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE, "ema": STATE, "epoch": 1}, tmp_path / "c.ckpt")
    with pytest.raises(UsageError, match="under state_dict and under ema"):
        read_checkpoint(tmp_path / "c.ckpt")


def test_a_namespace_of_options_beside_the_weights_is_data(tmp_path: Path) -> None:
    torch.save({"model": STATE, "args": argparse.Namespace(lr=0.1)}, tmp_path / "c.pt")
    assert same(read_checkpoint(tmp_path / "c.pt").state, STATE)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickled_module_gives_its_weights_and_none_of_its_code_runs(tmp_path: Path, new: bool) -> None:
    network = nn.Sequential(nn.Conv1d(3, 2, 5), nn.BatchNorm1d(2))
    torch.save(network, tmp_path / "c.pt", _use_new_zipfile_serialization=new)
    read = read_checkpoint(tmp_path / "c.pt")
    assert same(read.state, network.state_dict())
    assert any("torch.nn.modules.container.Sequential" in note for note in read.notes)


THEIR_CODE = """import torch


def weights():
    return {"a.weight": torch.ones(3, 2)}


class Holder:
    def __reduce__(self):
        return weights, ()
"""


def test_weights_that_only_code_can_make_need_allow_pickle_which_says_what_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "their_code.py").write_text(THEIR_CODE)
    monkeypatch.syspath_prepend(tmp_path)
    holder = importlib.import_module("their_code").Holder()
    for name, new in (("new.pt", True), ("old.pt", False)):
        torch.save({"model": holder}, tmp_path / name, _use_new_zipfile_serialization=new)
        with pytest.raises(
            UsageError, match=r"without running its code \(their_code.weights\).*--allow-pickle"
        ):
            read_checkpoint(tmp_path / name)
        state = read_checkpoint(tmp_path / name, allow_pickle=True).state
        assert same(state, {"a.weight": torch.ones(3, 2)})
        error = capsys.readouterr().err
        assert sha256_of(tmp_path / name) in error
        assert "their_code.weights" in error
    monkeypatch.undo()
    monkeypatch.delitem(sys.modules, "their_code")
    with pytest.raises(UsageError, match=r"No module named 'their_code'\); run with PYTHONPATH=DIR"):
        read_checkpoint(tmp_path / "new.pt", allow_pickle=True)


def test_convert_writes_a_clean_file_that_loads_to_the_same_function(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build("tiny", {"width": 4}).eval()
    write_checkpoint(tmp_path / "c.pt", network.state_dict(), {"arch": "tiny", "arch_args": {"width": 4}})
    out = tmp_path / "c.safetensors"
    done = CliRunner().invoke(main, ["convert", str(tmp_path / "c.pt"), str(out), "--bonafide-index", "0"])
    assert done.exit_code == 0, done.output
    waves = torch.randn(2, 32_000)
    first, second = load_detector(tmp_path / "c.pt"), load_detector(out)
    assert torch.equal(first(waves), second(waves).flip(1))
    assert second.spec.polarity_source == "record"
    assert second.record is not None
    assert second.record["source_sha256"] == first.sha256


def test_inspect_prints_json_and_misuse_ends_with_2(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c.pt", build("tiny-gru").state_dict(), {"arch": "tiny-gru"})
    done = CliRunner().invoke(main, ["inspect", str(tmp_path / "c.pt"), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["architecture"] == "tiny-gru"
    assert facts["live parameters"] == facts["parameters"] > 1000
    assert facts["conventions"]["bonafide_index"] == 1
    text = CliRunner().invoke(main, ["inspect", str(tmp_path / "c.pt"), "--no-check"])
    assert "tiny-gru: named by the record" in text.stdout
    missing = CliRunner().invoke(main, ["inspect", str(tmp_path / "none.pt")])
    assert missing.exit_code == 2
    assert "no such file" in missing.stderr
    assert len(missing.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "c.pth")
    (tmp_path / "c.pth").chmod(0)
    with pytest.raises(UsageError, match="may not read"):
        read_checkpoint(tmp_path / "c.pth")
