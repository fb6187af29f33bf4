"""Damage to any file of any published form: a sound dataset or a message, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues import formats

from ..damage import edited, edits, survives, write
from . import test_lattice, test_lightgcn, test_mmrec, test_movielens

FOLDERS = [
    ("mmrec", test_mmrec.FILES),
    ("lightgcn", test_lightgcn.FILES | test_lightgcn.LISTS),
    ("lattice", test_lattice.FILES | test_lattice.LISTS | test_lattice.TEXTS),
    *(("movielens", files) for files in test_movielens.ALL.values()),
]


@pytest.mark.parametrize(("form", "files"), FOLDERS, ids=[f"{form}-{next(iter(files))}" for form, files in FOLDERS])
@settings(max_examples=40, deadline=None)
@given(data=st.data(), changes=edits, on_bad=st.sampled_from(["stop", "skip"]))
def test_any_damage_is_a_dataset_or_a_message(tmp_path_factory, form, files, data, changes, on_bad):
    name = data.draw(st.sampled_from([*files]))
    whole = files[name] if isinstance(files[name], bytes) else files[name].encode()
    folder = write(tmp_path_factory.mktemp("any"), files | {name: edited(whole, changes)})
    survives(lambda: formats.read(folder, form, on_bad=on_bad))
