"""The last lines of the demo: what was found, how little it proves, and what to run next."""

from __future__ import annotations

from sharpscope.analysis.correlate import Correlation
from sharpscope.demo.division import DEMO_PLANS
from sharpscope.demo.run import DemoReport


def table(correlation: Correlation, sets: tuple[str, ...]) -> str:
    """Return error rates and the correlation of sharpness with them, a line per set.

    Args:
        correlation: What was found.
        sets: The measured sets.

    Returns:
        Text of fixed width.
    """
    rows = correlation.results
    found = correlation.table
    what = {plan.name: plan.what for plan in DEMO_PLANS}
    lines = [f"{'set':<11}{'EER of the detectors':<24}{'Spearman':>9}{'p (Holm)':>10}  what is new in it"]
    for name in sets:
        rates = rows.loc[rows["set"] == name].drop_duplicates("checkpoint")["eer"] * 100
        span = f"{rates.min():.0f} to {rates.max():.0f} %, median {rates.median():.0f} %"
        one = found[(found["set"] == name) & (found["measure"] == "sam") & (found["scope"] == "set")]
        cells = (
            [f"{one.iloc[0]['spearman']:.2f}", f"{one.iloc[0]['p_holm']:.2g}"] if len(one) else ["--", "--"]
        )
        lines.append(f"{name:<11}{span:<24}{cells[0]:>9}{cells[1]:>10}  {what[name]}")
    return "\n".join(lines)


def conclusion(report: DemoReport) -> str:
    """Return what was found, what it does not show, and what to do next.

    Args:
        report: What the demo did.

    Returns:
        A few lines.
    """
    found = report.correlation.table
    sharpness = found[(found["measure"] == "sam") & (found["scope"] == "set")]
    shifted = sharpness[sharpness["set"].isin(report.sets[1:])]
    positive = int((shifted["spearman"] > 0).sum())
    firm = int((shifted["p_holm"] <= 0.05).sum())
    loss = found[
        (found["measure"] == "loss") & (found["scope"] == "set") & found["set"].isin(report.sets[1:])
    ]
    rows = report.correlation.results
    trials = (rows["n_bonafide"] + rows["n_spoof"]).median()
    out = report.out
    return "\n".join(
        [
            f"Found: sharpness rises with the error rate on {positive} of {len(shifted)} shifted sets (Spearman "
            f"{shifted['spearman'].min():.2f} to {shifted['spearman'].max():.2f}); {firm} of them hold after Holm's "
            f"correction. The plain loss on the same trials reaches {loss['spearman'].min():.2f} to "
            f"{loss['spearman'].max():.2f}.",
            f"How little that proves: {len(report.checkpoints)} tiny detectors, about {trials:.0f} trials a set "
            "(an error rate is known to about 6 points), vocoders that nobody attacks with today. It shows that "
            "the pipeline runs on real speech, and nothing about detectors that anyone uses.",
            f"Left in {out}: demo.png (all of it in one picture), corpus/ (with SOURCES.txt), checkpoints/, "
            "results.csv, correlation/ (tables, figures).",
            f"Next: sharpscope correlate {out / 'results.csv'}    or your own detector: "
            f"sharpscope measure CHECKPOINT --sets seen={out / 'corpus' / 'seen.csv'}",
        ]
    )
