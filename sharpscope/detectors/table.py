"""The page docs/detectors.md, made from the registry: ``python -m sharpscope.detectors.table`` rewrites it."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "detectors.md"
HEAD = """# Detectors

This page is generated from the registry (`python -m sharpscope.detectors.table`). `sharpscope inspect CHECKPOINT`
says which line a file of yours falls under, what was decided and what had to be assumed. An architecture that is
not here works too: [bring your detector](bring_your_detector.md).

A file may be a bare state dict or hold one at any depth (`model`, `state_dict`, `callbacks.EMA.weights`, ...), in the
newer or older format of torch, as a plain pickle or as safetensors; a whole pickled network gives its weights too. What
wrappers put before every name (`module.`, `model.`, `detector.`, ...) or inside names (`_orig_mod`, `module`) is
removed, a criterion or counters beside the weights are left aside, and the decisions say so. Where a file holds two
versions of one network (an average, a student and its teacher), `--weights KEY` says which; the message lists the keys.

Nothing in a file is imported or run: its pickle is read by a machine of our own, to which every class is only a name.
`--allow-pickle` is for the rare file whose tensors come about only by running its code, such as objects that make their
weights when they are loaded. Folders of Hugging Face (audio classifiers over raw audio) and, with `--arch torchscript`,
TorchScript programs open as well. A file of another kind (a Git LFS pointer, ONNX, Keras, a web page) is named.

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
