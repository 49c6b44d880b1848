"""The model file that is printed for an unknown network loads and scores once it names the class, and no more."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from sharpscope.detectors import load_detector
from sharpscope.errors import UsageError

HEAD = "import torch\nfrom torch import nn\n\n\n"
WAVES = 0.1 * torch.randn(3, 64_600, generator=torch.Generator().manual_seed(0))


class Unknown(NamedTuple):
    """A network of nobody's that we know."""

    code: str
    takes: str  # "(B, T)", "(B, 1, T)", or a front-end with its options
    arguments: dict[str, Any]  # as --model-args
    build: str  # the expression that makes it


CHANNEL = """class Model(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.conv = nn.Conv1d(1, width, 65, stride=32)
        self.norm = nn.BatchNorm1d(width)
        self.out = nn.Linear(width, 2)

    def forward(self, x):
        return self.out(self.norm(self.conv(x)).relu().mean(dim=2))
"""
PLAIN = """class Model(nn.Module):
    def __init__(self, d_args):
        super().__init__()
        self.first = nn.Linear(100, d_args["width"])
        self.out = nn.Linear(d_args["width"], 2)

    def forward(self, x):
        return x.mean(), self.out(torch.tanh(self.first(x.unfold(1, 100, 100)))).mean(dim=1)
"""
SPACE = """class Model(nn.Module):
    def __init__(self, args, device):
        super().__init__()
        self.encoder = nn.GRU(args.bands, args.hidden, batch_first=True)
        self.fc = nn.Linear(args.hidden, 1)

    def forward(self, x):
        return self.fc(self.encoder(x[:, :3200].unflatten(1, (-1, self.encoder.input_size)))[0][:, -1])
"""
CNN = """class Model(nn.Module):
    def __init__(self, channels=4, classes=2):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))
"""
LSTM = """class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.lstm = nn.LSTM(config["model"]["n_feats"], 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        if x.dim() != 3 or x.shape[2] != self.lstm.input_size:
            raise ValueError("expected (B, T, D)")
        return {"logits": self.head(self.lstm(x)[0].mean(dim=1))}
"""
FRAMES = """class Model(nn.Module):
    def __init__(self, n_mels=40, dim=8):
        super().__init__()
        self.tdnn = nn.Conv1d(n_mels, dim, 5)
        self.fc = nn.Linear(dim, 1)

    def forward(self, x):
        return torch.squeeze(self.fc(self.tdnn(x).relu().mean(dim=2)), 1)
"""
IMPORTS = "from layers import Layer\n\n\n" + CHANNEL.replace(
    "nn.Conv1d(1, width, 65, stride=32)", "Layer(width)"
)
LATE = PLAIN.replace("        super().__init__()\n", "        super().__init__()\n        import layers\n")
LAYER = (
    HEAD
    + "class Layer(nn.Conv1d):\n    def __init__(self, width):\n        super().__init__(1, width, 65, stride=32)\n"
)

NETWORKS = [
    Unknown(CHANNEL, "(B, 1, T)", {}, "Model()"),
    Unknown(CHANNEL, "(B, 1, T)", {"width": 9}, "Model(width=9)"),
    Unknown(PLAIN, "(B, T)", {"width": 7}, "Model({'width': 7})"),
    Unknown(PLAIN, "(B, T)", {"model_config": {"width": 5}, "epochs": 3}, "Model({'width': 5})"),
    Unknown(SPACE, "(B, T)", {"bands": 32, "hidden": 4}, "Model(Namespace(bands=32, hidden=4), 'cpu')"),
    Unknown(CNN, "mfcc (B, 1, D, T)", {"model": {"channels": 3}, "lr": 0.1}, "Model(channels=3)"),
    Unknown(CNN, "cqt (B, 1, D, T)", {"channels": 5, "seed": 1}, "Model(channels=5)"),
    Unknown(
        LSTM, "lfcc (B, T, D)", {"model": {"n_feats": 40}, "data": {}}, "Model({'model': {'n_feats': 40}})"
    ),
    Unknown(FRAMES, "mel (B, D, T)", {"n_mels": 128}, "Model(128)"),
    Unknown(IMPORTS, "(B, 1, T)", {}, "Model()"),
    Unknown(LATE, "(B, T)", {"width": 4}, "Model({'width': 4})"),
]


def fill_in(stub: str, takes: str) -> tuple[str, str, dict[str, Any]]:
    """Do what the stub asks for and nothing else: the shape that the network takes. The class is called as it says."""
    if takes == "(B, 1, T)":
        return stub.replace("super().forward(waves)", "super().forward(waves.unsqueeze(1))"), "", {}
    front, _, layout = takes.partition(" ")
    return (
        (stub, f"{front}+", {"front_end": {"layout": layout}})
        if layout and front != "(B,"
        else (stub, "", {})
    )


@pytest.mark.parametrize("case", range(len(NETWORKS)))
@pytest.mark.parametrize("as_file", [False, True])
def test_the_printed_stub_loads_and_scores_a_bare_file(case: int, as_file: bool, tmp_path: Path) -> None:
    unknown = NETWORKS[case]
    code = (HEAD if "layers import" not in unknown.code else HEAD.strip() + "\n") + unknown.code
    (tmp_path / "model.py").write_text(code)
    (tmp_path / "layers.py").write_text(LAYER)
    namespace: dict[str, Any] = {}
    exec(f"from argparse import Namespace\n{LAYER}", namespace)
    exec(code.replace("from layers import Layer\n", "").replace("        import layers\n", ""), namespace)
    torch.manual_seed(case)
    network = eval(unknown.build, namespace).eval()
    torch.save(network.state_dict(), tmp_path / "bare.pth")
    with pytest.raises(UsageError, match=r"save the following as my_model\.py") as caught:
        load_detector(tmp_path / "bare.pth")
    stub, front, more = fill_in(str(caught.value).split("\n\n", 1)[1], unknown.takes)
    (tmp_path / "my_model.py").write_text(stub)
    arguments = {**unknown.arguments, **more}
    if as_file:
        (tmp_path / "config.json").write_text(json.dumps(arguments))
        arguments = json.loads((tmp_path / "config.json").read_text())
    loaded = load_detector(
        tmp_path / "bare.pth", model=f"{front}{tmp_path}/my_model.py:Mine", model_args=arguments or None
    )
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.module.state_dict()[name], tensor)
    with torch.no_grad():
        logits = loaded(WAVES)
    assert logits.shape == (3, 2)
    assert bool(torch.isfinite(logits).all())
    assert loaded.spec.polarity_source == "declared"


def test_the_stub_guesses_the_number_of_scores(tmp_path: Path) -> None:
    for classes, outputs in ((1, "logit1"), (2, "logits2"), (7, "logits2")):
        torch.save({"a.weight": torch.ones(3, 5), "b.weight": torch.ones(classes, 3)}, tmp_path / "a.pt")
        with pytest.raises(UsageError) as caught:
            load_detector(tmp_path / "a.pt")
        assert f'"outputs": "{outputs}"' in str(caught.value)


def test_two_folders_with_files_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    for width in (3, 4):
        folder = tmp_path / str(width)
        folder.mkdir()
        (folder / "model.py").write_text(HEAD + CHANNEL.replace("width=6", f"width={width}"))
        (folder / "my_model.py").write_text(
            "from model import Model as Network\n\n\nclass Mine(Network):\n"
            "    def forward(self, waves):\n        return super().forward(waves.unsqueeze(1))\n"
        )
        namespace: dict[str, Any] = {}
        exec((folder / "model.py").read_text(), namespace)
        torch.save(namespace["Model"]().state_dict(), folder / "a.pt")
        loaded = load_detector(folder / "a.pt", model=f"{folder}/my_model.py:Mine")
        assert loaded(WAVES).shape == (3, 2)


def test_a_class_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(3, 5)}, tmp_path / "a.pt")
    with pytest.raises(UsageError) as caught:
        load_detector(tmp_path / "a.pt")
    (tmp_path / "my_model.py").write_text(str(caught.value).split("\n\n", 1)[1])
    with pytest.raises(UsageError, match=r"No module named 'model'.*put it beside the file") as missing:
        load_detector(tmp_path / "a.pt", model=f"{tmp_path}/my_model.py:Mine")
    assert not re.search(r"\n", str(missing.value))
