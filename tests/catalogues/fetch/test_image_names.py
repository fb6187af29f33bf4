import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmlib.catalogues.fetch.image_names import file_names
from mmlib.core.errors import InputError

PRINTABLE = st.characters(categories=("L", "N", "P", "S"), include_characters="~.%/\\ ")


def test_product_numbers_name_themselves() -> None:
    ids = ["B00004TMFE", "0001526863", "tt0114709", "a-b_c.d"]
    assert file_names(ids) == {name: name for name in ids}


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("a/b", "a%2Fb"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E."),
        (".hidden", "%2Ehidden"),
        ("a b~c%", "a%20b%7Ec%25"),
        ("C:\\x", "C%3A%5Cx"),
        ("é", "%C3%A9"),
        ("", "~e3b0c44298fc"),
    ],
)
def test_what_is_unsafe_is_written_out(name: str, made: str) -> None:
    assert file_names([name]) == {name: made}


def test_ids_that_differ_in_case_alone_get_different_names() -> None:
    made = file_names(["ab", "AB", "c"])
    assert made["c"] == "c"
    assert made["ab"].startswith("ab~")
    assert made["AB"].startswith("AB~")
    assert made["ab"].casefold() != made["AB"].casefold()


def test_reserved_and_long_names_are_made_unique() -> None:
    made = file_names(["con", "NUL.x", "a" * 300, "a" * 301])
    assert all("~" in name for name in made.values())
    assert all(len(name) <= 140 for name in made.values())
    assert len(set(made.values())) == 4


def test_an_id_that_cannot_be_printed_is_an_input_error() -> None:
    for name in ("a\nb", "\x00", "\ud800"):
        with pytest.raises(InputError, match="cannot be printed"):
            file_names([name])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(PRINTABLE, max_size=8), unique=True, max_size=30))
def test_names_are_safe_and_different_on_every_disk(ids: list[str]) -> None:
    made = file_names(ids)
    assert list(made) == ids
    assert len({name.casefold() for name in made.values()}) == len(ids)
    for name in made.values():
        assert name.isascii()
        assert not set(name) & set('/\\:*?"<>| ')
        assert not name.startswith(".")
        assert name
