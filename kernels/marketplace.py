"""A made-up marketplace, one series at a time: prices, demand, and a shop whose stock decides what was sold.

Each series is three steps: `_prices` (regular price, promotions, what they do to demand), `_demand` (season, trend,
launch, end, noise) and `_shop` (a buyer's simple rule orders, stock runs out, sales are what stock served). What the
shop holds at the end is therefore a plausible stock for the demand, and its open orders are the arrivals to come.

Time index t counts periods from the start of the span: 0 … T - 1 are known (T - 1 is the as-of period), T … P - 1 lie
ahead. It knows no dates, names or tables; those are the engine's.
"""

import math
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop, parallel
from fullshelf.kernels.draws import gamma, generator, normal, poisson, uniform

__all__ = ["HEAVY", "LUMPY", "MIXED", "POISSON", "SERIES", "count_rows", "fill_rows", "simulate"]

POISSON, MIXED, HEAVY, LUMPY = 0, 1, 2, 3  # kinds of noise: counts, gamma-mixed counts, rare bulk sales, few big orders

# One series. Units: periods for times, units per period for rates, cents for money, shares 0…1.
SERIES = np.dtype(
    [
        ("key", np.uint64),  # generator of demand and shop
        ("sku_key", np.uint64),  # generator of prices: the same at all locations of a SKU
        ("category", np.int32),  # row of `season`
        ("location", np.int32),  # row of `local`
        ("rate", np.float64),  # mean demand at full life, before season
        ("sensitivity", np.float64),  # how strongly it follows the season of its category; 1 = as the category
        ("growth", np.float64),  # of log demand per period
        ("carry", np.float64),  # autocorrelation of the slow noise, one period apart
        ("wobble", np.float64),  # standard deviation of the slow noise of log demand
        ("kind", np.int32),
        ("shape", np.float64),  # MIXED: gamma shape; HEAVY: tail index; LUMPY: mean units of an order
        ("launch", np.int32),  # first period of life; may lie before the span
        ("end", np.int32),  # first period without demand; P or more: none in sight
        ("ramp", np.float64),  # periods in which a new product reaches 63 % of its demand
        ("price", np.int32),  # regular price at the start
        ("elasticity", np.float64),  # demand falls by this share for 1 % of price
        ("reprice", np.float64),  # probability of a new regular price, per period
        ("promote", np.float64),  # probability that a promotion begins, per period
        ("lift", np.float64),  # demand of a promotion beside its price: placement, banners
        ("lead", np.int32),
        ("lead_sd", np.float64),
        ("review", np.int32),
        ("pack", np.int32),
        ("moq", np.int32),
        ("caution", np.float64),  # standard deviations of safety stock that the buyer keeps
        ("cover", np.float64),  # periods of demand that the buyer adds to an order, where orders cost money
        ("keep", np.int32),  # shelf life; 0: it does not spoil
        ("returned", np.float64),  # share of the units sold that come back
        ("blocked_from", np.int32),  # the supplier delivers nothing in blocked_from … blocked_to - 1
        ("blocked_to", np.int32),
    ],
    align=True,
)

_MEMORY_DAYS = 25.0  # of the buyer's moving averages, but 3 periods at least
_RETURN_DAYS = 6.0
_FADE_DAYS = 60.0  # before the end of life
_MOST_GROWTH = 1.5  # of log demand, either way from the middle of the span: decades must not explode
_MOST_MEAN = 1e7  # units per period; with the noise on top, counts stay far inside int32


@core
def _regular(start: int, factor: float) -> int:
    """Return a price in cents as shops write it: …9 above 5.00, in steps of 5 below."""
    cents = start * factor
    if cents >= 500.0:
        return round(cents / 10.0) * 10 - 1
    return max(5, round(cents / 5.0) * 5)


@core
def _prices(
    s: Any, days: float, T: int, price: NDArray[np.int32], promo: NDArray[np.uint8], effect: NDArray[np.float64]
) -> int:
    """Fill price (P,) in cents, promo (P,) in % of the period, effect (P,) on demand as a factor.

    Returns the regular price of the last known period; it is never below 90 % of the first one.
    """
    state = generator(s["sku_key"])
    factor, regular = 1.0, _regular(s["price"], 1.0)
    known, response = regular, 1.0
    begins, left, discount, dip = 0.0, 0.0, 0.0, 0.0
    for t in range(price.size):
        if uniform(state) < s["reprice"]:
            factor = min(1.3, max(0.9, factor * math.exp(0.06 * normal(state))))
            regular = _regular(s["price"], factor)
            response = (regular / s["price"]) ** -s["elasticity"]
        if t < T:
            known = regular
        if left <= 0.0 and dip <= 0.0 and uniform(state) < s["promote"]:
            length = 3.0 + math.floor(uniform(state) * 12.0)
            discount = 0.1 + 0.05 * math.floor(uniform(state) * 7.0)
            left = length / days
            begins = uniform(state) * max(0.0, 1.0 - left) if days > 1.0 else 0.0
            dip = left
        share = min(1.0 - begins, left) if left > 0.0 else 0.0
        begins = 0.0
        price[t] = round(regular * (1.0 - share * discount))
        promo[t] = round(share * 100.0)
        factor_now = 1.0
        if share > 0.0:
            factor_now = 1.0 - share + share * s["lift"] * (1.0 - discount) ** -s["elasticity"]
            left -= share
        elif dip > 0.0:
            factor_now = 0.9  # customers have filled their shelves
            dip -= 1.0
        effect[t] = response * factor_now
    return known


@core
def _count(s: Any, state: NDArray[np.uint64], mean: float) -> int:
    """Draw the demand of one period from its mean."""
    if s["kind"] == LUMPY:
        orders = poisson(state, mean / s["shape"])
        units = 0
        for _ in range(orders):
            units += 1 + int(-math.log(uniform(state)) * (s["shape"] - 0.5))
        return units
    if s["kind"] == MIXED:
        mean *= gamma(state, s["shape"]) / s["shape"]
    elif s["kind"] == HEAVY and uniform(state) < 0.02:
        mean *= 1.0 + min(60.0, 2.0 * uniform(state) ** (-1.0 / s["shape"]))
    return poisson(state, mean)


@core
def _demand(
    s: Any,
    days: float,
    season: NDArray[np.float64],
    local: NDArray[np.float64],
    effect: NDArray[np.float64],
    demand: NDArray[np.int32],
    expected: NDArray[np.float32],
) -> None:
    """Fill demand (P,) in units, and its mean, rare bulk sales apart, into expected, (P,) or empty."""
    state = generator(s["key"])
    slow = normal(state)
    fresh = math.sqrt(1.0 - s["carry"] * s["carry"])
    middle = 0.5 * demand.size
    for t in range(demand.size):
        slow = s["carry"] * slow + fresh * normal(state)
        mean = 0.0
        if s["launch"] <= t < s["end"]:
            log_mean = s["sensitivity"] * season[t] + local[t]
            log_mean += min(_MOST_GROWTH, max(-_MOST_GROWTH, s["growth"] * (t - middle)))
            log_mean += s["wobble"] * (slow - 0.5 * s["wobble"])
            life = 1.0 - math.exp(-(t - s["launch"] + 1.0) / s["ramp"])
            life *= min(1.0, 0.15 + (s["end"] - t) * days / _FADE_DAYS)
            mean = min(_MOST_MEAN, s["rate"] * effect[t] * life * math.exp(log_mean))
        demand[t] = _count(s, state, mean) if mean > 0.0 else 0
        if expected.size:
            expected[t] = mean


@core
def _order_up_to(mean: float, error: float, span: int, caution: float) -> float:
    """Return the textbook's level: mean demand of the span and a safety stock; 1.25 × mean error is about one sd."""
    return mean * span + caution * (1.25 * error + 0.1) * math.sqrt(span) + 0.5


@core
def _shop(
    s: Any,
    days: float,
    demand: NDArray[np.int32],
    T: int,
    recent: int,
    units: NDArray[np.int32],
    in_stock: NDArray[np.uint8],
    came_back: NDArray[np.int32],
    arrivals: NDArray[np.int32],
) -> tuple[int, int]:
    """Let the shop live through the known periods.

    Fills units sold (T,), in_stock (T,) in % of the period, units returned (T,), and arrivals (A,): what comes at the
    start of period T + a. Returns the units on hand at the end, and those ordered in the last `recent` periods.
    """
    state = generator(s["key"] ^ np.uint64(0x5DEECE66D))
    A = arrivals.size
    coming = np.zeros(T + A, np.int32)
    first = max(0, s["launch"])
    learn = 1.0 - math.exp(-1.0 / max(3.0, _MEMORY_DAYS / days))
    lag = max(1, round(_RETURN_DAYS / days))
    # A new product is bought in at its buyer's guess of demand; an old one has been learnt.
    slow_sales = s["rate"] * math.exp(0.3 * normal(state))
    error = math.sqrt(slow_sales)  # moving average of how far a period's sales lie from it
    on_hand, on_order, ordered = -1, 0, 0
    phase = int(uniform(state) * s["review"])
    span = s["lead"] + s["review"]
    for t in range(T):
        units[t], in_stock[t], came_back[t] = 0, 100, 0
        if t >= lag and units[t - lag] > 0 and s["returned"] > 0.0:
            came_back[t] = min(units[t - lag], poisson(state, s["returned"] * units[t - lag]))
        if t < first:
            continue
        if on_hand < 0:  # a full shelf to begin with, anywhere between two orders
            level = _order_up_to(slow_sales, error, span, s["caution"])
            on_hand = max(1, int(level * (0.6 + 0.6 * uniform(state))))
        on_hand += coming[t]
        on_order -= coming[t]
        sold = min(demand[t], on_hand)
        alive = t < s["end"]
        if alive and sold == on_hand:  # s of d evenly spread customers are served after s / (d + 1) of the period
            in_stock[t] = int(100.0 * sold / (demand[t] + 1.0))
        units[t] = sold
        on_hand -= sold
        if in_stock[t] == 100 or sold > slow_sales:
            error += learn * (abs(sold - slow_sales) - error)
            slow_sales += learn * (sold - slow_sales)
        if s["keep"] > 0:
            on_hand = min(on_hand, math.ceil(slow_sales * s["keep"]) + 1)
        if not alive or t + s["lead"] + 1 >= s["end"] or (t + phase) % s["review"] != 0:
            continue
        if t == T - 1:
            continue  # this order is the one to be decided
        level = _order_up_to(slow_sales, error, span, s["caution"])
        position = on_hand + on_order
        if position < level:
            wanted = level - position + slow_sales * s["cover"]
            quantity = math.ceil(max(wanted, float(s["moq"])) / s["pack"]) * s["pack"]
            lead = max(0, round(s["lead"] + s["lead_sd"] * normal(state))) if s["lead_sd"] > 0.0 else s["lead"]
            at = t + lead + 1
            if s["blocked_from"] <= at < s["blocked_to"]:
                at = s["blocked_to"]
            at = min(at, T + A - 1)
            coming[at] += quantity
            on_order += quantity
            if t >= T - 1 - recent:
                ordered += quantity
    for a in range(A):
        arrivals[a] = coming[T + a]
    return max(on_hand, 0), ordered


@parallel
def simulate(
    series: NDArray[np.void],
    season: NDArray[np.float64],
    local: NDArray[np.float64],
    days: float,
    recent: int,
    price: NDArray[np.int32],
    promo: NDArray[np.uint8],
    demand: NDArray[np.int32],
    expected: NDArray[np.float32],
    units: NDArray[np.int32],
    in_stock: NDArray[np.uint8],
    came_back: NDArray[np.int32],
    arrivals: NDArray[np.int32],
    on_hand: NDArray[np.int64],
    ordered: NDArray[np.int64],
    regular: NDArray[np.int32],
) -> None:
    """Simulate S series; a row of the results depends on its own row of `series` alone.

    Parameters
    ----------
    series
        (S,) of `SERIES`.
    season
        (categories, P) log of each category's season.
    local
        (locations, P) log of what happens at one location only.
    days
        Days in a period.
    recent
        Periods before the last one over which `ordered` counts.
    price, promo
        Filled, (S, P): cents per unit; % of the period on promotion.
    demand
        Filled, (S, P): units that customers want, whether there is stock or not.
    expected
        Filled, (S, P): mean of `demand`; (S, 0) where nobody wants it.
    units, in_stock, came_back
        Filled, (S, T): units sold; % of the period in stock; units returned.
    arrivals
        Filled, (S, A): units that arrive at the start of period T + a.
    on_hand, ordered, regular
        Filled, (S,): stock at the end of T - 1; units ordered in the last `recent` periods; regular price in cents.
    """
    T = units.shape[1]
    for i in prange(series.size):
        effect = np.empty(price.shape[1])
        s = series[i]
        regular[i] = _prices(s, days, T, price[i], promo[i], effect)
        _demand(s, days, season[s["category"]], local[s["location"]], effect, demand[i], expected[i])
        on_hand[i], ordered[i] = _shop(s, days, demand[i], T, recent, units[i], in_stock[i], came_back[i], arrivals[i])


@loop
def count_rows(
    series: NDArray[np.void],
    units: NDArray[np.int32],
    in_stock: NDArray[np.uint8],
    came_back: NDArray[np.int32],
    zeros: bool,
) -> NDArray[np.int64]:
    """Return (S + 1,) offsets of the rows that the sales table needs.

    A period has a row if something was sold, if it was not in stock throughout, or if it is the first of a life; with
    `zeros`, every period of a life. Returns have a row of their own.
    """
    S, T = units.shape
    offsets = np.zeros(S + 1, np.int64)
    for i in range(S):
        first, end = max(0, series[i]["launch"]), min(T, series[i]["end"])
        rows = 0
        for t in range(first, T):
            if t < end and (zeros or t == first or units[i, t] > 0 or in_stock[i, t] < 100):
                rows += 1
            if came_back[i, t] > 0:
                rows += 1
        offsets[i + 1] = offsets[i] + rows
    return offsets


@loop
def fill_rows(
    series: NDArray[np.void],
    units: NDArray[np.int32],
    in_stock: NDArray[np.uint8],
    came_back: NDArray[np.int32],
    price: NDArray[np.int32],
    promo: NDArray[np.uint8],
    zeros: bool,
    offsets: NDArray[np.int64],
    row_series: NDArray[np.uint32],
    row_period: NDArray[np.uint32],
    values: NDArray[np.float64],
) -> None:
    """Write the rows that `count_rows` counted: whose, when, and (4, N) values units, price, promo, in_stock."""
    S, T = units.shape
    for i in range(S):
        first, end = max(0, series[i]["launch"]), min(T, series[i]["end"])
        at = offsets[i]
        for t in range(first, T):
            kept = t < end and (zeros or t == first or units[i, t] > 0 or in_stock[i, t] < 100)
            for back in range(2):
                if (back == 0 and not kept) or (back == 1 and came_back[i, t] == 0):
                    continue
                row_series[at], row_period[at] = i, t
                values[0, at] = -came_back[i, t] if back == 1 else units[i, t]
                values[1, at] = price[i, t] / 100.0
                values[2, at] = promo[i, t] / 100.0
                values[3, at] = in_stock[i, t] / 100.0
                at += 1
