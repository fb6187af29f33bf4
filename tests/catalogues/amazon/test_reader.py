import ast
import gzip
import json
from collections import Counter
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues import formats
from mmlib.catalogues.amazon import items as amazon_items
from mmlib.catalogues.amazon import reviews as amazon_reviews
from mmlib.catalogues.amazon import selection as amazon_texts
from mmlib.catalogues.amazon.forms import FORMS
from mmlib.catalogues.clean_items import plain
from mmlib.catalogues.reading import Reading
from mmlib.catalogues.text_files import blocks
from mmlib.core.errors import InputError
from mmlib.splits import random_by_user


def read(folder, form="", **options):
    return formats.read(folder, f"amazon-{form}" if form else "amazon", **options)


FIELDS = {
    "2014": ("reviewerID", "asin", "overall", "unixReviewTime", "summary", "reviewText"),
    "2018": ("reviewerID", "asin", "overall", "unixReviewTime", "summary", "reviewText"),
    "2023": ("user_id", "parent_asin", "rating", "timestamp", "title", "text"),
}
EXTRA = {
    "2014": {"helpful": [1, 2], "reviewTime": "05 21, 2014", "reviewerName": "J. Doe"},
    "2018": {"verified": True, "style": {"Size:": " 5"}, "vote": "3"},
    "2023": {"asin": "B-variant", "images": [{"hi_res": None}], "helpful_vote": 0},
}
META = {
    "2014": {
        "asin": "i1",
        "imUrl": "http://x/1.jpg",
        "title": "Rattle &amp; ring",
        "description": "It <b>rattles</b>.",
        "brand": "Acme",
        "categories": [["Baby", "Toys"], ["Gifts", "Toys"]],
    },
    "2018": {
        "title": "Rattle &amp; ring",
        "description": ["It <b>rattles</b>.", ""],
        "brand": "Acme",
        "category": ["Baby", "Toys", "Gifts"],
        "feature": ["Loud", "Red"],
        "imageURL": ["http://x/small.jpg"],
        "imageURLHighRes": ["http://x/1.jpg", "http://x/2.jpg"],
        "asin": "i1",
    },
    "2023": {
        "main_category": "Baby",
        "title": "Rattle &amp; ring",
        "description": ["It <b>rattles</b>."],
        "features": ["Loud", "Red"],
        "categories": ["Baby", "Toys", "Gifts"],
        "store": "Acme",
        "images": [
            {"thumb": "http://x/t.jpg", "large": "http://x/2.jpg", "variant": "PT01", "hi_res": None},
            {"thumb": "http://x/s.jpg", "large": "http://x/l.jpg", "variant": "MAIN", "hi_res": "http://x/1.jpg"},
        ],
        "parent_asin": "i1",
    },
}
SMALL = [(f"u{u}", f"i{i}", 1 + (u * i) % 5, 100 + u + i, "So so", f"Text {u} {i}") for u in range(4) for i in range(3)]


def written(rows, form="2014"):
    """Reviews as lines of JSON; an absent text is left out."""
    ticks = 1000 if form == "2023" else 1
    records = []
    for user, item, rating, time, *texts in rows:
        found = dict(zip(FIELDS[form], (user, item, float(rating), time * ticks, *texts))) | EXTRA[form]
        records.append({name: value for name, value in found.items() if value is not None})
    return [json.dumps(record, ensure_ascii=bool(place % 2)) for place, record in enumerate(records)]


def put(folder, lines, name="reviews_Small.json", pack=False):
    folder.mkdir(exist_ok=True, parents=True)
    data = "".join(line + "\n" for line in lines).encode()
    (folder / (name + ".gz" * pack)).write_bytes(gzip.compress(data) if pack else data)
    return folder


def slow(lines, form="2014", core=5, least=None):
    """The obvious reader: (user, item) -> (time, rating, review), by dictionaries."""
    user, item, rating, time, summary, text = FIELDS[form]
    best = {}
    for line in lines:
        found = json.loads(line)
        if least is not None and found[rating] < least:
            continue
        pair = (found[user], found[item])
        ticks = 1000 if form == "2023" else 1
        told = (found[time] // ticks, found[rating], found.get(summary) or "", found.get(text) or "")
        best[pair] = min(told, best.get(pair, told))
    while core:
        users, items = Counter(user for user, _ in best), Counter(item for _, item in best)
        left = {pair: told for pair, told in best.items() if users[pair[0]] >= core and items[pair[1]] >= core}
        if len(left) == len(best):
            break
        best = left
    return {pair: (told[0], told[1], plain(f"{told[2]} {told[3]}".strip(" \t\r\n"))) for pair, told in best.items()}


def told(data):
    """A dataset as ``slow`` gives it; checks the numbering too."""
    table = data.interactions
    users, items = data.users["id"].tolist(), data.items["id"].tolist()
    assert users == sorted(set(users))
    assert items == sorted(set(items))
    assert (np.lexsort((table["item"], table["user"])) == np.arange(len(table))).all()
    assert not table.duplicated(["user", "item"]).any()
    columns = (table[name].tolist() for name in ("user", "item", "time", "rating", "review"))
    return {(users[u], items[i]): (t, r, text) for u, i, t, r, text in zip(*columns)}


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("form", FIELDS)
def test_each_form_is_what_the_obvious_reader_gives(tmp_path, form, pack):
    lines = written(SMALL, form)
    put(tmp_path, lines, pack=pack)
    put(tmp_path, [repr(META[form]) if form == "2014" else json.dumps(META[form])], "meta_Small.json", pack)
    data = read(tmp_path, core=3)
    assert told(data) == slow(lines, form, core=3)
    assert data.interactions.dtypes[["user", "item", "time", "rating"]].tolist() == ["int64"] * 3 + ["float64"]
    assert f"form of {form}; 12 reviews of 4 users and 3 items" in data.notes[0]
    item = data.items.set_index("id").loc["i1"]
    assert (item["title"], item["text"], item["brand"]) == ("Rattle & ring", "Acme It rattles.", "Acme")
    assert item["image_url"] == "http://x/1.jpg"
    assert item["category"] == "Baby"
    assert (data.items.loc[data.items["id"] != "i1", ["title", "text", "category", "image_url"]] == "").all(axis=None)
    assert "Items: 3; without metadata: 2; title = title, text = brand + description." in data.notes
    assert "Texts of items that had HTML taken out: 2." in data.notes


def test_plain_and_gzipped_files_give_the_same_bytes(tmp_path):
    lines = written(SMALL)
    plainly, packed = put(tmp_path / "a", lines), put(tmp_path / "b", lines, pack=True)
    assert read(plainly, core=3).key == read(packed, core=3).key


ids = st.sampled_from(["A", "B", "a", "é", "10", "9", "x y", "\U0001f600"])
words = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["a<br>b", "&amp;"])
reviews = st.tuples(ids, ids, st.sampled_from([1, 2.5, 5]), st.integers(-9, 9), words, words)


@contextmanager
def small_blocks(size):
    """Files are read in blocks of so many bytes, and texts fetched for so many reviews at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(amazon_reviews, "blocks", partial(blocks, size=size))
        patch.setattr(amazon_texts, "LEAST", size)
        patch.setattr(amazon_texts, "SHARES", 10**9)
        patch.setattr(amazon_texts, "SLICE", size)
        yield


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(reviews, min_size=1, max_size=60),
    core=st.integers(0, 3),
    form=st.sampled_from(list(FIELDS)),
    size=st.sampled_from([3, 100, 8 << 20]),
)
def test_random_reviews_are_what_the_obvious_reader_gives(tmp_path_factory, rows, core, form, size):
    folder, lines = tmp_path_factory.mktemp("amazon"), written(rows, form)
    put(folder, lines)
    right = slow(lines, form, core, least=2)
    if not right:
        with pytest.raises(InputError, match="No interaction is left"):
            read(folder, core=core, least_rating=2)
        return
    with small_blocks(size):
        assert told(read(folder, core=core, least_rating=2)) == right


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(reviews, min_size=1, max_size=40), draw=st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(tmp_path_factory, rows, draw):
    folder, lines = tmp_path_factory.mktemp("amazon"), written(rows)
    about = [repr(META["2014"] | {"asin": "A", "title": title}) for title in ("one", "two", "three", "three")]
    keys = []
    for _ in range(2):
        draw.shuffle(lines)
        draw.shuffle(about)
        put(put(folder, lines), about, "meta_Small.json")
        keys.append(read(folder, core=None, name="x", unmatched="keep").key)
    assert keys[0] == keys[1]


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(reviews, min_size=1, max_size=20), form=st.sampled_from(list(FIELDS)))
def test_a_block_parsed_at_once_equals_its_lines_one_by_one(tmp_path_factory, rows, form):
    lines = written(rows, form)
    data, names = "\n".join(lines).encode(), FORMS[form]
    at_once = amazon_reviews.parsed(data, names)
    path = tmp_path_factory.mktemp("x") / "x"
    if any("" in row[:2] for row in rows):
        assert at_once is None
    else:
        assert at_once.to_pydict() == amazon_reviews.one_by_one(path, names, Reading(), 1, data).to_pydict()


damage = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "drop", "put"]), st.floats(0, 1, exclude_max=True), st.binary(max_size=3)
    ),
    min_size=1,
    max_size=4,
)


def damaged(data, how):
    for kind, where, some in how:
        at = int(where * len(data))
        if kind == "flip":
            data = data[:at] + some + data[at + len(some) :]
        elif kind == "put":
            data = data[:at] + some + data[at:]
        elif kind == "cut":
            data = data[:at]
        else:
            data = data[:at] + data[data.find(b"\n", at) + 1 :]
    return data


@settings(max_examples=50, deadline=None)
@given(
    how=damage,
    pack=st.booleans(),
    inside=st.booleans(),
    form=st.sampled_from(list(FIELDS)),
    on_bad=st.sampled_from(["stop", "skip"]),
)
def test_any_damage_is_a_dataset_or_a_message(tmp_path_factory, how, pack, inside, form, on_bad):
    folder = tmp_path_factory.mktemp("amazon")
    put(put(folder, written(SMALL, form), pack=pack), [repr(META[form])] * 2, "meta_Small.json", pack)
    for path in folder.iterdir():
        data = path.read_bytes()
        packed = pack and inside
        data = damaged(gzip.decompress(data) if packed else data, how)
        path.write_bytes(gzip.compress(data, 1) if packed else data)
    message = f"{folder}: nothing to say"
    try:
        told(read(folder, core=2, on_bad=on_bad))
    except InputError as error:
        message = str(error)
    assert str(folder) in message or "No interaction is left" in message


LINE = written(SMALL)[0]
BAD = {
    "not JSON": (b'{"reviewerID": "u1", "asin"', "line 3: not JSON: .* at column"),
    "two records on a line": (f"{LINE}{LINE}".encode(), "line 3: not JSON: Extra data"),
    "not a record": (b"[1, 2]", "line 3: not a record in braces but a list"),
    "invalid UTF-8": (LINE.replace("So so", "S\xff").encode("latin-1"), "line 3: not UTF-8 text: byte .* is 0xff"),
    "a field missing": (LINE.replace('"overall"', '"over"').encode(), "line 3: field 'overall' is missing"),
    "an empty id": (LINE.replace('"u0"', '""').encode(), "line 3: field 'reviewerID' is empty"),
    "an id of the wrong kind": (LINE.replace('"i0"', "7").encode(), "line 3: field 'asin' is a number, not text"),
    "a rating that is text": (LINE.replace("1.0", '"5"').encode(), "line 3: field 'overall' is a text, not a number"),
    "a rating that is NaN": (LINE.replace("1.0", "NaN").encode(), "line 3: field 'overall' is not a number"),
    "a time with a fraction": (LINE.replace("100", "100.5").encode(), "line 3: field 'unixReviewTime' is 100.5"),
    "a time too large": (LINE.replace("100", "1" * 30).encode(), "line 3: field 'unixReviewTime'"),
    "a text that is a list": (LINE.replace('"So so"', "[]").encode(), "line 3: field 'summary' is a list, not text"),
    "half a surrogate pair": (LINE.replace("So so", "\\ud83d").encode(), "line 3: field 'summary' holds half a surrog"),
    "a literal that cannot be": (b"{[1]: 2}", "line 3: not JSON: .* and not a Python literal either"),
    "nested too deeply": (b'{"a": ' + b"[" * 100_000, "line 3: it is nested too deeply"),
}


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(reviews.filter(lambda row: row[0] and row[1]), min_size=1, max_size=20),
    junk=st.lists(st.tuples(st.integers(0, 20), st.sampled_from([line for line, _ in BAD.values()])), max_size=5),
    size=st.sampled_from([3, 100, 8 << 20]),
)
def test_bad_lines_among_good_ones_are_left_out_and_counted(tmp_path_factory, rows, junk, size):
    folder, lines = tmp_path_factory.mktemp("amazon"), [line.encode() for line in written(rows)]
    for place, line in junk:
        lines.insert(place, line)
    (folder / "reviews.json").write_bytes(b"\r\n".join(lines))
    with small_blocks(size):
        data = read(folder, core=None, on_bad="skip", form="2014")
    assert told(data) == slow(written(rows), core=0)
    assert bool(junk) == (f"unreadable lines left out: {len(junk)} (" in data.notes[1])


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_named_or_counted(tmp_path, kind):
    line, message = BAD[kind]
    lines = written(SMALL)
    path = tmp_path / "reviews_Small.json.gz"
    whole = "\n".join(lines[:2]).encode() + b"\n" + line + b"\n" + "\n".join(lines[2:]).encode()
    path.write_bytes(gzip.compress(whole))
    with pytest.raises(InputError, match=r"reviews_Small\.json\.gz, " + message):
        read(tmp_path, core=3)
    data = read(tmp_path, core=3, on_bad="skip")
    assert told(data) == slow(lines, core=3)
    assert "unreadable lines left out: 1 (reviews_Small.json.gz, line 3" in data.notes[1]


def test_records_and_lines_that_only_agree_in_number_are_bad(tmp_path):
    lines = written(SMALL)
    put(tmp_path, [lines[0] + lines[1], lines[2].replace(", ", ",\n", 1), *lines[3:]])
    data = read(tmp_path, core=None, on_bad="skip")
    assert told(data) == slow(lines[3:], core=0)
    assert "unreadable lines left out: 3 (" in data.notes[1]


def test_a_bad_line_of_the_metadata_is_named_or_counted(tmp_path):
    put(tmp_path, written(SMALL))
    put(tmp_path, [repr(META["2014"]), "{'asin': 'i2', 'title': 5}", "{'asin': 'i0', 'title': f()}"], "meta_Small.json")
    with pytest.raises(InputError, match=r"meta_Small\.json, line 2: field 'title' is a number, not text"):
        read(tmp_path, core=3)
    data = read(tmp_path, core=3, on_bad="skip")
    assert data.items["title"].tolist() == ["", "Rattle & ring", ""]
    assert "meta_Small.json: unreadable lines left out: 2" in data.notes[1]
    assert "line 3: not JSON" in data.notes[1]


def test_a_line_of_a_hundred_megabytes_is_never_held(tmp_path):
    lines = written(SMALL)
    with gzip.open(tmp_path / "reviews_Small.json.gz", "wb", 1) as file:
        file.write((lines[0] + "\n" + '{"reviewText": "').encode())
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(('"}\n' + "\n".join(lines[1:])).encode())
    with pytest.raises(InputError, match="line 2: the line is longer than 16 MiB"):
        read(tmp_path, core=3)
    assert told(read(tmp_path, core=3, on_bad="skip")) == slow(lines, core=3)


def test_a_line_just_too_long_inside_a_block_is_bad_too(tmp_path):
    lines = written(SMALL)
    put(tmp_path, [lines[0], LINE.replace("So so", "x" * (17 << 20)), *lines[1:]])
    with pytest.raises(InputError, match="line 2: the line is longer than 16 MiB"):
        read(tmp_path, core=3)


def test_a_cut_gzip_file_and_an_empty_file(tmp_path):
    path = tmp_path / "reviews_Small.json.gz"
    path.write_bytes(gzip.compress("\n".join(written(SMALL) * 500).encode())[:-50])
    for on_bad in ("stop", "skip"):
        with pytest.raises(InputError, match=r"reviews_Small\.json\.gz is a damaged gzip file.*Get it again"):
            read(tmp_path, on_bad=on_bad)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"reviews_Small\.json\.gz is empty"):
        read(tmp_path)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match="not a file of Amazon reviews: it has no record in its first lines"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"reviews_Small\.json\.gz has no review that can be read"):
        read(tmp_path, form="2014")


def test_ids_that_differ_by_case_stay_apart_and_are_told(tmp_path):
    rows = [(user, item, 5, 1, None, None) for user in ("u", "U", "v") for item in ("i", "I")]
    data = read(put(tmp_path, written(rows)), core=2)
    assert data.users["id"].tolist() == ["U", "u", "v"]
    assert (
        "Ids of users that differ from another in upper and lower case alone: 1, such as U and u; kept apart."
        in data.notes
    )
    assert (
        "Ids of items that differ from another in upper and lower case alone: 1, such as I and i; kept apart."
        in data.notes
    )


def test_the_same_time_is_decided_by_content(tmp_path):
    rows = [
        ("u", "i", 5, 7, "b", "x"),
        ("u", "i", 5, 7, "a", "y"),
        ("u", "i", 5, 8, "0", "0"),
        ("u", "j", 1, 1, "", ""),
    ]
    data = read(put(tmp_path, written(rows)), core=None)
    assert data.interactions["review"].tolist() == ["a y", ""]
    assert "Repeated reviews of the same user and item: 2; the earliest is kept." in data.notes


def test_what_is_dropped_is_counted(tmp_path):
    rows = [*SMALL, ("loner", "i0", 5, 1, "x", "y"), ("u0", "odd", 5, 1, "a&amp;b", None)]
    data = read(put(tmp_path, written(rows)), core=3)
    assert "The 3-core, iterated: interactions 14 -> 12, users 5 -> 4, items 4 -> 3." in data.notes
    kept = read(tmp_path, core=0, least_rating=2)
    low = sum(row[2] < 2 for row in rows)
    assert f"Reviews rated lower than 2 left out: {low}." in kept.notes
    assert "Reviews that had HTML taken out: 1." in kept.notes
    assert "a&b" in kept.interactions["review"].tolist()
    assert len(kept.interactions) == 14 - low


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("alignrec", "Acme It rattles."),
        ("micro", "It rattles. Baby, Toys, Gifts Acme"),
        ("lmm", "It rattles. Acme Baby, Toys, Gifts"),
        ("title", ""),
        (["features", "brand"], "Loud Red Acme"),
    ],
)
def test_the_text_is_made_of_what_was_asked_for(tmp_path, text, right):
    put(put(tmp_path, written(SMALL, "2018")), [json.dumps(META["2018"])], "meta_Small.json")
    assert read(tmp_path, core=3, text=text).items["text"].tolist()[1] == right


def test_the_fullest_line_of_an_item_is_kept(tmp_path):
    short, full = {"asin": "i1", "title": "A"}, {"asin": "i1", "title": "A", "description": "long"}
    put(put(tmp_path, written(SMALL)), [repr(short), repr(full), repr(short)], "meta_Small.json")
    data = read(tmp_path, core=3)
    assert data.items["text"].tolist()[1] == "long"
    assert "meta_Small.json: lines that describe an item again: 2; the fullest one is kept." in data.notes


def test_a_category_is_the_most_specific_name_that_is_shared():
    paths = [("Baby", "Toys", f"leaf {n}") for n in range(9)] + [("Baby", "Care"), ()]
    assert amazon_items.categories(paths, shared=9) == ["Toys"] * 9 + ["Baby", ""]
    assert amazon_items.categories(paths, shared=11) == ["Baby"] * 10 + [""]


def test_pictures_are_found_by_id(tmp_path):
    put(tmp_path, written(SMALL))
    (tmp_path / "images").mkdir()
    for name in ("i0.png", "i0.jpg", "i2.webp", "other.jpg", "i1.txt"):
        (tmp_path / "images" / name).write_bytes(b"x")
    data = read(tmp_path, core=3)
    assert data.items["image"].tolist() == ["i0.jpg", "", "i2.webp"]
    assert data.image_path(0) == (tmp_path / "images" / "i0.jpg").resolve()
    assert "Items without a picture: 1." in data.notes


def test_files_are_found_by_their_first_lines(tmp_path):
    put(put(tmp_path, written(SMALL, "2023"), "Baby.jsonl"), [json.dumps(META["2023"])], "about.jsonl")
    (tmp_path / "notes.json").write_text('{"hello": 1}')
    assert read(tmp_path, core=3).items["title"].tolist() == ["", "Rattle & ring", ""]
    assert read(tmp_path, core=3, metadata="").items["title"].tolist() == ["", "", ""]
    put(tmp_path, written(SMALL), "Baby_5.json")
    with pytest.raises(InputError, match=r"several files of reviews: Baby.jsonl, Baby_5.json. Say which"):
        read(tmp_path)
    assert read(tmp_path, core=3, reviews="Baby_5.json", metadata="").n_users == 4
    with pytest.raises(InputError, match=r"metadata of the form of 2023, but .* reviews of the form of 2014"):
        read(tmp_path, core=3, reviews="Baby_5.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "titel"}, "text = 'titel' is not known.*Did you mean \"title\""),
        ({"text": ["brand", "title"]}, "must name each field once, and the title, if at all, first"),
        ({"form": "2015"}, "form = 'amazon-2015' is not known"),
        ({"core": -1}, "core = -1"),
        ({"least_rating": "four"}, "least_rating = 'four' must be a number"),
        ({"on_bad": "ignore"}, "on_bad = 'ignore' is not known"),
        ({"reviews": "absent.json"}, r"There is no file .*absent\.json"),
        ({"scratch": "/nowhere/at/all"}, "scratch = '/nowhere/at/all': no temporary folder can be made there"),
        ({"core": 9}, "No interaction is left.*The 9-core, iterated: interactions 12 -> 0"),
        ({"form": "2023"}, "line 1: field 'rating' is missing"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, message):
    put(tmp_path, written(SMALL))
    with pytest.raises(InputError, match=message):
        read(tmp_path, **options)


def test_a_folder_without_reviews(tmp_path):
    with pytest.raises(InputError, match="is not there"):
        read(tmp_path / "x")
    (tmp_path / "ratings.csv").write_text("a,b\n")
    with pytest.raises(InputError, match=r"no file of Amazon reviews .*it has ratings\.csv"):
        read(tmp_path)
    (tmp_path / "reviews.json").write_text('{"user": 1}\n')
    with pytest.raises(InputError, match=r"reviews\.json, line 1: this is not .*begins with a record of 'user'"):
        read(tmp_path)


def test_reviews_as_python_literals_are_read_too(tmp_path):
    lines = written(SMALL)
    put(tmp_path, [repr(json.loads(line)) for line in lines])
    assert ast.literal_eval(repr(json.loads(lines[0])))["asin"] == "i0"
    assert told(read(tmp_path, core=3)) == slow(lines, core=3)


def test_the_split_of_a_fixed_file_never_changes(tmp_path):
    rows = [(f"u{u}", f"i{i}", 5, u * i, "s", "t") for u in range(12) for i in range(12) if (u * i) % 5]
    split = random_by_user(read(put(tmp_path, written(rows)), core=3))
    assert split.split.hashes == {"train": "eab7cde7e849d467", "valid": "352bd8b098fefcff", "test": "6f314294c732035f"}
    assert split.key == "5dc81286af76d0bd"


def test_metadata_of_other_items_is_refused_unless_asked_for(tmp_path):
    put(put(tmp_path, written(SMALL)), [repr(META["2014"] | {"asin": f"X{n}"}) for n in range(5)], "meta_Small.json")
    with pytest.raises(InputError, match=r"No id of items in .*reviews_Small\.json is in .*such as X0, X1, X2\..*keep"):
        read(tmp_path, core=3)
    data = read(tmp_path, core=3, unmatched="keep")
    assert told(data) == slow(written(SMALL), core=3)
    assert any(note.startswith("Warning: Items with interactions but no row of their own: 3 of") for note in data.notes)
