"""What leaves each measure unchanged, measured; the table in docs/measures.md is made by these tests.

`SHARPSCOPE_WRITE_DOCS=1 pytest tests/measures/test_invariance.py` writes both tables of the page anew.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_networks import SAMPLES, trials

from sharpscope.measures import MEASURES
from sharpscope.measures.group import Group
from sharpscope.measures.parameters import LiveParameters

DOCS = Path(__file__).resolve().parents[2] / "docs" / "measures.md"
RHO = 0.02
# Flags and shares that happen to be equal; "unchanged" is claimed only where it holds in general.
COINCIDENCES = ("_converged", "saturated", "_residual")


class Rectified(nn.Module):
    """Three layers with rectifiers; the factor is applied outside the weights, as a temperature is."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second, self.out = nn.Linear(SAMPLES, 8), nn.Linear(8, 7), nn.Linear(7, 2)
        self.factor = factor

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.second(torch.relu(self.first(waves))))
        out: torch.Tensor = self.factor * self.out(hidden)
        return out


def _layer(network: Rectified) -> None:
    network.first.weight.mul_(3.0)
    network.first.bias.mul_(3.0)
    network.second.weight.div_(3.0)


def _node(network: Rectified) -> None:
    factors = torch.logspace(-0.7, 0.7, 7, dtype=torch.float64)[torch.tensor([3, 0, 6, 2, 5, 1, 4])]
    network.second.weight.mul_(factors[:, None])
    network.second.bias.mul_(factors)
    network.out.weight.div_(factors)


def _head(network: Rectified) -> None:
    network.out.weight.mul_(2.0)
    network.out.bias.mul_(2.0)


def _logits(network: Rectified) -> None:
    network.factor = 2.0


CHANGES: dict[str, Callable[[Rectified], None]] = {
    "layer": _layer,
    "node": _node,
    "logits": _logits,
    "head": _head,
    "labels": lambda network: None,
}


def _value(name: str, change: str | None) -> float:
    network = Rectified().double().eval()
    if change is not None:
        with torch.no_grad():
            CHANGES[change](network)
    waves, labels, weights = trials(8)
    if change == "labels":
        labels = 1 - labels
    live = LiveParameters(network, lambda: network(waves).square().sum())
    measure = MEASURES[name]
    group = Group(network, live, waves, labels, weights, batch_size=8, objectives=measure.objectives)
    values = measure.function(group, (RHO,) if measure.radius else ()).values()
    # A measure of blocks is unchanged when all of its shares are.
    return next(iter(values)) if len(values) == 1 else sum(i**2 * v for i, v in enumerate(values, start=1))


@functools.cache
def measured(name: str) -> dict[str, float]:
    """Ratio of a measure after to before each change."""
    before = _value(name, None)
    return {change: _ratio(_value(name, change), before) for change in CHANGES}


def _ratio(after: float, before: float) -> float:
    if before == 0.0:
        return 1.0 if after == 0.0 else float("inf")
    return after / before


@pytest.mark.parametrize("name", MEASURES)
def test_declared_invariances_are_the_measured_ones(name: str) -> None:
    unchanged = {change for change, ratio in measured(name).items() if abs(ratio - 1.0) <= 1e-5}
    declared = set(MEASURES[name].invariant_to)
    assert declared <= unchanged, f"not invariant: {declared - unchanged}"
    if not name.endswith(COINCIDENCES):
        assert unchanged <= declared, f"invariant but not declared: {unchanged - declared}"


def test_the_function_itself_is_unchanged_by_rescaling() -> None:
    waves = trials(8)[0]
    for change in ("layer", "node"):
        network = Rectified().double()
        with torch.no_grad():
            before = network(waves)
            CHANGES[change](network)
            torch.testing.assert_close(network(waves), before, rtol=1e-12, atol=1e-12)


def _cell(name: str, change: str) -> str:
    if change in MEASURES[name].invariant_to:
        return "unchanged"
    if name.endswith(COINCIDENCES):
        return "-"
    return f"{measured(name)[change]:.2g}"


def invariance_table() -> list[str]:
    """The table of the page, as it should be."""
    lines = ["| measure | layer x3, /3 | per node | logits x2 | last layer x2 | labels flipped |"]
    lines.append("|---|" + "---|" * len(CHANGES))
    lines += [f"| `{name}` | " + " | ".join(_cell(name, c) for c in CHANGES) + " |" for name in MEASURES]
    return lines


def registry_table() -> list[str]:
    """Name, meaning, cost, families and source of every measure."""
    lines = ["| measure | what it is | cost (F per trial) | families | source |", "|---|---|---|---|---|"]
    for name, measure in MEASURES.items():
        cells = [f"`{name}`", measure.summary, measure.cost, ", ".join(measure.families), measure.reference]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _between(text: str, mark: str) -> tuple[int, int]:
    start = text.index(f"<!-- {mark} -->\n") + len(f"<!-- {mark} -->\n")
    return start, text.index(f"<!-- end {mark} -->")


def _written(mark: str, lines: list[str]) -> list[str]:
    text = DOCS.read_text()
    start, end = _between(text, mark)
    if os.environ.get("SHARPSCOPE_WRITE_DOCS"):
        DOCS.write_text(text[:start] + "\n".join(lines) + "\n" + text[end:])
        return lines
    return text[start:end].splitlines()


def test_the_page_lists_every_measure() -> None:
    assert _written("registry", registry_table()) == registry_table()


def test_the_page_holds_the_measured_table() -> None:
    expected = invariance_table()
    written = _written("invariances", expected)
    assert len(written) == len(expected)
    for have, want in zip(written, expected, strict=True):
        for a, b in zip(have.split(" | "), want.split(" | "), strict=True):
            if a != b:
                # Another processor rounds the second digit of a ratio differently.
                assert float(a.strip("| ")) == pytest.approx(float(b.strip("| ")), rel=0.15), (have, want)
