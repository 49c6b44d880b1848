from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from results_tables import make_points
from test_figures import assert_nothing_overlaps
from test_measure import checkpoint
from torch import nn

from sharpscope.cli import main
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.figures import style, surface
from sharpscope.landscapes import plane as landscape_plane
from sharpscope.landscapes.landscape import coordinates, landscape, walk
from sharpscope.landscapes.plane import make_plane
from sharpscope.measurement.measure import measure
from sharpscope.measures.parameters import LiveParameters, dot
from sharpscope.results.table import read_results


class Quadratic(nn.Module):
    """L(w) = w'Aw / 2 + b over two "filters" of three values and a bias of two."""

    def __init__(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(2, 3, generator=generator, dtype=dtype))
        self.bias = nn.Parameter(torch.randn(2, generator=generator, dtype=dtype))
        root = torch.randn(6, 6, generator=generator, dtype=dtype)
        self.register_buffer("matrix", root @ root.T)

    def forward(self) -> torch.Tensor:
        flat = self.weight.reshape(-1)
        return flat @ self.matrix @ flat / 2 + self.bias.square().sum()


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv1d(1, 4, 5), nn.BatchNorm1d(4), nn.Tanh(), nn.Conv1d(4, 1, 3), nn.Flatten(), nn.Linear(6, 2)
    ).eval()


def live_of(module: nn.Module) -> LiveParameters:
    return LiveParameters(module, lambda: module(torch.ones(2, 1, 12)).square().sum())


def test_a_quadratic_has_its_closed_form_on_every_point() -> None:
    module = Quadratic()
    live = LiveParameters(module, module)
    plane = make_plane(live, ("random", "random"), seed=3)
    line = coordinates(1.0, 5)
    points = [(float(x), float(y)) for y in line for x in line]
    drawn = dict(walk(live, plane, points, lambda: float(module())))
    w, (d, e) = live.trained[0].reshape(-1), (p[0].reshape(-1) for p in plane.directions)
    for x, y in points:
        moved = w + x * d + y * e
        expected = float(moved @ module.matrix @ moved / 2 + live.trained[1].square().sum())
        assert drawn[x, y] == pytest.approx(expected, rel=1e-12)
    assert drawn[0.0, 0.0] == float(module().detach())


def test_rows_and_columns_of_a_valley_are_monotone_in_their_coordinates() -> None:
    """No serpentine, no swapped axis: on L = |w|^2 the loss rises with the distance from where it is least."""
    module = Quadratic()
    module.matrix = torch.eye(6, dtype=torch.float64)
    live = LiveParameters(module, module)
    plane = make_plane(live, ("random", "random"))
    line = coordinates(1.0, 7)
    points = [(float(x), float(y)) for y in line for x in line]
    loss = np.array([value for _, value in walk(live, plane, points, lambda: float(module()))]).reshape(7, 7)
    for slopes, direction in ((np.diff(loss, axis=1), 0), (np.diff(loss, axis=0), 1)):
        d = plane.directions[direction]
        least = -dot(live.trained, d) / dot(
            d, d
        )  # the other coordinate does not move it: d and e are orthogonal
        middles = (line[1:] + line[:-1]) / 2
        rising = middles > least
        wanted = np.broadcast_to(rising[None, :] if direction == 0 else rising[:, None], slopes.shape)
        assert ((slopes > 0) == wanted).all()


@given(seed=st.integers(0, 2**31), model_seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_directions_are_orthogonal_filter_normalised_and_leave_biases_and_norms(
    seed: int, model_seed: int
) -> None:
    live = live_of(network(model_seed))
    plane = make_plane(live, ("random", "random"), seed=seed)
    assert abs(plane.cosine) < 1e-6
    for axis, direction in enumerate(plane.directions):
        for name, d, weight in zip(live.names, direction, live.trained, strict=True):
            if weight.ndim < 2:
                assert not d.any(), name
                continue
            ratio = landscape_plane.filters(d).norm(dim=1) / landscape_plane.filters(weight).norm(dim=1)
            np.testing.assert_allclose(ratio, 1, rtol=1e-5, err_msg=f"{name} axis {axis}")


def test_a_draw_is_gaussian_and_the_same_for_every_checkpoint() -> None:
    draws = [landscape_plane.gaussian(live_of(network(seed)), 5, 0) for seed in (0, 1)]
    for a, b in zip(*draws, strict=True):
        assert torch.equal(a, b)
    wide = LiveParameters(module := nn.Linear(200, 200), lambda: module(torch.ones(1, 200)).sum())
    sample = landscape_plane.gaussian(wide, 0, 0)[0]
    assert abs(float(sample.mean())) < 0.02  # uniform on [0, 1) would give .5
    assert float(sample.std()) == pytest.approx(1, abs=0.02)


def test_filters_of_one_value_get_no_second_direction() -> None:
    module = nn.Linear(1, 3, bias=False)
    live = LiveParameters(module, lambda: module(torch.ones(1, 1)).square().sum())
    with pytest.raises(SharpscopeError, match="no filter to move"):
        make_plane(live, ("random", "random"))


def test_sam_axis_is_the_unit_gradient_and_the_other_is_orthogonal_to_it() -> None:
    module = Quadratic()
    live = LiveParameters(module, module)
    gradient = torch.autograd.grad(module(), live.parameters)
    plane = make_plane(live, ("sam", "random"), gradient=gradient)
    sam = plane.directions[0]
    assert dot(sam, sam) == pytest.approx(1)
    norm = math.sqrt(dot(gradient, gradient))
    for d, g in zip(sam, gradient, strict=True):
        torch.testing.assert_close(d * norm, g)
    assert abs(plane.cosine) < 1e-6
    step = 1e-6
    (_, there), (_, here) = walk(live, plane, [(step, 0.0), (0.0, 0.0)], lambda: float(module()))
    assert (there - here) / step == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_weights_are_restored_whatever_happens(error: type[BaseException]) -> None:
    module = Quadratic(dtype=torch.float32)
    before = [p.detach().clone() for p in module.parameters()]
    live = LiveParameters(module, module)
    plane = make_plane(live, ("random",))
    calls = iter([1.0, 2.0])

    def loss() -> float:
        for value in calls:
            return value
        raise error

    with pytest.raises(error):
        list(walk(live, plane, [(1.0,), (0.5,), (0.1,)], loss))
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_zero_is_exactly_in_the_middle() -> None:
    for steps in (3, 5, 21, 101):
        line = coordinates(0.7, steps)
        assert line[steps // 2] == 0.0
        assert (line == -line[::-1]).all()
        assert line[-1] == pytest.approx(0.7)
    with pytest.raises(UsageError, match="centre"):
        coordinates(1.0, 20)
    with pytest.raises(UsageError, match="positive"):
        coordinates(0.0, 21)


def draw(paths: list[Path], tone_set: Path, model_file: Path, out: Path, **options: Any) -> Any:
    options = {"steps": 5, "show_progress": False, "m": 4, "model": f"{model_file}:Tiny", **options}
    return landscape(paths, [f"tones={tone_set}"], out_dir=out, **options)


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("preset", ["rigorous", "huang2025"])
def test_the_centre_is_the_measured_loss(
    preset: str, tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    path = checkpoint(tmp_path, model_file)
    measure(
        [path], [f"tones={tone_set}"], out=tmp_path / "results.csv", preset=preset, measures=["loss"], m=4,
        model=f"{model_file}:Tiny", show_progress=False,
    )  # fmt: skip
    measured = read_results(tmp_path / "results.csv")["value"].iloc[0]
    done = draw([path], tone_set, model_file, tmp_path / "l", preset=preset, limit=None)
    centre = [row for row in rows_of(done.out) if float(row["x"]) == float(row["y"]) == 0]
    assert len(centre) == 1
    assert float(centre[0]["loss"]) == pytest.approx(measured, abs=1e-6)
    assert done.points == 25


def test_an_interrupted_run_goes_on_and_gives_the_same_points(
    tmp_path: Path, tone_set: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint(tmp_path, model_file)
    whole = draw([path], tone_set, model_file, tmp_path / "whole")
    from sharpscope.measurement.journal import Journal

    record, count = Journal.record, iter(range(100))

    def stop(self: Journal, group: str, values: Any) -> None:
        if next(count) == 11:
            raise KeyboardInterrupt
        record(self, group, values)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "record", stop)
        with pytest.raises(KeyboardInterrupt):
            draw([path], tone_set, model_file, tmp_path / "halves")
    again = draw([path], tone_set, model_file, tmp_path / "halves")
    assert (whole.evaluated, again.evaluated) == (25, 14)
    assert whole.out.read_bytes() == again.out.read_bytes()


def test_two_checkpoints_share_plane_and_a_later_call_adds_to_the_table(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    first, second = (checkpoint(tmp_path, model_file, seed=s, name=f"n{s}.pt") for s in (0, 1))
    done = draw([first], tone_set, model_file, tmp_path / "l", axes=["sam", "random"], rho=0.2)
    done = draw([second], tone_set, model_file, tmp_path / "l", axes=["sam", "random"], rho=0.2)
    rows = rows_of(done.out)
    assert [row["checkpoint"] for row in rows] == ["n0"] * 25 + ["n1"] * 25
    assert {float(row["x"]) for row in rows} == {-0.2, -0.1, 0.0, 0.1, 0.2}
    assert all(abs(float(row["cosine"])) < 1e-6 for row in rows)
    # Steepest ascent: along it the loss rises from the centre.
    line = [float(r["loss"]) for r in rows[:25] if float(r["y"]) == 0 and float(r["x"]) >= 0]
    assert line == sorted(line)
    draw([second], tone_set, model_file, tmp_path / "l", axes=["sam", "random"], rho=0.2)
    assert len(rows_of(done.out)) == 50


def test_along_the_sam_axis_the_rise_at_rho_is_the_measured_sharpness(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    path = checkpoint(tmp_path, model_file)
    measure(
        [path], [f"tones={tone_set}"], out=tmp_path / "results.csv", measures=["sam"], rho=[0.2], m=4, limit=4,
        model=f"{model_file}:Tiny", show_progress=False,
    )  # fmt: skip
    sharpness = read_results(tmp_path / "results.csv")["value"].iloc[0]
    done = draw([path], tone_set, model_file, tmp_path / "l", axes=["sam"], rho=0.2, limit=4, steps=3)
    losses = [float(row["loss"]) for row in rows_of(done.out)]
    assert losses[2] - losses[1] == pytest.approx(sharpness, rel=1e-4, abs=1e-6)


def test_a_failing_checkpoint_does_not_stop_the_others(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    good, bad = checkpoint(tmp_path, model_file), tmp_path / "bad.pt"
    bad.write_text("no checkpoint")
    done = draw([bad, good], tone_set, model_file, tmp_path / "l", steps=3)
    assert done.points == 9
    assert [f.split(":")[0] for f in done.failures] == ["bad.pt"]
    with pytest.raises(UsageError, match=r"no landscape could be drawn; bad\.pt"):
        draw([bad], tone_set, model_file, tmp_path / "m", steps=3)


def test_misuse_is_named(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    path = checkpoint(tmp_path, model_file)
    for options, words in (
        ({"axes": ["north"]}, "allowed: random or sam"),
        ({"axes": ["sam", "sam"]}, "sam once"),
        ({"steps": 4}, "centre"),
        ({"directions": 3}, "one axis random"),
    ):
        with pytest.raises(UsageError, match=words):
            draw([path], tone_set, model_file, tmp_path / "l", **options)


def test_contour_shows_the_points_and_marks_the_trained_network() -> None:
    ax = surface.contour(make_points(checkpoints=1))
    assert [tuple(line.get_xydata()[0]) for line in ax.lines if line.get_gid() == "trained"] == [(0, 0)]
    assert ax.get_aspect() == 1


@pytest.mark.parametrize("kind", ["contour", "surface"])
@pytest.mark.parametrize(("checkpoints", "sets"), [(1, 1), (2, 1), (2, 3)])
def test_panels_share_levels_and_nothing_overlaps(kind: str, checkpoints: int, sets: int) -> None:
    table = make_points(checkpoints, sets)
    done = surface.plot_landscape(table, kind=kind)
    drawn = [ax for ax in done.figure.axes if ax.get_label() != "<colorbar>"]
    assert len(drawn) == checkpoints * sets
    limits = {ax.collections[0].get_clim() for ax in drawn}
    assert len(limits) == 1
    if kind == "contour":
        assert_nothing_overlaps(done.figure)
        assert next(iter(limits)) == pytest.approx((table["loss"].min(), table["loss"].max()))
    assert f"{checkpoints} checkpoint{'s' * (checkpoints > 1)} on" in done.caption
    assert "Li et al., 2018" in done.caption


def test_slices_draw_the_mean_over_directions(tmp_path: Path) -> None:
    table = make_points(flat=True)
    ax = surface.slices(table)
    line = next(line for line in ax.lines if line.get_label() == "adam")
    x = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(line.get_xydata(), np.c_[x, 0.1 + x**2 + 0.1 * np.abs(x)])
    done = surface.plot_landscape(table)
    assert_nothing_overlaps(done.figure)
    assert "range of 3 directions" in done.caption


def test_holes_and_constants_are_drawn_honestly_and_nothing_is_said_so(tmp_path: Path) -> None:
    table = make_points(checkpoints=1)
    table.loc[3, "loss"] = math.nan
    assert "1 points have no finite loss" in surface.plot_landscape(table).caption
    surface.plot_landscape(table.assign(loss=0.5))
    with pytest.raises(UsageError, match="no loss of the landscape is finite"):
        surface.plot_landscape(table.assign(loss=math.nan))
    with pytest.raises(UsageError, match="no such file"):
        surface.plot_landscape(tmp_path / "none.csv")


def test_the_command_line(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    path = checkpoint(tmp_path, model_file)
    arguments = [
        "landscape", str(path), "--sets", f"tones={tone_set}", "--model", f"{model_file}:Tiny", "--m", "4",
        "--steps", "3", "--out-dir", str(tmp_path / "l"), "--quiet",
    ]  # fmt: skip
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    for name in ("landscape.csv", "contour.pdf", "contour.png", "surface.pdf", "surface.png"):
        assert (tmp_path / "l" / name).is_file()
    assert "trained network at 0" in done.stdout
    line = CliRunner().invoke(
        main, [*arguments[:-2], str(tmp_path / "m"), "--quiet", "--axes", "random", "--directions", "2"]
    )
    assert line.exit_code == 0, line.output
    assert (tmp_path / "m" / "slices.pdf").is_file()
    bad = CliRunner().invoke(main, [*arguments, "--steps", "4"])
    assert bad.exit_code == 2
    with style.context("web"):
        surface.plot_landscape(tmp_path / "l" / "landscape.csv", venue="web")


def test_without_m_a_group_has_what_the_rarer_class_allows(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    """14 bona fide and 12 spoof trials: 26 trials are no group of 13 + 13, but one of 12 + 12."""
    path = checkpoint(tmp_path, model_file)
    done = draw([path], tone_set, model_file, tmp_path / "own", steps=3, m=None)
    given = draw([path], tone_set, model_file, tmp_path / "given", steps=3, m=24)
    assert [row["loss"] for row in rows_of(done.out)] == [row["loss"] for row in rows_of(given.out)]
    assert {row["n_trials"] for row in rows_of(done.out)} == {"24"}
