import pytest
import torch

from mmlib.core.errors import InputError
from mmlib.recommenders.losses import bpr, length
from mmlib.recommenders.modalities import Projection, contents


def test_all_modalities_or_those_named(features) -> None:
    assert set(contents("X", features)) == {"text", "image"}
    assert list(contents("X", features, "image")) == ["image"]
    with pytest.raises(InputError, match=r"X: modality = 'pictures' is not known"):
        contents("X", features, "pictures")
    with pytest.raises(InputError, match="X reads image and text"):
        contents("X", None)


def test_frozen_unless_learnt(features) -> None:
    assert not list(contents("X", features).parameters())
    learnt = contents("X", features, learn=True)
    assert len(list(learnt.parameters())) == 2
    assert learnt["text"].vectors.data_ptr() != features.item["text"].data_ptr()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_projection_of_some_or_all_items(features, precision: str) -> None:
    content = contents("X", features, "text", precision=precision)["text"]
    project, items = Projection(6, 4), torch.tensor([7, 0, 7])
    everything = project(content())
    assert everything.dtype == torch.float32
    torch.testing.assert_close(project(content(items)), everything[items])
    exact = features.filled("text") @ project.weight.T + project.bias
    torch.testing.assert_close(everything, exact, atol=0.05 if precision == "bfloat16" else 1e-5, rtol=0.02)
    everything.sum().backward()
    assert project.weight.grad is not None
    assert project.weight.grad.dtype == torch.float32


def test_losses_in_plain_numbers() -> None:
    user, positive, negative = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 5.0]]), torch.tensor([[1.0, 7.0]])
    assert float(bpr(user, positive, negative)) == pytest.approx(0.31326, abs=1e-5)  # -log sigma(1)
    two = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert float(length(0.1, two)) == pytest.approx(0.1 * 0.5 * 25 / 2)
    assert float(length(0.1, two, reading="norm")) == pytest.approx(0.1 * 5 / 2)
