import numpy as np
import pytest

from fullshelf.kernels.uplift import uplift_factors

N = 300
OFFSETS = np.array([0, N])


def shop(effect: float, seed: int = 0, level: float = 20.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    promo = (np.arange(N) % 30 < 5).astype(np.float32)
    return rng.poisson(level * np.exp(effect * promo)).astype(np.float32), promo


def planned(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def test_a_planned_promotion_gets_the_effect_of_past_ones():
    for effect in (0.0, 0.7, 2.5):
        units, promo = shop(effect)
        factor, ahead = uplift_factors(units, np.ones(N, np.float32), OFFSETS, 3, promo, None, planned(0, 1, 0.5))
        assert ahead[0] == pytest.approx(np.exp(effect * np.array([0, 1, 0.5])), rel=0.15)
        assert factor == pytest.approx(np.where(promo > 0, ahead[0, 1], 1), rel=1e-5)


def test_the_elasticity_is_that_of_past_prices():
    rng = np.random.default_rng(1)
    price = rng.choice([1.0, 1.0, 0.8, 0.6], N // 10).repeat(10).astype(np.float32) * 5
    units = rng.poisson(30 * (price / 5) ** -2).astype(np.float32)
    factor, ahead = uplift_factors(units, np.ones(N, np.float32), OFFSETS, 2, None, price, None, planned(5, 3))
    assert ahead[0, 1] / ahead[0, 0] == pytest.approx(0.6**-2, rel=0.15)
    assert factor[price == 3] == pytest.approx(ahead[0, 1])


def test_little_evidence_leaves_what_is_usual():
    units = np.zeros(N, dtype=np.float32)
    units[::40] = 1
    promo = np.zeros(N, dtype=np.float32)
    promo[7] = 1
    ahead = uplift_factors(units, np.ones(N, np.float32), OFFSETS, 1, promo, None, planned(1))[1]
    assert ahead[0, 0] == pytest.approx(np.exp(0.3), rel=0.1)
    price = np.full(N, 10, dtype=np.float32)
    ahead = uplift_factors(units, np.ones(N, np.float32), OFFSETS, 1, None, price, None, planned(5))[1]
    assert ahead[0, 0] == pytest.approx(2.0, rel=0.01)


def test_an_unknown_future_changes_nothing():
    units, promo = shop(1.0)
    stocked = np.ones(N, np.float32)
    for future in (planned(np.nan, np.nan), None):
        factor, ahead = uplift_factors(units, stocked, OFFSETS, 2, promo, None, future)
        assert (factor == 1).all()
        assert (ahead == 1).all()


def test_unknown_periods_have_no_promotion_and_the_last_known_price():
    units, promo = shop(1.0)
    stocked = np.ones(N, np.float32)
    gaps = promo.copy()
    gaps[promo == 0] = np.nan
    plain = uplift_factors(units, stocked, OFFSETS, 2, promo, None, planned(1, 0))
    holes = uplift_factors(units, stocked, OFFSETS, 2, gaps, None, planned(1, np.nan))
    assert holes[0].tolist() == plain[0].tolist()
    assert holes[1].tolist() == plain[1].tolist()
    price = np.where(promo > 0, 4, 5).astype(np.float32)
    ahead = uplift_factors(units, stocked, OFFSETS, 3, None, price, None, planned(np.nan, 4, np.nan))[1]
    assert ahead[0, 0] == 1.0
    assert ahead[0, 2] == ahead[0, 1] > 1.0


def test_a_covariate_that_never_changes_says_nothing():
    units, _ = shop(1.0)
    factor, ahead = uplift_factors(
        units, np.ones(N, np.float32), OFFSETS, 2, None, np.full(N, 3, np.float32), None, planned(3, 3)
    )
    assert (factor == 1).all()
    assert (ahead == 1).all()


def test_stocked_out_promotions_do_not_lower_the_effect():
    units, promo = shop(1.0, level=50)
    stocked = np.ones(N, np.float32)
    out = np.flatnonzero(promo)[::2]
    stocked[out] = 0
    units[out] = 0
    ahead = uplift_factors(units, stocked, OFFSETS, 1, promo, None, planned(1))[1]
    assert ahead[0, 0] == pytest.approx(np.e, rel=0.15)


def test_factors_are_finite_whatever_the_history():
    rng = np.random.default_rng(2)
    units = np.concatenate([np.zeros(5), [1e9], np.zeros(50), rng.poisson(3, 44)]).astype(np.float32)
    offsets = np.array([0, 1, 1, 6, 100])
    promo = rng.choice([0.0, 1.0, np.nan], 100).astype(np.float32)
    price = rng.choice([0.0, -1.0, 1e-9, 5.0, np.nan], 100).astype(np.float32)
    ahead = rng.choice([0.0, 1.0, np.nan], (4, 3)).astype(np.float32)
    for factors in uplift_factors(units, np.ones(100, np.float32), offsets, 3, promo, price, ahead, ahead):
        assert np.isfinite(factors).all()
        assert (factors > 0).all()


def test_a_series_depends_on_itself_alone():
    units, promo = shop(1.0)
    other, other_promo = shop(0.2, seed=5)
    future = np.array([[1, 0], [0, 1]], dtype=np.float32)
    both = uplift_factors(
        np.append(units, other),
        np.ones(2 * N, np.float32),
        np.array([0, N, 2 * N]),
        2,
        np.append(promo, other_promo),
        None,
        future,
    )
    alone = uplift_factors(other, np.ones(N, np.float32), OFFSETS, 2, other_promo, None, future[1:])
    assert both[0][N:].tobytes() == alone[0].tobytes()
    assert both[1][1:].tobytes() == alone[1].tobytes()
