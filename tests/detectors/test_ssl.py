"""Self-supervised detectors: small random models in every published key layout, read back to equal outputs."""

import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

if importlib.util.find_spec("transformers") is None:
    pytest.skip("the extra ssl is not installed", allow_module_level=True)

from sharpscope.detectors import Detector, build, load_detector
from sharpscope.detectors.architectures.conformer import ChannelTokenAttention, RelativeAttention
from sharpscope.detectors.architectures.mamba import MambaHead, Mixer
from sharpscope.detectors.architectures.ssl import build_frontend, import_transformers, split_frontend
from sharpscope.detectors.hugging_face import polarity_of
from sharpscope.errors import UsageError
from sharpscope.measurement.first_look import first_look

WAVES = 0.1 * torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0))
KERNELS = [10, 3, 3, 3, 3, 2, 2]
SMALL = {
    "num_hidden_layers": 2,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "conv_kernel": KERNELS,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
LARGE = {"conv_bias": True, "feat_extract_norm": "layer", "do_stable_layer_norm": True}
BASE = {"conv_bias": False, "feat_extract_norm": "group", "do_stable_layer_norm": False}
SIZES: dict[str, dict[str, Any]] = {
    "large": {**SMALL, **LARGE, "hidden_size": 128, "num_attention_heads": 2},
    "base": {**SMALL, **BASE, "hidden_size": 128, "num_attention_heads": 2},
    "hubert": {**SMALL, **LARGE, "kind": "hubert", "hidden_size": 128, "num_attention_heads": 2},
    "wavlm": {**SMALL, **LARGE, "kind": "wavlm", "hidden_size": 64, "num_attention_heads": 4},
    "wavlm base": {**SMALL, **BASE, "kind": "wavlm", "hidden_size": 64, "num_attention_heads": 4},
}


def fairseq_name(name: str) -> str:
    """The name that fairseq gives to a tensor of transformers."""
    if match := re.fullmatch(
        r"feature_extractor\.conv_layers\.(\d+)\.(conv|layer_norm)\.(weight|bias)", name
    ):
        index, kind, leaf = match.groups()
        return f"feature_extractor.conv_layers.{index}." + (f"0.{leaf}" if kind == "conv" else f"NORM.{leaf}")
    fixed = {
        "feature_projection.layer_norm.": "layer_norm.",
        "feature_projection.projection.": "post_extract_proj.",
        "encoder.pos_conv_embed.conv.parametrizations.weight.original0": "encoder.pos_conv.0.weight_g",
        "encoder.pos_conv_embed.conv.parametrizations.weight.original1": "encoder.pos_conv.0.weight_v",
        "encoder.pos_conv_embed.conv.": "encoder.pos_conv.0.",
    }
    for ours, theirs in fixed.items():
        if name.startswith(ours):
            return name.replace(ours, theirs)
    if match := re.fullmatch(r"encoder\.layers\.(\d+)\.(.*)", name):
        inner = match[2]
        if inner.startswith("layer_norm."):
            inner = f"self_attn_{inner}"
        for ours, theirs in (
            ("attention.gru_rel_pos_linear", "self_attn.grep_linear"),
            ("attention.gru_rel_pos_const", "self_attn.grep_a"),
            ("attention.rel_attn_embed", "self_attn.relative_attention_bias"),
            ("attention.", "self_attn."),
            ("feed_forward.intermediate_dense", "fc1"),
            ("feed_forward.output_dense", "fc2"),
        ):
            if inner.startswith(ours):
                inner = inner.replace(ours, theirs, 1)
                break
        return f"encoder.layers.{match[1]}.{inner}"
    return name


def fairseq(state: dict[str, Tensor], prefix: str = "ssl_model.model.") -> dict[str, Tensor]:
    """A front-end as fairseq's detectors store it, with what only pre-training uses."""
    layered = "feature_extractor.conv_layers.1.layer_norm.weight" in state
    out = {}
    for name, tensor in state.items():
        out[prefix + fairseq_name(name).replace("NORM", "2.1" if layered else "2")] = tensor
    spare = ("mask_emb", "quantizer.vars", "project_q.weight", "final_proj.bias", "label_embs_concat")
    return {**out, **{f"{prefix}{name}": torch.ones(2) for name in spare}}


def heads(state: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def tak(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """SSL_Anti-spoofing: blocks inside blocks, a dead batch norm in each but the first."""
    out = {re.sub(r"^(encoder\.\d)\.", r"\1.0.", name): tensor for name, tensor in state.items()}
    return {**out, "encoder.1.0.bn1.weight": torch.ones(32)}


def sam(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """SAM-AntiSpoofing: the same under ``aasist.``, but for the linear layer."""
    return {
        name if name.startswith("LL.") else f"aasist.{name}": tensor for name, tensor in tak(state).items()
    }


def nes2net(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return heads(state, "Nested_Res2Net_TDNN.")


CONFORMER = {"inner": 24, "heads": 3, "blocks": 2, "hidden": 40, "channels": 32, "kernel": 7}

CASES: list[tuple[str, str, dict[str, Any], Callable[[dict[str, Tensor]], dict[str, Tensor]]]] = [
    *[("ssl-linear", size, {"hidden": 16}, heads) for size in SIZES],
    ("ssl-aasist", "large", {}, tak),
    ("ssl-aasist", "base", {}, sam),
    ("ssl-aasist", "wavlm", {}, tak),
    ("ssl-sls", "large", {"flat": 16 * 42, "hidden": 8}, heads),
    ("ssl-nes2net", "large", {"groups": 4, "inner": 16}, nes2net),
    ("ssl-nes2net", "large", {"groups": 4, "inner": 4, "attention": True}, nes2net),
    ("antideepfake", "large", {}, heads),
    ("ssl-conformer", "large", {**CONFORMER, "positions": 20}, heads),
    ("ssl-conformer-tcm", "base", {**CONFORMER, "positions": 60}, heads),
    ("ssl-conformer-tcm", "large", {**CONFORMER, "positions": 60, "bias": True, "kernel": 4}, heads),
    ("ssl-mamba", "large", {"inner": 24, "layers": 3, "state": 5}, heads),
]


def random_detector(arch: str, size: str, head: dict[str, Any]) -> nn.Module:
    torch.manual_seed(0)
    network = build(arch, {**SIZES[size], "head_arguments": head})
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, 0, 0.1)
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("case", range(len(CASES)))
def test_published_layouts_are_read_back_to_equal_outputs(case: int, tmp_path: Path) -> None:
    arch, size, head, layout = CASES[case]
    network = random_detector(arch, size, head)
    state = network.state_dict()
    parts = {
        p: {n.removeprefix(p): t for n, t in state.items() if n.startswith(p)} for p in ("frontend.", "head.")
    }
    prefix = "m_ssl.model." if arch == "antideepfake" else "ssl_model.model."
    published = {**fairseq(parts["frontend."], prefix), **layout(parts["head."])}
    path = tmp_path / "c.safetensors"
    if arch == "antideepfake":
        save_file(published, path)
    else:
        path = tmp_path / "c.pth"
        torch.save({f"module.{name}": tensor for name, tensor in published.items()}, path)
    loaded = load_detector(path)
    assert loaded.spec.arch == arch
    with torch.no_grad():
        expected = Detector(network, loaded.spec, path, "")(WAVES)
        torch.testing.assert_close(loaded(WAVES), expected, atol=1e-6, rtol=1e-5)
    assert bool(torch.isfinite(expected).all())
    if arch in ("ssl-linear", "ssl-sls"):
        found = first_look(loaded, WAVES, torch.zeros(len(WAVES), dtype=torch.long)).live
        # SLS reads the layers before the norm that follows the last one, which so is dead.
        last = ["frontend.encoder.layer_norm.weight", "frontend.encoder.layer_norm.bias"]
        assert found.dead == (last if arch == "ssl-sls" else [])


def test_the_linear_head_by_hand() -> None:
    network = random_detector("ssl-linear", "large", {"hidden": 16})
    with torch.no_grad():
        mean = network.get_submodule("frontend")(WAVES).last_hidden_state.mean(dim=1)
        s = network.state_dict()
        hidden = (mean @ s["head.output_layer.0.weight"].T + s["head.output_layer.0.bias"]).relu()
        logits = hidden @ s["head.output_layer.3.weight"].T + s["head.output_layer.3.bias"]
        torch.testing.assert_close(network(WAVES), logits)


def test_the_recurrence_of_mamba_is_that_of_transformers() -> None:
    transformers = import_transformers()
    theirs_module = importlib.import_module("transformers.models.mamba.modeling_mamba")
    settings = transformers.MambaConfig(
        hidden_size=12, state_size=4, intermediate_size=24, time_step_rank=3, conv_kernel=4, use_mambapy=False
    )
    torch.manual_seed(0)
    theirs = theirs_module.MambaMixer(settings, layer_idx=0).eval()
    ours = Mixer(12, 24, state=4, rank=3)
    ours.load_state_dict(theirs.state_dict())
    tokens = torch.randn(2, 9, 12)
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens), atol=1e-6, rtol=1e-5)


def test_the_last_mixers_of_mamba_are_dead_as_published() -> None:
    network = MambaHead(8, inner=16, layers=2)
    network(torch.randn(2, 7, 8)).sum().backward()
    dead = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert dead == {
        name
        for name, _ in network.named_parameters()
        if name.startswith(("conformer.forward_layers.1.", "conformer.backward_layers.1."))
    }


def test_relative_attention_against_a_loop() -> None:
    torch.manual_seed(0)
    layer, x = RelativeAttention(6, heads=2, positions=2), torch.randn(1, 5, 6)
    q, (k, v) = layer.to_q(x)[0], layer.to_kv(x)[0].chunk(2, dim=1)
    out = torch.zeros(5, 6)
    for head in (slice(0, 3), slice(3, 6)):
        for i in range(5):
            keys = [k[j, head] + layer.rel_pos_emb.weight[max(-2, min(2, i - j)) + 2] for j in range(5)]
            weights = torch.stack([q[i, head] @ key for key in keys]).div(3**0.5).softmax(dim=0)
            out[i, head] = weights @ v[:, head]
    torch.testing.assert_close(layer(x)[0], layer.to_out(out))


def test_channel_tokens_are_made_of_the_mean_of_each_heads_channels() -> None:
    torch.manual_seed(0)
    layer, x = ChannelTokenAttention(6, heads=2), torch.randn(1, 5, 6)
    with torch.no_grad():
        layer.pos_embed.normal_()
        tokens = []
        for head in range(2):
            made = layer.ht_proj(x[0, :, 3 * head : 3 * head + 3].mean(dim=0))
            parts = [functional.gelu(layer.ht_norm(part)) for part in made.chunk(2)]
            tokens.append(torch.cat(parts) + layer.pos_embed[0, head])
        every = torch.cat([x[0], torch.stack(tokens)])
        q, k, v = layer.qkv(every).chunk(3, dim=1)
        mixed = [(q[:, h] @ k[:, h].T / 3**0.5).softmax(dim=1) @ v[:, h] for h in (slice(0, 3), slice(3, 6))]
        out = layer.proj(torch.cat(mixed, dim=1))
        expected = torch.cat([out[:1] + out[5:].mean(dim=0) + out[1:5].mean(dim=0), out[1:5]])
        torch.testing.assert_close(layer(x)[0], expected)


def test_names_of_transformers_inside_a_detector_and_missing_numbers_are_told(tmp_path: Path) -> None:
    network = random_detector("antideepfake", "large", {})
    state = network.state_dict()
    published = {re.sub(r"^frontend\.", "m_ssl.model.", n).removeprefix("head."): t for n, t in state.items()}
    torch.save(published, tmp_path / "full_model.pt")
    loaded = load_detector(tmp_path / "full_model.pt")
    assert (loaded.spec.normalisation, loaded.spec.n_samples) == ("layer_norm", None)
    assert any("attention heads" in line for line in loaded.spec.assumptions)
    more = load_detector(tmp_path / "full_model.pt", model_args={"num_attention_heads": 4})
    with torch.no_grad():
        assert not torch.allclose(loaded(WAVES), more(WAVES))


def test_an_unknown_head_on_a_known_front_end(tmp_path: Path) -> None:
    frontend = build_frontend(**SIZES["large"]).state_dict()
    torch.save({**fairseq(frontend), "conformer.fc5.weight": torch.ones(2, 8)}, tmp_path / "c.pth")
    with pytest.raises(UsageError, match="whose head is not known here"):
        load_detector(tmp_path / "c.pth")
    assert split_frontend({"a": torch.ones(1)})[0] == {}
    with pytest.raises(UsageError, match="kind is 'wavlmm'"):
        build_frontend("wavlmm")


def folder(path: Path, labels: dict[int, str]) -> nn.Module:
    """A small classifier of transformers, saved as its own `save_pretrained` does."""
    transformers = import_transformers()
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        **{k: v for k, v in SIZES["large"].items() if k != "kind"},
        conv_stride=[5, 2, 2, 2, 2, 2, 2],
        classifier_proj_size=8,
        id2label=labels,
        label2id={name: index for index, name in labels.items()},
        mask_time_prob=0.05,
    )
    network: nn.Module = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    network.save_pretrained(path)  # type: ignore[operator]
    (path / "preprocessor_config.json").write_text(
        json.dumps({"do_normalize": True, "sampling_rate": 16_000})
    )
    return network


def test_hugging_face_folders(tmp_path: Path) -> None:
    for index, labels in enumerate(({0: "real", 1: "fake"}, {0: "spoof", 1: "bonafide"})):
        network = folder(tmp_path / str(index), labels)
        loaded = load_detector(tmp_path / str(index))
        assert (loaded.spec.bonafide_index, loaded.spec.polarity_source) == (index, "labels")
        normal = (WAVES - WAVES.mean(dim=1, keepdim=True)) / WAVES.std(dim=1, unbiased=False, keepdim=True)
        with torch.no_grad():
            logits = network(normal).logits
            expected = logits if index == 1 else logits.flip(1)
            torch.testing.assert_close(loaded(WAVES), expected, atol=1e-4, rtol=1e-4)


def test_hugging_face_folders_that_stop(tmp_path: Path) -> None:
    folder(tmp_path, {0: "LABEL_0", 1: "LABEL_1"})
    with pytest.raises(UsageError, match="do not say which is bona fide"):
        load_detector(tmp_path)
    assert load_detector(tmp_path, bonafide_index=0).spec.polarity_source == "option"
    config = json.loads((tmp_path / "config.json").read_text())
    for change, word in (
        ({"auto_map": {"AutoModel": "evil.Net"}}, "code of its own"),
        ({"model_type": "audio-spectrogram-transformer"}, "over raw audio"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "3 classes"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(UsageError, match=word):
            load_detector(tmp_path, bonafide_index=1)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="not readable as JSON"):
        load_detector(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"neither model\.safetensors"):
        load_detector(tmp_path)


@pytest.mark.parametrize(
    ("labels", "index"),
    [
        ({"0": "real", "1": "fake"}, 0),
        ({"0": "Spoof", "1": "Bonafide"}, 1),
        ({"0": "AI generated", "1": "human"}, 1),
        ({"0": "LABEL_0", "1": "LABEL_1"}, None),
        ({"0": "real", "1": "genuine"}, None),
        ({"0": "fake", "1": "real", "2": "x"}, None),
    ],
)
def test_polarity_from_labels(labels: dict[str, str], index: int | None) -> None:
    assert polarity_of(labels) == index
