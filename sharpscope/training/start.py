"""The network at the start of a run: fresh, from a checkpoint, or with a pretrained front-end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sharpscope.detectors import ARCHITECTURES, build
from sharpscope.detectors.architectures.ssl import HEADS, PREFIXES, frontend_arguments, split_frontend
from sharpscope.detectors.fitting import fill
from sharpscope.detectors.hugging_face import read_json
from sharpscope.detectors.reading import Checkpoint, read_checkpoint
from sharpscope.errors import SharpscopeError, UsageError, unknown_name
from sharpscope.training.recipe import Recipe, toml
from sharpscope.training.shelf import pretrained as find_pretrained

# What transformers' classes with a head put before the names of the front-end.
WRAPPERS = ("wav2vec2.", "hubert.", "wavlm.")
# What a configuration of transformers says of a front-end and its tensors do not.
CONFIGURED = (
    "num_attention_heads",
    "conv_stride",
    "do_stable_layer_norm",
    "hidden_act",
    "feat_extract_activation",
    "layer_norm_eps",
)


def start(recipe: Recipe) -> nn.Module:
    """Build the network of a recipe with its seed, and fill what it starts from.

    Args:
        recipe: The recipe; the sizes of a pretrained front-end are added to its ``model.args``.

    Returns:
        The network.

    Raises:
        UsageError: If the architecture is unknown, or a file does not fit it.
    """
    model = recipe["model"]
    if model["arch"] not in ARCHITECTURES:
        raise unknown_name("architecture", model["arch"], ARCHITECTURES)
    pretrained: dict[str, Tensor] = {}
    if model["frontend"]:
        file = find_pretrained(model["frontend"], Path())
        pretrained = _pretrained(file)
        model["args"] = {**_sizes(pretrained, file, model), **model["args"]}
    torch.manual_seed(recipe.seed)
    try:
        network = build(model["arch"], model["args"])
    except SharpscopeError:
        raise
    except Exception as error:  # a constructor may raise anything on arguments of a recipe
        line = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise UsageError(f"model.args = {toml(model['args'])} do not fit {model['arch']}: {line}") from error
    if pretrained:
        _fill_frontend(network, pretrained, model)
    if model["init"]:
        checkpoint = _opened(Path(model["init"]), "init")
        fill(network, checkpoint.state, checkpoint.path, ARCHITECTURES[model["arch"]].spec)
    freeze(network, model["freeze"])
    return network


def freeze(network: nn.Module, names: list[str]) -> None:
    """Keep parameters as they are.

    Args:
        network: What is trained.
        names: Names, or the beginnings of names up to a dot.

    Raises:
        UsageError: If the network has no parameter of that name.
    """
    for name in names:
        found = [p for key, p in network.named_parameters() if key == name or key.startswith(f"{name}.")]
        if not found:
            raise UsageError(f"model.freeze names '{name}', and the network has no parameter of that name")
        for p in found:
            p.requires_grad_(False)


def _opened(path: Path, key: str) -> Checkpoint:
    """Read weights without running code; a file that needs it is converted first, by who trusts it."""
    try:
        return read_checkpoint(path)
    except UsageError as error:
        advice = (
            f"run `sharpscope convert {path} {path.with_suffix('.safetensors')} --allow-pickle` and name that"
        )
        # `train` runs no file's code; `convert` does, for who trusts it.
        text = str(error).replace("--allow-pickle runs that code", advice)
        raise UsageError(f"model.{key}: {text}") from error


def _pretrained(path: Path) -> dict[str, Tensor]:
    """Read a front-end on its own, under fairseq's names or those of transformers."""
    state = _opened(path, "frontend").state
    for wrapper in WRAPPERS:
        if any(name.startswith(wrapper) for name in state):
            state = {name.removeprefix(wrapper): t for name, t in state.items() if name.startswith(wrapper)}
    frontend, _ = split_frontend({f"{PREFIXES[0]}{name}": tensor for name, tensor in state.items()})
    return frontend


def _sizes(frontend: dict[str, Tensor], file: Path, model: dict[str, Any]) -> dict[str, Any]:
    """Tell how a front-end is built: from its tensors, and what they leave open from the configuration beside them."""
    sizes = frontend_arguments(frontend)
    if sizes is None:
        raise UsageError(f"model.frontend: {model['frontend']} is no wav2vec 2.0, HuBERT or WavLM")
    said = _configuration(file.with_name("config.json"), sizes)
    known = said or model["args"].keys() & {"num_attention_heads"} or sizes["kind"] == "wavlm"
    if not known and sizes["hidden_size"] not in HEADS:
        raise UsageError(
            f"model.frontend: {model['frontend']} is {sizes['hidden_size']} wide, which no published front-end is, "
            "and its tensors do not tell the number of attention heads; lay its config.json beside it, or set "
            "num_attention_heads in [model.args]"
        )
    return {**sizes, **said}


def _configuration(file: Path, sizes: dict[str, Any]) -> dict[str, Any]:
    """Read what a configuration of transformers adds; empty where there is none, or one of another network."""
    if not file.is_file():
        return {}
    config = read_json(file)
    if "num_attention_heads" not in config:
        return {}
    for name in ("hidden_size", "num_hidden_layers", "intermediate_size"):
        if config.get(name, sizes[name]) != sizes[name]:
            raise UsageError(
                f"model.frontend: {file} says {name} {config[name]} and the weights beside it have {sizes[name]}; "
                "one of the two is of another model"
            )
    return {name: config[name] for name in CONFIGURED if name in config}


def _fill_frontend(network: nn.Module, state: dict[str, Tensor], model: dict[str, Any]) -> None:
    own = getattr(network, "frontend", None)
    if not isinstance(own, nn.Module) or not hasattr(own, "feature_extractor"):
        raise UsageError(f"model.frontend was given and {model['arch']} has no self-supervised front-end")
    wanted = own.state_dict()
    lacking = [name for name in wanted if name not in state and name != "masked_spec_embed"]
    wrong = [name for name in wanted if name in state and state[name].shape != wanted[name].shape]
    if lacking or wrong:
        raise UsageError(
            f"model.frontend: {model['frontend']} does not fit: "
            + "; ".join(
                f"{what} {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
                for what, names in (("lacks", lacking), ("has another shape of", wrong))
                if names
            )
        )
    own.load_state_dict({name: state.get(name, tensor) for name, tensor in wanted.items()})
