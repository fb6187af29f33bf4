"""The steps that a page's parameters describe."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmlib.audit.report import Audit
from mmlib.core.dataset import Dataset
from mmlib.core.errors import InputError
from mmlib.core.files import read_json
from mmlib.core.graph import bipartite
from mmlib.workbook.fit import fit
from mmlib.workbook.kernel import LeftOut
from mmlib.workbook.page import Page
from mmlib.workbook.parameters import STUDY


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMLIB_OUTPUTS", str(tmp_path / "outputs"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Interactions alone."""
    folder = tmp_path / "shop"
    folder.mkdir()
    rng = np.random.default_rng(0)
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in rng.permutation(15)[:8]]
    pd.DataFrame(pairs, columns=["user_id", "item_id"]).to_csv(folder / "ratings.csv", index=False)
    return folder


@pytest.fixture
def make(tmp_path: Path):
    def page(name: str = "04_recommend", **values: object) -> Page:
        read = {one.name: one.default for one in STUDY.values() if name in one.pages}
        return Page(name, tmp_path / "run", read | values)

    return page


def notes(page: Page) -> list[str]:
    path = page.folder / "pages" / f"{page.name}.metrics.json"
    return json.loads(path.read_text()).get("notes", []) if path.exists() else []


def test_audits_of_a_run_are_joined_in_its_folder(shop: Path, make) -> None:
    page = make(dataset=str(shop))
    data = page.catalogue()
    before = Audit.from_json(read_json(page.folder / "audit.json"))
    assert "held-out interactions in graphs" not in before.checked
    assert 'class="mm-verdict mm-v-leak"' not in (page.folder / "audit.html").read_text()
    clean = page.audit(data, graphs=[bipartite(data)])
    assert "held-out interactions in graphs" in clean.clean
    leaky = Dataset(data.name, data.users, data.items, data.interactions.assign(part="train"))
    object.__setattr__(leaky, "split", data.split)  # a graph made of all purchases
    found = page.audit(data, graphs=[bipartite(leaky)])
    assert found.worst == "leak"
    kept = Audit.from_json(read_json(page.folder / "audit.json"))
    assert kept.worst == "leak"
    assert "held-out interactions in graphs" not in kept.clean
    assert set(before.checked) < set(kept.checked)
    assert 'class="mm-verdict mm-v-leak"' in (page.folder / "audit.html").read_text()


def test_without_content_pages_that_need_it_are_left_out_and_the_rest_starts_at_random(shop: Path, make) -> None:
    page = make(dataset=str(shop))
    data = page.catalogue()
    assert page.features(data, if_needed=True) is None
    assert page.start(data, None) is None
    assert page.starts_from(data) == "random"
    assert "The start is random:" in notes(page)[0]
    assert "neither images nor texts" in notes(page)[0]
    for other in (make(dataset=str(shop), start="mmcpr"), make(dataset=str(shop), recommender="vbpr")):
        with pytest.raises(LeftOut, match=r"04_recommend is left out: .* has neither images nor texts"):
            other.features(data, if_needed=True)
    with pytest.raises(LeftOut, match="01_features is left out"):
        make("01_features", dataset=str(shop)).encoder(data)


def test_too_few_pairs_name_an_encoder_that_needs_none(shop: Path, make) -> None:
    items = pd.DataFrame({"item_id": [f"i{i}" for i in range(15)], "title": [f"Item {i}" for i in range(15)]})
    items.to_csv(shop / "items.csv", index=False)
    page = make("01_features", dataset=str(shop))
    with pytest.raises(LeftOut, match=r"at least 20 pairs.*a pre-trained encoder, such as -p encoder ViT-B-32/openai"):
        page.encoder(page.catalogue())


def test_what_a_model_does_not_take_is_said_once(blocks, features, make, capsys: pytest.CaptureFixture[str]) -> None:
    page = make(recommender="vbpr", layers=4, dim=8, l2=0.5)
    for _ in range(2):
        model = page.recommender(blocks, features)
    assert model.describe()["l2"] == 0.5  # given, so taken
    assert notes(page) == ["Without effect on vbpr, which has no such option: layers = 4."]
    assert notes(page)[0] in capsys.readouterr().out
    page = make(recommender="ease", dim=8, epochs=7)
    page.recommender(blocks, features)
    assert notes(page)[1:] == ["Without effect on ease, which has no such option: dim = 8, epochs = 7."]


def test_what_papers_leave_open_is_the_workbooks_and_the_rest_the_papers(blocks, features, make) -> None:
    assert make(recommender="lightgcn", dim=8).recommender(blocks).describe()["layers"] == 2
    assert make(recommender="lightgcn", dim=8, layers=3).recommender(blocks).describe()["layers"] == 3
    ngcf = make(recommender="ngcf", dim=8).recommender(blocks).describe()
    assert (ngcf["layers"], ngcf["l2"]) == (2, 1e-4)
    freedom = make(recommender="freedom", dim=8, layers=4).recommender(blocks, features)
    assert freedom.describe()["layers"] == 4
    own = make(recommender="freedom", dim=8, model_options={"layers": 1}).recommender(blocks, features)
    assert own.describe()["layers"] == 1
    assert notes(make()) == []


def test_a_page_reads_what_is_declared_for_it_and_one_of_somebodys_own_all(make, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        make("01_features").value("recommender")
    assert Page("08_mine", tmp_path).value("recommender") == "lightgcn"


def test_the_same_seed_gives_the_same_model_and_the_same_training(blocks, make) -> None:
    page = make(dim=8, k=[5], seed=3, ranked="cold")
    first, second = (page.recommender(blocks).table for _ in range(2))
    assert first.equal(second)
    assert not first.equal(make(dim=8, seed=4).recommender(blocks).table)
    wanted = {"epochs": 200, "lr": 0.005, "batch_size": 512, "patience": 20, "seed": 3}
    assert page.training == wanted | {"metric": "recall@5", "candidates": "cold"}
    assert page.pretraining["keep"] == "last"


def test_content_is_knocked_out_before_training_or_after_it(blocks, features, make, monkeypatch) -> None:
    """At the test's time the weights are the trained ones and the item graph is that of other items' content."""
    from mmlib.workbook import features as module

    monkeypatch.setattr(module, "extract", lambda data, encoder: features)
    monkeypatch.setattr(Page, "encoder", lambda page, data: (None, None))
    options = dict(recommender="freedom", start="random", knock_out="permute", epochs=2, dim=4, k=[3])
    early, late = (make(**options, knock_out_at=at) for at in ("training", "test"))
    gone, whole = early.features(blocks), late.features(blocks)
    assert whole is features
    assert gone.about["knock_out"] == "permute text+image, seed 0"
    assert early.but(seed=1).features(blocks).item["text"].ne(gone.item["text"]).any()
    done = fit(late.recommender(blocks, whole), **late.training)
    assert early.after_knock_out(done, blocks, gone) is done
    judged = late.after_knock_out(done, blocks, whole)
    assert all(judged.model.state_dict()[name].equal(values) for name, values in done.model.state_dict().items())
    kept = (judged.model.item_graphs["text"], done.model.item_graphs["text"])
    assert not (kept[0].col.equal(kept[1].col) and kept[0].row.equal(kept[1].row))
    assert judged.seconds == done.seconds


def test_a_knock_out_without_effect_is_said(blocks, make, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(start="random", knock_out="zero").features(blocks, if_needed=True) is None
    assert "Without effect: knock_out, as lightgcn reads no content here." in capsys.readouterr().out


def test_the_same_page_with_other_values(make) -> None:
    page = make()
    assert page.but(encoder_epochs=3).value("encoder_epochs") == 3
    assert page.value("encoder_epochs") == 20
    with pytest.raises(InputError, match='Did you mean "encoder_epochs"'):
        page.but(encoder_epoch=3)
    with pytest.raises(InputError, match="starts from random weights"):
        page.but(encoder_epochs=0)


SHOP = {"users": 60, "items": 40, "purchases": 480, "size": 32}


def test_vectors_of_one_modality_leave_out_what_aligns_two(make, tmp_path: Path, capsys) -> None:
    import timm
    import torch

    torch.save(timm.create_model("test_vit.r160_in1k").state_dict(), tmp_path / "vit.pth")
    page = make(shop=SHOP, encoder=f"timm:test_vit.r160_in1k@{tmp_path / 'vit.pth'}", recommender="lightgcn")
    data = page.catalogue()
    features = page.features(data)
    assert list(features.item) == ["image"]
    assert page.starts_from(data) == "random"
    assert page.start(data, features) is None
    assert any("gives image vectors alone" in note for note in notes(page))
    with pytest.raises(LeftOut, match=r"is left out: the encoder timm:.* gives image vectors alone"):
        page.mmcpr(data, features)
    alone = page.but(modalities="VG", cima_weight=0.0)
    assert alone.starts_from(data) == "mmcpr"
    alone.mmcpr(data, features)


def test_epochs_of_an_encoder_that_is_not_tuned_are_said(make, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors"
    vectors.mkdir()
    page = make(shop=SHOP, encoder=f"features:{vectors}", encoder_epochs=3, clean=["once"])
    data = page.catalogue()
    np.save(vectors / "image_feat.npy", np.ones((50, 4), dtype=np.float32))
    rows = "\n".join(f"{name}\t{row}" for row, name in enumerate(data.items["id"]))
    (vectors / "i_id_mapping.csv").write_text(f"id\titemID\n{rows}\n")
    features = page.features(data)  # more rows than items: some were dropped on purpose
    assert list(features.item) == ["image"]
    assert "encoder_epochs = 3 is without effect on features:vectors, which is taken as it is." in notes(page)
