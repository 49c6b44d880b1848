"""`measure` from files to rows: on a user's own small network and a small set of sounds."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from corpus_layouts import LAYOUTS, Folder
from torch.nn.functional import cross_entropy

from sharpscope.analysis.correlate import correlate
from sharpscope.audio.decode import fit_length, read_audio
from sharpscope.cli import main
from sharpscope.corpora import read_set
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.measurement.groups import make_groups
from sharpscope.measurement.halves import draw_trial_halves
from sharpscope.measurement.journal import Journal
from sharpscope.measurement.measure import measure
from sharpscope.measurement.rows import weighted_mean
from sharpscope.results.table import read_results


def checkpoint(folder: Path, model_file: Path, seed: int = 0, name: str = "net.pt") -> Path:
    """A state dict of the small network."""
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    path = folder / name
    torch.save(namespace["Tiny"](seed=seed).state_dict(), path)
    return path


def take(path: Path, tone_set: Path, model_file: Path, out: Path, **options: Any) -> pd.DataFrame:
    """Measure with the small network's options and read the table."""
    options = {"m": 4, "rho": [0.05, 0.01], "show_progress": False, **options}
    measure([path], [f"tones={tone_set}"], out=out, model=f"{model_file}:Tiny", **options)
    return read_results(out)


def without_created(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return [{**row, "created": ""} for row in csv.DictReader(file)]


def test_rows_equal_a_slow_computation(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    """Every group by hand: torch's own loss, gradient and step, in float64."""
    path = checkpoint(tmp_path, model_file)
    table = take(path, tone_set, model_file, tmp_path / "r.csv", dtype="float64")
    namespace: dict[str, Any] = {}
    exec(model_file.read_text(), namespace)
    network = namespace["Tiny"]().double().eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    protocol = pd.read_csv(tone_set)
    labels = (protocol["label"] == "bonafide").to_numpy().astype(int)
    audio = [read_audio(tone_set.parent / name, 16_000) for name in protocol["file"]]
    waves = torch.stack([torch.from_numpy(fit_length(wave, 64_600)) for wave in audio]).double()
    values: dict[tuple[str, float], list[float]] = {}
    live = [p for n, p in network.named_parameters() if not n.startswith("spare")]
    halves = draw_trial_halves(read_set(f"tones={tone_set}").table, labels, 4)
    for group in make_groups(labels, 4, halves=halves):
        targets = torch.as_tensor(labels[group])
        loss = cross_entropy(network(waves[group]), targets)
        gradient = torch.autograd.grad(loss, live)
        for name in ("sam", "asam"):
            scale = [p.detach().abs() if name == "asam" else torch.ones_like(p) for p in live]
            norm = torch.sqrt(sum(((t * g) ** 2).sum() for t, g in zip(scale, gradient, strict=True)))
            for rho in (0.05, 0.01):
                kept = [p.detach().clone() for p in live]
                with torch.no_grad():
                    for p, t, g in zip(live, scale, gradient, strict=True):
                        p += rho * t * t * g / norm
                    rise = cross_entropy(network(waves[group]), targets) - loss
                    for p, old in zip(live, kept, strict=True):
                        p.copy_(old)
                values.setdefault((name, rho), []).append(float(rise))
    for (name, rho), by_group in values.items():
        row = table[(table["measure"] == name) & (table["rho"] == rho)].iloc[0]
        assert row["value"] == pytest.approx(np.mean(by_group), rel=1e-8)
        assert row["stderr"] == pytest.approx(np.std(by_group, ddof=1) / np.sqrt(len(by_group)), rel=1e-6)
        assert row["n_groups"] == len(by_group) == 6


def test_the_row_says_what_was_done(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    path = checkpoint(tmp_path, model_file)
    table = take(path, tone_set, model_file, tmp_path / "r.csv", recipe="adam", trained_on=["other"])
    row = table.iloc[0]
    assert (row["n_bonafide"], row["n_spoof"], row["m"]) == (14, 12, 4)
    assert (row["recipe"], row["domain"], row["preset"], row["set"]) == ("adam", "ood", "rigorous", "tones")
    assert row["eer_low"] <= row["eer"] <= row["eer_high"]
    assert "2 trials scored but in no group" in row["note"]
    assert set(table["measure"]) >= {"sam", "asam", "loss", "grad_norm", "entropy", "margin", "param_norm"}
    scores = next((tmp_path / "scores").rglob("tones.*.txt")).read_text().splitlines()
    assert len(scores) == 28
    assert scores[1].startswith("trial label score logit_spoof logit_bonafide group")
    groups = pd.read_csv(next((tmp_path / "groups").rglob("tones.*.csv")))
    sam = groups[(groups["measure"] == "sam") & (groups["rho"] == 0.05)]["value"].to_numpy()
    expected = table[(table["measure"] == "sam") & (table["rho"] == 0.05)]["value"].iloc[0]
    assert weighted_mean(sam, np.full(len(sam), 4))[0] == expected


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 3}, {"workers": 2}])
def test_batch_size_and_workers_do_not_matter(
    tmp_path: Path, tone_set: Path, model_file: Path, options: dict[str, int]
) -> None:
    path = checkpoint(tmp_path, model_file)
    one = take(path, tone_set, model_file, tmp_path / "a" / "r.csv")
    two = take(path, tone_set, model_file, tmp_path / "b" / "r.csv", **options)
    # Sums in another order differ by rounding; loading in other processes does not differ at all.
    tolerance = 0.0 if "workers" in options else 2e-4
    np.testing.assert_allclose(one["value"], two["value"], rtol=tolerance, atol=0)
    np.testing.assert_allclose(one["eer"], two["eer"], rtol=0, atol=0)


def test_measured_rows_are_skipped_and_new_ones_added(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    path = checkpoint(tmp_path, model_file)
    out = tmp_path / "r.csv"
    first = take(path, tone_set, model_file, out, measures=["sam"], rho=[0.05])
    before = out.read_bytes()
    arguments: dict[str, Any] = {"out": out, "model": f"{model_file}:Tiny", "m": 4, "show_progress": False}
    report = measure([path], [f"tones={tone_set}"], measures=["sam"], rho=[0.05], **arguments)
    assert (report.rows, report.skipped) == (0, 1)
    assert out.read_bytes() == before
    report = measure([path], [f"tones={tone_set}"], measures=["sam"], rho=[0.05, 0.01], **arguments)
    assert (report.rows, report.skipped) == (1, 1)
    again = read_results(out)
    assert again.iloc[0].to_dict() | {"seed": 0} == first.iloc[0].to_dict() | {"seed": 0}
    report = measure([path], [f"tones={tone_set}"], measures=["sam"], rho=[0.05], force=True, **arguments)
    assert report.rows == 1
    assert len(read_results(out)) == 2


def test_a_failing_checkpoint_does_not_stop_the_others(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    good = checkpoint(tmp_path, model_file)
    bad = tmp_path / "bad.pt"
    bad.write_text("this is no checkpoint")
    report = measure(
        [bad, good],
        [f"tones={tone_set}"],
        out=tmp_path / "r.csv",
        model=f"{model_file}:Tiny",
        m=4,
        show_progress=False,
    )
    assert report.rows == len(read_results(tmp_path / "r.csv"))
    assert len(report.failures) == 1
    assert "bad.pt" in report.failures[0]


def test_weights_that_are_not_finite_are_refused(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    path = checkpoint(tmp_path, model_file)
    state = torch.load(path, weights_only=True)
    state["out.bias"][0] = float("nan")
    torch.save(state, path)
    with pytest.raises(SharpscopeError):
        take(path, tone_set, model_file, tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


def test_a_random_forward_is_found(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    noisy = tmp_path / "noisy.py"
    noisy.write_text(
        model_file.read_text().replace("waves.unsqueeze(1)", "(waves + torch.rand_like(waves)).unsqueeze(1)")
    )
    path = checkpoint(tmp_path, model_file)
    with pytest.raises(SharpscopeError, match=r"deterministic|other logits"):
        measure(
            [path],
            [f"tones={tone_set}"],
            out=tmp_path / "r.csv",
            model=f"{noisy}:Tiny",
            m=4,
            show_progress=False,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"m": 3}, "must be even"),
        ({"m": 64}, "needs 32 of each"),
        ({"rho": [-0.1]}, "positive"),
        ({"preset": "rigorus"}, "did you mean 'rigorous'"),
        ({"measures": ["samm"]}, "did you mean 'sam'"),
        ({"limit": 1}, "2 or more"),
        ({"device": "tpu"}, "auto, cpu or cuda"),
    ],
)
def test_misuse_is_named(
    tmp_path: Path, tone_set: Path, model_file: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        take(checkpoint(tmp_path, model_file), tone_set, model_file, tmp_path / "r.csv", **options)


def test_the_limit_draws_both_classes_alike(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    table = take(checkpoint(tmp_path, model_file), tone_set, model_file, tmp_path / "r.csv", limit=10)
    assert (table["n_bonafide"].iloc[0], table["n_spoof"].iloc[0]) == (5, 5)


def arguments(path: Path, tone_set: Path, model_file: Path, out: Path) -> list[str]:
    return [
        *(
            "measure",
            str(path),
            "--sets",
            f"tones={tone_set}",
            "--out",
            str(out),
            "--model",
            f"{model_file}:Tiny",
        ),
        *("--m", "2", "--rho", "0.05,0.02,0.01", "--workers", "0", "--quiet"),
    ]


def test_blocks_have_a_row_each_that_correlate_leaves_alone(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    """Shares add up to one in every set, a dead block has none, and the same call again adds nothing."""
    for seed in range(5):
        path = checkpoint(tmp_path, model_file, seed=seed, name=f"net{seed}.pt")
        options = {"measures": ["layers", "sam"], "rho": [0.05], "tolerance": 0.5}
        rows = take(path, tone_set, model_file, tmp_path / "r.csv", **options)
        again = take(path, tone_set, model_file, tmp_path / "r.csv", **options)
        assert len(rows) == len(again) == (seed + 1) * (2 * 5 + 1)
    shares = rows[rows["measure"].str.startswith("sam_layers[")]
    assert list(shares["measure"])[:5] == [
        f"sam_layers[{b}]" for b in ("first", "norm", "second", "spare", "out")
    ]
    np.testing.assert_allclose(shares.groupby("sha256")["value"].sum(), 1.0)
    assert (shares.loc[shares["measure"] == "sam_layers[spare]", "value"] == 0).all()
    found = correlate(tmp_path / "r.csv")
    assert set(found.table["measure"]) == {"sam"}
    with pytest.raises(UsageError, match="shares of blocks only"):
        correlate(shares)


def test_fast_rows_say_so_and_stand_beside_the_others(
    tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    path = checkpoint(tmp_path, model_file)
    options = {"measures": ["sam", "loss"], "rho": [0.05]}
    take(path, tone_set, model_file, tmp_path / "r.csv", **options)
    rows = take(path, tone_set, model_file, tmp_path / "r.csv", fast=True, **options)
    exact, fast = (part.set_index("measure") for _, part in rows.groupby("preset", sort=False))
    assert set(fast["preset"]) == {"rigorous+fast"}
    assert fast["note"].str.contains("bfloat16").all()
    assert (fast["eer"] == exact["eer"]).all()
    assert fast.loc["loss", "value"] == exact.loc["loss", "value"]
    assert fast.loc["sam", "value"] == pytest.approx(exact.loc["sam", "value"], rel=1e-2)
    with pytest.raises(UsageError, match="--dtype float64"):
        take(path, tone_set, model_file, tmp_path / "r.csv", fast=True, dtype="float64")


def test_killed_and_started_again_it_ends_the_same(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    """kill -9 after some groups, then the same command: the table of an undisturbed run but for `created`."""
    slow = tmp_path / "slow.py"
    # Slow enough to be caught in the middle.
    slow.write_text(
        "import time\n"
        + model_file.read_text().replace("        hidden =", "        time.sleep(0.03)\n        hidden =")
    )
    path = checkpoint(tmp_path, model_file)
    outs = [tmp_path / "whole" / "r.csv", tmp_path / "killed" / "r.csv"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole = [sys.executable, "-m", "sharpscope", *arguments(path, tone_set, slow, outs[0])]
    subprocess.run(whole, env=environment, check=True, capture_output=True)
    command = [sys.executable, "-m", "sharpscope", *arguments(path, tone_set, slow, outs[1])]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        journals = list((tmp_path / "killed").rglob("*.journal.*"))
        if journals and len(journals[0].read_text().splitlines()) >= 3:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not outs[1].exists(), "the run was over before it could be killed"
    with open(journals[0], "a") as file:
        file.write("0123456789abcdef {torn line")
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert without_created(outs[0]) == without_created(outs[1])
    assert not list((tmp_path / "killed").rglob("*.journal*"))


def test_a_run_killed_behind_its_last_row_leaves_no_journal_for_ever(
    tmp_path: Path, tone_set: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run takes it away, and not what another measurement has half finished."""
    path = checkpoint(tmp_path, model_file)
    with monkeypatch.context() as killed:
        killed.setattr(Journal, "discard", lambda journal: None)
        take(path, tone_set, model_file, tmp_path / "r.csv", measures=["sam"])
    (left,) = tmp_path.rglob("*.journal.*")
    other = Journal(left.with_name(left.name.rsplit(".", 1)[0]), "other measures")
    other.record("0", {"values": 1.0})
    take(path, tone_set, model_file, tmp_path / "r.csv", measures=["sam"])
    assert not left.exists()
    assert len(list(tmp_path.rglob("*.journal.*"))) == 1
    take(path, tone_set, model_file, tmp_path / "r.csv", measures=["loss"])
    other.reload()
    assert other.finished == {"0": {"values": 1.0}}


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("self.norm.train()", "train mode"),
        ("waves = waves - waves.mean(dim=0)", "alone and in a batch"),
    ],
)
def test_a_detector_that_would_be_measured_wrongly_is_not_measured(
    fault: str, word: str, tmp_path: Path, tone_set: Path, model_file: Path
) -> None:
    faulty = tmp_path / "faulty.py"
    faulty.write_text(
        model_file.read_text().replace("        hidden =", f"        {fault}\n        hidden =")
    )
    with pytest.raises(SharpscopeError, match=word):
        take(checkpoint(tmp_path, model_file), tone_set, faulty, tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


def test_the_command_line(tmp_path: Path, tone_set: Path, model_file: Path) -> None:
    path = checkpoint(tmp_path, model_file)
    out = tmp_path / "r.csv"
    runner = CliRunner()
    done = runner.invoke(main, arguments(path, tone_set, model_file, out))
    assert done.exit_code == 0, done.output
    assert "next: sharpscope correlate" in done.stderr
    plan = runner.invoke(main, [*arguments(path, tone_set, model_file, out), "--dry-run"])
    assert "all 14 rows are there already" in plan.stdout
    plan = runner.invoke(main, [*arguments(path, tone_set, model_file, tmp_path / "new.csv"), "--dry-run"])
    assert "26 trials, 12 groups of m = 2" in plan.stdout
    assert not (tmp_path / "new.csv").exists()
    bad = runner.invoke(main, [*arguments(path, tone_set, model_file, out), "--rho", "0,5x"])
    assert bad.exit_code == 2
    assert "it takes numbers with commas" in bad.stderr
    missing = runner.invoke(main, arguments(tmp_path / "none.pt", tone_set, model_file, out))
    assert missing.exit_code == 2
    assert "Traceback" not in missing.output


def test_the_command_of_the_mission(tmp_path: Path, model_file: Path) -> None:
    """`--sets itw,mlaad` on small corpora laid out like the originals, with MLAAD's traps."""
    for name in ("itw", "mlaad"):
        LAYOUTS[name].write(Folder(tmp_path))
    path = checkpoint(tmp_path, model_file)
    command = [
        *(
            "measure",
            str(path),
            "--sets",
            "itw,mlaad",
            "--data",
            str(tmp_path),
            "--out",
            str(tmp_path / "r.csv"),
        ),
        *("--model", f"{model_file}:Tiny", "--m", "2", "--quiet"),
    ]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    table = read_results(tmp_path / "r.csv")
    one = table[(table["measure"] == "sam") & (table["rho"] == 0.05)].set_index("set")
    assert one.loc["itw", ["n_bonafide", "n_spoof"]].tolist() == [1, 1]
    assert one.loc["mlaad", ["n_bonafide", "n_spoof"]].tolist() == [2, 3]
    assert "19963" in one.loc["itw", "note"]
    answer = CliRunner().invoke(
        main, ["correlate", str(tmp_path / "r.csv"), "--out-dir", str(tmp_path / "c")]
    )
    assert answer.exit_code == 2
    assert "one checkpoint" in answer.stderr


def test_what_was_measured_is_not_lost_to_a_set_that_cannot_be(
    tmp_path: Path, tone_set: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that returns something else on the second set is reported; the first set's rows stand."""
    from sharpscope.measurement import one_checkpoint

    whole = one_checkpoint.work

    def second_fails(*arguments: Any, **options: Any) -> None:
        if (tmp_path / "r.csv").exists():
            raise UsageError("the network returned three outputs")
        whole(*arguments, **options)

    monkeypatch.setattr(one_checkpoint, "work", second_fails)
    report = measure(
        [checkpoint(tmp_path, model_file)],
        [f"one={tone_set}", f"two={tone_set}"],
        out=tmp_path / "r.csv",
        model=f"{model_file}:Tiny",
        m=4,
        show_progress=False,
    )
    assert report.rows == len(read_results(tmp_path / "r.csv")) > 0
    assert len(report.failures) == 1
    assert "three outputs" in report.failures[0]
