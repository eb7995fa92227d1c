from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.models.average import AverageModel
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.levels import LEVELS

PanelOf = Callable[..., Panel]
H, SEASON = 6, 7


@dataclass
class Says:
    """A member that forecasts one number at all levels for every period, and keeps what it was given."""

    units: float
    levels: tuple[float, ...] = LEVELS
    fingerprint: str = "says"
    device: str = "cpu"
    given: list[tuple[Panel, KnownAhead | None]] = field(default_factory=list)

    def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
        self.given.append((panel, ahead))
        quantiles = np.full((panel.series, horizon, len(self.levels)), self.units, dtype=np.float32)
        totals = np.cumsum(quantiles, axis=1, dtype=np.float32)
        return Forecast(np.array(self.levels), quantiles, quantiles[:, :, 0].copy(), totals)


def histories() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.poisson(3, 90).astype(float), rng.gamma(2.0, 5.0, 40), np.r_[4.0, np.zeros(80)], np.array([2.0])]


def average(*names: str) -> AverageModel:
    return AverageModel(tuple(load_model(name, LEVELS, SEASON) for name in names), SEASON)


def share_of_second(model: AverageModel, panel: Panel) -> list[float]:
    """Read the second member's share off the mean, where the first says 0 and the second 10."""
    mean = model.forecast(panel, H).mean
    assert (mean == mean[:, :1]).all()
    return (mean[:, 0].astype(float) / 10).round(6).tolist()


def test_what_was_right_one_horizon_ago_gets_nearly_all_of_a_series(panel_of: PanelOf) -> None:
    panel = panel_of([np.zeros(30), np.full(30, 10.0), np.r_[np.full(24, 10.0), np.zeros(H)]])
    found = AverageModel((Says(0), Says(10)), SEASON).forecast(panel, H)
    assert found.cumulative is not None
    assert found.mean[:, 0].tolist() == pytest.approx([1, 9, 1])
    assert found.quantiles[:, H - 1, 0].tolist() == pytest.approx([1, 9, 1])
    assert found.cumulative[:, H - 1, 0].tolist() == pytest.approx([6, 54, 6])


def test_shares_go_with_the_inverse_of_the_squared_loss(panel_of: PanelOf) -> None:
    panel = panel_of([np.full(30, 4.0)])  # at level 0.5, 0 costs 2 a period and 10 costs 3
    model = AverageModel((Says(0, (0.5,)), Says(10, (0.5,))), SEASON)
    assert share_of_second(model, panel) == pytest.approx([4 / (4 + 9)], abs=1e-6)


def test_levels_in_the_tails_judge_only_where_there_are_no_others(panel_of: PanelOf) -> None:
    panel = panel_of([np.full(30, 4.0)])
    middle, tails, both = (
        share_of_second(AverageModel((Says(0, levels), Says(10, levels)), SEASON), panel)
        for levels in ((0.5,), (0.95, 0.99), (0.5, 0.95, 0.99))
    )
    assert both == middle
    assert tails == [0.9]


def test_a_series_too_short_to_tell_keeps_equal_shares(panel_of: PanelOf) -> None:
    lengths = (1, H, H + SEASON, H + SEASON + 1)
    panel = panel_of([np.full(n, 10.0) for n in lengths])
    assert share_of_second(AverageModel((Says(0), Says(10)), SEASON), panel) == [0.5, 0.5, 0.5, 0.9]
    three = AverageModel((Says(0), Says(10), Says(20)), SEASON).forecast(panel_of([np.full(4, 10.0)]), H)
    assert three.mean[0, 0] == pytest.approx(10)


def test_members_that_lost_nothing_share_equally(panel_of: PanelOf) -> None:
    class Changing(Says):
        def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
            found = super().forecast(panel, horizon, ahead)
            return found if len(self.given) == 2 else replace(found, mean=found.mean + 10)

    panel = panel_of([np.zeros(30)])
    assert share_of_second(AverageModel((Says(0), Changing(0)), SEASON), panel) == [0.5]


def test_sold_out_periods_do_not_count(panel_of: PanelOf) -> None:
    units = np.r_[np.full(26, 10.0), np.zeros(4)]
    panel = panel_of([units, units, units])
    observed = panel.observed.copy()
    observed[26:30] = 0.5  # the first series was sold out whenever it sold nothing, the second all the time
    observed[60 - H : 60] = 0.0
    model = AverageModel((Says(0, (0.5,)), Says(10, (0.5,))), SEASON)
    shares = share_of_second(model, replace(panel, observed=observed))
    assert shares == pytest.approx([0.9, 0.5, 4 / (4 + 16)], abs=1e-6)  # the third lost 2 and 4 tens


def test_members_are_judged_by_what_was_known_at_the_origin(panel_of: PanelOf) -> None:
    sizes = (30, 5, 40)
    N = sum(sizes)
    price, promo = np.arange(N, dtype=float), np.arange(N) % 2.0
    panel = panel_of([np.arange(n, dtype=float) for n in sizes], price=price, promo=promo, weather=-price)
    ahead = KnownAhead(np.full((3, H, 2), 7, dtype=np.float32), ("promo", "price"))
    member = Says(3)
    AverageModel((member, Says(4)), SEASON).forecast(panel, H, ahead)
    (now, given), (then, known) = member.given
    assert now is panel
    assert given is ahead
    assert then.last == panel.last - H
    assert then.keys.equals(panel.keys[[0, 2]])
    assert then.offsets.tolist() == [0, 24, 58]
    assert then.units.tolist() == [*range(24), *range(34)]
    assert then.covariates[:, 0].tolist() == [*range(24), *range(35, 69)]
    assert known is not None
    assert known.names == ("promo", "price")
    coming = np.array([range(24, 30), range(69, 75)])
    np.testing.assert_array_equal(known.covariate("price"), price[coming])
    np.testing.assert_array_equal(known.covariate("promo"), promo[coming])


def test_nothing_is_known_at_the_origin_where_nothing_is_known_ahead(panel_of: PanelOf) -> None:
    member = Says(3)
    AverageModel((member, Says(4)), SEASON).forecast(panel_of([np.ones(30)], price=np.ones(30)), H)
    assert [known for _, known in member.given] == [None, None]


def test_it_lies_between_its_members(panel_of: PanelOf) -> None:
    panel = panel_of(histories())
    one, other = (load_model(name, LEVELS, SEASON).forecast(panel, H) for name in ("tsb", "theta"))
    found = average("tsb", "theta").forecast(panel, H)
    assert found.cumulative is not None
    low, high = np.minimum(one.mean, other.mean), np.maximum(one.mean, other.mean)
    assert (found.mean >= low * 0.99999).all()
    assert (found.mean <= high * 1.00001).all()
    assert (found.quantiles[0] == np.floor(found.quantiles[0])).all()
    assert (np.diff(found.cumulative, axis=1) >= 0).all()
    assert (np.diff(found.cumulative, axis=2) >= 0).all()
    np.testing.assert_array_equal(found.cumulative[:, 0], found.quantiles[:, 0])


@pytest.mark.parametrize("order", [[3, 1, 0, 2], [2, 0], [0], [1], [2], [3]])
def test_shuffled_and_split_panels_give_the_same_bytes(panel_of: PanelOf, order: list[int]) -> None:
    model = average("tsb", "theta", "empirical")
    together = model.forecast(panel_of(histories()), H)
    apart = model.forecast(panel_of([histories()[i] for i in order]), H)
    assert together.cumulative is not None
    assert apart.cumulative is not None
    assert apart.quantiles.tobytes() == together.quantiles[order].tobytes()
    assert apart.cumulative.tobytes() == together.cumulative[order].tobytes()
    assert apart.mean.tobytes() == together.mean[order].tobytes()


def test_a_member_without_totals_is_refused(panel_of: PanelOf) -> None:
    class Marginal(Says):
        def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
            return replace(super().forecast(panel, horizon, ahead), cumulative=None)

    model = AverageModel((Says(1), Marginal(1)), SEASON)
    with pytest.raises(ConfigError, match="an average needs members that give running totals"):
        model.forecast(panel_of(histories()), H)


def test_the_season_and_the_members_are_its_fingerprint() -> None:
    fingerprints = {
        average("tsb", "sba").fingerprint,
        average("sba", "tsb").fingerprint,
        average("tsb", "theta").fingerprint,
        replace(average("tsb", "sba"), season=12).fingerprint,
    }
    assert len(fingerprints) == 4
