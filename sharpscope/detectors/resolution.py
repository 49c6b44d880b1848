"""Which network a file belongs to, step by step; ambiguity and ignorance stop with what to do next."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from sharpscope import detectors
from sharpscope.detectors.architecture import Architecture
from sharpscope.detectors.fitting import build_to_fit
from sharpscope.detectors.nearest import Likeness, describe_likeness, nearest, part_of
from sharpscope.detectors.reading import Checkpoint
from sharpscope.detectors.spec import DetectorSpec
from sharpscope.detectors.stub import how_to_use, stub_for
from sharpscope.detectors.user_model import build_user_model
from sharpscope.errors import UsageError, unknown_name

SAM_ANTISPOOFING_ENVELOPE = {"optimizer", "epoch"}
# Larger than any width, depth or kernel of a detector: a record that asks for more is a mistake or an attack.
LARGEST_ARGUMENT = 100_000
NAMED = "named by --arch"
FAIRSEQ_HINT = (
    " The front-end is a self-supervised one whose head is not known here; in your own model file, "
    "sharpscope.detectors.architectures.ssl.split_frontend and build_frontend read it."
)


class Resolution(NamedTuple):
    """Who decided what a file is.

    Attributes:
        network: Built, not yet filled.
        state: The weights, under the network's names.
        spec: Its conventions.
        decisions: A line a step.
    """

    network: nn.Module
    state: Mapping[str, Tensor]
    spec: DetectorSpec
    decisions: tuple[str, ...]


def resolve(
    checkpoint: Checkpoint, arch: str | None, model: str | None, arguments: Mapping[str, Any] | None
) -> Resolution:
    """Decide which network a checkpoint belongs to and build it.

    Who decides, first that applies: the user's own network, the user's choice of architecture, the record in
    or beside the file, the names and shapes of the weights.

    Args:
        checkpoint: The weights.
        arch: Name in ``ARCHITECTURES``.
        model: ``package.module:factory`` or ``file.py:Class``.
        arguments: Keyword arguments of either; they replace those told from the file one by one.

    Returns:
        The network and its conventions.

    Raises:
        UsageError: If nothing or more than one thing fits.
    """
    if model is not None:
        return _users_own(checkpoint, model, arguments)
    arch, told, reason = _which(checkpoint, arch)
    entry = detectors.ARCHITECTURES[arch]
    assumed: list[str] = []
    inside = part_of(checkpoint.state, arch) if reason == NAMED else None
    if inside is not None:
        assumed.append(_left_beside(inside))
        checkpoint = checkpoint._replace(state=_under(checkpoint.state, inside))
    decisions = [f"{arch}: {reason}", *assumed]
    recorded = told
    if not told and entry.matches is not None:
        told = entry.matches(checkpoint.state) or {}
    final = {**told, **(arguments or {})}
    chosen = _chosen(entry, arch, final, checkpoint)
    if chosen is not None:
        assumed.append(chosen.assumption)
        decisions.append(chosen.decision)
    given = {**(recorded if entry.matches is not None else {}), **(arguments or {})}
    if given:
        # They may change the function and no shape: a row that differs in them must differ in its spec_hash.
        assumed.append(f"arguments given: {_shown(given)}")
    if final:
        decisions.append("sizes: " + ", ".join(f"{name}={value}" for name, value in final.items()))
    state = entry.rename(checkpoint.state)
    network = _build(entry, arch, final, state, checkpoint, told_by_user=reason == NAMED or bool(arguments))
    decisions += _never_used(checkpoint.state, state)
    argument, answered = entry.answered or ("", "")
    left = [line for line in entry.spec.assumptions if argument not in given or line != answered]
    spec = dataclasses.replace(entry.spec, assumptions=(*assumed, *left))
    return Resolution(network, state, spec, tuple(decisions))


def _which(checkpoint: Checkpoint, arch: str | None) -> tuple[str, dict[str, Any], str]:
    """Return the name of the architecture, the arguments that a record tells, and who decided."""
    record = check_record(checkpoint)
    told: dict[str, Any] = {}
    reason = NAMED
    if arch is None and "arch" in record:
        arch, told, reason = record["arch"], dict(record.get("arch_args", {})), "named by the record"
    elif arch is None:
        arch, reason = _by_signature(checkpoint), "recognised by the names and shapes of its weights"
    if arch not in detectors.ARCHITECTURES:
        raise unknown_name("architecture", str(arch), detectors.ARCHITECTURES)
    return str(arch), told, reason


def _build(
    entry: Architecture,
    arch: str,
    arguments: Mapping[str, Any],
    state: Mapping[str, Tensor],
    checkpoint: Checkpoint,
    told_by_user: bool,
) -> nn.Module:
    """Build the network; where a recognised file does not fit after all, say in what it differs."""
    try:
        return build_to_fit(entry.build, arguments, state, checkpoint.path, arch)
    except UsageError as error:
        found = None if told_by_user else nearest(checkpoint.state)
        if found is None or not (found.extra or found.different):
            raise
        raise UsageError(f"{error} {describe_likeness(found)}") from None


def _never_used(published: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    left_out = sum(t.numel() for t in published.values()) - sum(t.numel() for t in state.values())
    if not left_out:
        return []
    count = len(published) - len(state)
    return [f"left out: {count} tensors ({left_out:,} numbers) that the published forward never uses"]


def _left_beside(inside: Likeness) -> str:
    """Say which part of the file was taken and what was left."""
    place = (
        f"only what stands under '{inside.prefix}' was read" if inside.prefix else "other heads were left out"
    )
    return f"{place}; left out as --arch allows: {', '.join(inside.extra[:4]) or 'nothing'}" + (
        f" and {len(inside.extra) - 4} more" if len(inside.extra) > 4 else ""
    )


def _under(state: Mapping[str, Tensor], inside: Likeness) -> dict[str, Tensor]:
    """Return the tensors of the architecture alone, under their published names."""
    under = {
        name.removeprefix(inside.prefix): tensor
        for name, tensor in state.items()
        if name.startswith(inside.prefix)
    }
    return {name: tensor for name, tensor in under.items() if name not in inside.extra}


def _shown(arguments: Mapping[str, Any]) -> str:
    """Write arguments on one line, the same for the same arguments."""
    return json.dumps(dict(arguments), sort_keys=True, default=str)


class _Choice(NamedTuple):
    """An argument that no weight tells: what becomes of the spec_hash, and the whole reason."""

    assumption: str
    decision: str


def _chosen(entry: Architecture, arch: str, final: dict[str, Any], checkpoint: Checkpoint) -> _Choice | None:
    """Settle the argument that no weight tells, into ``final``, and say who did; stop where nobody does."""
    if entry.asked is None:
        return None
    name, values = entry.asked
    if name in final:
        return _Choice(
            f"{name}={final[name]}", f"{name}={final[name]}: told by the weights, a record or --model-args"
        )
    place = f"{checkpoint.path.resolve().parent.name}/{checkpoint.path.name}"
    hint = entry.hint(checkpoint.state, place) if entry.hint is not None else None
    ways = {value: f"--model-args '{json.dumps({name: value})}'" for value in values}
    if hint is None:
        raise UsageError(
            f"{checkpoint.path}: {arch} weights that fit {len(values)} different functions ({name} by "
            f"{' or '.join(values)}), which no tensor tells apart. Look into the code that trained them and say "
            f"which: {' or '.join(ways.values())}"
        )
    value, reason = hint
    final[name] = value
    others = " or ".join(way for other, way in ways.items() if other != value)
    return _Choice(
        f"{name}={value} taken from a hint (the same weights fit {' and '.join(values)})",
        f"{name}={value} because {reason}; if that is wrong pass {others}",
    )


def check_record(checkpoint: Checkpoint) -> dict[str, Any]:
    """Check the types in a record: it comes with the file, so it may hold anything.

    Args:
        checkpoint: With or without a record.

    Returns:
        The record, empty when there is none.

    Raises:
        UsageError: If it names code, or a field has the wrong type.
    """
    record = checkpoint.record or {}
    where = f"{checkpoint.path}: its record"
    if "model" in record:
        raise UsageError(f"{where} names code to run ('model'); look at it and pass it yourself with --model")
    if not isinstance(record.get("arch", ""), str):
        raise UsageError(f"{where} has arch {record['arch']!r:.40}; it must be a name")
    arguments = record.get("arch_args", {})
    if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
        raise UsageError(
            f"{where} has arch_args {arguments!r:.40}; it must be an object of keyword arguments"
        )
    for number in _numbers(arguments):
        if not abs(number) <= LARGEST_ARGUMENT:
            raise UsageError(
                f"{where} asks for a network with {number} in its sizes; at most {LARGEST_ARGUMENT}"
            )
    if not isinstance(record.get("spec", {}), Mapping):
        raise UsageError(f"{where} has spec {record['spec']!r:.40}; it must be an object of conventions")
    if record.get("bonafide_index", 1) not in (0, 1):
        raise UsageError(f"{where} has bonafide_index {record['bonafide_index']!r:.40}; it must be 0 or 1")
    return record


def _numbers(value: Any) -> list[float]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, int | float) else []


def _users_own(checkpoint: Checkpoint, model: str, arguments: Mapping[str, Any] | None) -> Resolution:
    network, decisions = build_user_model(model, arguments)
    front = model.partition("+")[0] if decisions[-1].startswith("front-end ") else ""
    spec = DetectorSpec(
        f"user:{front}{'+' if front else ''}{model.rpartition(':')[2]}",
        polarity_source="default",
        assumptions=(
            *((f"arguments given: {_shown(arguments)}",) if arguments else ()),
            "bona fide assumed at index 1",
        ),
    )
    declared = getattr(network, "sharpscope_spec", None)
    if declared is not None and not isinstance(declared, Mapping):
        raise UsageError(f"sharpscope_spec of {model} is a {type(declared).__name__}; it must be a dict")
    if declared:
        kept = spec.assumptions[:-1] if "bonafide_index" in declared else spec.assumptions
        spec = DetectorSpec(spec.arch, polarity_source="default", assumptions=kept).declare(
            declared, "declared"
        )
    return Resolution(network, checkpoint.state, spec, decisions)


def _by_signature(checkpoint: Checkpoint) -> str:
    found = [
        name
        for name, entry in detectors.ARCHITECTURES.items()
        if not entry.by_name and entry.matches is not None and entry.matches(checkpoint.state) is not None
    ]
    # A converted file remembers what its original held beside the weights.
    remembered = (checkpoint.record or {}).get("envelope_keys", ())
    beside = {
        str(key) for key in (*checkpoint.siblings, *(remembered if isinstance(remembered, list) else ()))
    }
    if found == ["aasist"] and beside >= SAM_ANTISPOOFING_ENVELOPE:
        raise UsageError(
            f"{checkpoint.path}: AASIST weights that fit two different functions, and the file (with "
            f"{', '.join(sorted(beside))}) looks like SAM-AntiSpoofing's. Say which: "
            "--arch aasist@sam-antispoofing (pool ratios .5/.5/.5) or --arch aasist (.5/.7/.5)"
        )
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{checkpoint.path}: fits {' and '.join(found)}; say which with --arch")
    raise UsageError(
        f"{checkpoint.path}: no known architecture for {summary_of(checkpoint.state, checkpoint.path)}"
    )


def summary_of(state: Mapping[str, Tensor], path: str | Path = "FILE") -> str:
    """Describe an unknown state dict, with what to do next.

    Args:
        state: Tensors by name.
        path: Their file, for the commands.

    Returns:
        Its size and some names, the known architecture that it looks like or all of them, and a model file to start
        from.
    """
    names = list(state)
    picked = dict.fromkeys([*names[:3], *names[-2:]])
    shown = ", ".join(f"{name[:60]} {tuple(state[name].shape)}" for name in picked)
    count = sum(tensor.numel() for tensor in state.values())
    frontend = any("post_extract_proj" in name or "feature_projection" in name for name in names)
    found = nearest(state)
    known = describe_likeness(found) if found else f"Known: {', '.join(detectors.ARCHITECTURES)}."
    if found and (tell := detectors.ARCHITECTURES[found.arch].relative):
        known = f"{known} {tell(state)}".rstrip()
    return (
        f"these {len(names)} tensors, {count:,} numbers ({shown}).{FAIRSEQ_HINT if frontend else ''} {known} Name one "
        f"with --arch, or {how_to_use(str(path))}\n\n{stub_for(state)}"
    )
