"""The ways to install agree with each other, and every version is pinned."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(name): pin
    for name, _, pin in (line.partition("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
}


def wanted() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def needed(name: str, extras: frozenset[str], found: set[str]) -> set[str]:
    """All installed packages that ``name`` needs on this machine, itself included."""
    if canonicalize_name(name) in found:
        return found
    found.add(canonicalize_name(name))
    for line in requires(name) or []:
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            try:
                version(one.name)
            except PackageNotFoundError:
                continue
            needed(one.name, frozenset(one.extras), found)
    return found


def test_constraints_are_pins_and_hold_no_address():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line), line
    assert len(PINS) == len((ROOT / "constraints.txt").read_text().splitlines())


@pytest.mark.parametrize("one", wanted(), ids=str)
def test_what_pyproject_names_is_pinned_within_its_range(one: Requirement):
    assert canonicalize_name(one.name) in PINS
    assert one.specifier.contains(PINS[canonicalize_name(one.name)], prereleases=True)


def test_what_those_need_is_pinned_too():
    found: set[str] = set()
    for one in wanted():
        try:
            needed(one.name, frozenset(one.extras), found)
        except PackageNotFoundError:
            continue
    missing = sorted(found - set(PINS) - {"pip", "setuptools", "wheel"})
    assert missing == []


def test_conda_installs_what_make_installs():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [line for line in conda["dependencies"] if isinstance(line, str)]
    (through_pip,) = [line["pip"] for line in conda["dependencies"] if isinstance(line, dict)]
    python = next(line for line in plain if line.startswith("python"))
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(PROJECT["requires-python"])
    constraint, project = through_pip
    extras = set(re.fullmatch(r"-e \.\[(.*)\]", project)[1].split(","))  # type: ignore[index]
    assert constraint == "-c constraints.txt"
    assert extras == set(PROJECT["optional-dependencies"])
    made = re.search(r"-c constraints\.txt -e '\.\[(.*)\]'", (ROOT / "Makefile").read_text())
    assert made is not None
    assert set(made[1].split(",")) == extras


def test_no_setup_file_names_an_address_to_install_from():
    for name in ("pyproject.toml", "constraints.txt", "environment.yml", "Makefile"):
        text = (ROOT / name).read_text()
        assert "://" not in text, name
        assert "--index" not in text, name
        assert "find-links" not in text, name


def test_versions_and_licence_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert set(citation) >= {"cff-version", "message", "title", "authors"}
