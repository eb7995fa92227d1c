from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.models.average import AverageModel
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.levels import LEVELS

PanelOf = Callable[..., Panel]
H = 6


def histories() -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.poisson(3, 90).astype(float), rng.gamma(2.0, 5.0, 40), np.r_[4.0, np.zeros(80)], np.array([2.0])]


def average(*names: str, shares: tuple[float, ...]) -> AverageModel:
    return AverageModel(tuple(load_model(name, LEVELS, 7) for name in names), shares, 7)


def test_it_lies_between_its_members_by_its_shares(panel_of: PanelOf) -> None:
    panel = panel_of(histories())
    one, other = (load_model(name, LEVELS, 7).forecast(panel, H) for name in ("tsb", "theta"))
    found = average("tsb", "theta", shares=(0.75, 0.25)).forecast(panel, H)
    assert found.cumulative is not None
    np.testing.assert_allclose(found.mean, 0.75 * one.mean + 0.25 * other.mean, rtol=1e-5)
    between = 0.75 * one.quantiles[1] + 0.25 * other.quantiles[1]
    np.testing.assert_allclose(found.quantiles[1], between, rtol=1e-5)
    assert (found.quantiles[0] == np.floor(found.quantiles[0])).all()
    assert (np.diff(found.cumulative, axis=1) >= 0).all()
    assert (np.diff(found.cumulative, axis=2) >= 0).all()
    np.testing.assert_array_equal(found.cumulative[:, 0], found.quantiles[:, 0])


def test_a_series_numbers_depend_on_that_series_alone(panel_of: PanelOf) -> None:
    model = load_model("auto+demand-lm", LEVELS, 7)
    together = model.forecast(panel_of(histories()), H)
    assert together.cumulative is not None
    for i, history in enumerate(histories()):
        alone = model.forecast(panel_of([history]), H)
        assert alone.cumulative is not None
        assert alone.quantiles.tobytes() == together.quantiles[i : i + 1].tobytes()
        assert alone.cumulative.tobytes() == together.cumulative[i : i + 1].tobytes()
        assert alone.mean.tobytes() == together.mean[i : i + 1].tobytes()


def test_a_member_without_totals_is_refused(panel_of: PanelOf) -> None:
    class Marginal:
        fingerprint, device = "marginal", "cpu"

        def forecast(self, panel: Panel, horizon: int, ahead: KnownAhead | None = None) -> Forecast:
            return replace(load_model("tsb", LEVELS, 7).forecast(panel, horizon, ahead), cumulative=None)

    model = AverageModel((load_model("tsb", LEVELS, 7), Marginal()), (0.5, 0.5), 7)
    with pytest.raises(ConfigError, match="an average needs members that give running totals"):
        model.forecast(panel_of(histories()), H)


def test_the_shares_and_the_members_are_its_fingerprint() -> None:
    fingerprints = {
        average("tsb", "sba", shares=(0.5, 0.5)).fingerprint,
        average("tsb", "sba", shares=(0.6, 0.4)).fingerprint,
        average("sba", "tsb", shares=(0.5, 0.5)).fingerprint,
        load_model("auto+demand-lm", LEVELS, 7).fingerprint,
    }
    assert len(fingerprints) == 4
