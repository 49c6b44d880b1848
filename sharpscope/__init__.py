"""Sharpness of speech deepfake detectors, and what it says about error on unseen speech.

Every command is a function of the same name and arguments here. What is listed below is loaded when it is first used,
so that importing the package takes no time and tables can be analysed without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sharpscope.analysis.correlate import correlate as correlate
    from sharpscope.analysis.power import power as power
    from sharpscope.corpora import read_set as read_set
    from sharpscope.corpora import register_corpus as register_corpus
    from sharpscope.corpora.in_memory import in_memory_set as in_memory_set
    from sharpscope.detectors import Detector as Detector
    from sharpscope.detectors import DetectorSpec as DetectorSpec
    from sharpscope.detectors import load_detector as load_detector
    from sharpscope.detectors import register_architecture as register_architecture
    from sharpscope.detectors.conversion import convert as convert
    from sharpscope.detectors.opening import as_detector as as_detector
    from sharpscope.errors import SharpscopeError as SharpscopeError
    from sharpscope.errors import UsageError as UsageError
    from sharpscope.figures.kinds import plot as plot
    from sharpscope.forecasting.forecast import forecast as forecast
    from sharpscope.landscapes.landscape import landscape as landscape
    from sharpscope.measurement.inspection import inspect as inspect
    from sharpscope.measurement.measure import measure as measure
    from sharpscope.measures import describe as list_measures
    from sharpscope.measures import register_measure as register_measure
    from sharpscope.measures.group import Group as Group
    from sharpscope.measures.single_batch import group_of as group_of
    from sharpscope.reports import report as report
    from sharpscope.results.records import Records as Records
    from sharpscope.results.table import read_results as read_results
    from sharpscope.scoring.eer import eer_interval as eer_interval
    from sharpscope.scoring.eer import equal_error_rate as equal_error_rate
    from sharpscope.scoring.score_files import score as score
    from sharpscope.tables import table as table
    from sharpscope.training.train import train as train
    from sharpscope.training.train import train_grid as train_grid

__version__ = "0.1.0"

# Where each name lives: a module, and the name there where it is another one.
_HOMES = {
    "correlate": "analysis.correlate",
    "power": "analysis.power",
    "read_set": "corpora",
    "register_corpus": "corpora",
    "in_memory_set": "corpora.in_memory",
    "Detector": "detectors",
    "DetectorSpec": "detectors",
    "load_detector": "detectors",
    "register_architecture": "detectors",
    "convert": "detectors.conversion",
    "as_detector": "detectors.opening",
    "SharpscopeError": "errors",
    "UsageError": "errors",
    "plot": "figures.kinds",
    "forecast": "forecasting.forecast",
    "landscape": "landscapes.landscape",
    "inspect": "measurement.inspection",
    "measure": "measurement.measure",
    "list_measures": "measures:describe",
    "register_measure": "measures",
    "Group": "measures.group",
    "group_of": "measures.single_batch",
    "report": "reports",
    "Records": "results.records",
    "read_results": "results.table",
    "eer_interval": "scoring.eer",
    "equal_error_rate": "scoring.eer",
    "score": "scoring.score_files",
    "table": "tables",
    "train": "training.train",
    "train_grid": "training.train",
}

__all__ = [
    "Detector",
    "DetectorSpec",
    "Group",
    "Records",
    "SharpscopeError",
    "UsageError",
    "as_detector",
    "convert",
    "correlate",
    "eer_interval",
    "equal_error_rate",
    "forecast",
    "group_of",
    "in_memory_set",
    "inspect",
    "landscape",
    "list_measures",
    "load_detector",
    "measure",
    "plot",
    "power",
    "read_results",
    "read_set",
    "register_architecture",
    "register_corpus",
    "register_measure",
    "report",
    "score",
    "table",
    "train",
    "train_grid",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    home, _, other = _HOMES.get(name, "").partition(":")
    if not home:
        raise AttributeError(f"module 'sharpscope' has no attribute '{name}'; it has {', '.join(__all__)}")
    found = getattr(import_module(f"sharpscope.{home}"), other or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names beside what is loaded already."""
    return sorted({*globals(), *__all__})
