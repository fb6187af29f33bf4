"""The list of bad inputs: every one is refused in a short, clear message, at once, and leaves nothing behind."""

from pathlib import Path

import pytest

from . import (
    cases_catalogues,
    cases_command_line,
    cases_disk,
    cases_encoders,
    cases_forms,
    cases_library,
    cases_sweeps,
    cases_tables,
    cases_yaml,
)
from .world import Case, check_refused

MODULES = (
    cases_command_line,
    cases_yaml,
    cases_sweeps,
    cases_tables,
    cases_forms,
    cases_catalogues,
    cases_library,
    cases_encoders,
    cases_disk,
)
CASES = [
    pytest.param(case, id=f"{module.__name__.rpartition('cases_')[2]}: {case.id}")
    for module in MODULES
    for case in module.CASES
]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused(case: Case, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_refused(case, here, capsys)


def test_the_list_is_long_and_each_case_has_a_name_of_its_own() -> None:
    names = [str(each.id) for each in CASES]
    assert len(names) == len(set(names)) >= 275
