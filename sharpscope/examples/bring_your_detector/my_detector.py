"""A detector of one's own, with its front-end and its conventions, in one file.

    sharpscope examples bring_your_detector mine
    python mine/run.py

trains nothing: it writes random weights, then does with them what you would do with yours.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn


class MyDetector(nn.Module):
    """Log energies of a short-time Fourier transform, two linear layers, one score.

    Parameter names must be those in your checkpoint. Everything that `sharpscope_spec` leaves out has its usual
    value: 16 kHz, 64,600 samples, tile padding, two logits, bona fide at index 1.
    """

    sharpscope_spec: ClassVar = {
        "n_samples": 32_000,  # None: any length
        "padding": "tile",
        "normalisation": "peak",
        "outputs": "logit1",  # one score
        "bonafide_index": 1,  # ... that is higher for bona fide
        "loss_name": "focal",
    }

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        # Not persistent: the checkpoint does not hold it, and it moves to the GPU with the network.
        self.register_buffer("window", torch.hann_window(512), persistent=False)
        self.hidden = nn.Linear(257, width)
        self.score = nn.Linear(width, 1)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to scores (B, 1)."""
        spectrum = torch.stft(waves, 512, 256, window=self.get_buffer("window"), return_complex=True)
        energy = torch.log(spectrum.abs().square() + 1e-8).transpose(1, 2)  # (B, frames, 257)
        score: Tensor = self.score(torch.tanh(self.hidden(energy)).mean(dim=1))
        return score

    def trial_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Its own training loss, one value per trial, from logits (B, 2) ordered (spoof, bona fide)."""
        right = logits.log_softmax(dim=1).gather(1, labels.long()[:, None])[:, 0]
        return -((1 - right.exp()) ** 2) * right
