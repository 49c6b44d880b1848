"""Detectors: conventions, resolution, a user's own network, preflight, recurrent layers."""

import dataclasses
import itertools
import json
import math
import runpy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sharpscope.detectors import ARCHITECTURES, Detector, DetectorSpec, build, load_detector
from sharpscope.detectors.architectures.tiny_attention import TinyAttention
from sharpscope.detectors.reading import write_checkpoint
from sharpscope.detectors.table import PAGE, page
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.first_look import first_look
from sharpscope.measures.precision import plain_recurrence

WAVES = torch.randn(3, 32_000, generator=torch.Generator().manual_seed(5)) * 0.1


class Returns(nn.Module):
    """Returns whatever a function makes of one score per trial."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.function = function

    def forward(self, waves: Tensor) -> Any:
        logits = torch.stack([waves.mean(dim=1), waves.std(dim=1)], dim=1) * self.scale  # (B, 2)
        return self.function(logits)


def detector(network: nn.Module, **spec: Any) -> Detector:
    return Detector(network.eval(), DetectorSpec("test", **spec), Path("x.pt"), "0" * 64)


def expected() -> Tensor:
    return torch.stack([WAVES.mean(dim=1), WAVES.std(dim=1)], dim=1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: (torch.ones(len(x), 160), x),
        lambda x: (x, torch.ones(len(x), 160)),
        lambda x: [x, None, 3],
        lambda x: {"embedding": torch.ones(len(x), 8), "logits": x},
        lambda x: {"embedding": torch.ones(len(x), 8), "scores": x},
        lambda x: type("Output", (), {"logits": x})(),
    ],
)
def test_the_logits_are_found_by_shape(function: Any) -> None:
    assert torch.equal(detector(Returns(function))(WAVES), expected())


@pytest.mark.parametrize(
    "function", [lambda x: (x, x), lambda x: x.sum(), lambda x: None, lambda x: torch.ones(3, 5)]
)
def test_an_output_that_cannot_be_told_stops(function: Any) -> None:
    with pytest.raises(UsageError, match="exactly one output"):
        detector(Returns(function))(WAVES)


def test_outputs_become_logits_whose_difference_is_the_declared_score() -> None:
    x = expected()
    cases: list[tuple[str, Any, Tensor]] = [
        ("logit1", lambda v: v[:, 1], x[:, 1]),
        ("logit1", lambda v: v[:, 1:], x[:, 1]),
        ("cosine1", lambda v: v[:, 1:].tanh(), x[:, 1].tanh()),
        ("probability1", lambda v: v[:, 1].sigmoid(), x[:, 1]),
        ("log_softmax2", lambda v: v.log_softmax(1), x[:, 1] - x[:, 0]),
        ("probability2", lambda v: v.softmax(1), x[:, 1] - x[:, 0]),
    ]
    for outputs, function, difference in cases:
        for index in (0, 1):
            logits = detector(Returns(function), outputs=outputs, bonafide_index=index)(WAVES)
            assert logits.shape == (3, 2)
            sign = 1 if index == 1 else -1
            torch.testing.assert_close(logits.diff(dim=1)[:, 0], sign * difference, atol=2e-6, rtol=1e-5)


def test_declared_outputs_must_be_the_returned_ones() -> None:
    with pytest.raises(UsageError, match="declares 'logits2' but returned 1"):
        detector(Returns(lambda x: x[:, 0]))(WAVES)


def test_normalisation_is_per_trial() -> None:
    seen: list[Tensor] = []

    class Keeps(Returns):
        def forward(self, waves: Tensor) -> Any:
            seen.append(waves)
            return super().forward(waves)

    detector(Keeps(lambda x: x), normalisation="layer_norm")(WAVES * 7 + 1)
    torch.testing.assert_close(seen[0].mean(dim=1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[0].std(dim=1, unbiased=False), torch.ones(3), atol=1e-4, rtol=0)
    detector(Keeps(lambda x: x), normalisation="peak")(WAVES)
    assert torch.equal(seen[1].abs().amax(dim=1), torch.ones(3))


def test_conventions_are_checked_and_change_the_hash() -> None:
    spec = DetectorSpec("a")
    hashes = {spec.hash()}
    for name, value in {
        "sample_rate": 8000,
        "n_samples": None,
        "padding": "zero",
        "normalisation": "peak",
        "outputs": "logit1",
        "bonafide_index": 0,
        "loss_name": "focal",
    }.items():
        hashes.add(spec.declare({name: value}, "declared").hash())
    assert len(hashes) == 8
    assert json.loads(json.dumps(spec.to_dict()))["arch"] == "a"
    for bad in (
        {"sample_rate": "16k"},
        {"n_samples": 0},
        {"bonafide_index": True},
        {"padding": "mirror"},
        {"x": 1},
    ):
        with pytest.raises(UsageError, match="convention"):
            spec.declare(bad, "declared")


def test_who_decides_the_polarity(tmp_path: Path) -> None:
    weights = build("tiny").state_dict()
    write_checkpoint(tmp_path / "a.pt", weights, {"arch": "tiny"})
    write_checkpoint(tmp_path / "b.pt", weights, {"arch": "tiny", "bonafide_index": 0})
    a, b = load_detector(tmp_path / "a.pt"), load_detector(tmp_path / "b.pt")
    c = load_detector(tmp_path / "b.pt", bonafide_index=1)
    assert [d.spec.polarity_source for d in (a, b, c)] == ["architecture", "record", "option"]
    assert torch.equal(a(WAVES), b(WAVES).flip(1))
    assert torch.equal(a(WAVES), c(WAVES))
    assert a.spec.hash() != b.spec.hash() != c.spec.hash()


def test_a_record_states_conventions(tmp_path: Path) -> None:
    record = {"arch": "tiny", "spec": {"n_samples": 16_000, "padding": "zero"}}
    write_checkpoint(tmp_path / "a.pt", build("tiny").state_dict(), record)
    spec = load_detector(tmp_path / "a.pt").spec
    assert (spec.n_samples, spec.padding, spec.polarity_source) == (16_000, "zero", "architecture")


@pytest.mark.parametrize(
    ("arch", "arguments"),
    [
        *itertools.product(
            ["tiny", "tiny-gru"],
            [{}, {"width": 8, "depth": 2, "norm": "group"}, {"norm": "none", "bands": 20}],
        ),
        ("tiny-attention", {}),
        ("tiny-attention", {"width": 6, "bands": 21, "model": 12, "heads": 3}),
    ],
)
def test_tiny_detectors(arch: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    network = build(arch, arguments)
    assert 500 < sum(p.numel() for p in network.parameters()) < 40_000
    write_checkpoint(tmp_path / "a.pt", network.state_dict(), {"arch": arch, "arch_args": arguments})
    loaded = load_detector(tmp_path / "a.pt", dtype="float64")
    assert loaded.dtype == torch.float64
    torch.testing.assert_close(loaded(WAVES.double()).float(), network.eval()(WAVES), atol=1e-4, rtol=1e-4)
    found = first_look(loaded, WAVES.double(), torch.zeros(len(WAVES), dtype=torch.long))
    assert found.live.dead == found.live.frozen == []
    for length in (4_000, 16_000, 64_000):
        assert loaded(torch.randn(2, length, dtype=torch.float64)).shape == (2, 2)


def test_attention_of_the_tiny_network_is_what_loops_over_frames_give() -> None:
    torch.manual_seed(0)
    network = TinyAttention(width=4, bands=16, model=6, heads=2).double()
    network.requires_grad_(False)
    frames = torch.randn(2, 5, 6, dtype=torch.float64)
    found = network._attend(frames)
    query, key, value = (network.query_key_value(frames)[..., 6 * i : 6 * i + 6] for i in range(3))
    for trial, frame in itertools.product(range(2), range(5)):
        heads = []
        for head in (slice(0, 3), slice(3, 6)):
            sizes = [
                math.exp(float(query[trial, frame, head] @ key[trial, k, head]) / 3**0.5) for k in range(5)
            ]
            heads.append(sum(s / sum(sizes) * value[trial, k, head] for k, s in enumerate(sizes)))
        torch.testing.assert_close(found[trial, frame], network.mix(torch.cat(heads)))
    with pytest.raises(UsageError, match="heads is 4 and model 6"):
        TinyAttention(model=6, heads=4)


def test_users_own_networks(tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(model_file.parent))
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    torch.save({"state_dict": namespace["Tiny"](seed=3).state_dict()}, tmp_path / "a.pt")
    by_file = load_detector(tmp_path / "a.pt", model=f"{model_file}:Tiny")
    by_module = load_detector(tmp_path / "a.pt", model=f"{model_file.stem}:Tiny", model_args={"width": 4})
    assert torch.equal(by_file(WAVES), by_module(WAVES))
    assert by_file.spec.polarity_source == "default"
    assert "bona fide assumed at index 1" in by_file.spec.assumptions
    for model, word in (
        (f"{model_file}:Tine", "has no 'Tine'"),
        ("nowhere.py:Tiny", "does not exist"),
        ("no_such_module:Tiny", "cannot import"),
        ("Tiny", "write package.module:factory"),
        (f"{model_file}:torch", "could not be built"),
    ):
        with pytest.raises(UsageError, match=word):
            load_detector(tmp_path / "a.pt", model=model)
    with pytest.raises(UsageError, match="could not be built"):
        load_detector(tmp_path / "a.pt", model=f"{model_file}:Tiny", model_args={"depth": 3})
    with pytest.raises(UsageError, match=r"first\.weight is \(4, 1, 33\) where"):
        load_detector(tmp_path / "a.pt", model=f"{model_file}:Tiny", model_args={"width": 8})


def test_a_users_network_declares_its_conventions_and_brings_its_loss(tmp_path: Path) -> None:
    code = """
import torch
from torch import nn

class Mine(nn.Module):
    sharpscope_spec = {"n_samples": 8000, "outputs": "logit1", "bonafide_index": 0, "loss_name": "squared"}

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(1, 1)

    def forward(self, waves):
        return self.out(waves.std(dim=1, keepdim=True))

    def trial_losses(self, logits, labels):
        return (logits[:, 1] - logits[:, 0] - labels) ** 2
"""
    (tmp_path / "mine.py").write_text(code)
    torch.save({"out.weight": torch.ones(1, 1), "out.bias": torch.zeros(1)}, tmp_path / "a.pt")
    loaded = load_detector(tmp_path / "a.pt", model=f"{tmp_path}/mine.py:Mine")
    assert loaded.spec.polarity_source == "declared"
    assert loaded.spec.assumptions == ()
    torch.testing.assert_close(loaded(WAVES)[:, 0], WAVES.std(dim=1))
    assert loaded.own_loss is not None
    assert loaded.own_loss(loaded(WAVES), torch.ones(3)).shape == (3,)
    (tmp_path / "mine.py").write_text(code.replace('"n_samples"', '"samples"'))
    with pytest.raises(UsageError, match="unknown convention 'samples'"):
        load_detector(tmp_path / "a.pt", model=f"{tmp_path}/mine.py:Mine")


def test_missing_tensors_are_accepted_only_when_dead(tmp_path: Path, model_file: Path) -> None:
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    weights = namespace["Tiny"]().state_dict()
    without_spare = {name: t for name, t in weights.items() if not name.startswith("spare.")}
    torch.save(without_spare, tmp_path / "a.pt")
    loaded = load_detector(tmp_path / "a.pt", model=f"{model_file}:Tiny")
    assert any("proved unused" in line for line in loaded.decisions)
    torch.save({name: t for name, t in weights.items() if name != "second.bias"}, tmp_path / "b.pt")
    with pytest.raises(UsageError, match=r"second\.bias"):
        load_detector(tmp_path / "b.pt", model=f"{model_file}:Tiny")
    torch.save({name: t for name, t in weights.items() if name != "norm.running_mean"}, tmp_path / "c.pt")
    with pytest.raises(UsageError, match="running_mean"):
        load_detector(tmp_path / "c.pt", model=f"{model_file}:Tiny")


def test_torchscript_opens_only_when_asked(tmp_path: Path) -> None:
    network = build("tiny").eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(network, WAVES), tmp_path / "a.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(UsageError, match="pass --arch torchscript"):
        load_detector(tmp_path / "a.pt")
    loaded = load_detector(tmp_path / "a.pt", arch="torchscript", bonafide_index=1)
    torch.testing.assert_close(loaded(WAVES), network(WAVES))
    look = first_look(loaded, WAVES, torch.zeros(len(WAVES), dtype=torch.long))
    assert look.live.count == sum(p.numel() for p in network.parameters())
    assert look.live_share == 1.0
    torch.save(network.state_dict(), tmp_path / "b.pt")
    with pytest.raises(UsageError, match="not a readable TorchScript"):
        load_detector(tmp_path / "b.pt", arch="torchscript")


class Faulty(nn.Module):
    """A sound network with one fault."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        self.fault = fault
        self.body = nn.Linear(8, 2)
        self.spare = nn.Linear(2, 2)
        self.fixed = nn.Parameter(torch.ones(1), requires_grad=False)
        self.cached = self.body.weight.detach().clone()

    def forward(self, waves: Tensor) -> Tensor:
        parts = waves.unflatten(1, (8, -1)).std(dim=2)  # (B, 8)
        if self.fault == "train":
            self.body.train()
        if self.fault == "random":
            parts = parts + torch.rand(()) * 0.1
        if self.fault == "batch":
            parts = parts - parts.mean(dim=0)
        if self.fault == "cached":
            return nn.functional.linear(parts, self.cached) + 0 * self.body(parts)
        out: Tensor = self.body(parts) * self.fixed
        if self.fault == "nan":
            out = out / 0
        return out.detach() if self.fault == "detached" else out


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("train", "train mode"),
        ("random", "run again"),
        ("batch", "alone and in a batch"),
        ("nan", "not finite"),
        ("detached", "no gradient"),
        ("cached", "changed no logit"),
    ],
)
def test_preflight_names_the_fault(fault: str, word: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(SharpscopeError, match=word):
        first_look(detector(Faulty(fault)), WAVES, torch.zeros(len(WAVES), dtype=torch.long))


def test_preflight_counts_live_dead_and_frozen_and_leaves_the_weights() -> None:
    torch.manual_seed(0)
    network = Faulty()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    found = first_look(detector(network), WAVES, torch.zeros(len(WAVES), dtype=torch.long))
    assert found.live.count == 18
    assert found.live_share == 18 / 25
    assert found.live.dead == ["spare.weight", "spare.bias"]
    assert found.live.frozen == ["fixed"]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_recurrent_layers_run_without_cudnn_also_after_an_error() -> None:
    seen: list[bool] = []

    class Watched(nn.GRU):
        def forward(self, *inputs: Any) -> Any:
            seen.append(torch.backends.cudnn.enabled)
            return super().forward(*inputs)

    network = nn.Sequential(Watched(4, 4))
    before = torch.backends.cudnn.enabled
    with plain_recurrence():
        network(torch.ones(1, 2, 4))
        with pytest.raises(RuntimeError):
            network(torch.ones(1, 2, 5))
        assert torch.backends.cudnn.enabled == before
    assert seen == [False, False]
    assert torch.backends.cudnn.enabled == before


def test_unknown_places_and_types(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "a.pt", build("tiny").state_dict(), {"arch": "tiny"})
    with pytest.raises(UsageError, match="cannot be put on"):
        load_detector(tmp_path / "a.pt", device="cuda:99")
    with pytest.raises(UsageError, match="dtype is 'float16'"):
        load_detector(tmp_path / "a.pt", dtype="float16")
    with pytest.raises(UsageError, match="did you mean 'tiny'"):
        load_detector(tmp_path / "a.pt", arch="tiy")
    with pytest.raises(UsageError, match="did you mean"):
        build("aasistt")


def test_an_unknown_network_gets_a_model_file_that_runs(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2, 3), "bias": torch.zeros(2)}, tmp_path / "a.pt")
    with pytest.raises(UsageError, match=r"save the following as my_model\.py") as caught:
        load_detector(tmp_path / "a.pt")
    stub = str(caught.value).split("\n\n", 1)[1]
    # The stub derives from the network, whose names a bare file has; it no longer puts a level of its own before them.
    stub = stub.replace("from model import Model as Network", "from torch.nn import Linear as Network")
    stub = stub.replace("forward(waves)", "forward(waves[:, :3])")
    (tmp_path / "my_model.py").write_text(stub)
    arguments = {"in_features": 3, "out_features": 2}
    loaded = load_detector(tmp_path / "a.pt", model=f"{tmp_path}/my_model.py:Mine", model_args=arguments)
    assert loaded(WAVES).shape == (3, 2)


def test_every_architecture_is_documented_and_the_page_is_current() -> None:
    assert all(entry.spec.arch == name for name, entry in ARCHITECTURES.items())
    assert all(dataclasses.is_dataclass(entry.spec) and entry.reference for entry in ARCHITECTURES.values())
    if not PAGE.is_file():
        pytest.skip("installed without the docs")
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m sharpscope.detectors.table"


def test_the_example_in_the_docs_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = (
        Path(__file__).resolve().parents[2] / "sharpscope" / "examples" / "bring_your_detector" / "run.py"
    )
    runpy.run_path(str(example), run_name="__main__")
    out = capsys.readouterr().out
    assert "network from --model" in out
    assert "user:MyDetector" in out
