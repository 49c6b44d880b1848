"""The house: rooms read off the tree, imports that flow one way, and what promises to be light is light."""

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sharpscope"
WITHOUT_TORCH = ("analysis", "results", "scoring", "tables", "figures", "watching")


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path) for path in modules()}


def room_of(module: str) -> str:
    """The folder that a module lies in, or the module itself where it lies in the root."""
    return module.split(".")[0]


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """The modules that a file imports; the names of sharpscope's own without the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    found = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if node in guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = {name for name in below if name.removeprefix("sharpscope.") in NAMES}
            found |= inside or {node.module}
    return found


def own(found: set[str]) -> set[str]:
    return {name.removeprefix("sharpscope.") for name in found if name.startswith("sharpscope.")}


def rooms() -> dict[str, set[str]]:
    """Which rooms each room imports; a root `__init__` or `__main__` only hands out what others hold."""
    arrows: dict[str, set[str]] = {}
    for path in modules():
        name = name_of(path)
        if name in ("", "__init__", "__main__"):
            continue
        room = room_of(name)
        targets = {room_of(target) for target in own(imports_of(path))}
        arrows.setdefault(room, set()).update(targets - {room})
    return arrows


def floors(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Rooms by floor, lowest first: each imports from floors below only. Fails where rooms form a circle."""
    left, found = dict(arrows), []
    while left:
        floor = {room for room, targets in left.items() if not targets & set(left)}
        assert floor, f"these rooms import one another in a circle: {left}"
        found.append(floor)
        left = {room: targets for room, targets in left.items() if room not in floor}
    return found


def test_no_import_goes_up_and_rooms_form_no_circle() -> None:
    order = floors(rooms())
    assert "errors" in order[0]
    # What measuring needs lies below it, and the command line and the demo lie on top.
    height = {room: number for number, floor in enumerate(order) for room in floor}
    assert height["scoring"] < height["results"] < height["analysis"] < height["figures"] < height["reports"]
    assert height["measures"] < height["measurement"] < height["landscapes"]
    assert height["cli"] == max(height.values())


def test_a_circle_between_rooms_would_be_found() -> None:
    with pytest.raises(AssertionError, match="circle"):
        floors({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def reached(start: str) -> set[str]:
    """Every module that importing one brings in, also inside functions."""
    paths = {name_of(path): path for path in modules()}
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in paths:
            continue
        todo += own(imports_of(paths[name]))
        todo += [".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1)]
    return seen


@pytest.mark.parametrize("path", [p for p in modules() if room_of(name_of(p)) in WITHOUT_TORCH], ids=name_of)
def test_what_analyses_reaches_no_torch(path: Path) -> None:
    paths = {name_of(p): p for p in modules()}
    for name in reached(name_of(path)):
        if name in paths:
            assert not {m for m in imports_of(paths[name]) if m.split(".")[0] == "torch"}, name


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_the_root_holds_a_handful_of_files_and_modules_are_of_one_screenful_or_two() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 8
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in modules())
    assert lengths[len(lengths) // 2] < 150


@pytest.mark.parametrize(
    "code",
    [
        "import sharpscope.cli",
        "import sharpscope.analysis.correlate",
        "import sharpscope; sharpscope.correlate",
        "import sharpscope; sharpscope.read_results, sharpscope.equal_error_rate",
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


@pytest.mark.parametrize("module", ["sharpscope", "sharpscope.cli"])
def test_the_package_and_its_command_line_import_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print(sorted({{'torch', 'pandas', 'numpy', 'scipy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_functions_in_whatever_order_modules_are_imported() -> None:
    """A submodule that is imported first must not take the place of the function of its name."""
    rooms_first = [
        "sharpscope.measurement.measure",
        "sharpscope.analysis.correlate",
        "sharpscope.landscapes.landscape",
        "sharpscope.reports",
        "sharpscope.tables",
        "sharpscope.measurement.inspection",
    ]
    names = ["measure", "correlate", "landscape", "report", "table", "inspect", "plot", "score", "train"]
    lines = ["import importlib, sharpscope"]
    for order in itertools.islice(itertools.permutations(rooms_first), 0, 720, 90):
        lines += [f"importlib.import_module('{room}')" for room in order]
        lines += [f"assert callable(sharpscope.{name}), '{name}'" for name in names]
    lines += [f"assert callable(getattr(sharpscope, '{name}'))" for name in names]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_documented() -> None:
    import sharpscope

    assert sorted(sharpscope.__all__) == sharpscope.__all__
    for name in sharpscope.__all__:
        assert getattr(sharpscope, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'mesure'"):
        _ = sharpscope.mesure  # type: ignore[attr-defined]
