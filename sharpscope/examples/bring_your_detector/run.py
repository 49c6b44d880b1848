"""Load a detector of one's own, check it, and measure it; see docs/bring_your_detector.md."""

import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from sharpscope.detectors import load_detector
from sharpscope.measurement.first_look import first_look
from sharpscope.measurement.measure import measure

HERE = Path(__file__).parent


def protocol(folder: Path) -> Path:
    """Twelve short sounds in place of your corpus."""
    rng = np.random.default_rng(0)
    lines = ["file,label"]
    for index in range(12):
        label = "bonafide" if index % 2 else "spoof"
        tone = np.sin(2 * np.pi * (200 + 40 * index) * np.arange(16_000) / 16_000)
        noise = rng.standard_normal(16_000)
        wave = 0.2 * tone + 0.02 * noise if index % 2 else 0.05 * noise
        soundfile.write(folder / f"{index}.wav", wave, 16_000)
        lines.append(f"{index}.wav,{label}")
    path = folder / "protocol.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.manual_seed(0)
        weights = {
            "hidden.weight": 0.05 * torch.randn(16, 257),
            "hidden.bias": torch.zeros(16),
            "score.weight": torch.randn(1, 16),
            "score.bias": torch.zeros(1),
        }
        torch.save({"model": weights, "epoch": 1}, folder / "mine.pt")
        model = f"{HERE / 'my_detector.py'}:MyDetector"
        detector = load_detector(folder / "mine.pt", model=model)
        print("\n".join(detector.decisions))
        look = first_look(detector, torch.randn(4, 32_000), torch.tensor([1, 0, 1, 0]))
        print(f"{look.live.count} live parameters, dead: {look.live.dead or 'none'}")
        out = folder / "results.csv"
        measure(
            [folder / "mine.pt"], [f"mine={protocol(folder)}"], out=out, model=model, m=4, show_progress=False
        )
        print(out.read_text().splitlines()[1][:160])


if __name__ == "__main__":
    main()
