"""Studies whose truth is known: results and records of detectors whose margins are drawn, trial by trial.

A detector's margin on a trial is its quality, how hard the trial is for everybody, and noise of its own. Its error rate
is that of the margins; its loss and sharpness are made of them group by group, or of a trait that the study gives it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sharpscope.analysis.clusters import find_clusters
from sharpscope.analysis.correlation_rows import correlations
from sharpscope.analysis.evidence import evidence_rows
from sharpscope.analysis.halves_of_sets import HalvesOfSets
from sharpscope.analysis.verdict import Verdict, judge
from sharpscope.results.comparable import eligible_rows
from sharpscope.results.records import KNOWN_OF_TRIALS, Place, Records
from sharpscope.results.table import COLUMNS, TEXT_COLUMNS
from sharpscope.scoring.eer import equal_error_rate

NAN = float("nan")
M = 8


class Study(NamedTuple):
    """Rows of a results table and the records beside it."""

    results: pd.DataFrame
    records: Records

    def without(self, cells: set[tuple[int, int]]) -> Study:
        """The same without some cells, (number of the checkpoint, number of the set)."""
        names = list(dict.fromkeys(self.results["set"]))
        lost = {(f"{i:064x}", names[j]) for i, j in cells}
        kept = [pair not in lost for pair in zip(self.results["sha256"], self.results["set"], strict=True)]
        return Study(self.results[kept].reset_index(drop=True), self.records)


def study(
    quality: np.ndarray,
    *,
    trait: np.ndarray | None = None,
    scale: np.ndarray | None = None,
    arch: np.ndarray | None = None,
    recipe: np.ndarray | None = None,
    sets: int = 3,
    per_class: int = 48,
    seed: int = 0,
    ease: float = 1.2,
) -> Study:
    """Draw a study.

    Args:
        quality: What is added to every margin of a detector; a list per detector.
        trait: Sharpness of each detector, with a little noise a group; None makes it of the trials' losses.
        scale: By which a detector's outputs are multiplied: its loss changes and its error rate does not.
        arch: Number of each detector's architecture.
        recipe: Number of each detector's recipe; its seeds are numbered.
        sets: Test sets.
        per_class: Trials of a class on each.
        seed: Of everything.
        ease: Mean margin of a detector of quality 0.

    Returns:
        Results and records.
    """
    rng = np.random.default_rng(seed)
    n, trials = len(quality), 2 * per_class
    scale = np.ones(n) if scale is None else scale
    truth = np.arange(trials) % 2 == 0
    group = np.arange(trials) // M
    records, rows = Records(), []
    for k in range(sets):
        shared = rng.normal(size=trials)
        for i in range(n):
            margin = scale[i] * (ease + quality[i] + shared + rng.normal(size=trials))
            losses = np.logaddexp(0, -margin)
            score = np.where(truth, margin, -margin)
            means = np.array([losses[group == g].mean() for g in range(trials // M)])
            sharp = np.array([(1 / (1 + np.exp(margin)))[group == g].mean() for g in range(trials // M)])
            if trait is not None:
                sharp = np.exp(trait[i] + 0.05 * rng.normal(size=len(means)))
            head: dict[str, object] = {c: "" if c in TEXT_COLUMNS else NAN for c in COLUMNS}
            head |= {
                "checkpoint": f"c{i}",
                "sha256": f"{i:064x}",
                "set": f"set{k}",
                "domain": "ood",
                "m": float(M),
            }
            head |= {
                "arch": f"a{0 if arch is None else arch[i]}",
                "preset": "rigorous",
                "trials_hash": f"t{k}",
            }
            if recipe is not None:
                head |= {"recipe": f"r{recipe[i]}", "seed": float(np.sum(recipe[:i] == recipe[i]))}
            head |= {"n_bonafide": per_class, "n_spoof": per_class, "score_rule": "logit_difference"}
            head |= {"spec_hash": "s", "dtype": "float32", "version": "1", "n_groups": float(len(means))}
            head["eer"] = equal_error_rate(score[truth], score[~truth]).eer
            rows.append(
                head | {"measure": "sam", "rho": 0.05, "value": sharp.mean(), "stderr": sharp.std() / 4}
            )
            rows.append(head | {"measure": "loss", "value": means.mean(), "stderr": means.std() / 4})
            table = {"trial": [f"t{t}" for t in range(trials)], "label": np.where(truth, "bonafide", "spoof")}
            table |= {"score": score, "logit_spoof": 0.0, "logit_bonafide": score, "group": group}
            cells = [
                {"group": g, "measure": name, "rho": rho, "value": v, "n_trials": M}
                for name, rho, values in (("sam", 0.05, sharp), ("loss", NAN, means))
                for g, v in enumerate(values)
            ]
            scores = pd.DataFrame(table | dict.fromkeys(KNOWN_OF_TRIALS, ""))
            records.add(Place.of(head), scores, pd.DataFrame(cells))
    return Study(pd.DataFrame(rows), records)


def copied(made: Study, times: int = 2) -> Study:
    """Every detector under several names, as if its file had been copied."""
    rows, records = [], Records()
    for row in made.results.to_dict("records"):
        for copy in range(times):
            own = row | {
                "sha256": f"{copy:x}{row['sha256'][1:]}",
                "checkpoint": f"{row['checkpoint']}-{copy}",
            }
            rows.append(own)
            scores, groups = made.records.scores(row), made.records.groups(row)
            assert scores is not None
            assert groups is not None
            records.add(Place.of(own), scores, groups)
    return Study(pd.DataFrame(rows), records)


def verdict_of(made: Study, seed: int = 0) -> Verdict:
    """The verdict of `correlate`, without the questions that no verdict hangs on."""
    table, _ = eligible_rows(made.results)
    clusters = find_clusters(table)
    halves = HalvesOfSets(made.records, seed=seed, runs=clusters.labels["run"])
    found = correlations(table, None, seed, halves, lambda: None)
    return judge(found, evidence_rows(table, clusters, seed=seed, halves=halves), table)
