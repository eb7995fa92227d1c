"""Compiled loops of `fullshelf.kernels.reorder_quantity` for normal lead-time demand."""

import math

from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.reorder_poisson import valid
from fullshelf.kernels.special import normal_cdf, normal_loss, normal_quantile, normal_second_loss

__all__ = ["normal_costs", "normal_points", "normal_policies"]


@core
def _normal_g(y: float, mean: float, sd: float, h: float, p: float) -> float:
    if sd <= 0.0:
        return h * max(y - mean, 0.0) + p * max(mean - y, 0.0)
    z = (y - mean) / sd
    return sd * (h * normal_loss(-z) + p * normal_loss(z))


@core
def _normal_slope(y: float, mean: float, sd: float, h: float, p: float) -> float:
    """Return the derivative of G."""
    if sd <= 0.0:
        return h if y > mean else -p
    z = (y - mean) / sd
    return h * normal_cdf(z) - p * normal_cdf(-z)


@core
def _normal_integral(r: float, q: float, mean: float, sd: float, h: float, p: float) -> float:
    """Return the integral of G from r to r + q."""
    low, high = r - mean, r + q - mean
    if sd <= 0.0:
        held = max(high, 0.0) ** 2 - max(low, 0.0) ** 2
        owed = max(-low, 0.0) ** 2 - max(-high, 0.0) ** 2
        return 0.5 * (h * held + p * owed)
    low /= sd
    high /= sd
    held = normal_second_loss(-high) - normal_second_loss(-low)
    owed = normal_second_loss(low) - normal_second_loss(high)
    return sd * sd * (h * held + p * owed)


@core
def _normal_point(q: float, mean: float, sd: float, h: float, p: float) -> float:
    """Return r with G(r) = G(r + q): Newton's method inside the bracket around the minimum of G."""
    if sd <= 0.0:
        return mean - q * h / (p + h)
    best = mean + sd * normal_quantile(p / (p + h), h / (p + h))
    low, high = best - q, best
    r = min(max(mean - q * h / (p + h), low), high)
    for _ in range(200):
        gap = _normal_g(r + q, mean, sd, h, p) - _normal_g(r, mean, sd, h, p)
        if gap > 0.0:
            high = r
        else:
            low = r
        slope = _normal_slope(r + q, mean, sd, h, p) - _normal_slope(r, mean, sd, h, p)
        following = r - gap / slope if slope > 0.0 else math.inf
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - r) <= 1e-14 * (abs(r) + q):
            return following
        r = following
    return r


@core
def _best_normal(
    rate: float, sd: float, lead_time: float, h: float, p: float, ordering: float
) -> tuple[float, float, float]:
    mean, sd = rate * lead_time, sd * math.sqrt(lead_time)
    if ordering == 0.0:
        r = _normal_point(0.0, mean, sd, h, p)
        if sd > 0.0:
            r = mean + sd * normal_quantile(p / (p + h), h / (p + h))
        return r, 0.0, _normal_g(r, mean, sd, h, p)
    low = math.sqrt(2.0 * ordering * rate * (h + p) / (h * p))  # EOQ with backorders, a lower bound (Zheng 1992)
    high = math.inf
    q = low
    r = mean
    for _ in range(200):
        r = _normal_point(q, mean, sd, h, p)
        gap = q * _normal_g(r, mean, sd, h, p) - rate * ordering - _normal_integral(r, q, mean, sd, h, p)
        if gap > 0.0:
            high = q
        else:
            low = q
        down, up = -_normal_slope(r, mean, sd, h, p), _normal_slope(r + q, mean, sd, h, p)
        slope = q * down * up / (down + up) if down + up > 0.0 else 0.0
        following = q - gap / slope if slope > 0.0 else math.inf
        if not low <= following <= high:
            following = 2.0 * q if high == math.inf else 0.5 * (low + high)
        done = abs(following - q) <= 1e-13 * q
        q = following
        if done:
            break
    r = _normal_point(q, mean, sd, h, p)
    return r, q, (rate * ordering + _normal_integral(r, q, mean, sd, h, p)) / q


@loop
def normal_policies(
    rate: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    point: FloatArray,
    quantity: FloatArray,
    cost: FloatArray,
) -> None:
    """Write the best reorder point, quantity and their cost for each SKU."""
    for i in range(rate.size):
        point[i] = quantity[i] = cost[i] = math.nan
        if valid(rate[i], lead_time[i], holding[i], shortage[i], ordering[i]) and 0.0 <= sd[i] < math.inf:
            point[i], quantity[i], cost[i] = _best_normal(
                rate[i], sd[i], lead_time[i], holding[i], shortage[i], ordering[i]
            )


@loop
def normal_points(
    quantity: FloatArray,
    rate: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    point: FloatArray,
) -> None:
    """Write the best reorder point for each SKU and quantity."""
    for i in range(rate.size):
        q, h, p = quantity[i], holding[i], shortage[i]
        point[i] = math.nan
        if valid(rate[i], lead_time[i], h, p, 0.0) and 0.0 <= sd[i] < math.inf and 0.0 < q < math.inf:
            point[i] = _normal_point(q, rate[i] * lead_time[i], sd[i] * math.sqrt(lead_time[i]), h, p)


@loop
def normal_costs(
    point: FloatArray,
    quantity: FloatArray,
    rate: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    cost: FloatArray,
) -> None:
    """Write the cost of a policy for each SKU."""
    for i in range(rate.size):
        r, q, h, p = point[i], quantity[i], holding[i], shortage[i]
        cost[i] = math.nan
        if valid(rate[i], lead_time[i], h, p, ordering[i]) and 0.0 <= sd[i] < math.inf and 0.0 < q < math.inf:
            spread = sd[i] * math.sqrt(lead_time[i])
            total = _normal_integral(r, q, rate[i] * lead_time[i], spread, h, p)
            cost[i] = (rate[i] * ordering[i] + total) / q
