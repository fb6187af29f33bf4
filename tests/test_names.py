"""A name means one thing, whatever was imported before: ``mm.holm`` stays the function."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmlib

ALL = """
import importlib, pkgutil, types
import mmlib as mm
rooms = {name for _, name, package in pkgutil.iter_modules(mm.__path__) if package}
first = {name: getattr(mm, name) for name in mm.__all__}
for _, name, _ in pkgutil.walk_packages(mm.__path__, "mmlib."):
    if name != "mmlib.__main__":
        importlib.import_module(name)
for name in mm.__all__:
    assert getattr(mm, name) is first[name], f"mm.{name} became {getattr(mm, name)}"
    assert isinstance(getattr(mm, name), types.ModuleType) == (name in rooms), f"mm.{name} is {getattr(mm, name)}"
assert mm.holm([0.01, 0.04]) == mm.holm([0.01, 0.04]) == [0.02, 0.04]
"""


def test_every_short_name_stays_what_it_is_when_all_modules_are_imported() -> None:
    subprocess.run([sys.executable, "-c", ALL], check=True)


PACKAGES = sorted(path.parent for path in Path(mmlib.__file__).parent.rglob("__init__.py"))


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_no_name_of_a_package_is_a_function_and_a_module(folder: Path) -> None:
    """Which of the two is found would depend on what was imported last."""
    name = ".".join(folder.relative_to(Path(mmlib.__file__).parents[1]).parts)
    package = __import__(name, fromlist=["x"])
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    both = [one for one in modules - {"__init__"} if callable(getattr(package, one, None))]
    assert both == []
