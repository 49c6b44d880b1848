"""How a user's constructor is called, and what is said when it cannot be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sharpscope.detectors import load_detector
from sharpscope.detectors.model_arguments import Settings, call_with
from sharpscope.detectors.user_model import build_user_model
from sharpscope.errors import UsageError

NETWORK = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=3, depth=1):
        super().__init__()
        if width < 1:
            raise ValueError(f"width is {width}")
        self.out = nn.Linear(width, 2)

    def forward(self, x):
        return self.out(x.mean(dim=(1, 2))[:, None].expand(-1, self.out.in_features))


class NotOne:
    pass


def gives_a_dict(width=3):
    return {}
"""


def keywords(width: int, depth: int = 1) -> Any:
    return width, depth


def one(d_args: Mapping[str, Any]) -> Any:
    return d_args["width"]


def attributes(args: Any, device: str) -> Any:
    return args.width, args.sub.depth, device


def anything(**options: Any) -> Any:
    return dict(options)


def defaults(config: Any = None, width: int = 0) -> Any:
    return config, width


@pytest.mark.parametrize(
    ("factory", "arguments", "result", "note"),
    [
        (keywords, {"width": 2}, (2, 1), ""),
        (keywords, {"width": 2, "depth": 5}, (2, 5), ""),
        (keywords, {"model": {"width": 2}, "lr": 1}, (2, 1), "model of --model-args given as keywords"),
        (keywords, {"width": 2, "lr": 1, "epochs": 9}, (2, 1), "left out: epochs, lr"),
        (keywords, {"net": {"width": 4, "name": "X"}, "lr": 1}, (4, 1), "left out: name"),
        (one, {"width": 2}, 2, "all of --model-args given as the one argument 'd_args'"),
        (one, {"model_config": {"width": 7}, "batch": 1}, 7, "model_config of --model-args given"),
        (one, {"d_args": {"width": 9}}, 9, ""),
        (attributes, {"width": 1, "sub": {"depth": 2}}, (1, 2, "cpu"), "'args'"),
        (anything, {"width": 2}, {"width": 2}, ""),
        (anything, {"model": {"width": 2}, "lr": 1}, {"width": 2}, "as keywords"),
        (defaults, {"width": 3}, (None, 3), ""),
        (defaults, {}, (None, 0), ""),
    ],
)
def test_arguments_take_the_form_that_the_constructor_wants(
    factory: Any, arguments: dict[str, Any], result: Any, note: str
) -> None:
    found, notes = call_with(factory, arguments, "m:f")
    assert found == result
    assert note in "; ".join(notes)
    assert bool(note) == bool(notes)


@pytest.mark.parametrize(
    ("factory", "arguments", "word"),
    [
        (keywords, {}, "missing 1 required positional argument: 'width'"),
        (keywords, {"widht": 2}, "widht"),
        (keywords, {"width": 2, "dept": 3}, "dept"),
        (keywords, {"model": {"width": 2, "dpeth": 3}}, "could not be built"),
        (one, {"height": 2}, "KeyError"),
    ],
)
def test_a_misspelling_is_never_left_out(factory: Any, arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        call_with(factory, arguments, "m:f")
    assert "it takes (" in str(caught.value)


def test_settings_are_read_both_ways() -> None:
    settings = Settings({"a": 1, "b": {"c": 2}})
    assert settings["b"]["c"] == settings.b.c == 2
    assert not hasattr(settings, "z")
    assert getattr(settings, "z", 5) == 5


def test_a_front_end_before_a_network_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NETWORK)
    network, decisions = build_user_model(f"lfcc+{tmp_path}/net.py:Net", {"width": 4})
    assert network(torch.zeros(2, 16_000)).shape == (2, 2)
    assert decisions[-1] == "front-end lfcc (torchaudio.LFCC)"
    torch.save(network.state_dict(), tmp_path / "a.pt")
    specs = {
        load_detector(
            tmp_path / "a.pt", model=f"{front}{tmp_path}/net.py:Net", model_args=arguments
        ).spec.hash()
        for front, arguments in (
            ("mfcc+", {"width": 4}),
            ("lfcc+", {"width": 4}),
            ("lfcc+", {"width": 4, "front_end": {"differences": 2}}),
        )
    }
    assert len(specs) == 3
    with pytest.raises(UsageError, match="did you mean 'mfcc'"):
        build_user_model(f"mfccs+{tmp_path}/net.py:Net")
    with pytest.raises(UsageError, match="must be an object"):
        build_user_model(f"mfcc+{tmp_path}/net.py:Net", {"front_end": 3})
    (tmp_path / "a+b.py").write_text(NETWORK)
    assert isinstance(build_user_model(f"{tmp_path}/a+b.py:Net").network, nn.Module)


def test_what_fails_in_the_users_code_is_one_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NETWORK)
    line = NETWORK.splitlines().index('            raise ValueError(f"width is {width}")') + 1
    with pytest.raises(UsageError, match=rf"ValueError: width is -1, net\.py, line {line}"):
        build_user_model(f"{tmp_path}/net.py:Net", {"width": -1})
    with pytest.raises(UsageError, match="gave a dict; it must give"):
        build_user_model(f"{tmp_path}/net.py:gives_a_dict")
    with pytest.raises(UsageError, match="gave a NotOne; it must give"):
        build_user_model(f"{tmp_path}/net.py:NotOne")
    for code, word in (("x = 1 / 0\n", r"ZeroDivisionError.*bad\.py, line 1"), ("def f(:\n", "SyntaxError")):
        (tmp_path / "bad.py").write_text(code)
        with pytest.raises(UsageError, match=word) as caught:
            build_user_model(f"{tmp_path}/bad.py:f")
        assert "\n" not in str(caught.value)
