"""Self-supervised front-ends (wav2vec 2.0, XLS-R, HuBERT, WavLM) from the key layouts of fairseq and transformers.

Baevski et al. (2020), "wav2vec 2.0"; Hsu et al. (2021), "HuBERT"; Babu et al. (2022), "XLS-R"; Chen et al.
(2022), "WavLM". Detectors of this field store the whole front-end in their checkpoint, under fairseq's names;
the network itself is the one of `transformers`, so fairseq is not needed.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.errors import UsageError

# Where toolkits keep the front-end inside their detector.
PREFIXES = ("ssl_model.model.", "m_ssl.model.", "frontend.model.", "ssl_model.", "m_ssl.", "frontend.")
# Only pre-training uses these.
UNUSED = re.compile(
    r"(mask_emb|masked_spec_embed|label_embs_concat)$"
    r"|(quantizer|input_quantizer|project_q|project_hid|final_proj|target_glu|project_inp)\."
)
NORM = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
FAIRSEQ = (
    (r"^feature_extractor\.conv_layers\.(\d+)\.0\.", r"feature_extractor.conv_layers.\1.conv."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.2\.(?:1\.)?", r"feature_extractor.conv_layers.\1.layer_norm."),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
    (r"^encoder\.pos_conv_embed\.conv\.weight_g$", f"{NORM}0"),
    (r"^encoder\.pos_conv_embed\.conv\.weight_v$", f"{NORM}1"),
    (r"^(encoder\.layers\.\d+\.)self_attn_layer_norm\.", r"\1layer_norm."),
    (r"^(encoder\.layers\.\d+\.)self_attn\.grep_linear\.", r"\1attention.gru_rel_pos_linear."),
    (r"^(encoder\.layers\.\d+\.)self_attn\.grep_a$", r"\1attention.gru_rel_pos_const"),
    (r"^(encoder\.layers\.\d+\.)self_attn\.relative_attention_bias\.", r"\1attention.rel_attn_embed."),
    (r"^(encoder\.layers\.\d+\.)self_attn\.", r"\1attention."),
    (r"^(encoder\.layers\.\d+\.)fc1\.", r"\1feed_forward.intermediate_dense."),
    (r"^(encoder\.layers\.\d+\.)fc2\.", r"\1feed_forward.output_dense."),
)
# Strides of every published front-end: 20 ms frames.
STRIDES = (5, 2, 2, 2, 2, 2, 2)
# Attention heads by width, for the published sizes; a state dict does not tell them.
HEADS = {768: 12, 1024: 16, 1280: 16, 1920: 16}
ASSUMED = (
    "attention heads, strides and the place of the layer norms assumed from the sizes (not in the weights)",
    "bona fide assumed at index 1",
)
# A record of the trainer has every argument of the front-end.
ANSWERED = ("num_attention_heads", ASSUMED[0])


def import_transformers() -> Any:
    """Import transformers, also beside a torchvision that does not fit the installed torch.

    Returns:
        The module.

    Raises:
        UsageError: If it is not installed.
    """
    if "torchvision" not in sys.modules:
        try:
            importlib.import_module("torchvision")
        except Exception:  # a torchvision built for another torch raises RuntimeError
            # transformers would fail on it although nothing here needs images.
            sys.modules["torchvision"] = None  # type: ignore[assignment]
    try:
        import transformers
    except ImportError as error:
        raise UsageError(
            "this detector has a self-supervised front-end, which needs transformers: pip install 'sharpscope[ssl]'"
        ) from error
    return transformers


def split_frontend(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Separate the front-end, under the names of transformers, from the rest of a detector.

    Args:
        state: Tensors by published name.

    Returns:
        The front-end's tensors, what only pre-training uses left out, and all others; the first is empty when
        there is no front-end.

    Example:
        >>> import torch
        >>> state = {"ssl_model.model.post_extract_proj.bias": torch.ones(1), "LL.bias": torch.ones(1)}
        >>> [list(part) for part in split_frontend(state)]
        [['feature_projection.projection.bias'], ['LL.bias']]
    """
    prefix = next((p for p in PREFIXES if any(f"{p}encoder.layers.0." in name for name in state)), None)
    if prefix is None and any(name.startswith("ssl_model.model.post_extract_proj.") for name in state):
        prefix = PREFIXES[0]
    if prefix is None:
        return {}, dict(state)
    frontend, rest = {}, {}
    for name, tensor in state.items():
        if not name.startswith(prefix):
            rest[name] = tensor
            continue
        inner = name.removeprefix(prefix)
        if UNUSED.match(inner):
            continue
        for pattern, replacement in FAIRSEQ:
            inner = re.sub(pattern, replacement, inner)
        frontend[inner] = tensor
    return frontend, rest


def frontend_arguments(frontend: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Tell the sizes of a front-end from its tensors.

    Args:
        frontend: Tensors under the names of transformers.

    Returns:
        Arguments of `build_frontend`, or None when it is no such front-end.
    """
    convolutions = sorted(
        int(match[1])
        for name in frontend
        if (match := re.fullmatch(r"feature_extractor\.conv_layers\.(\d+)\.conv\.weight", name))
    )
    layers = {int(match[1]) for name in frontend if (match := re.match(r"encoder\.layers\.(\d+)\.", name))}
    needed = ("feature_projection.projection.weight", f"{NORM}1", "encoder.layer_norm.weight")
    if not convolutions or not layers or any(name not in frontend for name in needed):
        return None
    weights = [frontend[f"feature_extractor.conv_layers.{index}.conv.weight"] for index in convolutions]
    position = frontend[f"{NORM}1"]
    dense = frontend.get("encoder.layers.0.feed_forward.intermediate_dense.weight")
    if dense is None or position.dim() != 3 or any(weight.dim() != 3 for weight in weights):
        return None
    relative = frontend.get("encoder.layers.0.attention.rel_attn_embed.weight")
    width = len(frontend["encoder.layer_norm.weight"])
    layer_norm = "feature_extractor.conv_layers.1.layer_norm.weight" in frontend
    heads = relative.shape[1] if relative is not None else HEADS.get(width, max(width // 64, 1))
    return {
        "kind": "wavlm" if relative is not None else "wav2vec2",
        "hidden_size": width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": heads,
        "intermediate_size": len(dense),
        "conv_dim": [len(weight) for weight in weights],
        "conv_kernel": [weight.shape[2] for weight in weights],
        "conv_bias": "feature_extractor.conv_layers.0.conv.bias" in frontend,
        "feat_extract_norm": "layer" if layer_norm else "group",
        # Published models put the norms of the transformer first exactly where every convolution has one.
        "do_stable_layer_norm": layer_norm,
        "num_conv_pos_embeddings": position.shape[2],
        "num_conv_pos_embedding_groups": width // max(position.shape[1], 1),
    }


def build_frontend(kind: str = "wav2vec2", **config: Any) -> nn.Module:
    """Build a front-end with fresh weights.

    Args:
        kind: "wav2vec2" (XLS-R and HuBERT are the same network), "hubert" or "wavlm".
        **config: Fields of the configuration of transformers; its defaults are the Base size.

    Returns:
        The network; dropout, masking and layer drop are off.

    Raises:
        UsageError: If the kind is unknown or transformers is not installed.
    """
    transformers = import_transformers()
    classes = {
        "wav2vec2": (transformers.Wav2Vec2Config, "Wav2Vec2Model"),
        "hubert": (transformers.HubertConfig, "HubertModel"),
        "wavlm": (transformers.WavLMConfig, "WavLMModel"),
    }
    if kind not in classes:
        raise UsageError(f"front-end kind is '{kind}'; it must be one of {', '.join(classes)}")
    configuration, network = classes[kind]
    kernels = config.get("conv_kernel")
    if kernels is not None:
        config.setdefault("conv_stride", [*STRIDES, *[2] * len(kernels)][: len(kernels)])
    fixed = {"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "layerdrop": 0.0, "apply_spec_augment": False}
    # Eager attention has one kernel with and without a graph, and second derivatives.
    settings = configuration(**fixed, **config)
    settings._attn_implementation = "eager"
    built: nn.Module = getattr(transformers, network)(settings)
    return built


class SslDetector(nn.Module):
    """A front-end and a head.

    Args:
        head: Maps the last layer's features (B, frames, D), or with ``all_layers`` those of every layer
            (B, layers, frames, D), to scores.
        all_layers: Which of the two.
        **frontend: Arguments of `build_frontend`.
    """

    def __init__(self, head: nn.Module, all_layers: bool = False, **frontend: Any) -> None:
        super().__init__()
        self.frontend = build_frontend(**frontend)
        self.head = head
        self.all_layers = all_layers

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to scores (B, 2)."""
        features = self._every_layer(waves) if self.all_layers else self.frontend(waves).last_hidden_state
        scores: Tensor = self.head(features)
        return scores

    def _every_layer(self, waves: Tensor) -> Tensor:
        """Return what each transformer layer gives, before the norm that follows the last one."""
        outputs: list[Tensor] = []

        def keep(_: nn.Module, __: Any, output: Any) -> None:
            outputs.append(output if isinstance(output, Tensor) else output[0])

        layers = self.frontend.get_submodule("encoder.layers").children()
        handles = [layer.register_forward_hook(keep) for layer in layers]
        try:
            self.frontend(waves)
        finally:
            for handle in handles:
                handle.remove()
        return torch.stack(outputs, dim=1)
