from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pypdf import PdfReader
from results_tables import NAN, make_correlation, make_results
from scipy.stats import norm
from test_figures import assert_nothing_overlaps
from test_style import font_types

from sharpscope import figures
from sharpscope.analysis.correlate import correlate, write_correlation
from sharpscope.analysis.correlation_table import correlation_of
from sharpscope.cli import main
from sharpscope.cli.plot import KINDS, VENUES
from sharpscope.errors import UsageError
from sharpscope.figures import PLOTS, plot, style
from sharpscope.figures.det import operating_points
from sharpscope.figures.scatter_plot import theil_sen
from sharpscope.results.appending import append_results
from sharpscope.results.pairing import pair_recipes
from sharpscope.results.records import KNOWN_OF_TRIALS, Place, write_scores
from sharpscope.results.selection import by_shift, panel_names

SETS = ("19LA", "21LA", "ITW", "FakeOrReal", "a_set_with_a_rather_long_name", "MLAAD de")
DRAWN_FROM_NAN = ("scatter", "heatmap", "forest", "rho-curve", "m-curve", "grow")
ARCHS = ("aasist", "wav2vec2-base", "wav2vec2-large", "xls-r")


def pooled(correlation: pd.DataFrame) -> pd.DataFrame:
    """The table with a joint answer, as `correlate` adds it."""
    row = correlation.iloc[[0]].assign(
        scope="mean_within",
        set="all sets",
        spearman=0.4,
        spearman_low=0.1,
        spearman_high=0.7,
        p=0.01,
        p_holm=NAN,
    )
    return pd.concat([correlation, row], ignore_index=True)


def write_table(table: pd.DataFrame, folder: Path) -> Path:
    """results.csv with scores beside it whose error rates are known by construction."""
    path = folder / "results.csv"
    append_results(path, table.to_dict("records"))
    rng = np.random.default_rng(0)
    for row in table.drop_duplicates(["sha256", "set"]).to_dict("records"):
        shifted = np.concatenate([rng.normal(size=200) + 1.0, rng.normal(size=200) - 1.0])
        scores = {"trial": [f"t{i}" for i in range(400)], "label": ["bonafide"] * 200 + ["spoof"] * 200}
        scores |= {"score": shifted, "logit_spoof": 0.0, "logit_bonafide": shifted, "group": -1}
        write_scores(path, Place.of(row), pd.DataFrame(scores | dict.fromkeys(KNOWN_OF_TRIALS, "")))
    return path


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """Six sets, twenty-four checkpoints, several radii, m and subsets of growing size."""
    measures = (("sam", 0.01), ("sam", 0.05), ("sam", 0.1), ("asam", 0.05), ("grad_norm", NAN))
    table = make_results(SETS, ARCHS, measures=measures)
    more = table[(table["measure"] == "sam") & (table["rho"] == 0.05)]
    grown = [more.assign(subset="+".join(f"A{i}" for i in range(k + 1))) for k in range(3)]
    table = pd.concat([table, more.assign(m=8.0), *grown], ignore_index=True)
    rows = pd.concat([table, layered(whole(table))], ignore_index=True)
    return write_table(rows, tmp_path_factory.mktemp("results")), table


def layered(table: pd.DataFrame) -> pd.DataFrame:
    """Shares of three blocks, one of which carries nearly all, from the rows of one measure."""
    rows = table[(table["measure"] == "sam") & (table["rho"] == 0.05)].assign(rho=NAN)
    shares = {"encoder.0": 0.9, "encoder.1": 0.07, "out": 0.03}
    return pd.concat(
        [
            rows.assign(measure=f"sam_layers[{b}]", value=rows["value"].where(rows["value"].isna(), share))
            for b, share in shares.items()
        ],
        ignore_index=True,
    )


def whole(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["subset"] == "") & (table["m"] == 32.0)]


@pytest.mark.parametrize(
    ("kind", "venue"),
    [*((kind, "interspeech") for kind in PLOTS), ("forest", "web"), ("heatmap", "ieee"), ("shift", "web")],
)
def test_six_sets_and_twenty_four_checkpoints_stay_readable(
    kind: str, venue: str, everything: tuple[Path, pd.DataFrame]
) -> None:
    path, table = everything
    source = path if kind == "det" else table if kind in ("grow", "m-curve") else whole(table)
    if kind in ("grow", "m-curve"):
        source = table[(table["subset"] != "") == (kind == "grow")]
    if kind == "layers":
        source = layered(source)
    done = plot(kind, source, m=32.0, venue=venue, correlation=pooled(make_correlation(whole(table))))
    width = done.figure.get_size_inches()[0]
    assert any(width == pytest.approx(w) for w in (style.VENUES[venue].column, style.VENUES[venue].text))
    assert done.figure.get_size_inches()[1] < 9
    assert_nothing_overlaps(done.figure)


@pytest.mark.parametrize("kind", ["scatter", "shift", "rho-curve", "pairs", "heatmap", "forest"])
def test_few_sets_make_a_low_figure_and_labels_still_fit(kind: str) -> None:
    table = make_results(SETS[:4], measures=(("sam", 0.01), ("sam", 0.05)))
    for venue, count in (("interspeech", 1), ("web", 4)):
        part = table[table["set"].isin(SETS[:count])]
        done = plot(kind, part, venue=venue, correlation=pooled(make_correlation(part)))
        assert_nothing_overlaps(done.figure)


@pytest.mark.parametrize("kind", PLOTS)
def test_file_has_its_caption_embedded_fonts_and_the_same_bytes_twice(
    kind: str, everything: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    path, table = everything
    correlation = pooled(make_correlation(whole(table)))
    files = []
    for name in ("a.pdf", "b.pdf"):
        # One set has no other to transfer to.
        sets = ["ITW"] if kind != "transfer" else None
        done = plot(kind, path, m=32.0, out=tmp_path / name, correlation=correlation, sets=sets)
        files.append(tmp_path / name)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert "/Type3" not in font_types(files[0])
    metadata = PdfReader(files[0]).metadata
    assert metadata is not None
    assert metadata.subject == done.caption
    assert "24" in done.caption or "12" in done.caption
    assert any(words in done.caption for words in ("Holm", "max-T", "No test", "no test"))


@pytest.mark.parametrize("kind", sorted(set(PLOTS) - {"det"}))
@pytest.mark.parametrize("how", ["empty", "one checkpoint", "constant", "NaN", "some NaN"])
def test_spoilt_tables_draw_or_say_why_not(kind: str, how: str) -> None:
    table = make_results(measures=(("sam", 0.01), ("sam", 0.05)), ms=(8.0, 32.0))
    table = pd.concat([table, table.assign(subset="A1"), table.assign(subset="A1+A2")], ignore_index=True)
    if how == "empty":
        table = table.iloc[:0]
    elif how == "one checkpoint":
        table = table[table["checkpoint"] == table["checkpoint"].iloc[0]]
    elif how == "constant":
        table = table.assign(value=0.1, eer=0.2)
    elif how == "NaN":
        table = table.assign(value=NAN)
    else:
        table = table.assign(value=[NAN if i % 3 else v for i, v in enumerate(table["value"])])
    if kind != "grow":
        table = table[table["subset"] == ""]
    correlation = make_correlation(table) if len(table) else None
    if kind == "layers" and len(table):
        table = layered(table)
    refused = how in ("empty", "NaN") or (kind, how) == ("pairs", "one checkpoint")
    if refused and (kind, how) not in {(k, "NaN") for k in DRAWN_FROM_NAN}:
        with pytest.raises(UsageError, match=r"nothing to draw|a pair needs two"):
            plot(kind, table, correlation=correlation)
    else:
        assert_nothing_overlaps(plot(kind, table, correlation=correlation).figure)


def test_shift_puts_the_known_domain_first_then_the_harder_sets() -> None:
    table = make_results(sets=("b", "c", "a"))  # b is in domain, EER rises in this order
    table.loc[table["set"] == "c", "eer"] += 0.5
    assert by_shift(table.assign(panel=panel_names(table))) == ["b", "a", "c"]
    ax = figures.shift(table)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["b", "a", "c"]
    drawn = np.concatenate([line.get_ydata() for line in ax.lines if line.get_gid() == "checkpoint"])
    np.testing.assert_allclose(np.sort(drawn), np.sort(table["value"]))


def test_curve_draws_values_against_their_radii() -> None:
    table = make_results(sets=("a",), seeds=(0,), recipes=("adam",), measures=(("sam", 0.01), ("sam", 0.1)))
    ax = figures.curve(table, along="rho")
    line = next(line for line in ax.lines if line.get_gid() == "checkpoint")
    np.testing.assert_allclose(line.get_xydata(), table[["rho", "value"]].to_numpy())
    assert ax.get_xscale() == "log"


def test_heatmap_stars_only_adjusted_p_and_hatches_what_is_not_known() -> None:
    correlation = make_correlation(make_results(measures=(("sam", 0.05), ("loss", NAN))))
    correlation.loc[0, ["spearman", "p", "p_holm"]] = [0.9, 0.001, 0.2]
    correlation.loc[1, ["spearman", "p", "p_holm"]] = [-0.5, 0.001, 0.004]
    correlation.loc[2, "spearman"] = NAN
    correlation.loc[3, ["spearman", "n"]] = [0.3, 4]
    ax = figures.heatmap(correlation)
    assert [t.get_text() for t in ax.texts if t.get_gid() == "cell"] == [".90", "−.50**", ".30"]
    assert [patch.get_hatch() for patch in ax.patches] == ["////", "////"]
    image = ax.collections[0].get_array()  # seaborn draws cells as one mesh
    assert image is not None
    np.testing.assert_allclose(np.ma.filled(image, NAN), [[0.9, -0.5], [NAN, NAN]])


def test_forest_shows_intervals_and_the_joint_diamond() -> None:
    correlation = pooled(make_correlation(make_results()))
    ax = figures.forest(correlation)
    intervals = [tuple(line.get_xdata()) for line in ax.lines if line.get_gid() == "interval"]
    expected = correlation.loc[:1, ["spearman_low", "spearman_high"]].to_numpy()
    np.testing.assert_allclose(intervals, expected)
    diamond = next(patch for patch in ax.patches if patch.get_gid() == "joint")
    np.testing.assert_allclose(diamond.get_xy()[:4, 0], [0.1, 0.4, 0.7, 0.4])


def test_pairs_join_architecture_and_seed_and_count_the_lonely() -> None:
    table = make_results(sets=("a",))
    table = table[table["checkpoint"] != "tiny-sam-2.pt"]
    found = pair_recipes(table)
    assert (found.baseline, len(found.table), found.alone) == ("adam", 2, 1)
    one = table.set_index("checkpoint")["eer"]
    np.testing.assert_allclose(found.table["eer_from"], [one["tiny-adam-0.pt"], one["tiny-adam-1.pt"]])
    np.testing.assert_allclose(found.table["eer_to"], [one["tiny-sam-0.pt"], one["tiny-sam-1.pt"]])
    ax = figures.pairs(table)
    starts = [line.get_xydata()[0] for line in ax.lines if line.get_gid() == "from"]
    np.testing.assert_allclose(starts, np.c_[found.table["value_from"], 100 * found.table["eer_from"]])


@pytest.mark.parametrize("kind", ["pairs", "scatter"])
def test_equal_errors_are_drawn_on_an_axis_that_shows_them_equal(kind: str) -> None:
    table = make_results(sets=("seen",)).assign(eer=0.0, eer_low=0.0, eer_high=0.0)
    assert plot(kind, table).figure.axes[0].get_ylim() == (-0.5, 1.5)


def test_layers_draws_the_mean_share_of_each_block_from_lowest_to_highest() -> None:
    table = layered(make_results(sets=("seen",)))
    first = table["measure"] == "sam_layers[encoder.0]"
    table.loc[first, "value"] = [0.5, 0.9, 0.7, 0.9, 0.9, 0.9]  # adam's three seeds, then SAM's
    done = plot("layers", table)
    (ax,) = done.figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["encoder.0", "encoder.1", "out"]
    adam, sam = (line.get_xydata() for line in ax.lines if line.get_gid() == "mean")
    np.testing.assert_allclose(adam[:, 0], [70, 7, 3])
    np.testing.assert_allclose(sam[:, 0], [90, 7, 3])
    assert all(a[1] < s[1] for a, s in zip(adam, sam, strict=True))  # side by side, not on one another
    spans = [segment[:, 0] for lines in ax.collections for segment in lines.get_segments()]
    np.testing.assert_allclose(spans[0], [50, 90])
    assert "first order" in done.caption


def test_rows_about_blocks_are_drawn_as_layers_only() -> None:
    table = make_results()
    both = pd.concat([table, layered(table)], ignore_index=True)
    assert len(plot("scatter", both).figure.axes) == len(plot("scatter", table).figure.axes)
    with pytest.raises(UsageError, match="measure with --measures sam_layers"):
        plot("layers", table)
    with pytest.raises(UsageError, match="plot layers"):
        plot("scatter", layered(table))
    many = pd.concat([layered(table).assign(measure=f"sam_layers[b.{i}]") for i in range(61)])
    with pytest.raises(UsageError, match="61 blocks are more than the 60"):
        plot("layers", many)


def test_pairs_refuse_two_partners() -> None:
    table = make_results(sets=("a",))
    twice = pd.concat([table, table.iloc[[0]].assign(sha256="ff" * 32)], ignore_index=True)
    with pytest.raises(UsageError, match="which is the partner"):
        pair_recipes(twice)


def test_det_points_are_the_rates_at_distinct_thresholds() -> None:
    accepted, rejected = operating_points(np.zeros(3), np.zeros(2))
    assert accepted.tolist() == [1, 0]  # tied scores give two points, not five
    assert rejected.tolist() == [0, 1]
    rng = np.random.default_rng(0)
    accepted, rejected = operating_points(rng.normal(1, 1, 20000), rng.normal(-1, 1, 20000))
    inner = (accepted > 0.01) & (accepted < 0.5)
    # Two Gaussians two standard deviations apart give the straight line x + y = -2 in normal deviates.
    np.testing.assert_allclose(norm.ppf(accepted[inner]) + norm.ppf(rejected[inner]), -2, atol=0.1)


def test_det_without_scores_says_what_it_looked_for(tmp_path: Path) -> None:
    append_results(tmp_path / "results.csv", make_results().to_dict("records"))
    with pytest.raises(UsageError, match=r"scores/results/tiny-adam-0.pt-00000000/seen\."):
        plot("det", tmp_path / "results.csv")


def test_choices_that_are_not_there_are_listed() -> None:
    table = make_results()
    with pytest.raises(UsageError, match="did you mean 'scatter'"):
        plot("scater", table)
    with pytest.raises(UsageError, match="Known: sam"):
        plot("shift", table, measure="sma")
    with pytest.raises(UsageError, match=r"it has: rho 0.05, m 32"):
        plot("shift", table, rho=0.2)
    with pytest.raises(UsageError, match="--rho a,b,c"):
        plot("rho-curve", table)


def test_correlations_come_from_correlate_or_from_its_file(tmp_path: Path) -> None:
    table = make_results()
    append_results(tmp_path / "results.csv", table.to_dict("records"))
    found = correlate(table)
    files = write_correlation(found, tmp_path / "correlation")
    arguments = ["plot", "forest", str(tmp_path / "results.csv"), "--out", str(tmp_path / "a.pdf")]
    computed = CliRunner().invoke(main, arguments)
    assert computed.exit_code == 0, computed.output
    given = CliRunner().invoke(
        main, [*arguments[:-1], str(tmp_path / "b.pdf"), "--correlation", str(files[0])]
    )
    assert given.exit_code == 0, given.output
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert "Diamond" in given.stdout
    with pytest.raises(UsageError, match="not made from this results table"):
        correlation_of(table[table["checkpoint"] != "tiny-sam-0.pt"], files[0])
    with pytest.raises(UsageError, match="not a correlation table"):
        correlation_of(table, tmp_path / "results.csv")
    read, summary = correlation_of(table, files[0])
    assert summary == found.summary
    pd.testing.assert_series_equal(read["spearman"], found.table["spearman"])


def test_one_checkpoint_has_no_correlation_and_the_figure_says_so() -> None:
    table = make_results(seeds=(0,), recipes=("adam",))
    assert "nothing to correlate" in correlation_of(table)[1]
    done = plot("scatter", table)
    assert "No correlation was computed" in done.caption


def test_command_knows_every_kind_and_writes_the_figure(tmp_path: Path) -> None:
    assert set(KINDS) == set(PLOTS)
    assert set(VENUES) == set(style.VENUES)
    append_results(tmp_path / "results.csv", make_results().to_dict("records"))
    out = tmp_path / "f.pdf"
    done = CliRunner().invoke(main, ["plot", "shift", str(tmp_path / "results.csv"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert out.is_file()
    assert "n = 6 checkpoints" in done.stdout
    assert "80 x" in done.stderr
    missing = CliRunner().invoke(main, ["plot", "shift", str(tmp_path / "none.csv")])
    assert missing.exit_code == 2
    assert "no such results file" in missing.output


def test_a_line_through_ties_is_drawn_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slope, intercept = theil_sen(np.array([1.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0]))
    assert (slope, intercept) == (1.0, -1.0)
