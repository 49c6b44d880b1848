"""The demo's parts against what they promise, and the whole of it on generated voices."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner

from sharpscope.cli import main
from sharpscope.corpora import read_set
from sharpscope.demo import run
from sharpscope.demo.benchmark import build_benchmark
from sharpscope.demo.channels import CHANNELS
from sharpscope.demo.debian import fetch_speech
from sharpscope.demo.division import DEMO_PLANS, SetPlan, divide, share_out
from sharpscope.demo.report import conclusion, table
from sharpscope.demo.speech import Recording, find_recordings
from sharpscope.demo.surroundings import SURROUNDINGS, heard_through
from sharpscope.demo.synthesis import METHODS, SEEN, UNSEEN
from sharpscope.demo.training import population
from sharpscope.errors import SharpscopeError, UsageError
from sharpscope.results.table import read_results
from sharpscope.training.rawboost import at_ratio
from sharpscope.training.recipe import Recipe

RATE = 16_000


def voice(seed: int, seconds: float = 3.0) -> np.ndarray:
    """Harmonics of a wandering pitch in syllables, with a little breath: what vocoders are made for."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = rng.uniform(100, 220) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    harmonics = sum(np.sin(k * phase) / k**1.3 for k in range(1, 25))
    syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)
    return 0.1 * syllables * (harmonics + 0.05 * rng.standard_normal(len(time)))


SMALL = tuple(
    plan._replace(
        pairs={"train": 14, "dev": 2}.get(plan.name, 8),
        fewest={"train": 14, "dev": 2}.get(plan.name, 6),
        repeats=1,
    )
    for plan in DEMO_PLANS
)


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two languages, three speakers in the first, a file too short, one that is no audio, one long."""
    number = 0
    for group, count in (("cs/anna", 32), ("cs/bert", 30), ("cs/cara", 12), ("nl/dirk", 14)):
        (tmp_path / "speech" / group).mkdir(parents=True)
        for _ in range(count):
            soundfile.write(tmp_path / "speech" / group / f"{number:03}.wav", voice(number), RATE)
            number += 1
    soundfile.write(tmp_path / "speech" / "cs" / "anna" / "short.wav", voice(1, 0.5), RATE)
    (tmp_path / "speech" / "cs" / "anna" / "broken.wav").write_text("no sound")
    (tmp_path / "speech" / "cs" / "anna" / "phone.g722").write_bytes(b"\0" * 100)
    return tmp_path / "speech"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_vocoders_say_the_same_again_but_not_the_same_samples(name: str) -> None:
    wave = voice(3, 1.5)
    again = METHODS[name](wave, np.random.default_rng(0))
    assert abs(len(again) - len(wave)) <= 0.02 * RATE
    assert np.isfinite(again).all()
    length = min(len(again), len(wave))
    # The long-term spectrum below 2 kHz is the voice's, the wave is not.
    spectra = [np.log(np.abs(np.fft.rfft(w[:length])) ** 2 + 1e-6)[: length // 8] for w in (wave, again)]
    smooth = [np.convolve(s, np.ones(400) / 400, "valid") for s in spectra]
    assert np.corrcoef(*smooth)[0, 1] > 0.8
    assert abs(np.corrcoef(wave[:length], again[:length])[0, 1]) < 0.9


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_codecs_keep_the_voice_and_lose_a_little(name: str) -> None:
    wave = voice(4, 1.5)
    coded = CHANNELS[name](wave)
    assert abs(len(coded) - len(wave)) < 0.1 * RATE
    # Coders delay; at the best delay below 0.1 s the wave is there again.
    middle = wave[4000:20_000]
    similar = max(np.corrcoef(middle, coded[4000 + d : 20_000 + d])[0, 1] for d in range(1600))
    assert similar > 0.8
    assert not np.array_equal(coded[: len(wave)], wave[: len(coded)])


def test_telephone_codecs_have_the_telephone_band() -> None:
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.standard_normal(2 * RATE)
    for name in ("mu_law", "a_law", "gsm"):
        power = np.abs(np.fft.rfft(CHANNELS[name](noise)[: 2 * RATE])) ** 2
        assert power[int(len(power) * 0.55) :].sum() < 1e-3 * power.sum(), name


def power_above(wave: np.ndarray, hertz: float) -> float:
    """Share of the power above a frequency."""
    power = np.abs(np.fft.rfft(wave)) ** 2
    return float(power[int(hertz / (RATE / 2) * (len(power) - 1)) :].sum() / power.sum())


@pytest.mark.parametrize("name", ["white", "pink", "chatter"])
def test_noise_lies_between_12_and_30_decibels_below_the_voice(name: str) -> None:
    wave = voice(6, 1.0)
    found = []
    for seed in range(40):
        noise = SURROUNDINGS[name](wave, np.random.default_rng(seed)) - wave
        found.append(10 * np.log10(np.mean(wave**2) / np.mean(noise**2)))
    assert 12 - 1e-9 <= min(found) < 16
    assert 26 < max(found) <= 30 + 1e-9


def test_pink_noise_falls_by_three_decibels_an_octave() -> None:
    rng = np.random.default_rng(0)
    noise = np.mean(
        [
            np.abs(np.fft.rfft(SURROUNDINGS["pink"](0 * t + 1, np.random.default_rng(i)) - 1)) ** 2
            for i, t in enumerate(rng.standard_normal((60, RATE)))
        ],
        axis=0,
    )
    octaves = [10 * np.log10(noise[f : 2 * f].mean()) for f in (250, 500, 1000, 2000)]
    np.testing.assert_allclose(np.diff(octaves), -10 * np.log10(2), atol=0.5)


def test_a_room_keeps_sounding_when_the_voice_has_stopped_and_a_narrow_line_ends_at_4_khz() -> None:
    rng = np.random.default_rng(0)
    click = np.zeros(RATE)
    click[100] = 1.0
    heard = SURROUNDINGS["room"](click, rng)
    assert np.abs(heard[:100]).max() < 1e-12
    early, late = (np.sum(heard[a:b] ** 2) for a, b in ((101, 1700), (1700, 3300)))
    assert 0 < late < early
    noise = rng.standard_normal(2 * RATE)
    assert power_above(SURROUNDINGS["narrow"](noise, rng), 4100) < 1e-3
    both = heard_through("room+narrow", noise, np.random.default_rng(1))
    by_hand = SURROUNDINGS["narrow"](SURROUNDINGS["room"](noise, np.random.default_rng(1)), rng)
    np.testing.assert_array_equal(both, by_hand)
    np.testing.assert_allclose(at_ratio(np.ones(8), np.ones(8), 6.0), 1 + 10 ** (-6 / 20))


def test_a_repeated_recording_gives_its_halves_in_the_other_place(tmp_path: Path) -> None:
    for number in range(6):
        soundfile.write(tmp_path / f"{number}.wav", voice(number), RATE)
    plan = SetPlan("train", 8, "all", "", methods=("griffin_lim", "linear_prediction"), fewest=8, repeats=2)
    pieces = {"all": find_recordings(tmp_path)}
    with ThreadPoolExecutor(1) as pool:
        path = build_benchmark(share_out(pieces, [plan], 0), tmp_path / "corpus", pool, plans=[plan])["train"]
        before = path.stat().st_mtime_ns
        rows = pd.read_csv(path)
        again = build_benchmark(share_out(pieces, [plan], 0), tmp_path / "corpus", pool, plans=[plan])[
            "train"
        ]
    assert again.stat().st_mtime_ns == before
    assert len(rows) == 16
    used = len(share_out(pieces, [plan], 0)["train"])
    first, second = ({n: rows.iloc[2 * n] for n in (i, i + used)} for i in (0, 1))
    for pair in (first, second):
        one, other = pair.values()
        waves = [soundfile.read(tmp_path / "corpus" / row["file"])[0] for row in (one, other)]
        assert len(waves[0]) == len(waves[1])
        assert (
            abs(np.corrcoef(*waves)[0, 1]) < 0.5
        )  # the human half of one is the source of the other's spoof
    spoofs = rows[rows["label"] == "spoof"]["attack"].tolist()
    assert spoofs[0] != spoofs[used]


def test_no_recording_is_in_two_sets_and_speakers_and_languages_are_new() -> None:
    groups = [("cs/a", 500), ("cs/b", 400), ("cs/c", 300), ("nl/d", 300)]
    pieces = [Recording(Path(f"{g}{i}.wav"), g, 0.0, 4.0) for g, n in groups for i in range(n)]
    sets = divide(pieces, 0)
    assert list(sets) == [plan.name for plan in DEMO_PLANS]
    paths = [r.path for found in sets.values() for r in found]
    assert len(paths) == len(set(paths))
    assert {r.group for r in sets["languages"]} == {"nl/d"}
    assert {r.group for r in sets["speakers"]} == {"cs/c"}
    assert {r.group for r in sets["train"]} == {"cs/a", "cs/b"}
    assert divide(pieces, 0) == sets
    assert divide(pieces, 1) != sets


def test_too_little_speech_says_how_much_is_wanted() -> None:
    with pytest.raises(UsageError, match=r"10 usable pieces .* needs 40; give about 200"):
        divide([Recording(Path(f"{i}.wav"), "", 0.0, 4.0) for i in range(10)], 0)


def test_recordings_are_found_cut_and_passed_over(speech: Path) -> None:
    soundfile.write(speech / "nl" / "dirk" / "long.flac", voice(5, 12.0), RATE)
    notes: list[str] = []
    pieces = find_recordings(speech, note=notes.append)
    assert len(pieces) == 88 + 5
    assert [(p.start, p.duration) for p in pieces if p.path.name == "long.flac"] == [
        (start, 2.4) for start in (0.0, 2.4, 4.8, 7.2, 9.6)
    ]
    assert {p.language for p in pieces} == {"cs", "nl"}
    assert any("1 files in formats" in note for note in notes)
    assert any("broken.wav" in note for note in notes)
    assert any(note.startswith("1 of 91 recordings are shorter") for note in notes)
    with pytest.raises(UsageError, match="not a folder"):
        find_recordings(speech / "nowhere")


def test_classes_differ_in_the_voice_only(speech: Path, tmp_path: Path) -> None:
    sets = divide(find_recordings(speech), 0, SMALL)
    with ThreadPoolExecutor(1) as pool:
        protocols = build_benchmark(sets, tmp_path / "corpus", pool, plans=SMALL)
    attacks = {}
    for name, path in protocols.items():
        rows = pd.read_csv(path)
        assert list(rows) == ["file", "label", "attack", "speaker", "language", "codec"]
        assert rows["label"].value_counts().to_dict() == {"bonafide": len(rows) // 2, "spoof": len(rows) // 2}
        attacks[name] = set(rows["attack"]) - {"-"}
        for human, spoof in zip(rows["file"][::2], rows["file"][1::2], strict=True):
            waves = [soundfile.read(tmp_path / "corpus" / f)[0] for f in (human, spoof)]
            assert len(waves[0]) == len(waves[1])
            assert 0.7 * RATE <= len(waves[0]) <= RATE
            levels = [float(np.sqrt(np.mean(w**2))) for w in waves]
            np.testing.assert_allclose(levels, 0.05, rtol=0.02)
            assert not np.array_equal(*waves)
        both = rows.groupby("label")["codec"].value_counts().unstack("label")
        assert (both["bonafide"] == both["spoof"]).all()
        assert len(read_set(f"{name}={path}").table) == len(rows)
    assert attacks["train"] == attacks["seen"] == attacks["codecs"] == attacks["noise"] == set(SEEN)
    assert attacks["attacks"] == set(UNSEEN)
    assert set(pd.read_csv(protocols["languages"])["language"]) == {"nl"}


@pytest.mark.slow
def test_the_whole_demo(speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def five(corpus: Path, seed: int) -> dict[str, Recipe]:
        return dict(list(population(corpus, seed).items())[:5])

    monkeypatch.setattr(run, "population", five)
    monkeypatch.setattr(run, "DEMO_PLANS", SMALL)
    done = run.run_demo(speech, out=tmp_path / "demo", workers=1, show_progress=False)
    results = read_results(tmp_path / "demo" / "results.csv")
    assert results["checkpoint"].nunique() == 5
    assert set(results.loc[results["domain"] == "id", "set"]) == {"seen"}
    assert set(results["recipe"]) == {"adamw", "sam0.02"}
    assert (tmp_path / "demo" / "correlation" / "correlations.csv").is_file()
    assert len(table(done.correlation, done.sets).splitlines()) == 1 + len(done.sets)
    words = conclusion(done)
    assert "How little that proves: 5 tiny detectors" in words
    assert "sharpscope correlate" in words


def test_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = CliRunner().invoke(main, ["demo", "--speech", str(tmp_path), "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "name another folder" in done.output
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_without_apt_the_demo_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SharpscopeError, match=r"no apt-get .* --speech DIR"):
        fetch_speech(tmp_path / "speech")


def test_the_corpus_alone_is_that_of_the_demo(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "DEMO_PLANS", SMALL)
    out = tmp_path / "corpus"
    made = CliRunner().invoke(main, ["example-corpus", str(out), "--speech", str(speech), "--quiet"])
    assert made.exit_code == 0, made.output
    names = [Path(line).stem for line in made.stdout.splitlines()]
    assert names[:2] == ["train", "dev"]
    assert {"seen", "attacks", "codecs"} <= set(names)
    for name in names:
        trials = read_set(f"{name}={out / name}.csv").table
        assert set(trials["label"]) == {"bonafide", "spoof"}
        assert all(Path(path).is_file() for path in trials["path"])
    before = (out / "seen.csv").read_text()
    again = CliRunner().invoke(main, ["example-corpus", str(out), "--speech", str(speech), "--quiet"])
    assert again.exit_code == 0
    assert (out / "seen.csv").read_text() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    refused = CliRunner().invoke(main, ["example-corpus", str(tmp_path / "mine")])
    assert refused.exit_code == 2
    assert "holds something that is no demo" in refused.stderr


def test_examples_are_listed_and_copied_and_nothing_is_written_over(tmp_path: Path) -> None:
    listed = CliRunner().invoke(main, ["examples"])
    assert "plugin" in listed.stdout
    copied = CliRunner().invoke(main, ["examples", "plugin", str(tmp_path / "p")])
    assert copied.exit_code == 0
    assert len(copied.stdout.splitlines()) == 2
    again = CliRunner().invoke(main, ["examples", "plugin", str(tmp_path / "p")])
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    unknown = CliRunner().invoke(main, ["examples", "plugins"])
    assert "did you mean 'plugin'?" in unknown.stderr


def test_a_missing_vocoder_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(_: Path) -> list[str]:
        raise AssertionError("72 MB were fetched in vain")

    monkeypatch.setitem(sys.modules, "pyworld", None)
    monkeypatch.setattr(run, "fetch_speech", fetch)
    with pytest.raises(UsageError, match=r"pip install 'sharpscope\[demo\]'"):
        run.example_corpus(tmp_path / "corpus", show_progress=False)
