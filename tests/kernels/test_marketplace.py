from dataclasses import dataclass

import numpy as np
import pytest

from fullshelf.kernels.draws import keys
from fullshelf.kernels.marketplace import HEAVY, LUMPY, MIXED, POISSON, SERIES, count_rows, fill_rows, simulate

T, P, A = 300, 340, 60


def plain(S: int, **fields: float) -> np.ndarray:
    """Series without season, price or end; change what a test is about."""
    s = np.zeros(S, SERIES)
    s["key"], s["sku_key"] = keys(1, 1, np.arange(S)), keys(1, 2, np.arange(S))
    defaults = {
        "rate": 3.0, "sensitivity": 1.0, "kind": POISSON, "shape": 2.0, "launch": -500, "end": 10_000, "ramp": 1.0,
        "price": 1999, "elasticity": 2.0, "lift": 1.3, "lead": 3, "review": 1, "pack": 1, "caution": 2.0,
        "blocked_from": 100_000, "blocked_to": 100_000,
    }  # fmt: skip
    for name, value in (defaults | fields).items():
        s[name] = value
    return s


@dataclass
class Lived:
    price: np.ndarray
    promo: np.ndarray
    demand: np.ndarray
    expected: np.ndarray
    units: np.ndarray
    in_stock: np.ndarray
    came_back: np.ndarray
    arrivals: np.ndarray
    on_hand: np.ndarray
    ordered: np.ndarray
    regular: np.ndarray


def live(s: np.ndarray, days: float = 1.0, season: np.ndarray | None = None) -> Lived:
    S = s.size
    shapes = {
        "price": (np.int32, P), "promo": (np.uint8, P), "demand": (np.int32, P), "expected": (np.float32, P),
        "units": (np.int32, T), "in_stock": (np.uint8, T), "came_back": (np.int32, T), "arrivals": (np.int32, A),
    }  # fmt: skip
    out = {name: np.empty((S, width), dtype) for name, (dtype, width) in shapes.items()}
    out |= {"on_hand": np.empty(S, np.int64), "ordered": np.empty(S, np.int64), "regular": np.empty(S, np.int32)}
    simulate(s, np.zeros((1, P)) if season is None else season, np.zeros((1, P)), days, 28, *out.values())
    return Lived(**out)


def test_sales_are_what_the_stock_served():
    lived = live(plain(200, caution=0.0, wobble=0.4, pack=6))
    demand = lived.demand[:, :T]
    assert (lived.units <= demand).all()
    assert (lived.units[lived.in_stock == 100] == demand[lived.in_stock == 100]).all()
    assert (lived.in_stock[lived.units < demand] < 100).all()
    assert 0.02 < (lived.units < demand).mean() < 0.6


def test_a_full_shelf_is_never_out_of_stock():
    lived = live(plain(50, caution=60.0))
    assert (lived.in_stock == 100).all()
    assert np.array_equal(lived.units, lived.demand[:, :T])


def test_orders_come_in_packs_and_not_below_the_minimum():
    lived = live(plain(200, pack=4, moq=12, rate=0.7, lead=30))
    coming = lived.arrivals[lived.arrivals > 0]
    assert coming.size > 20
    assert (coming % 4 == 0).all()
    assert (coming >= 12).all()
    assert (lived.ordered % 4 == 0).all()


def test_what_is_on_its_way_was_ordered_within_the_lead_time():
    lived = live(plain(100, lead=5))
    assert (lived.arrivals[:, :5].sum(axis=1) > 0).mean() > 0.9
    assert not lived.arrivals[:, 5:].any()


def test_a_blocked_supplier_delivers_when_the_trouble_is_over():
    lived = live(plain(100, lead=5, blocked_from=T - 20, blocked_to=T + 10))
    assert not lived.arrivals[:, :10].any()
    assert (lived.arrivals[:, 10] > 0).mean() > 0.9
    assert (lived.on_hand == 0).mean() > 0.9


@pytest.mark.parametrize(("kind", "shape"), [(POISSON, 1.0), (MIXED, 0.8), (LUMPY, 8.0)])
def test_demand_has_the_expected_mean(kind: int, shape: float):
    lived = live(plain(400, kind=kind, shape=shape))
    assert lived.demand.mean() == pytest.approx(3.0, rel=0.03)
    assert lived.expected.mean() == pytest.approx(3.0, rel=1e-3)


def test_the_kinds_of_noise_differ_in_their_tails():
    spread, largest = {}, {}
    for kind, shape in ((POISSON, 1.0), (MIXED, 0.8), (LUMPY, 8.0), (HEAVY, 1.6)):
        demand = live(plain(400, kind=kind, shape=shape)).demand
        spread[kind], largest[kind] = demand.var() / demand.mean(), demand.max()
    assert spread[POISSON] == pytest.approx(1.0, abs=0.05)
    assert spread[MIXED] == pytest.approx(1.0 + 3.0 / 0.8, rel=0.1)
    assert spread[LUMPY] > 8
    assert spread[HEAVY] > 3
    assert largest[HEAVY] > 5 * largest[POISSON]


def test_there_is_no_demand_before_the_launch_or_after_the_end():
    lived = live(plain(50, launch=100, end=200, rate=20.0))
    assert not lived.demand[:, :100].any()
    assert not lived.demand[:, 200:].any()
    assert lived.demand[:, 110:120].mean() > 5
    assert not lived.arrivals.any()
    assert (lived.in_stock[:, :100] == 100).all()


def test_neither_decades_of_growth_nor_a_bulk_sale_overflow():
    lived = live(plain(100, rate=9e6, growth=0.5, kind=HEAVY, shape=1.2, wobble=1.0))
    assert lived.demand.min() >= 0
    assert lived.demand.max() > 1e8
    assert lived.expected.max() == 1e7


def test_demand_grows_with_a_season_and_with_a_promotion():
    season = np.zeros((1, P))
    season[0, 150:] = np.log(2.0)
    lived = live(plain(300, rate=10.0), season=season)
    assert lived.demand[:, 150:].mean() / lived.demand[:, :150].mean() == pytest.approx(2.0, rel=0.05)
    promoted = live(plain(300, rate=10.0, promote=0.02))
    share = (promoted.promo > 0).mean()
    assert 0.05 < share < 0.3
    on, off = promoted.demand[promoted.promo == 100].mean(), promoted.demand[promoted.promo == 0].mean()
    assert on / off > 1.5
    assert (promoted.price[promoted.promo == 100] < promoted.regular.min()).all()


def test_regular_prices_look_like_prices_and_stay_near_the_first_one():
    lived = live(plain(200, reprice=0.05))
    assert (lived.price % 10 == 9).all()
    assert lived.regular.min() >= 0.9 * 1999 - 10
    assert np.array_equal(lived.regular, lived.price[:, T - 1])
    assert np.unique(lived.price).size > 5


def test_a_weekly_promotion_covers_a_share_of_the_week():
    lived = live(plain(300, promote=0.1), days=7.0)
    assert ((lived.promo > 0) & (lived.promo < 100)).any()
    partly = (lived.promo > 0) & (lived.promo < 100)
    assert (lived.price[partly] < 1999).all()


def test_only_what_was_sold_comes_back():
    lived = live(plain(100, returned=0.1))
    assert 0.07 < lived.came_back.sum() / lived.units.sum() < 0.13
    assert (lived.came_back.sum(axis=1) <= lived.units.sum(axis=1)).all()


def test_what_spoils_is_not_kept():
    keeps, spoils = live(plain(100, pack=100)), live(plain(100, pack=100, keep=2))
    assert spoils.on_hand.max() < 12
    assert keeps.on_hand.max() > 50


def test_a_series_does_not_depend_on_its_neighbours():
    s = plain(60, wobble=0.3, carry=0.8, promote=0.02, reprice=0.01, returned=0.02, lead_sd=0.7, kind=MIXED)
    order = np.random.default_rng(0).permutation(60)
    whole, shuffled, alone = live(s), live(s[order]), live(s[17:18])
    for name in Lived.__dataclass_fields__:
        assert np.array_equal(getattr(whole, name)[order], getattr(shuffled, name)), name
        assert np.array_equal(getattr(whole, name)[17:18], getattr(alone, name)), name


@pytest.mark.parametrize("zeros", [False, True])
def test_rows_are_written_for_sales_gaps_in_stock_and_the_first_period(zeros: bool):
    s = plain(40, rate=0.4, returned=0.1, caution=0.2)
    s["launch"][:20], s["end"][10:30] = 50, 200
    lived = live(s)
    expected = []
    for i in range(s.size):
        first, end = max(0, int(s["launch"][i])), min(T, int(s["end"][i]))
        for t in range(first, T):
            sold, share = lived.units[i, t], lived.in_stock[i, t]
            if t < end and (zeros or t == first or sold > 0 or share < 100):
                expected.append((i, t, sold, lived.price[i, t] / 100, lived.promo[i, t] / 100, share / 100))
            if lived.came_back[i, t]:
                back = -lived.came_back[i, t]
                expected.append((i, t, back, lived.price[i, t] / 100, lived.promo[i, t] / 100, share / 100))
    offsets = count_rows(s, lived.units, lived.in_stock, lived.came_back, zeros)
    N = int(offsets[-1])
    of, when, values = np.empty(N, np.uint32), np.empty(N, np.uint32), np.empty((4, N))
    fill_rows(
        s, lived.units, lived.in_stock, lived.came_back, lived.price, lived.promo, zeros, offsets, of, when, values
    )
    assert list(zip(of, when, *values, strict=True)) == expected
    assert (lived.came_back > 0).any()
