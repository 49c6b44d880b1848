"""A small network with attention over frames, the third kind of small detector beside those of `tiny`."""

from __future__ import annotations

from torch import Tensor, nn

from sharpscope.detectors.architecture import Architecture, as_published
from sharpscope.detectors.architectures.tiny import Frontend
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.errors import UsageError


class TinyAttention(nn.Module):
    """Two convolutions, one layer of self-attention over frames (Vaswani et al., 2017), attentive mean, two logits.

    Args:
        width: Channels of the convolutions.
        bands: Filters of the front-end.
        model: Width of a frame in the attention.
        heads: Of the attention; they divide ``model``.
        dropout: Before the last layer.

    Raises:
        UsageError: If the heads do not divide the width.
    """

    def __init__(
        self, width: int = 16, bands: int = 40, model: int = 48, heads: int = 4, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if heads < 1 or model % heads:
            raise UsageError(f"heads is {heads} and model {model}; the number of heads divides the width")
        self.heads = heads
        self.frontend = Frontend(bands)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        height = ((bands + 1) // 2 + 1) // 2
        self.project = nn.Linear(width * height, model)
        self.norm = nn.LayerNorm(model)
        self.query_key_value = nn.Linear(model, 3 * model)
        self.mix = nn.Linear(model, model)
        self.pool = nn.Linear(model, 1)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(model, 2)

    def forward(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to logits (B, 2)."""
        return self.from_features(self.fixed_features(waves))

    def fixed_features(self, waves: Tensor) -> Tensor:
        """Map waves (B, T) to features (B, bands, frames), which no training changes."""
        features: Tensor = self.frontend(waves)
        return features

    def from_features(self, features: Tensor) -> Tensor:
        """Map features (B, bands, frames) to logits (B, 2)."""
        hidden = self.encoder(features.unsqueeze(1)).flatten(1, 2).transpose(1, 2)  # (B, frames', C * bands')
        frames = self.project(hidden)  # (B, frames', D)
        frames = frames + self._attend(self.norm(frames))
        weights = self.pool(frames).softmax(dim=1)  # (B, frames', 1)
        logits: Tensor = self.out(self.dropout((weights * frames).sum(dim=1)))
        return logits

    def _attend(self, frames: Tensor) -> Tensor:
        """Let every frame look at all others, (B, L, D) to (B, L, D)."""
        batch, length, width = frames.shape
        parts = self.query_key_value(frames).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, heads, L, D / heads)
        weights = (query @ key.transpose(2, 3) / (width // self.heads) ** 0.5).softmax(dim=3)
        mixed: Tensor = self.mix((weights @ value).transpose(1, 2).reshape(batch, length, width))
        return mixed


# One length for all trials, or a trial's score would depend on the longest one beside it.
_SPEC = DetectorSpec("tiny-attention", n_samples=32_000)
ENTRIES = {
    "tiny-attention": Architecture(
        TinyAttention,
        None,
        as_published,
        _SPEC,
        "Our small network with attention over frames",
        "sharpscope",
        "by the file's record only",
    ),
}
