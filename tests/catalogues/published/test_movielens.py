"""MovieLens in its three kinds of files: the same catalogue from each; what is damaged, by file and line."""

import gzip
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues import formats
from mmlib.catalogues.published import movielens
from mmlib.core.errors import InputError

from ..damage import pairs, survives, write

read = partial(formats.read, form="movielens")


def flags(*genres: str) -> str:
    return "|".join("1" if genre in genres else "0" for genre in movielens.GENRES)


RATINGS = [("10", "2", "5", "900000000"), ("9", "2", "3", "900000001"), ("9", "1", "1", "900000002")]
K100 = {
    "u.data": "".join("\t".join(row) + "\n" for row in RATINGS),
    "u.item": (
        f"1|Amélie (2001)|01-Jan-2001||http://x|{flags('Comedy', 'Romance')}\n"
        f"2|M|01-Jan-1931||http://x|{flags('Crime')}\n"
        f"3|unknown||||{flags('unknown')}\n"
    ).encode("latin-1"),
}
M1 = {
    "ratings.dat": "".join("::".join(row) + "\n" for row in RATINGS),
    "movies.dat": "1::Amélie (2001)::Comedy|Romance\n2::M::Crime\n3::unknown::(no genres listed)\n".encode("latin-1"),
}
M25 = {
    "ratings.csv": "userId,movieId,rating,timestamp\r\n" + "".join(",".join(row) + "\r\n" for row in RATINGS),
    "movies.csv": (
        'movieId,title,genres\r\n1,"Amélie (2001)",Comedy|Romance\r\n2,M,Crime\r\n3,unknown,(no genres listed)\r\n'
    ),
}
ALL = {"100k": K100, "1m": M1, "25m": M25}
kinds = pytest.mark.parametrize("kind", ALL)


@kinds
def test_every_kind_gives_the_same_catalogue(tmp_path, kind):
    data = read(write(tmp_path, ALL[kind]))
    assert data.users["id"].tolist() == ["9", "10"]
    assert data.items.to_numpy().tolist() == [
        ["1", "Amélie", "Genres: Comedy, Romance.", "", "Comedy", "2001"],
        ["2", "M", "Genres: Crime.", "", "Crime", ""],
        ["3", "unknown", "", "", "", ""],
    ]
    assert data.items.columns.tolist() == ["id", "title", "text", "image", "category", "year"]
    columns = ["user", "item", "rating", "time", "part"]
    assert data.interactions[columns].to_numpy().tolist() == [
        [0, 0, 1.0, 900000002, ""],
        [0, 1, 3.0, 900000001, ""],
        [1, 1, 5.0, 900000000, ""],
    ]
    assert "Items without an interaction: 1, such as 3; kept." in data.notes
    assert ("Latin-1" in "".join(data.notes)) == (kind != "25m")


def test_a_file_in_utf_8_is_read_as_such(tmp_path):
    data = read(write(tmp_path, M1 | {"movies.dat": "1::Amélie (2001)::Comedy\n2::M::Crime\n"}))
    assert data.items["title"].tolist() == ["Amélie", "M"]
    assert "Latin-1" not in "".join(data.notes)


def test_pictures_named_by_film(tmp_path):
    data = read(write(tmp_path, M25 | {"images/2.jpg": b"picture"}))
    assert data.items["image"].tolist() == ["", "2.jpg", ""]
    assert data.image_path(1).read_bytes() == b"picture"


def test_films_without_a_line_and_lines_that_repeat(tmp_path):
    data = read(write(tmp_path, M1 | {"movies.dat": "1::A::Comedy\n1::B::Crime\n"}))
    assert data.items[["id", "title", "category"]].to_numpy().tolist() == [["1", "A", "Comedy"], ["2", "", ""]]
    assert any("Items with interactions but no row of their own: 1 of 2, with" in note for note in data.notes)
    assert "movies.dat: rows that repeat an item: 1, such as 1; its first row is kept." in data.notes


def test_the_earliest_rating_of_a_repeated_pair_is_kept(tmp_path):
    data = read(write(tmp_path, M1 | {"ratings.dat": "1::1::5::30\n1::1::2::10\n1::1::3::20\n"}))
    assert data.interactions[["rating", "time"]].to_numpy().tolist() == [[2.0, 10]]
    assert "ratings.dat: repeated interactions of the same user and item: 2; the earliest is kept." in data.notes


@kinds
def test_the_order_of_lines_does_not_matter(tmp_path, kind):
    one = read(write(tmp_path / "a", ALL[kind]), name="x")
    files = {}
    for name, content in ALL[kind].items():
        lines = (content if isinstance(content, bytes) else content.encode()).splitlines(keepends=True)
        head = lines[: name.endswith("csv")]
        files[name] = b"".join([*head, *reversed(lines[len(head) :])])
    assert read(write(tmp_path / "b", files), name="x").key == one.key


@pytest.mark.parametrize(
    ("kind", "files", "match"),
    [
        ("100k", {"u.data": "1\t2\t3\n"}, r"u\.data, line 1: 3 cells between marks '\\t' instead of 4"),
        ("1m", {"ratings.dat": "1::2::3::4\n1::2::x::4\n"}, r"ratings\.dat, line 2: the rating must be a number"),
        ("1m", {"ratings.dat": "1::2::3::4\n1::::3::4\n"}, r"ratings\.dat, line 2: the item is missing"),
        (
            "25m",
            {"ratings.csv": M25["ratings.csv"] + "1,2,3,soon\n"},
            r"ratings\.csv, line 5: the time must be a number",
        ),
        ("25m", {"ratings.csv": M25["ratings.csv"].encode() + b"1,\xff,3,4\n"}, r"ratings\.csv, line 5: not UTF-8"),
        (
            "25m",
            {"ratings.csv": gzip.compress(M25["ratings.csv"].encode())[:-9]},
            r"ratings\.csv is a damaged gzip file",
        ),
        ("25m", {"ratings.csv": ""}, r"ratings\.csv is empty"),
        (
            "25m",
            {"movies.csv": b"movieId,title,genres\n1,caf\xe9,x\n"},
            r"movies\.csv, line 2: not UTF-8 text: byte 6 is 0xe9",
        ),
        (
            "25m",
            {"movies.csv": "movieId,title,genres\n,One,x\n"},
            r"movies\.csv, line 2: the film is missing \(column 'movieId'\)",
        ),
        ("1m", {"movies.dat": "1::A::B\n2::A\n"}, r"movies\.dat, line 2: 2 cells between marks '::' instead of 3"),
        ("1m", {"movies.dat": "1::A::B\n::A::B\n"}, r"movies\.dat, line 2: the film is missing"),
        ("100k", {"u.item": f"1|A|||{'|0' * 18}|2\n"}, r"u\.item, line 1: not a film with its 19 flags"),
        ("100k", {"u.item": "1|A||||0|1\n"}, r"u\.item, line 1: 7 cells between marks '\|' instead of 24"),
        ("1m", {"movies.dat": ""}, r"movies\.dat is empty"),
        (
            "1m",
            {"ratings.dat": b"1::2::3::4\n" + b"1" * (17 << 20)},
            r"ratings\.dat, line 2: the line is longer than 16",
        ),
        (
            "25m",
            {"movies.csv": b"movieId,title,genres\n1," + b"x" * (33 << 20)},
            r"movies\.csv, line 2: the line is longer than 16 MiB",
        ),
    ],
)
def test_damage_is_named(tmp_path, kind, files, match):
    with pytest.raises(InputError, match=match):
        read(write(tmp_path, ALL[kind] | files))


def test_bad_lines_are_counted_by_option(tmp_path):
    files = {"ratings.dat": "1::2::3::4\n1::x\n", "movies.dat": "2::A::B\nnothing\n"}
    data = read(write(tmp_path, files), on_bad="skip")
    assert pairs(data) == [("1", "2", "")]
    notes = "\n".join(data.notes)
    assert "ratings.dat: unreadable lines left out: 1 (ratings.dat, line 2: 2 cells" in notes
    assert "movies.dat: unreadable lines left out: 1 (movies.dat, line 2: 1 cells between marks" in notes


def test_other_tables_are_not_movielens(tmp_path):
    write(tmp_path, M25 | {"movies.csv": "movieId,title,genres,plot\n1,A,B,C\n"})
    assert movielens.form_of(tmp_path) is None
    with pytest.raises(InputError, match=r"has no ratings of MovieLens: u\.data with u\.item"):
        read(tmp_path)


ratings = st.dictionaries(
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
    st.tuples(st.sampled_from([0.5, 1, 4.5]), st.integers(0, 2**31)),
    min_size=1,
    max_size=20,
)


@settings(max_examples=40, deadline=None)
@given(ratings=ratings, file=st.sampled_from([*movielens.FILES]))
def test_any_ratings_come_back(tmp_path_factory, ratings, file):
    mark = movielens.MARKS[file]
    kind = next(files for files in ALL.values() if file in files)
    rows = [mark.join(map(str, [*pair, *said])) + "\n" for pair, said in ratings.items()]
    head = "userId,movieId,rating,timestamp\n" if file == "ratings.csv" else ""
    folder = write(tmp_path_factory.mktemp("any"), kind | {file: head + "".join(rows)})
    data = survives(lambda: read(folder, unmatched="keep"))
    assert data is not None
    table = data.interactions
    back = zip(
        data.users["id"].iloc[table["user"]], data.items["id"].iloc[table["item"]], table["rating"], table["time"]
    )
    expected = {(str(user), str(item)): said for (user, item), said in ratings.items()}
    assert {(user, item): (rating, time) for user, item, rating, time in back} == expected
