import numpy as np

from fullshelf.kernels.phases import phase_factors


def factors_of(y: np.ndarray, season: int, exposure: np.ndarray | None = None) -> np.ndarray:
    out = np.full(season, np.nan)
    phase_factors(y.astype(np.float32), np.ones(y.size) if exposure is None else exposure, season, out)
    return out


def test_a_clear_season_is_found_and_starts_at_the_first_unknown_period() -> None:
    pattern = np.array([1.0, 2.0, 3.0, 6.0])
    y = np.tile(pattern, 30)[:-1] * 100  # one period is missing, so the next one is the last phase
    assert np.allclose(factors_of(y, 4), np.roll(pattern, 1) / 3, atol=0.02)


def test_a_trend_is_no_season() -> None:
    assert np.abs(factors_of(np.linspace(100, 400, 60), 12) - 1).max() < 0.01


def test_chance_makes_hardly_a_season() -> None:
    rng = np.random.default_rng(0)
    noise = np.array([np.abs(factors_of(rng.poisson(0.5, 39), 12) - 1).mean() for _ in range(200)])
    raw = np.abs(rng.poisson(0.5, (200, 3, 12)).mean(1) / 0.5 - 1).mean()
    assert noise.mean() < 0.1 * raw


def test_phases_that_sold_once_each_are_no_season() -> None:
    y = np.zeros(27)
    y[[16, 18]] = 5
    assert np.abs(factors_of(y, 12) - 1).max() < 0.6


def test_factors_average_one_and_do_not_depend_on_the_unit() -> None:
    y = np.random.default_rng(1).poisson(np.tile([2.0, 2, 2, 2, 3, 6, 7], 20))
    assert abs(factors_of(y, 7).mean() - 1) < 1e-12
    assert np.allclose(factors_of(y, 7), factors_of(y * 8, 7))


def test_stocked_out_periods_do_not_lower_their_phase() -> None:
    y = np.tile([10.0, 10.0, 20.0], 40)
    exposure = np.ones(y.size)
    y[2::6] = 0.0
    exposure[2::6] = 0.0
    assert factors_of(y, 3, exposure)[2] > 1.3
    assert factors_of(y, 3)[2] < 1.1


def test_less_than_two_seasons_say_nothing() -> None:
    assert factors_of(np.arange(23.0), 12).tolist() == [1.0] * 12
    assert factors_of(np.arange(5.0), 1).tolist() == [1.0]
