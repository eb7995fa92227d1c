import numpy as np
import pytest
import torch

from fullshelf.engine.models.demand_lm.loss import pinball, pinball_loss

LEVELS = torch.tensor([0.1, 0.5, 0.9])


def test_the_quantile_of_a_sample_has_the_least_pinball_loss() -> None:
    sample = torch.from_numpy(np.random.default_rng(0).gamma(2.0, 3.0, 4000))
    guesses = torch.linspace(0.5, 15, 300, dtype=torch.float64)
    for level in (0.2, 0.5, 0.9):
        loss = pinball(guesses.expand(4000, -1), sample, torch.tensor(level)).mean(0)
        assert guesses[loss.argmin()].item() == pytest.approx(float(sample.quantile(level)), abs=0.1)


def test_it_is_the_same_in_every_unit() -> None:
    torch.manual_seed(0)
    q, t, y = torch.rand(4, 6, 3), torch.rand(4, 6, 3), torch.rand(4, 6)
    one = pinball_loss(q, t, torch.ones(4), y, torch.ones(4, 6), LEVELS)
    thousand = pinball_loss(q, t, torch.full((4,), 1000.0), 1000 * y, torch.ones(4, 6), LEVELS)
    torch.testing.assert_close(one, thousand)


def test_a_period_that_does_not_count_changes_nothing() -> None:
    torch.manual_seed(0)
    q, t, y, weight = torch.rand(2, 5, 3), torch.rand(2, 5, 3), torch.rand(2, 5), torch.ones(2, 5)
    weight[:, 3] = 0
    wild = y.clone()
    wild[:, 3] = 1e6
    one, other = (pinball_loss(q, t, torch.ones(2), target, weight, LEVELS) for target in (y, wild))
    torch.testing.assert_close(one, other)


def test_perfect_forecasts_lose_nothing() -> None:
    y = torch.rand(3, 4)
    k = torch.arange(1, 5)
    losses = pinball_loss(
        y[..., None].expand(-1, -1, 3),
        (y.cumsum(1) / k)[..., None].expand(-1, -1, 3),
        torch.ones(3),
        y,
        torch.ones(3, 4),
        LEVELS,
    )
    assert [round(float(loss), 6) for loss in losses] == [0.0, 0.0]


def test_a_launch_does_not_outweigh_all_others() -> None:
    q = torch.zeros(1, 4, 3)
    losses = [
        float(pinball_loss(q, q, torch.tensor([0.01]), torch.full((1, 4), size), torch.ones(1, 4), LEVELS)[0])
        for size in (1.0, 100.0)
    ]
    assert losses[0] == pytest.approx(losses[1])
