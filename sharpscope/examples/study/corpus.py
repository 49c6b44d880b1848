"""The sets of the study: which recordings, vocoders and channels each is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sharpscope.demo.benchmark import build_benchmark
from sharpscope.demo.channels import INTERNET, TELEPHONE
from sharpscope.demo.debian import DIALOGUE, PROMPTS, fetch_speech
from sharpscope.demo.division import NOISES, SetPlan, share_out
from sharpscope.demo.speech import Recording, find_recordings
from sharpscope.demo.synthesis import UNSEEN
from sharpscope.devices import worker_processes
from sharpscope.progress import progress

PAIRS = 400
# Where detectors differ less, twice the trials bring halves of the set to agree on who is better.
MANY = 800
IN_DOMAIN = "seen"
# Acted dialogue in Czech and Dutch is at home; the prompts' speakers, languages and lines are all new.
HOME = ("cs", "nl")
# Training hears wide and narrow bands, or a line of 4 kHz alone would hide all that it learnt.
BANDS = ("", "", "narrow")
# The prompts were recorded at 8 kHz: every way that they take ends at 4 kHz.
NARROW_INTERNET = tuple(f"{name}+narrow" for name in INTERNET)
PLANS = (
    SetPlan("train", 900, "home", "what the detectors hear", ways=BANDS, fewest=400, repeats=2),
    SetPlan("dev", 100, "home", "chooses the epoch", ways=BANDS, fewest=100),
    SetPlan(
        IN_DOMAIN, PAIRS, "home", "other recordings of the speakers and vocoders of training", ways=BANDS
    ),
    SetPlan("inverted", PAIRS, "home", "Griffin-Lim of another make", methods=("inverted",), ways=BANDS),
    SetPlan("converted", PAIRS, "home", "WORLD with other voices", methods=("converted",), ways=BANDS),
    SetPlan("telephone", MANY, "home", "mu-law, A-law and GSM", ways=TELEPHONE, repeats=2),
    SetPlan("internet", PAIRS, "home", "Opus, MP3 and Vorbis", ways=INTERNET),
    SetPlan("noise", MANY, "home", "white and pink noise, other voices", ways=NOISES, repeats=2),
    SetPlan("rooms", PAIRS, "home", "echoing rooms", ways=("room",)),
    SetPlan(
        "prompts", MANY, "en fr", "professional speakers, English and French", ways=("narrow",), repeats=2
    ),
    SetPlan("prompts_internet", MANY, "en fr", "the same through codecs", ways=NARROW_INTERNET, repeats=2),
    SetPlan("prompts_languages", MANY, "es ru", "Spanish and Russian", ways=("narrow",), repeats=2),
    SetPlan(
        "prompts_attacks", PAIRS, "es ru", "Spanish and Russian, unheard vocoders", tuple(UNSEEN), ("narrow",)
    ),
    SetPlan("prompts_rooms", MANY, "it", "Italian in echoing rooms", ways=("room+narrow",), repeats=2),
)
SETS = tuple(plan.name for plan in PLANS[2:])
SHIFTED = SETS[1:]


def pools_of(recordings: Sequence[Recording]) -> dict[str, list[Recording]]:
    """Sort recordings into pools that share no speaker."""
    found: dict[str, list[Recording]] = {plan.pool: [] for plan in PLANS}
    for recording in recordings:
        language = recording.language
        pool = "home" if language in HOME else next((p for p in found if language in p.split()), None)
        if pool is not None:
            found[pool].append(recording)
    return found


def make_corpus(out: Path, seed: int, jobs: int) -> dict[str, Path]:
    """Fetch recordings and write every set that is not there yet; return the protocols."""
    sources = fetch_speech(out / "speech", DIALOGUE + PROMPTS)
    corpus = out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "SOURCES.txt").write_text("\n".join(sources) + "\n", encoding="utf-8")
    division = share_out(pools_of(find_recordings(out / "speech")), PLANS, seed)
    with (
        worker_processes(jobs) as pool,
        progress(sum(plan.pairs for plan in PLANS), "pairs of trials") as meter,
    ):
        return build_benchmark(division, corpus, pool, plans=PLANS, seed=seed, meter=meter)
