"""The page docs/detectors.md, made from the registry: ``python -m sharpscope.detectors.table`` rewrites it."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "detectors.md"
HEAD = """# Detectors

This page is generated from the registry (`python -m sharpscope.detectors.table`). `sharpscope inspect CHECKPOINT`
says which line a file of yours falls under, what was decided and what had to be assumed. An architecture that is
not here works too: [bring your detector](bring_your_detector.md).

A file may be a bare state dict or hold one under `model`, `state_dict`, `model_state`, `model_state_dict`,
`MODEL_STATE`, `net`, `network` or `weights`; the prefixes `module.`, `_orig_mod.`, `model.`, `detect_model.` and
`detector.` are removed as often as all names share them. Safetensors, folders of Hugging Face (audio classifiers
over raw audio) and, with `--arch torchscript`, TorchScript programs open as well. Pickled modules and anything
else that would run code do not, unless `--allow-pickle` says so.

Scores and logits leave every detector in the order (spoof, bona fide), whatever its own order is.
"""


def page() -> str:
    """Return the page as Markdown.

    Returns:
        Its text.

    Example:
        >>> "| `aasist` |" in page()
        True
    """
    from sharpscope.detectors import ARCHITECTURES

    lines = [
        "| name | network | recognised by | input | output | bona fide | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, entry in ARCHITECTURES.items():
        spec = entry.spec
        length = "any length" if spec.n_samples is None else f"{spec.n_samples:,} samples"
        more = "" if spec.normalisation == "none" else f", {spec.normalisation}"
        place = f"index {spec.bonafide_index}" if spec.outputs.endswith("2") else "higher"
        cells = [
            f"`{name}`",
            entry.summary,
            entry.signature,
            f"{length}, {spec.sample_rate // 1000} kHz, {spec.padding}{more}",
            spec.outputs,
            place,
            entry.reference,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## What a file cannot tell", ""]
    lines += [
        f"- `{name}`: {'; '.join(entry.spec.assumptions)}."
        for name, entry in ARCHITECTURES.items()
        if entry.spec.assumptions
    ]
    return HEAD + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
