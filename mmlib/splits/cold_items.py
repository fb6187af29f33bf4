"""Items that nobody has bought yet: a split that holds them out of training entirely."""

import numpy as np

from ..core.dataset import Dataset
from ..core.errors import one_of
from .parts import drawn, noted, pairs_of, rounded, share_of, unseen_notes

HALVES = ("items", "interactions")


def cold_items(data: Dataset, share: float = 0.2, *, seed: int = 0, halves: str = "items") -> Dataset:
    """Hold out a share of the items at random: none of their interactions is in the training part.

    MICRO (Zhang et al. 2022, Latent Structure Mining with Contrastive Modality Fusion, section 3.1.3): all interactions
    with a randomly selected 20 % of the items are removed from the training set; half of these items (10 % of all) are
    for validation and half (10 %) for testing. So validation and test share no item, and all other interactions train.
    The paper leaves three things open. Here the share is of the items that have an interaction, rounded half up and at
    least two; the odd item goes to the validation part (both as in the public script of LATTICE, the same group's
    earlier model, which rounds down); users whose every item is held out stay, and are counted in the passport and in
    ``notes``. Nor does it say which items are ranked: mmlib ranks all, cold and warm.

    The draw is of the raw stream of PCG64 over the sorted items: it depends on the items and the seed alone.

    Args:
        share: of the items, in (0, 1).
        seed: not negative.
        halves: ``"items"``, the paper's reading, or ``"interactions"``: half of the held-out items' interactions at
            random for validation and half for testing, so that both parts judge the same items.

    Raises:
        InputError: for a share, seed or kind of halves that cannot be, and when a part would be empty.
    """
    one_of("halves", halves, HALVES)
    part = share_of(share, "share", "the share of the items that is held out of training")
    pair, row = pairs_of(data)
    item = pair % max(1, data.n_items)
    items = np.flatnonzero(np.bincount(item, minlength=data.n_items))
    held = items[np.argsort(drawn(len(items), seed), kind="stable")][: max(2, int(rounded(np.array(len(items)), part)))]
    codes = np.zeros(data.n_items, dtype=np.int64)
    if halves == "items":
        codes[held] = np.where(np.arange(len(held)) < (len(held) + 1) // 2, 1, 2)
        codes = codes[item]
    else:
        codes[held] = 1
        codes = codes[item]
        cold = np.flatnonzero(codes)
        # the numbers after those of the items, so that the two draws are independent
        order = np.argsort(drawn(len(items) + len(cold), seed)[len(items) :], kind="stable")
        codes[cold[order[(len(cold) + 1) // 2 :]]] = 2
    parts = np.array(("train", "valid", "test"), dtype=object)[codes][row]
    of = "of them" if halves == "items" else "of their interactions"
    protocol = f"cold items, {100 * share:.3g}% of items held out, half {of} for validation and half for test"
    split = data.with_parts(parts, protocol, seed)
    note = f"Items held out of the training part: {len(held):,} of {len(items):,} that have an interaction."
    return noted(split, (note, *unseen_notes(split)))
