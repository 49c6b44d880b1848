"""The examples that are programs: what they promise about their own design, and what they do with odd files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from results_tables import make_results

from sharpscope.detectors import build
from sharpscope.detectors.reading import write_checkpoint
from sharpscope.results.appending import append_results

EXAMPLES = Path(__file__).resolve().parents[2] / "sharpscope" / "examples"


def module(folder: str, name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load a file of an example as running it would."""
    monkeypatch.syspath_prepend(str(EXAMPLES / folder))
    for sibling in ("corpus", "population", "page"):
        monkeypatch.delitem(sys.modules, sibling, raising=False)
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", EXAMPLES / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_study_is_as_large_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = module("study", "corpus", monkeypatch)
    population = module("study", "population", monkeypatch)
    assert all(plan.pairs >= 400 for plan in corpus.PLANS if plan.name in corpus.SETS)
    assert len(corpus.SHIFTED) == 11
    recipes = population.recipes(tmp_path)
    assert len(recipes) == len({repr(recipe.values) for recipe in recipes.values()}) == 132
    assert len(population.recipes(tmp_path, population.CORE)) == 72
    for arch, arguments in population.ARCHITECTURES.items():
        assert 20_000 <= sum(p.numel() for p in build(arch, arguments).parameters()) <= 200_000
    # Pairs: an architecture and a seed are one setting, whatever the method.
    settings = {(r.seed, r["optimizer"]["lr"], r["augment"]["noise"]) for r in recipes.values()}
    assert len(settings) == len({seed for seed, *_ in settings}) == 4
    held = {plan.name for plan in corpus.PLANS if plan.pool == "home"}
    assert {"train", "dev", "seen"} <= held
    assert not any(name.startswith("prompts") for name in held)


def test_who_did_not_learn_is_told_by_the_dev_set_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = module("study", "page", monkeypatch)
    rows = make_results(seeds=(0, 1))
    append_results(tmp_path / "results.csv", rows.to_dict("records"))
    runs = rows[["arch", "recipe", "seed"]].drop_duplicates()
    for place, run in enumerate(runs.to_dict("records")):
        folder = tmp_path / "checkpoints" / f"{run['arch']}-{run['recipe']}-{int(run['seed'])}"
        folder.mkdir(parents=True)
        (folder / "done.json").write_text(f'{{"dev_eer": {0.36 if place == 0 else 0.35}}}')
    kept = page.learnt(tmp_path)
    lost = rows.merge(runs.iloc[:1], on=["arch", "recipe", "seed"])
    assert set(kept["sha256"]) == set(rows["sha256"]) - set(lost["sha256"])
    assert len(kept) == len(rows) - len(lost)
    assert isinstance(kept, pd.DataFrame)


def test_published_weights_are_taken_once_and_others_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    published = module("published_detectors", "run", monkeypatch)
    torch.manual_seed(0)
    for name in ("a", "c"):
        write_checkpoint(tmp_path / f"{name}.pt", build("tiny").state_dict(), {"arch": "tiny"})
    (tmp_path / "b.pt").write_bytes((tmp_path / "a.pt").read_bytes())
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "README.md").write_text("weights")
    assert published.readable(tmp_path) == [tmp_path / "a.pt", tmp_path / "c.pt"]
    said = capsys.readouterr().out
    assert f"{tmp_path / 'b.pt'} gives the same logits as {tmp_path / 'a.pt'}" in said
    assert "page.pth" in said
    assert "README" not in said


SCRIPT = """
import torch
from torch.func import functional_call, grad
from tqdm import tqdm
from utils import get_model, set_seed

def compute_m_sharpness(model, dataloader, criterion, rho, device, adaptive=False):
    rises = trials = 0.0
    for waves, labels in tqdm(dataloader):
        at = {name: weight.detach() for name, weight in model.named_parameters()}
        loss = lambda weights: criterion(functional_call(model, weights, (waves,))[0], labels)
        scales = {name: weight.abs() if adaptive else torch.ones_like(weight) for name, weight in at.items()}
        slopes = {name: scales[name] * slope for name, slope in grad(loss)(at).items()}
        length = sum((slope**2).sum() for slope in slopes.values()).sqrt()
        moved = {name: at[name] + rho * scales[name] * slopes[name] / length for name in at}
        rises += len(labels) * float(loss(moved) - loss(at))
        trials += len(labels)
    return rises / trials
"""


def test_the_published_script_is_run_beside_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script of the published one's name and arguments, written anew; ten trials, so the last batch is smaller."""
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "compute_sharp.py").write_text(SCRIPT)
    torch.manual_seed(0)
    record = {"arch": "tiny", "spec": {"n_samples": 4000}}
    write_checkpoint(tmp_path / "a.pt", build("tiny").state_dict(), record)
    rng = np.random.default_rng(0)
    for place in range(10):
        soundfile.write(tmp_path / f"{place}.wav", 0.1 * rng.standard_normal(3000 + 300 * place), 16_000)
    lines = [f"{place}.wav,{'bonafide' if place % 3 else 'spoof'}\n" for place in range(10)]
    (tmp_path / "trials.csv").write_text("file,label\n" + "".join(lines))
    parity = module("parity", "run", monkeypatch)
    found = parity.compare(tmp_path / "a.pt", tmp_path / "trials.csv", tmp_path / "script", 4, [0.5, 0.05])
    assert list(found["measure"] + found["rho"].astype(str)) == ["sam0.5", "sam0.05", "asam0.5", "asam0.05"]
    assert found["published script"].min() > 1e-4
    assert found["relative difference"].max() < 1e-3
