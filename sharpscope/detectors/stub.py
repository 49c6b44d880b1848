"""A model file to start from, for a checkpoint of no known architecture."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

STUB = """# The class that trained these weights: its file beside this one, or its package.
from {module} import {name} as Network


class Mine(Network):  # the same names as in the file
    # What no file tells (docs/bring_your_detector.md): length, polarity, what comes out.
    sharpscope_spec = {{"n_samples": 64600, "outputs": "{outputs}", "bonafide_index": 1}}

    def forward(self, waves):  # (B, T), 16 kHz, from -1 to 1
        return super().forward(waves)  # {hint}
"""


def stub_for(state: Mapping[str, Tensor]) -> str:
    """Write a model file that loads and runs as it stands once the class in its first lines is the right one.

    It derives from the user's class, so that the names in the file stay as they are and constructor arguments pass
    through.

    Args:
        state: Tensors by name.

    Returns:
        Python code.

    Example:
        >>> import torch
        >>> '"outputs": "logit1"' in stub_for({"conv.weight": torch.ones(4, 1, 9), "out.weight": torch.ones(1, 4)})
        True
    """
    hint = "one of (B, 1, T): waves.unsqueeze(1); of features: --model mfcc+my_model.py:Mine"
    return STUB.format(module="model", name="Model", outputs=_outputs(state), hint=hint)


def _outputs(state: Mapping[str, Tensor]) -> str:
    """Guess the number of scores from the last matrix of the file."""
    matrices = [tensor for tensor in state.values() if tensor.dim() == 2]
    return "logit1" if matrices and len(matrices[-1]) == 1 else "logits2"


def how_to_use(path: str) -> str:
    """Say what to do with the stub.

    Args:
        path: The checkpoint.

    Returns:
        One sentence before the code.

    Example:
        >>> how_to_use("a.pt").split(",")[0]
        'save the following as my_model.py'
    """
    return (
        "save the following as my_model.py, name your class in it and run sharpscope inspect "
        f"{path} --model my_model.py:Mine (constructor arguments: --model-args with a JSON object or the repository's "
        "configuration file)"
    )
