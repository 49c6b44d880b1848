"""Imports flow down the layers, and what promises to be light is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "sharpscope"
BOTTOM = {"errors", "progress"}
INPUTS = {"allocation", "checkpoints", "detectors", "corpora", "audio", "batches", "parameters", "wave_cache"}
ANALYSIS = {
    "results",
    "scoring",
    "statistics",
    "correlate",
}
PRESENTATION = {"cli", "figures", "tables", "style", "report"}


def layer_of(module: str) -> int:
    """0 errors and progress, 1 inputs, 2 measurement, 3 analysis (no torch), 4 presentation (no torch)."""
    top = module.split(".")[0]
    if top == "__main__":
        return 4
    if top in BOTTOM or top in {"__init__", ""}:
        return 0
    for layer, names in ((1, INPUTS), (3, ANALYSIS | LIGHT), (4, PRESENTATION)):
        if top in names:
            return layer
    return 2


# Modules of the analysis layer beside the four that the design names.
LIGHT = {
    "score_files",
    "detection",
    "power",
    "permutation",
    "comparisons",
    "confounding",
    "eligibility",
    "questions",
    "records",
    "reliability",
    "summary",
}


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """The modules that a file imports; the names of sharpscope's own without the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "sharpscope":
                found |= {f"sharpscope.{alias.name}" for alias in node.names}
    return found


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


ALLOWED = {0: {0}, 1: {0, 1}, 2: {0, 1, 2, 3}, 3: {0, 3}, 4: {0, 3, 4}}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_flow_down(path: Path) -> None:
    layer = layer_of(name_of(path))
    # A command reaches the measurement only inside its body.
    in_cli = name_of(path).startswith("cli")
    for module in imports_of(path, top_level_only=in_cli):
        if module == "sharpscope" or not module.startswith("sharpscope."):
            continue
        target = module.removeprefix("sharpscope.")
        assert layer_of(target) in ALLOWED[layer], f"{name_of(path)} (layer {layer}) imports {target}"


@pytest.mark.parametrize("path", [p for p in modules() if layer_of(name_of(p)) >= 3], ids=name_of)
def test_analysis_and_presentation_name_no_torch(path: Path) -> None:
    assert not {m for m in imports_of(path) if m.split(".")[0] == "torch"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    "code",
    [
        "import sharpscope.cli",
        "import sharpscope.analysis.correlate",
        "from sharpscope.cli import main; main(['--help'], standalone_mode=False)",
        "from sharpscope.cli import main; main(['correlate', '--help'], standalone_mode=False)",
    ],
)
def test_light_commands_import_no_torch(code: str) -> None:
    check = "import sys; assert 'torch' not in sys.modules, 'torch was imported'"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_command_line_imports_nothing_heavy() -> None:
    code = (
        "import sharpscope.cli, sys; print(sorted({'torch', 'pandas', 'numpy', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
