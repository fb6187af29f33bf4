"""End-to-end training: the encoder of the items' content learns from the recommender's loss."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from ..core.errors import InputError
from ..encoders import Encoder
from ..encoders.inputs import Inputs, inputs
from ..training import Batch, Embeddings, Features, Recommender
from .modalities import ContentRecommender, Modality


class EndToEnd(Recommender):
    r"""Trains a recommender and the encoder of its content by the recommender's loss (ETE), algorithm 1 of `"Large
    Multi-modal Encoders for Recommendation" <https://arxiv.org/abs/2310.20343>`_.

    At every step the items are encoded without a graph into the table of vectors that the recommender reads; its loss
    gives the gradient with respect to that table; the encoder then runs again, chunk by chunk, for the items whose
    gradient is not zero, and receives it, as GradCache does (Gao et al., RepL4NLP 2021). The gradients are those of
    back-propagation through everything, and the activations of one chunk are all that is held at a time. Give it to
    ``fit``, whose ``lr`` is the recommender's.

    What stays as it is:

    - Graphs that the recommender built of its features before training: all of FREEDOM's, MGCN's and AlignRec's, and
      those of the raw vectors in LATTICE and MICRO, whose learnt graphs follow the encoder. By their default
      ``graph_gradient="first"`` these two, and with them the encoder, get a gradient once an epoch; give ``"every"``.
    - Modalities without an effect on loss and vectors but through such graphs, and the users' reviews.
    - Dropout and the statistics of batch norms: the encoder is in evaluation mode, as when it extracts.

    Args:
        recommender: made with features that ``encoder`` gave with the weights that it has now.
        encoder: trained in place; parameters that do not require gradients stay as they are.
        refresh: which rows of the table are encoded at a step: of ``"all"`` items, or of those in the ``"batch"``
            alone, positives and negatives. The rows of others are then as old as their last batch in the epoch, or as
            its start, when all are encoded, and no gradient goes through them. Validation always encodes all.
        chunk: images, or windows of text, that are encoded at once.
        encoder_lr: Adam's learning rate of the encoder.
        memory: GiB that the decoded images may take; they are held.
        workers: threads that decode; ``None``: as many as there are processors, at most 16.

    Raises:
        InputError: for a recommender without content or with features that are learnt or not of this encoder, one that
            gives the encoder no gradient, and images that need more memory.
    """

    def __init__(
        self,
        recommender: Recommender,
        encoder: Encoder,
        *,
        refresh: Literal["all", "batch"] = "all",
        chunk: int = 64,
        encoder_lr: float = 1e-5,
        memory: float = 8.0,
        workers: int | None = None,
    ) -> None:
        super().__init__(recommender.data, negatives=recommender.negatives)
        self.recommender, self.encoder, self.refresh, self.chunk = _readable(recommender), encoder, refresh, chunk
        self.encoder_lr, self.checkpoint = encoder_lr, encoder.checkpoint
        self.features = _of(recommender, encoder)
        for name, values in self.features.item.items():
            self.register_buffer(f"table_{name}", values, persistent=False)
            self.register_buffer(f"present_{name}", self.features.present[name], persistent=False)
        kinds = _reached(self.recommender, self.features)
        self.inputs = {kind: self._prepared(kind, memory, workers) for kind in kinds}
        self.train()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The recommender's parameters, and the encoder's with a learning rate of their own."""
        own = [one for one in self.encoder.parameters() if one.requires_grad]
        return [{"params": list(self.recommender.parameters())}, {"params": own, "lr": self.encoder_lr}]

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[Batch]:
        return self.recommender.batches(batch_size, generator)

    def start_epoch(self, epoch: int) -> None:
        """Encode all items, so that no row is older than the epoch, and do what the recommender does."""
        with torch.no_grad():
            self.read(None)
        self.recommender.start_epoch(epoch)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        items = torch.cat([batch.positives, batch.negatives.flatten()]).unique()
        self.read(items.cpu() if self.refresh == "batch" else None)
        return self.recommender.loss(batch)

    def embed(self) -> Embeddings:
        self.read(None)
        return self.recommender.embed()

    def read(self, items: Tensor | None) -> None:
        """Let the recommender read new vectors of ``items`` [m], or of all, through which gradients reach the encoder.

        The other rows stay as they were last encoded.
        """
        parameters = [one for one in self.encoder.parameters() if one.requires_grad]
        given = {name: self.get_buffer(f"table_{name}") for name in self.features.item}
        for kind, held in self.inputs.items():
            rows = held.present.nonzero().flatten() if items is None else items[held.present[items]]
            if len(rows):
                vectors = _Encoded.apply(held, self.encoder, rows, self.chunk, *parameters)
                table = given[kind]
                given[kind] = table.index_copy(0, rows.to(table.device), vectors.to(table.dtype))
                setattr(self, f"table_{kind}", given[kind].detach())
        present = {name: self.get_buffer(f"present_{name}") for name in given}
        self.recommender.read(replace(self.features, item=given, present=present))

    def train(self, mode: bool = True) -> "EndToEnd":
        """The encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def describe(self) -> dict[str, Any]:
        """The recommender's options, and those of the training with the encoder as it started."""
        own = {name: getattr(self, name) for name in ("refresh", "chunk", "encoder_lr")}
        named = {"paradigm": "end to end", "encoder": self.encoder.name, "checkpoint": self.checkpoint}
        return self.recommender.describe() | named | own

    def _prepared(self, kind: str, memory: float, workers: int | None) -> Inputs:
        made = inputs(self.data, self.encoder, kind, memory=memory, workers=workers)
        if not torch.equal(made.present, self.features.present[kind]):
            raise InputError(
                f"{int((made.present != self.features.present[kind]).sum())} items of {self.data.name} have {kind} now "
                "and had none when the features were extracted, or the reverse. Extract them again."
            )
        return made


class _Encoded(torch.autograd.Function):
    """The vectors of items [m, d], encoded without a graph; the encoder runs again when their gradient is there."""

    @staticmethod
    def forward(ctx: Any, held: Inputs, encoder: Encoder, rows: Tensor, chunk: int, *parameters: Tensor) -> Tensor:
        ctx.again = held, encoder, rows, chunk
        device = encoder.device.type
        ctx.mixed = device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
        ctx.save_for_backward(*parameters)
        return torch.cat([held.encode(encoder, part) for part in held.chunks(rows, chunk)])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        held, encoder, rows, chunk = ctx.again
        parameters = ctx.saved_tensors
        total = [torch.zeros_like(one) for one in parameters]
        moved = gradient.any(1).nonzero().flatten()
        rows, gradient = rows[moved.cpu()], gradient[moved]
        device, dtype, mixed = ctx.mixed
        start = 0
        for part in held.chunks(rows, chunk) if len(rows) else ():
            with torch.enable_grad(), torch.autocast(device, dtype, enabled=mixed):
                vectors = held.encode(encoder, part)
            if not vectors.requires_grad:  # what encodes this modality is frozen
                break
            of_part = gradient[start : start + len(part)]
            found = torch.autograd.grad(vectors, parameters, of_part.to(vectors.dtype), allow_unused=True)
            for sum_, one in zip(total, found):
                if one is not None:
                    sum_ += one
            start += len(part)
        return None, None, None, None, *total


def _readable(recommender: Recommender) -> ContentRecommender:
    """The recommender, where it reads content that is not learnt."""
    name = type(recommender).__name__
    if not isinstance(recommender, ContentRecommender):
        raise InputError(f"{name} has no layers that read content, so that no encoder can learn from its loss.")
    if any(isinstance(one.vectors, torch.nn.Parameter) for one in recommender.modules() if isinstance(one, Modality)):
        raise InputError(f"{name} learns its features as they are (learn_features = True); set it to False.")
    return recommender


def _of(recommender: Recommender, encoder: Encoder) -> Features:
    """The features that the recommender was given, where the encoder gave them with the weights that it has."""
    features: Features = recommender._arguments["features"]
    if features.about.get("checkpoint") != encoder.checkpoint:
        named = features.about.get("encoder", "unknown")
        raise InputError(
            f"The features of {type(recommender).__name__} are from {named}, not from {encoder.name} "
            "with the weights that it has now. Give features of mm.extract(data, encoder)."
        )
    return replace(features, reviews=None, review_users=None, review_means=None, review_counts=None)


def _reached(recommender: ContentRecommender, features: Features) -> list[str]:
    """The modalities through which the loss or the vectors of a first batch give a gradient.

    Raises:
        InputError: where there is none.
    """
    leaves = {name: values.clone().requires_grad_() for name, values in features.item.items()}
    with torch.random.fork_rng():
        recommender.read(replace(features, item=leaves))
        recommender.start_epoch(1)
        batch = next(iter(recommender.batches(256, torch.Generator().manual_seed(0))))
        vectors = recommender.embed()
        value = sum(recommender.loss(batch).values()) + vectors.users.sum() + vectors.items.sum()
    found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    recommender.read(features)
    kinds = [name for name, one in zip(leaves, found) if one is not None]
    if not kinds:
        raise InputError(
            f"{type(recommender).__name__} with these options reads its content in graphs that are built before "
            "training, and in nothing else: no gradient reaches the encoder. Train it on features as they are."
        )
    return kinds
