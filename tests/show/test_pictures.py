import base64
import io
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from mmlib.core.errors import InputError
from mmlib.show import gallery, neighbourhood, recommendations, thumbnail
from mmlib.show.pictures import PLACEHOLDER, cards
from mmlib.show.tables import Html


def parsed(html):
    soup = BeautifulSoup(html._repr_html_(), "html.parser")
    assert not soup.find_all(["script", "b"], string=lambda text: text == "cup"), "a title became markup"
    assert soup.find("script") is None
    return soup


def test_thumbnail_is_small_whatever_the_mode(shop):
    for item in range(5):
        uri = thumbnail(shop, item, pixels=48)
        image = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
        assert uri.startswith("data:image/webp;base64,")
        assert max(image.size) == 48
        assert len(uri) < 2000


def test_broken_missing_and_absent_pictures_get_the_placeholder(shop):
    assert [thumbnail(shop, item) for item in (5, 6, 7)] == [PLACEHOLDER] * 3


def test_pictures_that_bomb_or_loop_get_the_placeholder(shop, tmp_path, monkeypatch):
    """One above the limit on pixels, a loop of links, a name too long, data cut off, and a folder."""
    Image.new("RGB", (300, 300)).save(tmp_path / "large.png")
    (tmp_path / "loop.png").symlink_to("pool.png")
    (tmp_path / "pool.png").symlink_to("loop.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "large.png").read_bytes()[:100])
    (tmp_path / "folder.png").mkdir()
    names = ["large.png", "loop.png", "x" * 5000 + ".png", "cut.png", "folder.png", "a/../large.png", "\0.png", "0.png"]
    data = replace(shop, items=shop.items.assign(image=names), images=tmp_path)
    assert thumbnail(data, 0) != PLACEHOLDER
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300 * 300 - 1)
    assert [thumbnail(data, item, pixels=47) for item in range(8)] == [PLACEHOLDER] * 8


def test_gallery_escapes_titles_and_keeps_the_order(shop):
    soup = parsed(gallery(shop, [2, 0], ["<i>two</i>", "zero"], title="<h1>"))
    assert [tag["title"] for tag in soup.select(".mm-item")] == ["item 2", shop.items["title"][0]]
    assert [tag.get_text() for tag in soup.select(".mm-item span")] == ["<i>two</i>", "zero"]
    assert all(tag["src"].startswith("data:") for tag in soup.find_all("img"))


def test_gallery_refuses_what_is_not_there(shop):
    with pytest.raises(InputError, match="no item 8"):
        gallery(shop, [1, 8])
    with pytest.raises(InputError, match="2 items but 1 captions"):
        gallery(shop, [1, 2], ["one"])


def test_neighbourhood_is_strongest_first_without_the_item_itself(shop, items_graph):
    soup = parsed(neighbourhood(shop, items_graph, 0, k=2))
    first, *others = [tag["title"] for tag in soup.select(".mm-item")]
    assert first == shop.items["title"][0]
    assert others == ["item 2", "item 1"]
    assert "weight 0.75" in soup.get_text()
    assert "none" in parsed(neighbourhood(shop, items_graph, 5)).get_text()


def test_recommendations_mark_hits_only_when_asked(shop):
    test = shop.test[shop.test[:, 0] == 1, 1].tolist()
    assert test
    plain = parsed(recommendations(shop, 1, [*test, 0], [0.5] * (len(test) + 1)))
    marked = parsed(recommendations(shop, 1, [*test, 0], mark_hits=True))
    assert not plain.select(".mm-hit")
    assert "bought later" not in plain.get_text()
    assert len(marked.select(".mm-hit")) == len(test)
    bought = shop.train[shop.train[:, 0] == 1, 1]
    assert f"user u<1> ({len(bought)})" in plain.get_text()
    with pytest.raises(InputError, match="no user 9"):
        recommendations(shop, 9, [])


def test_cards_are_plain_text_of_about_a_kilobyte(shop):
    for card in cards(shop, range(5)):
        assert sum(map(len, card.values())) < 1800


def test_a_log_shows_the_words_of_a_table_and_no_pictures():
    one = Html('<div class="x"><img src="data:image/webp;base64,AAAA"><b>A &amp; B</b> <td>0.25</td></div>')
    assert repr(one) == "A & B 0.25"
    assert len(repr(Html("<p>word</p>" * 1000))) <= 200
