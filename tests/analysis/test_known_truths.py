"""A table of known truths: what a study must claim, and what it must not, whatever its numbers look like."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from known_truths import Study, copied, study, verdict_of

from sharpscope.analysis.correlate import correlate

N = 12
EVEN = np.linspace(-1, 1, N)
ARCH, RECIPE = np.repeat(np.arange(3), 4), np.repeat(np.arange(2), 6)
# Each of four sets lacks three checkpoints that no other set lacks: no checkpoint is complete.
LOST = {(i, j) for j in range(4) for i in range(3 * j, 3 * j + 3)}
EACH = range(3)
LIMITS = ("It may not be claimed", "that sharpness causes errors", "other detectors or sets")


def shuffled(seed: int, n: int = N) -> np.ndarray:
    return np.linspace(-1, 1, n)[np.random.default_rng(100 + seed).permutation(n)]


def noisy(values: np.ndarray, seed: int) -> np.ndarray:
    return values + 0.3 * np.random.default_rng(200 + seed).normal(size=len(values))


def none(seed: int) -> Study:
    """Detectors that are equal in truth: sharpness is of the losses of the trials that make the error rate."""
    return study(np.zeros(N), seed=seed)


def through_the_loss(seed: int) -> Study:
    return study(shuffled(seed), seed=seed)


def independent(seed: int) -> Study:
    """Outputs are scaled at random, which moves every loss and no error rate; sharpness follows the errors."""
    quality, scale = shuffled(seed), np.exp(np.random.default_rng(300 + seed).normal(size=N))
    return study(quality, trait=-quality, scale=scale, seed=seed)


def negative(seed: int) -> Study:
    return study(shuffled(seed), trait=shuffled(seed), seed=seed)


def between_architectures(seed: int) -> Study:
    quality = np.array([-1.0, 0, 1])[ARCH]
    return study(quality, trait=noisy(-quality, seed), arch=ARCH, seed=seed)


def between_recipes(seed: int) -> Study:
    quality = np.array([-0.7, 0.7])[RECIPE]
    return study(quality, trait=noisy(-quality, seed), recipe=RECIPE, seed=seed)


def inside_architectures(seed: int) -> Study:
    """What holds inside architectures is claimed, whatever lies between them."""
    quality = np.tile([-1.0, -0.3, 0.3, 1.0], 3)
    return study(quality, trait=-quality + 0.3 * ARCH, arch=ARCH, seed=seed)


def hidden_between_architectures(seed: int) -> Study:
    """Architectures differ so much in sharpness that nothing is seen across them; it is said that it is inside."""
    quality = np.tile([-1.0, -0.3, 0.3, 1.0], 3)
    return study(quality, trait=-quality + 3.0 * ARCH, arch=ARCH, seed=seed)


def floor(seed: int) -> Study:
    return study(EVEN, ease=12, trait=-EVEN, seed=seed)


def ties(seed: int) -> Study:
    """Error rates of eight trials a class are few different numbers."""
    return study(shuffled(seed), trait=shuffled(seed).round(0), per_class=16, seed=seed)


def four(seed: int) -> Study:
    return study(EVEN[[0, 4, 8, 11]], seed=seed)


def missing_signal(seed: int) -> Study:
    return study(shuffled(seed), trait=-shuffled(seed), sets=4, seed=seed).without(LOST)


def missing_none(seed: int) -> Study:
    return study(np.zeros(N), sets=4, seed=seed).without(LOST)


def copies_of_six(seed: int) -> Study:
    return copied(study(np.zeros(6), seed=seed))


def copies_of_four(seed: int) -> Study:
    return copied(study(EVEN[[0, 4, 8, 11]], seed=seed))


class Truth(NamedTuple):
    """What may be answered, what must be said and what must not."""

    make: Callable[[int], Study]
    answers: tuple[str, ...]
    said: tuple[str, ...]
    unsaid: tuple[str, ...]


CLAIM = "Sharper checkpoints made"
TRUTHS = (
    Truth(none, ("no",), ("Nothing here shows", "no relation", *LIMITS), (CLAIM,)),
    Truth(
        through_the_loss,
        ("yes",),
        (f"{CLAIM} more errors:", "tells more than loss", *LIMITS),
        ("may be why",),
    ),
    Truth(independent, ("yes",), (f"{CLAIM} more errors:", *LIMITS), ("may be why",)),
    Truth(negative, ("reversed",), (f"{CLAIM} fewer errors:", *LIMITS), ("more errors",)),
    Truth(
        between_architectures,
        ("unknown",),
        ("but architectures may be why", "inside architectures", "sharpness itself"),
        (f"{CLAIM} more errors:",),
    ),
    Truth(
        between_recipes,
        ("unknown",),
        ("but recipes may be why", "inside recipes only", "sharpness itself"),
        (f"{CLAIM} more errors:",),
    ),
    Truth(
        inside_architectures, ("yes",), (f"{CLAIM} more errors:", "; inside architectures"), ("may be why",)
    ),
    Truth(
        hidden_between_architectures, ("no",), ("Nothing here shows", "; inside architectures 0.9"), (CLAIM,)
    ),
    Truth(floor, ("unknown",), ("the same for all checkpoints", "Nothing may be claimed"), (CLAIM, "p =")),
    Truth(ties, ("reversed",), (f"{CLAIM} fewer errors:", *LIMITS), ("more errors",)),
    Truth(four, ("unknown",), ("Nothing can be tested with 4 checkpoints", "fewer than 5"), (CLAIM, "p =")),
    Truth(missing_signal, ("yes",), ("numbers on the same sets", *LIMITS), ("may be why",)),
    Truth(missing_none, ("no",), ("Nothing here shows", "numbers on the same sets"), (CLAIM,)),
    Truth(copies_of_six, ("no",), ("permuting 6 runs",), (CLAIM, "12 checkpoints")),
    Truth(copies_of_four, ("unknown",), ("8 checkpoints, which are 4 runs",), (CLAIM, "p =")),
)


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.make.__name__)
@pytest.mark.parametrize("seed", EACH)
def test_what_is_claimed_is_true_and_what_is_not_true_is_not_claimed(truth: Truth, seed: int) -> None:
    verdict = verdict_of(truth.make(seed))
    assert verdict.answer in truth.answers, str(verdict)
    for words in truth.said:
        assert words in str(verdict)
    for words in truth.unsaid:
        assert words not in str(verdict)


def test_three_sentences_begin_every_summary_and_few_checkpoints_end_it() -> None:
    made = four(0)
    found = correlate(made.results, records=made.records)
    assert found.summary.split("\n\n")[1:] == [f"**Verdict.** {found.verdict}\n"]
    made = through_the_loss(0)
    found = correlate(made.results, records=made.records)
    assert found.verdict is not None
    title, verdict, *questions = found.summary.split("\n\n")
    assert title == "# Sharpness and equal error rate: 12 checkpoints, 3 sets"
    assert verdict == f"**Verdict.** {found.verdict}"
    headings = [line for line in questions if line.startswith("## ")]
    assert headings[0] == "## The numbers"
    assert headings[-1] == "## For a methods section"
    assert "| all sets | sam (rho 0.05), m = 8, rigorous | 12 |" in found.summary


def test_the_same_trials_alone_are_no_claim() -> None:
    """Without records identical detectors correlate at .65; the words may not make anything of it."""
    verdict = correlate(none(0).results).verdict
    assert verdict is not None
    assert verdict.answer == "unknown"
    assert "Nothing can be claimed" in verdict.says
    assert "no measure of certainty" in verdict.sure


def test_missing_numbers_are_said_and_copies_are_named() -> None:
    made = missing_signal(0)
    words = correlate(made.results, records=made.records).summary
    assert "12 of 12 checkpoints lack numbers on some set" in words
    made = copies_of_six(0)
    found = correlate(made.results, records=made.records)
    assert sum("same numbers everywhere" in line for line in found.warnings) == 6
    assert any("12 checkpoints are 6 different networks" in line for line in found.warnings)
