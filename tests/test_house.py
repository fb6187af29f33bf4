"""The rooms of the package: what may import what, and what a newcomer finds in each."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import mmlib

PACKAGE = Path(mmlib.__file__).parent
ROOMS = (  # from the cellar up: a room imports only from rooms that stand before it
    "kernels",
    "core",
    "splits",
    "evaluation",
    "catalogues",
    "audit",
    "encoders",
    "training",
    "recommenders",
    "pretrainers",
    "show",
    "workbook",
)
FILES = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}


def imports_of(path: Path) -> set[str]:
    """The modules of mmlib that a file imports anywhere, in full: ``mmlib.core.errors``."""
    package = ["mmlib", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{one.name}" for one in node.names} if module.startswith("mmlib") else set()
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names if one.name.startswith("mmlib.")}
    return found


def room_of(module: str) -> str:
    return module.removeprefix("mmlib").strip(".").partition(".")[0]


def test_rooms_are_few_and_nothing_lies_beside_them() -> None:
    assert len(ROOMS) <= 14
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} == set(ROOMS)
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_below_it(room) -> None:
    below = {room, *ROOMS[: ROOMS.index(room)], "__version__"}
    for name, path in FILES.items():
        if name.startswith(f"{room}/"):
            up = {one for one in imports_of(path) if room_of(one) not in below}
            assert not up, f"{name} imports {', '.join(sorted(up))} from above"


def test_no_module_imports_in_a_circle() -> None:
    """Imports inside functions count too: a circle that is only delayed is one all the same."""
    known = {".".join(["mmlib", *Path(name).with_suffix("").parts]).removesuffix(".__init__") for name in FILES}
    graph = defaultdict(set)
    for name, path in FILES.items():
        own = ".".join(["mmlib", *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        for one in imports_of(path):
            target = one if one in known else one.rpartition(".")[0]
            if target in known - {own, "mmlib"} and own != "mmlib":
                graph[own].add(target)
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError with the circle
