import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from mmlib.kernels.sample import Seen, uniform

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
DEVICES = pytest.mark.parametrize("device", ["cpu", CUDA])


def ragged(n_users: int, n_items: int, device: str = "cpu") -> tuple[Seen, list[set[int]]]:
    """User u has seen u items (at most all but one), the last user none; shuffled, with repeats."""
    g = torch.Generator().manual_seed(1)
    sets = [set(torch.randperm(n_items, generator=g)[: min(u, n_items - 1)].tolist()) for u in range(n_users - 1)]
    sets.append(set())
    pairs = torch.tensor([(u, i) for u, items in enumerate(sets) for i in items] * 2)
    pairs = pairs[torch.randperm(len(pairs), generator=g)].to(device)
    return Seen.from_pairs(pairs[:, 0], pairs[:, 1], n_users, n_items), sets


def slow_unseen(sets: list[set[int]], user: int, n_items: int) -> list[int]:
    return [i for i in range(n_items) if i not in sets[user]]


@DEVICES
def test_from_pairs_sorts_and_removes_repeats(device):
    seen, sets = ragged(9, 7, device)
    assert seen.items.device.type == device
    for u, items in enumerate(sets):
        assert seen.items[seen.indptr[u] : seen.indptr[u + 1]].tolist() == sorted(items)
    assert seen.counts.tolist() == [len(items) for items in sets]


@DEVICES
def test_contains_equals_membership(device):
    seen, sets = ragged(9, 7, device)
    users, items = torch.arange(9, device=device).unsqueeze(1), torch.arange(-1, 7, device=device)
    expected = [[i in sets[u] for i in range(-1, 7)] for u in range(9)]
    assert seen.contains(users, items).tolist() == expected


@DEVICES
def test_contains_of_nothing_is_false(device):
    none = torch.empty(0, dtype=torch.long, device=device)
    seen = Seen.from_pairs(none, none, 3, 4)
    assert not seen.contains(torch.arange(3, device=device), torch.arange(3, device=device)).any()


@DEVICES
def test_of_lists_the_items_of_repeated_and_unordered_users(device):
    seen, sets = ragged(9, 7, device)
    row, item = seen.of(torch.tensor([5, 8, 2, 5], device=device))
    expected = [(r, i) for r, u in enumerate([5, 8, 2, 5]) for i in sorted(sets[u])]
    assert list(zip(row.tolist(), item.tolist())) == expected


def test_to_the_same_device_is_the_same_object():
    seen, _ = ragged(4, 5)
    assert seen.to("cpu") is seen


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_to_another_device_keeps_the_pairs():
    seen, _ = ragged(9, 7)
    assert torch.equal(seen.to("cuda").keys.cpu(), seen.keys)


@DEVICES
def test_draws_are_never_seen_and_reach_every_unseen_item(device):
    seen, sets = ragged(30, 12, device)
    drawn = uniform(seen, torch.arange(30, device=device), 400)
    assert drawn.dtype == torch.int64
    assert drawn.shape == (30, 400)
    for user, items in enumerate(drawn.tolist()):
        assert set(items) == set(slow_unseen(sets, user, 12))


@given(st.data())
def test_every_rank_maps_to_its_own_unseen_item(data):
    n_users, n_items = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 9))
    sets = [data.draw(st.sets(st.integers(0, n_items - 1), max_size=n_items - 1)) for _ in range(n_users)]
    users, items = (
        torch.tensor([p[i] for p in [(u, v) for u, s in enumerate(sets) for v in s]]).long() for i in (0, 1)
    )
    drawn = uniform(Seen.from_pairs(users, items, n_users, n_items), torch.arange(n_users), 64)
    for user in range(n_users):
        assert set(drawn[user].tolist()) <= set(slow_unseen(sets, user, n_items))


@DEVICES
def test_draws_are_uniform_and_so_is_the_slow_twin(device):
    seen, sets = ragged(9, 10, device)
    g = torch.Generator().manual_seed(0)
    fast = uniform(seen, torch.full((20_000,), 5, device=device), generator=g).flatten().cpu()
    left = slow_unseen(sets, 5, 10)
    slow = torch.tensor(left)[torch.randint(len(left), (20_000,), generator=g)]
    for drawn in fast, slow:
        counts = drawn.bincount(minlength=10)
        assert counts.sum() == counts[left].sum()
        assert chisquare(counts[left].numpy()).pvalue > 1e-4


@DEVICES
def test_a_seed_gives_the_same_draws_on_every_device(device):
    on_cpu, _ = ragged(9, 7)
    first = uniform(on_cpu, torch.arange(9), 5, generator=torch.Generator().manual_seed(3))
    again = uniform(on_cpu.to(device), torch.arange(9), 5, generator=torch.Generator().manual_seed(3))
    other = uniform(on_cpu.to(device), torch.arange(9), 5, generator=torch.Generator().manual_seed(4))
    assert again.device.type == device
    assert torch.equal(first, again.cpu())
    assert not torch.equal(first, other.cpu())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_generator_on_the_gpu_works():
    seen, _ = ragged(9, 7, "cuda")
    one, two = (uniform(seen, torch.arange(9), generator=torch.Generator("cuda").manual_seed(1)) for _ in range(2))
    assert torch.equal(one, two)


def test_no_users_give_no_draws():
    seen, _ = ragged(4, 5)
    assert uniform(seen, torch.empty(0, dtype=torch.long), 3).shape == (0, 3)


def test_ids_do_not_overflow_in_a_large_catalogue():
    seen = Seen.from_pairs(torch.tensor([999]), torch.tensor([2**50 - 1]), 1000, 2**50)
    drawn = uniform(seen, torch.tensor([999] * 100))
    assert drawn.min() >= 0
    assert drawn.max() < 2**50 - 1
    assert drawn.double().mean() == pytest.approx(2**49, rel=0.3)


@DEVICES
def test_a_user_who_has_seen_everything_is_named(device):
    users, items = torch.tensor([0, 1, 1, 1], device=device), torch.tensor([2, 0, 1, 2], device=device)
    seen = Seen.from_pairs(users, items, 3, 3)
    with pytest.raises(ValueError, match="user 1 has seen all 3 items"):
        uniform(seen, torch.tensor([0, 1], device=device))
    assert uniform(seen, torch.tensor([0, 2], device=device)).shape == (2, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count = 0"),
        ({"users": torch.tensor([9])}, r"users must lie in 0\.\.8, but go from 9 to 9"),
        ({"users": torch.tensor([-1])}, "users must lie in"),
        ({"users": torch.tensor([0.5])}, "users must hold integers"),
        ({"users": torch.tensor([[1]])}, r"users \[1, 1\] must be a vector"),
    ],
)
def test_bad_arguments_of_uniform_are_named(change, message):
    seen, _ = ragged(9, 7)
    with pytest.raises(ValueError, match=message):
        uniform(**{"seen": seen, "users": torch.tensor([1]), **change})


@pytest.mark.parametrize(
    ("users", "items", "sizes", "message"),
    [
        ([0, 1], [0], (2, 2), "must be two vectors of one length"),
        ([0, 2], [0, 0], (2, 2), "users must lie in 0..1"),
        ([0, 1], [0, 5], (2, 2), "items must lie in 0..1"),
        ([0], [0], (2**40, 2**40), "product below"),
    ],
)
def test_bad_pairs_are_named(users, items, sizes, message):
    with pytest.raises(ValueError, match=message):
        Seen.from_pairs(torch.tensor(users), torch.tensor(items), *sizes)
