"""Models of sentence-transformers: the vectors that the package itself gives, from text of any length."""

import sys

import pytest
import torch
from torch.nn.functional import normalize

from mmlib.core.errors import InputError
from mmlib.encoders import extract, load, sentences
from mmlib.encoders.windows import Windows

from .shop import catalogue

package = pytest.importorskip("sentence_transformers")
from .sentence_models import bert  # noqa: E402

TEXTS = ["a red thing", "blue", "", "so good the fine thing with boxes", "a red thing " * 6]


@pytest.fixture(scope="module", params=["", "the "], ids=["plain", "prompt"])
def folder(request, tmp_path_factory):
    return bert(tmp_path_factory.mktemp("bert"), prompt=request.param)


@torch.no_grad()
def test_vectors_are_those_of_the_package(folder):
    encoder = load(f"st:{folder}")
    expected = package.SentenceTransformer(str(folder), device="cpu").encode(TEXTS, convert_to_tensor=True)
    tokens = encoder.tokenize(TEXTS)
    torch.testing.assert_close(encoder.text(tokens), normalize(expected, dim=1), atol=1e-6, rtol=0)
    alone = torch.cat([encoder.text(encoder.tokenize([one])) for one in TEXTS])
    torch.testing.assert_close(encoder.text(tokens), alone, atol=1e-6, rtol=0)
    assert encoder.widths == {"text": 16}
    assert encoder.about["context"] == 24


@torch.no_grad()
def test_a_text_longer_than_the_model_is_read_to_its_end(folder):
    encoder = load(f"st:{folder}")
    long = "a red thing " * 20
    assert (Windows.of([long], encoder).counts > 1).all()
    one, other = Windows.of([long + "good", long + "blue"], encoder).encode(encoder)
    assert not torch.allclose(one, other, atol=1e-4)
    assert torch.equal(*encoder.tokenize([long + "good", long + "blue"]))  # the package alone cuts it


def test_features_of_a_catalogue_are_text_and_reviews(folder, tmp_path):
    data = catalogue(tmp_path, reviews=True)
    features = extract(data, load(f"st:{folder}"))
    assert list(features.item) == ["text"]
    assert features.user["review"].shape == (2, 16)
    assert features.about["reviews"] == "mean"


def test_a_missing_weight_is_never_random(tmp_path):
    """transformers itself fills it at random and only logs it."""
    from safetensors.torch import load_file, save_file

    folder = bert(tmp_path)
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "layer.1.output.dense.weight" in name)
    save_file(
        {name: value for name, value in weights.items() if name != lost}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(InputError, match=r"lacks 1 weights, such as .*layer\.1\.output\.dense\.weight"):
        load(f"st:{folder}")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="cannot be loaded"):
        load(f"st:{folder}")


def test_code_that_comes_with_a_model_is_not_run(tmp_path):
    import json

    folder = bert(tmp_path)
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Mine: pass\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "mine.Mine"
    (folder / "modules.json").write_text(json.dumps(modules))
    sys.modules.pop("mine", None)
    with pytest.raises(InputError, match="cannot be loaded"):
        load(f"st:{folder}")
    assert not (tmp_path / "ran").exists()


def test_the_licence_of_the_model_card_is_kept(tmp_path):
    folder = bert(tmp_path)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nA model.\n")
    assert load(f"st:{folder}").about["licence"] == "apache-2.0"


def test_what_is_not_there_is_said(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="There is no folder"):
        load(f"st:{tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match=r"the model somebody/model.*does not answer"):
        load("st:somebody/model")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="that sentence-transformers wrote"):
        load(f"st:{tmp_path / 'empty'}")
    monkeypatch.setattr(sentences, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'mmlib\[sentences\]'. Nothing was fetched"):
        load("st:somebody/model")
