import pytest
import torch
from torch import Tensor

from mmlib.kernels.rank import GROUP, hits, top_k, top_k_by
from mmlib.kernels.sample import Seen

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])


def slow_top_k(users: Tensor, items: Tensor, k: int, history: list[set[int]]) -> tuple[list, list]:
    """The whole users x items matrix, one user at a time, sorted in full."""
    indices, scores = [], []
    for user, row in enumerate((users @ items.T).tolist()):
        best = sorted(((-s, i) for i, s in enumerate(row) if i not in history[user]))[:k]
        indices.append([i for _, i in best] + [-1] * (k - len(best)))
        scores.append([-s for s, _ in best] + [float("-inf")] * (k - len(best)))
    return indices, scores


def shop(n: int, m: int, d: int, pairs: int, device: str) -> tuple[Tensor, Tensor, Seen, list[set[int]]]:
    g = torch.Generator().manual_seed(n + m)
    users, items = torch.randn(n, d, generator=g).double(), torch.randn(m, d, generator=g).double()
    u, i = torch.randint(n, (pairs,), generator=g), torch.randint(m, (pairs,), generator=g)
    history: list[set[int]] = [set() for _ in range(n)]
    for a, b in zip(u.tolist(), i.tolist()):
        history[a].add(b)
    return users.to(device), items.to(device), Seen.from_pairs(u, i, n, m).to(device), history


@DEVICES
@pytest.mark.parametrize("block", [1, 7, 16, 1024])
@pytest.mark.parametrize(
    ("n", "m", "k"),
    [(1, 1, 1), (16, 5, 3), (23, 40, 40), (23, 6 * GROUP * GROUP + 3, 2), (5, 2 * GROUP * 4 + 1, 4), (9, 1000, 3)],
)
def test_equals_the_slow_twin(n, m, k, block, device):
    users, items, seen, history = shop(n, m, 4, 3 * n, device)
    indices, scores = top_k(users, items, k, seen=seen, block=block)
    slow_indices, slow_scores = slow_top_k(users, items, k, history)
    assert indices.tolist() == slow_indices
    torch.testing.assert_close(scores.cpu(), torch.tensor(slow_scores).double())


@DEVICES
def test_without_seen_nothing_is_masked(device):
    users, items, _, _ = shop(11, 300, 4, 1, device)
    assert top_k(users, items, 5, block=4)[0].tolist() == slow_top_k(users, items, 5, [set()] * 11)[0]


@DEVICES
@pytest.mark.parametrize("m", range(6 * GROUP * GROUP, 7 * GROUP * GROUP, 11))
def test_filling_places_never_win_over_negative_scores(m, device):
    users, items, _, _ = shop(3, m, 4, 1, device)
    users, items = users.abs(), -items.abs()
    assert top_k(users, items, 2)[0].tolist() == slow_top_k(users, items, 2, [set()] * 3)[0]


@DEVICES
def test_one_block_equals_many(device):
    users, items, seen, _ = shop(50, 500, 8, 400, device)
    one, many = (top_k(users, items, 10, seen=seen, block=block) for block in (50, 3))
    assert torch.equal(one[0], many[0])
    torch.testing.assert_close(one[1], many[1])


@DEVICES
def test_rows_say_whose_history_is_masked(device):
    users, items, seen, history = shop(12, 30, 4, 150, device)
    rows = torch.tensor([7, 2, 2, 11, 0], device=device)
    indices, _ = top_k(users[rows], items, 6, seen=seen, rows=rows, block=2)
    assert indices.tolist() == slow_top_k(users[rows], items, 6, [history[r] for r in rows.tolist()])[0]


@DEVICES
@pytest.mark.parametrize("m", [3, 200])
def test_places_without_an_item_hold_minus_one(m, device):
    """User 0 has seen all but item 2, user 1 everything, user 2 nothing; k exceeds the small catalogue."""
    u = torch.tensor([0] * (m - 1) + [1] * m)
    i = torch.tensor([x for x in range(m) if x != 2] + list(range(m)))
    seen = Seen.from_pairs(u, i, 3, m).to(device)
    indices, scores = top_k(torch.ones(3, 2, device=device), torch.ones(m, 2, device=device), 5, seen=seen)
    assert indices[0].tolist() == [2, -1, -1, -1, -1]
    assert indices[1].tolist() == [-1] * 5
    assert (indices[2] >= 0).sum() == min(m, 5)
    assert torch.equal(indices < 0, scores == -torch.inf)


@DEVICES
def test_ties_are_ranked_alike_every_time_and_without_repeats(device):
    items = torch.randint(3, (700, 2), device=device).float()
    users = torch.ones(40, 2, device=device)
    first, again = top_k(users, items, 20, block=16), top_k(users, items, 20, block=16)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], (users @ items.T).topk(20).values)
    assert all(len(set(row)) == 20 for row in first[0].tolist())


@DEVICES
def test_half_precision_and_empty_inputs(device):
    users = torch.randn(6, 4, device=device).bfloat16()
    assert top_k(users, users, 2)[1].dtype == torch.bfloat16
    assert top_k(users[:0], users, 2)[0].shape == (0, 2)
    assert top_k(users, users[:0], 2)[0].tolist() == [[-1, -1]] * 6


@DEVICES
def test_parameters_can_be_ranked_without_a_gradient(device):
    users = torch.randn(6, 4, device=device, requires_grad=True)
    assert not top_k(users, users, 2)[1].requires_grad


@DEVICES
def test_hits_equal_membership(device):
    _, _, truth, bought = shop(12, 9, 1, 40, device)
    indices = torch.randint(-1, 9, (12, 6), device=device)
    expected = [[i in bought[u] for i in row] for u, row in enumerate(indices.tolist())]
    assert hits(indices, truth).tolist() == expected
    rows = torch.tensor([3, 3, 10], device=device)
    assert hits(indices[rows], truth, rows).tolist() == [expected[r] for r in rows.tolist()]


def test_an_empty_place_is_no_hit_even_beside_the_last_item_of_the_user_before():
    truth = Seen.from_pairs(torch.tensor([0]), torch.tensor([4]), 2, 5)
    assert hits(torch.tensor([[4], [-1]]), truth).tolist() == [[True], [False]]


GOOD = {"users": torch.ones(4, 3), "items": torch.ones(5, 3), "k": 2}
SEEN = Seen.from_pairs(torch.tensor([0]), torch.tensor([4]), 4, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k = 0"),
        ({"block": 0}, "block = 0"),
        ({"items": torch.ones(5, 2)}, r"users \[4, 3\] and items \[5, 2\]"),
        ({"items": torch.ones(5, 3).double()}, "one floating-point type"),
        ({"users": torch.full((4, 3), torch.nan)}, "users holds NaN"),
        ({"seen": SEEN, "items": torch.ones(6, 3)}, "items has 6 rows, but seen knows 5"),
        ({"seen": SEEN, "users": torch.ones(3, 3)}, "give rows"),
        ({"seen": SEEN, "rows": torch.tensor([0])}, r"rows \[1\] must be \[4\]"),
        ({"seen": SEEN, "rows": torch.tensor([0, 1, 2, 4])}, r"rows must lie in 0\.\.3"),
    ],
)
def test_bad_arguments_of_top_k_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        top_k(**{**GOOD, **change})


@pytest.mark.parametrize(
    ("indices", "message"),
    [([[5]] * 4, "indices must lie in -1..4"), ([0, 1], "must be"), ([[0]] * 3, "give rows")],
)
def test_bad_arguments_of_hits_are_named(indices, message):
    with pytest.raises(ValueError, match=message):
        hits(torch.tensor(indices), SEEN)


@DEVICES
@pytest.mark.parametrize("block", [3, 100])
def test_scores_of_any_kind_are_ranked_alike(device: str, block: int) -> None:
    generator = torch.Generator().manual_seed(0)
    users, items = (
        torch.randn(11, 4, generator=generator).to(device),
        torch.randn(23, 4, generator=generator).to(device),
    )
    pairs = torch.randint(0, 11, (40,), generator=generator), torch.randint(0, 23, (40,), generator=generator)
    seen = Seen.from_pairs(*pairs, 11, 23).to(device)
    rows = torch.tensor([7, 0, 3, 10, 9], device=device)
    expected = top_k(users[rows], items, 6, seen=seen, rows=rows)
    found = top_k_by(lambda some: users[some] @ items.T, rows, 23, 6, seen=seen, block=block)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])
    for wrong, message in ((torch.zeros(5, 22), "have the shape"), (torch.full((5, 23), torch.nan), "hold NaN")):
        with pytest.raises(ValueError, match=message):
            top_k_by(lambda some, wrong=wrong: wrong.to(device), rows, 23, 6)
