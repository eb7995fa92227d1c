import numpy as np

from fullshelf.kernels.closures import open_periods

DATES = np.array([[365, 730, 1096], [364, 729, 1095]])  # before the last period; the second date is the day after


def opened(units, observed=None):
    units = np.asarray(units, dtype=np.float32)
    observed = np.ones_like(units) if observed is None else observed
    return open_periods(units, observed, np.array([0, units.size]), DATES)[0].tolist()


def shop(n: int, closed: tuple[int, ...]) -> np.ndarray:
    units = np.random.default_rng(0).poisson(20, n)
    units[[n - 1 - back for back in closed]] = 0
    return units


def test_a_date_without_sales_in_every_year_is_a_closing_day():
    assert opened(shop(1200, (365, 730, 1096))) == [0.0, 1.0]
    assert opened(shop(800, (365, 730))) == [0.0, 1.0]


def test_one_year_is_not_enough_and_one_sale_is_proof_of_the_contrary():
    assert opened(shop(500, (365,))) == [1.0, 1.0]
    assert opened(shop(1200, (365, 730))) == [1.0, 1.0]


def test_a_series_that_seldom_sells_shows_no_closing_day():
    units = np.random.default_rng(1).binomial(1, 0.1, 1200)
    units[[1199 - back for back in (365, 730, 1096)]] = 0
    assert opened(units) == [1.0, 1.0]


def test_a_stock_out_is_no_closing_day():
    units = shop(800, (365, 730))
    observed = np.ones(800, dtype=np.float32)
    observed[[799 - 365, 799 - 730]] = 0
    assert opened(units, observed) == [1.0, 1.0]


def test_a_short_history_has_no_closing_days():
    assert opened(np.zeros(10)) == [1.0, 1.0]
