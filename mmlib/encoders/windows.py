"""Text of any length: cut into windows that fit the encoder, then pooled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from .contract import Encoder


@dataclass(frozen=True)
class Windows:
    """Several texts, each cut into windows that fit the encoder's context; no token is dropped.

    Args:
        tokens: [w, at most context] int64, text after text.
        weights: [w] float32, how many tokens of text each of several windows holds.
        counts: [n] int64, windows of each text.
    """

    tokens: Tensor
    weights: Tensor
    counts: Tensor

    @classmethod
    def of(cls, texts: Sequence[str], encoder: Encoder) -> "Windows":
        """Cut texts: one that fits is one window, tokenised as always.

        A longer one is packed word by word into windows that leave room for the start and end tokens. A word longer
        than a window, as in scripts without spaces, is halved until it fits.
        """
        tokens = encoder.tokenize(list(texts))
        long = _may_be_cut(tokens, encoder)
        if not long.any():
            return cls(tokens, torch.ones(len(texts)), torch.ones(len(texts), dtype=torch.int64))
        rows: list[Tensor] = []
        weights: list[float] = []
        counts: list[int] = []
        for row, text in enumerate(texts):
            packed = list(_packed(text, encoder)) if long[row] else []
            pieces, sizes = zip(*packed) if packed else ((text,), (1.0,))
            rows.append(encoder.tokenize(list(pieces)) if packed else tokens[row : row + 1])
            weights += sizes
            counts.append(len(pieces))
        return cls(joined(rows, encoder), torch.tensor(weights, dtype=torch.float32), torch.tensor(counts))

    @cached_property
    def starts(self) -> Tensor:
        """The first window of each text: [n] int64."""
        return self.counts.cumsum(0) - self.counts

    def encode(self, encoder: Encoder, rows: Tensor | None = None, *, batch_size: int = 256) -> Tensor:
        """Vectors of the texts in ``rows`` [m], or of all: [m, d] float32 of length 1, on the encoder's device."""
        rows, device = torch.arange(len(self.counts)) if rows is None else rows, encoder.device
        owner = torch.repeat_interleave(torch.arange(len(rows)), self.counts[rows])
        window = torch.cat([torch.arange(n) + start for n, start in zip(self.counts[rows], self.starts[rows])])
        vectors = torch.cat([encoder.text(self.tokens[part].to(device)) for part in window.split(batch_size)])
        return pool(vectors, owner.to(device), self.weights[window].to(device), len(rows))


def windows(text: str, encoder: Encoder) -> tuple[Tensor, Tensor]:
    """One text's windows [w, at most context] int64, and [w] float32 weights; see ``Windows``."""
    cut = Windows.of([text], encoder)
    return cut.tokens, cut.weights


def lengths(tokens: Tensor, encoder: Encoder) -> Tensor:
    """How many tokens each row needs, [w] int64: all but what fills it up where that may be cut off."""
    if encoder.pad is None or not tokens.numel():
        return torch.full((len(tokens),), tokens.shape[1])
    place = torch.arange(1, tokens.shape[1] + 1)
    return ((tokens != encoder.pad) * place).amax(1)


def joined(rows: Sequence[Tensor], encoder: Encoder) -> Tensor:
    """Rows of tokens [w_i, n_i] below each other, filled up to the widest: [w, n]."""
    width = max(len(part[0]) for part in rows)
    return torch.cat([F.pad(part, (0, width - part.shape[1]), value=encoder.pad or 0) for part in rows])


def pool(vectors: Tensor, owner: Tensor, weights: Tensor, n: int) -> Tensor:
    """The mean of each owner's window vectors, weighted by their token counts, brought back to length 1.

    Args:
        vectors: [w, d], of length 1.
        owner: [w] int64, 0 .. n-1.
        weights: [w] float32.

    Returns:
        [n, d] float32; a zero row for an owner without windows.
    """
    total = vectors.new_zeros(n, vectors.shape[1]).index_add_(0, owner, vectors * weights.unsqueeze(1))
    return F.normalize(total, dim=-1)


def _may_be_cut(tokens: Tensor, encoder: Encoder) -> Tensor:
    """Rows [n] without anything that fills them up before their last token: nothing else can have been cut."""
    if tokens.shape[1] < encoder.context:
        return torch.zeros(len(tokens), dtype=torch.bool)
    filler = encoder.tokenize([""])[0, -2] if encoder.pad is None else encoder.pad
    return tokens[:, -2] != filler


def _packed(text: str, encoder: Encoder) -> Iterator[tuple[str, int]]:
    """The text's words, those longer than a window halved, joined while they fit; with the joint count of tokens."""
    waiting = text.split()[::-1]
    held: list[str] = []
    used = 0
    while waiting:
        word = waiting.pop()
        count = encoder.count(word)
        if count > encoder.room and len(word) > 1:
            waiting += [word[len(word) // 2 :], word[: len(word) // 2]]
            continue
        if held and used + count > encoder.room:
            yield " ".join(held), used
            held, used = [], 0
        held.append(word)
        used += count
    yield " ".join(held), used
