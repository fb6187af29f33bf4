"""A part of a catalogue is numbered anew and points at the same users and items."""

import numpy as np
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from mmlib import splits
from mmlib.core.subset import subset

from ..catalogues.test_clean import buys, told

masks = st.lists(st.booleans(), min_size=8, max_size=8)


@settings(max_examples=30, deadline=None)
@forall(
    log=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), min_size=1, max_size=30),
    users=masks,
    items=masks,
)
def test_what_stays_is_what_it_was(log, users, items):
    data = buys(*[row[:2] for row in log])
    part = subset(data, np.array([row[2] for row in log]), np.array(users), np.array(items))
    assert told(part) == {
        (f"u{user}", f"i{item}", f"review {place}")
        for place, (user, item, kept) in enumerate(log)
        if kept and users[user] and items[item]
    }
    assert part.users["id"].tolist() == [f"u{user}" for user in range(8) if users[user]]
    assert part.items["id"].tolist() == [f"i{item}" for item in range(8) if items[item]]


def test_the_passport_goes():
    data = splits.random_by_user(buys(*[(0, item) for item in range(8)]))
    assert subset(data, np.ones(8, dtype=bool)).split is None
