"""Text of any length: cut into windows that fit the encoder, then pooled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from .clip import Clip


@dataclass(frozen=True)
class Windows:
    """Several texts, each cut by ``windows``.

    Args:
        tokens: [w, context] int64, text after text.
        weights: [w] float32, how many tokens of text each of several windows holds.
        counts: [n] int64, windows of each text.
    """

    tokens: Tensor
    weights: Tensor
    counts: Tensor

    @classmethod
    def of(cls, texts: Sequence[str], clip: Clip) -> "Windows":
        cut = [windows(text, clip) for text in texts]
        tokens, weights = (torch.cat(parts) for parts in zip(*cut))
        return cls(tokens, weights, torch.tensor([len(one) for one, _ in cut]))

    @cached_property
    def starts(self) -> Tensor:
        """The first window of each text: [n] int64."""
        return self.counts.cumsum(0) - self.counts

    def encode(self, clip: Clip, rows: Tensor | None = None, *, batch_size: int = 256) -> Tensor:
        """Vectors of the texts in ``rows`` [m], or of all: [m, d] float32 of length 1, on the encoder's device."""
        rows = torch.arange(len(self.counts)) if rows is None else rows
        owner = torch.repeat_interleave(torch.arange(len(rows)), self.counts[rows])
        window = torch.cat([torch.arange(n) + start for n, start in zip(self.counts[rows], self.starts[rows])])
        vectors = torch.cat([clip.text(self.tokens[part].to(clip.device)) for part in window.split(batch_size)])
        return pool(vectors, owner.to(clip.device), self.weights[window].to(clip.device), len(rows))


def windows(text: str, clip: Clip) -> tuple[Tensor, Tensor]:
    """Cut a text into windows that fit the encoder's context; no token is dropped.

    A text that fits is one window, tokenised as always. A longer one is packed word by word into windows that
    leave room for the start and end tokens. A word longer than a window, as in scripts without spaces, is halved
    until it fits.

    Returns:
        tokens [w, context] int64 and weights [w] float32, how many tokens of text each of several windows holds.
    """
    tokens = clip.tokenize([text])
    if tokens[0, -2] == clip.tokenize([""])[0, -2]:  # padding before the end: nothing was cut
        return tokens, torch.ones(1)
    pieces, counts = zip(*_packed(text, clip))
    return clip.tokenize(list(pieces)), torch.tensor(counts, dtype=torch.float32)


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


def _packed(text: str, clip: Clip) -> Iterator[tuple[str, int]]:
    """The text's words, those longer than a window halved, joined while they fit; with the joint count of tokens."""
    room, waiting = clip.context - 2, text.split()[::-1]
    held: list[str] = []
    used = 0
    while waiting:
        word = waiting.pop()
        count = clip.count(word)
        if count > room and len(word) > 1:
            waiting += [word[len(word) // 2 :], word[: len(word) // 2]]
            continue
        if held and used + count > room:
            yield " ".join(held), used
            held, used = [], 0
        held.append(word)
        used += count
    yield " ".join(held), used
