"""Folders as the toolbox MMRec publishes them: one ``.inter`` table with the split, and lists of the original ids."""

from pathlib import Path

import pandas as pd

from ...core.dataset import Dataset
from ...core.errors import InputError
from .. import delimited
from ..cells import interactions, read_cells
from ..reading import Reading
from ..tables import roles
from ..tables.content import content
from ..text_files import lines
from . import numbered


def read(reading: Reading) -> Dataset:
    """Read the folder's ``.inter`` file; its column ``x_label`` (0 train, 1 valid, 2 test) is the published split.

    The first line names the columns: ``userID``, ``itemID``, and where known ``rating``, ``timestamp``, ``x_label``;
    RecBole's names, such as ``user_id:token``, are known too. Columns stand apart by tabs, or by whatever the first
    line has. ``u_id_mapping*.csv`` and ``i_id_mapping*.csv`` give the original ids, ``meta-*.csv`` the items' texts.
    Arrays of features are read by ``encoders.published``. Source: Zhou, MMRec, MM Asia 2023, and its public data.

    Raises:
        InputError: naming file, line and remedy.
    """
    folder = reading.folder
    path = _one(folder, "*.inter")
    if path is None:
        raise InputError(f"{folder} has no .inter file, such as baby.inter; MMRec's form needs one.")
    table = _interactions(path, reading)
    names = [numbered.originals(_one(folder, f"{letter}_id_mapping*.csv"), reading) for letter in "ui"]
    meta = _one(folder, "meta-*.csv")
    known, images = content(reading, meta, {"item": "itemID"}) if meta else (None, None)
    return numbered.dataset(reading, table, path.name, names, known=known, images=images)


def _one(folder: Path, pattern: str) -> Path | None:
    found = sorted(path for path in folder.glob(pattern) if path.is_file())
    if len(found) > 1:
        raise InputError(
            f"{folder} has several files {pattern}: {', '.join(path.name for path in found)}. Leave one, or put each "
            "catalogue into a folder of its own."
        )
    return found[0] if found else None


def _interactions(path: Path, reading: Reading) -> pd.DataFrame:
    line, head = next(lines(path, Reading()), (0, ""))
    mark = max("\t,;| ", key=head.count)
    names = [name.split(":")[0].strip() for name in head.split(mark)]
    found = roles.of_interactions(reading, path, names, {"review": ""}, f"Call it {{}}ID in line {line}.")
    if "part" not in found:
        reading.notes.append(f"{path.name} has no column x_label: there is no published split.")
    layout = delimited.Layout(mark, names, header=True)
    return interactions(read_cells(path, layout, reading, list(found.values())), found, {})
