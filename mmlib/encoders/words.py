"""Text of any length: cut into windows that fit the encoder, then pooled."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .clip import Clip


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
    pieces, counts = zip(*_packed(_words(text, clip), clip.context - 2))
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


def embed(texts: list[str], clip: Clip, *, batch_size: int = 256) -> Tensor:
    """Encode texts of any length, many windows at once: [n, d] float32 of length 1, on the encoder's device."""
    if not texts:
        return torch.zeros(0, clip.dim, device=clip.device)
    cut = [windows(text, clip) for text in texts]
    owner = torch.repeat_interleave(torch.arange(len(cut)), torch.tensor([len(tokens) for tokens, _ in cut]))
    tokens, weights = (torch.cat(parts) for parts in zip(*cut))
    vectors = torch.cat([clip.text(part.to(clip.device)) for part in tokens.split(batch_size)])
    return pool(vectors, owner.to(vectors.device), weights.to(vectors.device), len(cut))


def _words(text: str, clip: Clip) -> Iterator[tuple[str, int]]:
    """The text's words with their token counts, those longer than a window halved."""
    waiting = text.split()[::-1]
    while waiting:
        word = waiting.pop()
        count = clip.count(word)
        if count <= clip.context - 2 or len(word) == 1:
            yield word, count
        else:
            waiting += [word[len(word) // 2 :], word[: len(word) // 2]]


def _packed(words: Iterator[tuple[str, int]], room: int) -> Iterator[tuple[str, int]]:
    """Consecutive words joined while they fit into ``room`` tokens, with the joint count."""
    held: list[str] = []
    used = 0
    for word, count in words:
        if held and used + count > room:
            yield " ".join(held), used
            held, used = [], 0
        held.append(word)
        used += count
    yield " ".join(held), used
