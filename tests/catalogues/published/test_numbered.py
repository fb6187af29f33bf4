"""What published folders share: lists of original ids, and histories."""

import pytest

from mmlib.catalogues.published.numbered import dataset_of_lists, originals
from mmlib.catalogues.reading import Reading
from mmlib.core.errors import InputError


@pytest.mark.parametrize(
    "text",
    [
        "B1 0\nB2 10\n",
        "org_id remap_id\nB1 0\nB2 10\n",
        "org_id remap_id freebase_id\nB1 0 m.0\nB2 10 m.1\n",
        "B1\t0\r\nB2\t10\r\n",
        "asin\titemID\nB1\t0\nB2\t10",
        "asin,itemID\nB1,0\nB2,10",
        "itemID,asin\n0,B1\n10,B2",
        "user_id\tuserID\nB1\t0\nB2\t010",
        "\ufeffB1\t0\n\nB2\t10\nB2\t10\n",
    ],
)
def test_lists_of_original_ids(tmp_path, text):
    (tmp_path / "list").write_text(text, encoding="utf-8")
    assert originals(tmp_path / "list", Reading()) == {"0": "B1", "10": "B2"}


def test_original_ids_may_be_numbers_too(tmp_path):
    (tmp_path / "list").write_text("7 0\n0 1\n")
    assert originals(tmp_path / "list", Reading()) == {"0": "7", "1": "0"}
    assert originals(None, Reading()) == {}


def test_bad_lines_of_a_list(tmp_path):
    path = tmp_path / "list"
    path.write_text("B1 0\nB2\nB3 x\nB4 0\nB1 4\n 5\n")
    bad = Reading("skip")
    assert originals(path, bad) == {"0": "B1"}
    assert bad.counts == {str(path): 5}
    path.write_text("itemID,asin\n0,B1\n10\n")
    with pytest.raises(InputError, match=r"list, line 3: no original id with its number: '10'"):
        originals(path, Reading())
    path.write_text("B1 0\nB2\n")
    with pytest.raises(InputError, match=r"list, line 2: no original id with its number: 'B2'"):
        originals(path, Reading())


def test_lists_are_kept_by_part(tmp_path):
    parts = [("train", [(3, [7, 5])]), ("valid", [(10, [])]), ("test", [(3, [10])])]
    data = dataset_of_lists(Reading(folder=tmp_path), tmp_path, parts, source="f")
    assert data.interactions.to_numpy().tolist() == [[0, 0, "train"], [0, 1, "train"], [0, 2, "test"]]
    assert data.users["id"].tolist() == ["3", "10"]
    assert data.items["id"].tolist() == ["5", "7", "10"]
