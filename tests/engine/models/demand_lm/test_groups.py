import torch

from fullshelf.engine.models.demand_lm.groups import group_sizes, membership, shares


def test_a_long_history_costs_few_tokens() -> None:
    assert group_sizes(9, 0) == group_sizes(9, 9) == [1] * 9
    sizes = group_sizes(292, 8)
    assert sum(sizes) == 292
    assert sizes[-8:] == [1] * 8
    assert sizes[-18:-8] == [4] * 10
    assert sizes[1:-18] == [13] * 18
    assert sizes[0] == 10


def test_the_newest_patches_stay_together_however_long_the_history() -> None:
    assert group_sizes(73, 8)[-18:] == group_sizes(400, 8)[-18:]


def test_patches_are_shared_by_those_that_exist() -> None:
    member, middle = membership(6, 2, 2)
    assert member is not None
    assert member.tolist() == [
        [1, 1, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
    ]
    assert middle.tolist() == [1, 4, 5, 6, 7]
    alive = torch.tensor([[0.0, 0, 1, 1, 1, 1, 1, 1], [0.0, 0, 0, 0, 0, 1, 1, 1]])
    share, count = shares(member, alive)
    assert share[0, 0].tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0]
    assert count.tolist() == [[2, 1, 1, 1, 1], [0, 0, 1, 1, 1]]
    assert share[1].sum(-1).tolist() == [0, 0, 1, 1, 1]


def test_without_sharing_nothing_is_averaged() -> None:
    member, middle = membership(5, 1, 8)
    assert member is None
    assert middle.tolist() == list(range(6))
