"""Calling a network's constructor with what a repository offers: keywords, one dictionary, or a configuration file."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sharpscope.detectors.failures import first_line, place_of
from sharpscope.errors import UsageError

# How the configuration files of this field call the part that is the model's.
SECTIONS = (
    "model_config",
    "model_args",
    "model_params",
    "model",
    "network",
    "net",
    "detector",
    "arch_args",
    "args",
    "params",
    "parameters",
    "kwargs",
    "config",
    "hparams",
    "hyper_parameters",
)
# How constructors call the one argument that holds all the others.
CONFIGURATION = re.compile(r"arg|conf|cfg|param|^opt|option|setting|dict|^hp|namespace", re.IGNORECASE)


class Settings(dict[str, Any]):
    """A configuration read both ways that constructors do: ``args["width"]`` and ``args.width``.

    Example:
        >>> Settings({"model": {"width": 8}}).model.width
        8
    """

    def __getattr__(self, name: str) -> Any:
        """Return an entry by attribute, sections as `Settings` of their own."""
        if name.startswith("__") or name not in self:
            raise AttributeError(name)
        value = self[name]
        return Settings(value) if type(value) is dict else value


def call_with(
    factory: Callable[..., Any], arguments: Mapping[str, Any], spec: str
) -> tuple[Any, tuple[str, ...]]:
    """Call a constructor with the arguments in the form that its signature takes.

    Tried in this order: keywords; the keywords of the section for the model; the section, or everything, as the one
    dictionary that it wants; the keywords that it knows out of a configuration. What is left out is said, and a
    misspelled keyword never is left out.

    Args:
        factory: A class or function.
        arguments: As given with ``--model-args``.
        spec: What ``--model`` said, for messages.

    Returns:
        What it returned, and lines that say which form was taken.

    Raises:
        UsageError: If no form fits, or the constructor raises.

    Example:
        >>> call_with(lambda d_args: d_args["width"], {"model_config": {"width": 8}, "epochs": 3}, "x:y")
        (8, ("model_config of --model-args given as the one argument 'd_args'",))
    """
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # a builtin that does not tell
        return _call(factory, (), dict(arguments), spec), ()
    forms = list(_forms(signature, arguments))
    # Where nothing fits, Python's own words say which argument is missing or unknown.
    for positional, keywords, notes in forms[:-1]:
        try:
            return factory(*positional, **keywords), notes
        except (KeyError, AttributeError):  # it looks for something that only the whole configuration has
            continue
        except Exception:  # said below, with where it was raised
            forms = [(positional, keywords, notes)]
            break
    positional, keywords, notes = forms[-1] if forms else ((), dict(arguments), ())
    return _call(factory, positional, keywords, spec, signature), notes


Form = tuple[tuple[Any, ...], dict[str, Any], tuple[str, ...]]


def _forms(signature: inspect.Signature, arguments: Mapping[str, Any]) -> Iterator[Form]:
    """Yield the forms in which a constructor may take its arguments, the likeliest first."""
    name, section = _section(arguments)
    wants = _single(signature)
    # A constructor of **anything swallows a whole configuration: its section is meant.
    if _binds(signature, arguments) and not (name and (wants or _swallows(signature))):
        yield (), dict(arguments), ()
        return
    if name and _binds(signature, section):
        yield (), dict(section), (f"{name} of --model-args given as keywords",)
        return
    if wants and arguments:
        more = {"device": "cpu"} if "device" in signature.parameters else {}
        for which, value in ((name, section), ("all", arguments)):
            if which:
                note = f"{which} of --model-args given as the one argument '{wants}'"
                yield (Settings(value),), more, (note,)
        return
    known = _known(signature, section if name else arguments)
    if known is not None:
        yield known


def _section(arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the part of a configuration that is the model's, with its name; empty where there is none."""
    for name in SECTIONS:
        value = arguments.get(name)
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return name, value
    return "", {}


def _binds(signature: inspect.Signature, arguments: Mapping[str, Any]) -> bool:
    try:
        signature.bind(**arguments)
    except TypeError:
        return False
    return True


def _swallows(signature: inspect.Signature) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())


def _single(signature: inspect.Signature) -> str:
    """Return the one argument that has to be given, a device apart, if it is called like a configuration."""
    wanted = [
        p.name
        for p in signature.parameters.values()
        if p.default is inspect.Parameter.empty
        and p.kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        and p.name != "device"
    ]
    return wanted[0] if len(wanted) == 1 and CONFIGURATION.search(wanted[0]) else ""


def _known(signature: inspect.Signature, arguments: Mapping[str, Any]) -> Form | None:
    """Take the keywords that a signature knows out of a configuration, unless a stranger looks like a misspelling."""
    names = [p.name for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_POSITIONAL]
    kept = {key: value for key, value in arguments.items() if key in names}
    strange = [key for key in arguments if key not in names]
    misspelled = any(difflib.get_close_matches(key, names, n=1, cutoff=0.7) for key in strange)
    if not kept or not strange or misspelled or not _binds(signature, kept):
        return None
    return (), kept, (f"not arguments of the network, left out: {', '.join(sorted(strange))}",)


def _call(
    factory: Callable[..., Any],
    positional: tuple[Any, ...],
    keywords: dict[str, Any],
    spec: str,
    signature: inspect.Signature | None = None,
) -> Any:
    try:
        return factory(*positional, **keywords)
    except Exception as error:  # the user's code may raise anything
        where = place_of(error)
        takes = f"; it takes {signature}"[:200] if signature is not None else ""
        raise UsageError(
            f"{spec} could not be built ({first_line(error)}{f', {where}' if where else ''}){takes}; see --model-args"
        ) from error
