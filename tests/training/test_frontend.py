"""Self-supervised front-ends: dropout by place, scaled gradients, rates by layer, checkpointing."""

import copy
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from sharpscope.detectors import build, load_detector
from sharpscope.detectors.reading import read_checkpoint, write_checkpoint
from sharpscope.devices import Share
from sharpscope.errors import UsageError
from sharpscope.training.frontend import AUTHORS, parameter_groups, prepare
from sharpscope.training.optimizer import make_optimizer
from sharpscope.training.recipe import Recipe, read_recipe
from sharpscope.training.run import Training
from sharpscope.training.start import start
from sharpscope.training.train import train

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
         "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}  # fmt: skip
LARGE = {**SMALL, "do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)


def made(sizes: dict[str, Any] = SMALL, arch: str = "ssl-linear", **frontend: Any) -> tuple[Recipe, Any]:
    recipe = Recipe({"model": {"arch": arch, "args": sizes}, "frontend": frontend})
    torch.manual_seed(0)
    return recipe, build(arch, sizes)


def dropouts(network: Any) -> dict[str, float]:
    layer = network.frontend.encoder.layers[1]
    return {
        "dropout": layer.dropout.p,
        "attention_dropout": layer.attention.dropout,
        "activation_dropout": layer.feed_forward.intermediate_dropout.p,
        "input_dropout": network.frontend.feature_projection.dropout.p,
    }


@pytest.mark.parametrize(
    ("kind", "sizes"), [("base", SMALL), ("large", LARGE), ("base", {**SMALL, "kind": "wavlm"})]
)
def test_dropouts_are_the_authors_unless_the_recipe_says(kind: str, sizes: dict[str, Any]) -> None:
    recipe, network = made(sizes)
    values = prepare(recipe, network)
    expected = AUTHORS[kind]
    assert dropouts(network) == {name: expected[name] for name in dropouts(network)}
    assert network.frontend.encoder.layers[0].feed_forward.output_dropout.p == expected["dropout"]
    assert network.frontend.encoder.dropout.p == expected["dropout"]
    assert (values["grad_mult"], values["layerdrop"]) == (expected["grad_mult"], 0.0)
    own = {"dropout": 0.2, "attention_dropout": 0.3, "activation_dropout": 0.4, "input_dropout": 0.0}
    recipe, network = made(sizes, **own)
    prepare(recipe, network)
    assert dropouts(network) == own


def gradients(network: Any, seed: int = 0) -> dict[str, torch.Tensor]:
    waves = torch.randn(2, 4000, generator=torch.Generator().manual_seed(1))
    network.train()
    torch.manual_seed(seed)
    network(waves)[:, 0].sum().backward()
    found = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    return found


def test_the_gradient_of_the_convolutions_is_multiplied_and_nothing_else() -> None:
    plain_recipe, plain = made(grad_mult=1.0, dropout=0.0, attention_dropout=0.0, input_dropout=0.0)
    recipe, scaled = made(grad_mult=0.1, dropout=0.0, attention_dropout=0.0, input_dropout=0.0)
    prepare(plain_recipe, plain)
    prepare(recipe, scaled)
    for (name, one), other in zip(gradients(plain).items(), gradients(scaled).values(), strict=True):
        factor = 0.1 if name.startswith("frontend.feature_extractor") else 1.0
        torch.testing.assert_close(other, one * factor, rtol=1e-4, atol=1e-7)
    recipe, frozen = made(grad_mult=0.0)
    prepare(recipe, frozen)
    assert not any(name.startswith("frontend.feature_extractor") for name in gradients(frozen))


def test_checkpointing_gives_the_same_gradients_with_dropout() -> None:
    recipe, kept = made(dropout=0.3)
    prepare(recipe, kept)
    again = copy.deepcopy(kept)
    recipe, _ = made(dropout=0.3, checkpointing=True)
    prepare(recipe, again)
    calls: list[str] = []
    for name, network in (("kept", kept), ("again", again)):
        dense = network.frontend.encoder.layers[0].feed_forward
        dense.register_forward_hook(lambda *_, name=name: calls.append(name))
    one, other = gradients(kept), gradients(again)
    assert (calls.count("kept"), calls.count("again")) == (1, 2)
    # The copy's convolutions were prepared twice, so their gradient is scaled twice.
    for name in one:
        if not name.startswith("frontend.feature_extractor"):
            torch.testing.assert_close(other[name], one[name], rtol=1e-5, atol=1e-7)


def test_rates_fall_from_the_head_to_the_first_layer() -> None:
    recipe, network = made(lr_scale=0.1, layer_decay=0.5)
    groups = {
        name: group["scale"]
        for group in parameter_groups(recipe, network)
        for p in group["params"]
        for name, q in network.named_parameters()
        if p is q
    }
    assert len(groups) == len(list(network.parameters()))
    assert groups["frontend.encoder.layers.1.layer_norm.weight"] == pytest.approx(0.1)
    assert groups["frontend.encoder.layers.0.layer_norm.weight"] == pytest.approx(0.05)
    assert groups["frontend.feature_projection.projection.weight"] == pytest.approx(0.025)
    assert all(scale == 1 for name, scale in groups.items() if not name.startswith("frontend."))
    plain = make_optimizer(Recipe({}), nn.Linear(2, 2))
    assert [group["scale"] for group in plain.base.param_groups] == [1.0]


def test_what_cannot_be_is_refused() -> None:
    recipe, network = made(arch="ssl-sls", layerdrop=0.1)
    with pytest.raises(UsageError, match="every layer"):
        prepare(recipe, network)
    recipe = Recipe({"frontend": {"dropout": 0.1}})
    with pytest.raises(UsageError, match=r"frontend\.dropout is 0\.1, and tiny has no self-supervised"):
        prepare(recipe, build("tiny", {}))
    recipe, network = made(layerdrop=0.5)
    prepare(recipe, network)
    assert network.frontend.encoder.config.layerdrop == 0.5


@pytest.mark.parametrize("method", ["none", "sam", "friendly-sam", "looksam"])
def test_a_front_end_stays_as_it_is_in_the_first_steps_and_a_killed_run_ends_alike(
    method: str, tmp_path: Path, recipe_for: Callable[..., dict[str, Any]]
) -> None:
    """Five steps in two epochs: held for two of them, decay included; the third moves every part."""
    sections = recipe_for(
        model__arch="ssl-linear", model__args=SMALL, frontend__freeze_steps=2, frontend__grad_mult=1.0,
        optimizer__method=method, optimizer__base="adamw", optimizer__weight_decay=0.5, optimizer__k=2,
        schedule__batch_size=6, run__save_every=1,
    )  # fmt: skip
    run = Training(Recipe(sections), tmp_path / "run", Share())
    begin = {name: p.detach().clone() for name, p in run.network.named_parameters()}

    def moved() -> set[str]:
        return {name for name, p in run.network.named_parameters() if not torch.equal(p, begin[name])}

    own = np.arange(6)
    waves = next(run.loader.batches(0, [own]))
    for step in range(3):
        run._step(waves, own, own, 5)
        run.step += 1
        if step < 2:
            assert moved() == {name for name in begin if not name.startswith("frontend.")}
    assert {name.split(".")[1] for name in moved() if name.startswith("frontend.")} >= {
        "encoder", "feature_extractor", "feature_projection",
    }  # fmt: skip
    whole = train(Recipe(sections), out=tmp_path / "whole", show_progress=False)
    with pytest.raises(KeyboardInterrupt):
        _killed(Recipe(sections), tmp_path / "killed", after=1)
    again = train(Recipe(sections), out=tmp_path / "killed", show_progress=False)
    one, two = (read_checkpoint(report.folder / "last.pt").state for report in (whole, again))
    assert all(torch.equal(one[name], two[name]) for name in one)


def _killed(recipe: Recipe, folder: Path, after: int) -> None:
    run = Training(recipe, folder, Share())
    step = run._step

    def until(*args: Any) -> float:
        if run.step == after:
            raise KeyboardInterrupt
        return step(*args)

    run._step = until  # type: ignore[method-assign]
    run.run(show_progress=False)


def saved(folder: Path) -> nn.Module:
    """A wav2vec 2.0 of which the tensors do not tell heads, strides, activations, the place and the floor of norms."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(1)
    odd = {"conv_stride": [5, 2, 2, 2, 2, 2, 1], "hidden_act": "relu", "feat_extract_activation": "silu"}
    config = Wav2Vec2Config(**SMALL, **odd, do_stable_layer_norm=True, layer_norm_eps=1e-3)
    network: nn.Module = Wav2Vec2Model(config).eval()
    network.save_pretrained(folder)  # type: ignore[operator]
    return network


def linked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hub's cache: a snapshot of links to files that are named by their hashes and lie elsewhere."""
    cache = folder.parent / "hub" / "models--lab--small"
    (cache / "blobs").mkdir(parents=True)
    (cache / "snapshots" / "abc").mkdir(parents=True)
    for place, file in enumerate(sorted(folder.iterdir())):
        file.rename(cache / "blobs" / str(place))
        (cache / "snapshots" / "abc" / file.name).symlink_to(cache / "blobs" / str(place))
    monkeypatch.setenv("HF_HUB_CACHE", str(cache.parent))
    return str(cache / "snapshots" / "abc" / "model.safetensors")


@pytest.mark.parametrize("named", ["folder", "file", "hub", "file of the hub", "beside"])
def test_a_front_end_computes_what_its_configuration_says(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "small"
    original = saved(folder)
    name = {"file": str(folder / "model.safetensors"), "hub": "lab/small", "beside": "small"}.get(
        named, str(folder)
    )
    if "hub" in named:
        file = linked(folder, monkeypatch)
        name = file if named.startswith("file") else name
    (tmp_path / "recipe.toml").write_text(f'[model]\narch = "ssl-linear"\nfrontend = "{name}"\n')
    network = start(read_recipe(tmp_path / "recipe.toml")).eval()
    waves = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 4000)).astype(np.float32))
    with torch.no_grad():
        found = network.frontend(waves).last_hidden_state  # type: ignore[operator]
        assert found.shape == original(waves).last_hidden_state.shape
        torch.testing.assert_close(found, original(waves).last_hidden_state, rtol=1e-5, atol=1e-6)


def test_what_no_file_tells_is_asked_for(tmp_path: Path) -> None:
    saved(tmp_path)
    config = tmp_path / "config.json"
    recipe = Recipe({"model": {"arch": "ssl-linear", "frontend": str(tmp_path)}})
    text = config.read_text()
    for wrong, said in (
        (text.replace('"hidden_size": 32', '"hidden_size": 48'), "another model"),
        ("{", "read"),
    ):
        config.write_text(wrong)
        with pytest.raises(UsageError, match=said):
            start(copy.deepcopy(recipe))
    config.unlink()
    with pytest.raises(
        UsageError, match=r"attention heads; lay its config\.json beside it, or set num_attention"
    ):
        start(copy.deepcopy(recipe))
    recipe["model"]["args"] = {"num_attention_heads": 4}
    assert start(recipe).frontend.config.num_attention_heads == 4  # type: ignore[union-attr]


def test_what_a_record_tells_is_not_called_assumed(tmp_path: Path) -> None:
    _, network = made()
    write_checkpoint(tmp_path / "bare.pt", network.state_dict(), {})
    write_checkpoint(tmp_path / "told.pt", network.state_dict(), {"arch": "ssl-linear", "arch_args": SMALL})
    bare, told = (load_detector(tmp_path / name).spec.assumptions for name in ("bare.pt", "told.pt"))
    assert [line for line in bare if line.startswith("attention heads")]
    assert not [line for line in told if line.startswith("attention heads")]
