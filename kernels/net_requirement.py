"""Net requirement: what a new order must serve after stock, arrivals, lost sales and shelf lives have had their part.

The order is placed at the end of period t, its goods arrive for t + L + 1 and are alone until the next order's arrive R
periods later. For each path of demand (`demand_paths`) units leave in order of age (FIFO), so one number tells all: the
pointer P_k, units gone by the end of period k, sold or thrown away. With A_k units that were there or have arrived,
and E_k whose life has ended, a period of demand D moves it to

    P_k = max(min(P_{k-1} + D_k, A_k), E_k)                     what is short is lost, or min(…, A_k) is left out

From the new order's arrival on, P runs on as if stock were endless; what it needs beyond the old units by the end of
period L + r is the path's requirement Z_r. Then, exactly, a new order q loses (Z_R - q)+ units of sales, has (q - Z_r)+
units on hand at the end of period L + r, and with a shelf life m throws away (q - Z_m)+ of its own. Periods between two
arrivals are taken in one step, for nothing happens between them that the total does not tell.

The requirement is at most the demand of the whole interval less what is there, and at most that of the R periods from
the arrival. Whichever is less in the upper tail decides, and the paths are stratified by it.

Where neither lost sales nor shelf lives nor later arrivals matter (backorders, or L = 0) the requirement is the
protection interval's demand less the inventory position, and where nothing is there and sales are lost it is the demand
of the period of arrival: both are taken from the model's quantiles as they are.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.demand_paths import TABLE, Nodes, common_share, draw_demand, fill_table
from fullshelf.kernels.quantile_grid import complete, mean_of, value_at, variance_of

__all__ = ["DECIDES", "net_requirement"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

DECIDES = 0.95  # level of demand at which it is told which total decides the order
LEAD_STRATA = (0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0)  # shares of a random lead time that are followed as one
REVIEW_MARKS = 4  # ends of periods between two arrivals at which stock on hand is counted, at most


@core
def weighted_quantiles(values: Array, weights: Array, levels: Array, out: Array) -> None:
    """Quantiles of a weighted sample: linear between the middles of the sorted weights; at level 0 the least value."""
    order = np.argsort(values, kind="mergesort")
    total = weights.sum()
    last = values.size - 1
    i, done = 0, weights[order[0]] / total
    middle, before, low = 0.5 * done, 0.0, values[order[0]]
    for k in range(levels.size):
        while middle < levels[k] and i < last:
            before, low = middle, values[order[i]]
            i += 1
            share = weights[order[i]] / total
            middle = done + 0.5 * share
            done += share
        high = values[order[i]]
        share = (levels[k] - before) / (middle - before) if i > 0 else 1.0
        out[k] = low + (high - low) * min(share, 1.0)


@core
def cycle_total(
    levels: Array, grid: Array, single: NDArray[np.float32], running: NDArray[np.float32], lead: int, cycle: int,
    out: Array,
) -> None:  # fmt: skip
    """Fill out (K,) with the quantiles of the demand of the periods lead + 1 … lead + cycle.

    One period's are the forecast's own. Several periods' have the form of the total of as many periods from the first
    one on, which the forecast gives, about their own mean.
    """
    if cycle == 1:
        complete(levels, single[lead], out)
        return
    ours = first = 0.0
    for k in range(cycle):
        complete(levels, single[lead + k], out)
        ours += mean_of(grid, out)
        complete(levels, single[k], out)
        first += mean_of(grid, out)
    complete(levels, running[cycle - 1], out)
    if first > 0.0:
        out *= ours / first


@core
def chosen_lead_times(first: int, weight: Array, leads: Ints, chance: Array) -> int:
    """Write the lead times that are followed and their probabilities; return their number.

    A distribution over more than `LEAD_STRATA` whole lead times is cut into those strata, each followed at its mean.
    """
    found = 0
    for w in range(weight.size):
        found += weight[w] > 0.0
    few = found <= len(LEAD_STRATA)
    n = stratum = 0
    below = mass = moment = 0.0
    for w in range(weight.size):
        if weight[w] <= 0.0:
            continue
        below += weight[w]
        mass += weight[w]
        moment += weight[w] * w
        found -= 1
        if few or found == 0 or below >= LEAD_STRATA[stratum]:
            leads[n], chance[n] = first + int(moment / mass + 0.5), mass
            n += 1
            mass = moment = 0.0
            while stratum < len(LEAD_STRATA) - 1 and below >= LEAD_STRATA[stratum]:
                stratum += 1
    return n


@core
def gone_by(k: int, on_hand: float, layer: float, review: int, life: int, steps: Ints, units: Array) -> float:
    """E_k: units among stock and arrivals whose shelf life has ended by the end of period k.

    The age of the stock on hand is not known. It is taken to be what is left of the newest arrivals, one every `review`
    periods with `layer` units each: under FIFO that is what is left when sales are steady.
    """
    if life <= 0:
        return 0.0
    alive = max(0, -((k + 1 - life) // review))  # layers that outlive period k: those with life - 1 - i review > k
    expired = max(0.0, on_hand - alive * layer)
    for j in range(steps.size):
        if steps[j] + life - 1 <= k:
            expired += units[j]
    return expired


@core
def follow_paths(
    demand: Array, weight: Array, lead: int, cycle: int, life: int, review: int, lost: bool,
    on_hand: float, owed: float, layer: float, steps: Ints, units: Array, beyond: float,
    held: Array, outlast: Array,
) -> float:  # fmt: skip
    """Move the pointer along N paths of demand (M, N) of the periods 1 … M.

    held (REVIEW_MARKS, N) becomes the requirement Z_r at the marks of the review interval, newest first, so held[0] is
    Z_R; outlast (N,) becomes Z_m of the order's own units, where `beyond` is the demand expected of periods after M.
    Returns the expected sales lost before the arrival.
    """
    M, N = demand.shape
    stride = (cycle + REVIEW_MARKS - 1) // REVIEW_MARKS
    available, gone = np.full(M, on_hand), np.empty(M)
    old = on_hand
    for m in range(M):
        gone[m] = gone_by(m + 1, on_hand, layer, review, life, steps, units)
        for j in range(steps.size):
            if steps[j] <= m + 1:
                available[m] += units[j]
    for j in range(steps.size):
        if steps[j] <= lead + 1:
            old += units[j]
    start = max(owed, gone_by(0, on_hand, layer, review, life, steps, units))
    lost_before = 0.0
    for i in range(N):
        pointer, worst, short = start, -np.inf, 0.0
        for m in range(M):
            wanted = pointer + demand[m, i]
            if lost and m < lead:
                served = max(pointer, min(wanted, available[m]))
                short += wanted - served
                wanted = served
            pointer = max(wanted, gone[m])
            if lead <= m < lead + cycle:
                worst = max(worst, pointer - available[m])
                since = lead + cycle - 1 - m
                if since % stride == 0:
                    held[since // stride, i] = worst
        outlast[i] = max(pointer - old + beyond, 0.0)
        lost_before += weight[i] * short
    return lost_before


@loop
def net_requirement(
    levels: Array, single: NDArray[np.float32], running: NDArray[np.float32], rate: Array,
    first_lead: Ints, lead_weight: Array, review: Ints, life: Ints, shelf: Ints, lost: bool,
    holding: Array, waste: Array, on_hand: Array, owed: Array,
    offsets: Ints, steps: Ints, units: Array, nodes: Nodes,
    need: Array, outlast: Array, lost_before: Array,
) -> None:  # fmt: skip
    """Fill the requirement curves of S series.

    Parameters
    ----------
    levels, single, running
        (Q,), (S, T, Q), (S, T, Q): quantiles of the demand of period k, and of periods 1…k, units.
    rate
        (S,) mean demand per period, units.
    first_lead, lead_weight
        (S,) shortest lead time in periods, (S, W) probabilities of it and the next W - 1.
    review, life, shelf
        (S,) periods; in `life` a new order must be sold, `shelf` is the life of what is there; 0 = keeps. They differ
        where an item's sale ends.
    lost
        Whether demand that stock cannot serve is lost before the order arrives.
    holding, waste
        (S,) currency per unit and period, per unit thrown away: the weights in `outlast`.
    on_hand, owed
        (S,) units, backorders.
    offsets, steps, units
        (S + 1,), (A,), (A,): arrivals on their way, at the start of which period, how much.
    nodes
        `demand_paths.path_nodes()`.
    need, outlast
        (S, K) outputs at the levels 0 and `levels`, K = Q + 1: Z_R, and the mixture of all Z_r and Z_m that stands
        for what a unit must outlast not to cost; weights holding × periods and waste.
    lost_before
        (S,) output: expected units lost before the arrival.
    """
    S, T, _ = running.shape
    W, N = min(lead_weight.shape[1], len(LEAD_STRATA)), nodes.score.size
    leads, chances = np.empty(W, np.int64), np.empty(W)
    grid, curve, arriving = np.zeros(levels.size + 1), np.empty(levels.size + 1), np.empty(levels.size + 1)
    grid[1:] = levels
    tables, total_table, sd, all_demand = np.empty((T, TABLE)), np.empty(TABLE), np.empty(T), np.empty((T, N))
    held, kept = np.empty((REVIEW_MARKS, N)), np.empty(N)
    needs, needs_weight = np.empty(W * N), np.empty(W * N)
    costs, costs_weight = np.empty(W * N * (REVIEW_MARKS + 1)), np.empty(W * N * (REVIEW_MARKS + 1))
    for s in range(S):
        mine, amounts = steps[offsets[s] : offsets[s + 1]], units[offsets[s] : offsets[s + 1]]
        cycle = min(review[s], life[s]) if life[s] > 0 else review[s]
        stride = (cycle + REVIEW_MARKS - 1) // REVIEW_MARKS
        certain = lead_weight[s, 0] == 1.0
        end = first_lead[s] + cycle
        there = on_hand[s] - owed[s]
        late = False
        for j in range(mine.size):
            late = late or first_lead[s] + 2 <= mine[j] <= end
            there += amounts[j] if mine[j] <= end else 0.0
        exact = certain and life[s] == 0 and not late and (not lost or first_lead[s] == 0)
        lost_before[s] = 0.0
        if not exact or cycle > 1:
            n = c = 0
            for w in range(chosen_lead_times(first_lead[s], lead_weight[s], leads, chances)):
                lead, chance = leads[w], chances[w]
                last = min(T, lead + max(cycle, life[s]))
                for k in range(last):
                    complete(levels, single[s, k], curve)
                    fill_table(grid, curve, nodes.table, tables[k])
                    if k < lead + cycle:
                        sd[k] = np.sqrt(variance_of(grid, curve))
                complete(levels, running[s, lead + cycle - 1], curve)
                share = common_share(variance_of(grid, curve), sd[: lead + cycle])
                bound = value_at(grid, curve, DECIDES) - there
                by_cycle = False
                if lost and lead > 0:
                    cycle_total(levels, grid, single[s], running[s], lead, cycle, arriving)
                    by_cycle = value_at(grid, arriving, DECIDES) < bound
                fill_table(grid, arriving if by_cycle else curve, nodes.table, total_table)
                demand = all_demand[:last]
                draw_demand(tables[:last], total_table, lead if by_cycle else 0, lead + cycle, sd, share, nodes, demand)
                beyond = rate[s] * max(0, lead + life[s] - last)
                layer = max(rate[s] * review[s], on_hand[s] / max(1, -((1 - shelf[s]) // review[s])))
                lost_before[s] += chance * follow_paths(
                    demand, nodes.weight, lead, cycle, shelf[s], review[s], lost,
                    on_hand[s], owed[s], layer, mine, amounts, beyond, held, kept,
                )  # fmt: skip
                needs[n : n + N] = held[0]
                needs_weight[n : n + N] = chance * nodes.weight
                n += N
                r, j = cycle, 0
                while r > 0:
                    costs[c : c + N] = held[j]
                    costs_weight[c : c + N] = chance * nodes.weight * (holding[s] * min(stride, r))
                    c += N
                    r -= stride
                    j += 1
                if life[s] > 0:
                    costs[c : c + N] = kept
                    costs_weight[c : c + N] = chance * nodes.weight * waste[s]
                    c += N
            weighted_quantiles(needs[:n], needs_weight[:n], grid, need[s])
            if c > n and costs_weight[:c].sum() > 0.0:
                weighted_quantiles(costs[:c], costs_weight[:c], grid, outlast[s])
            else:
                outlast[s] = need[s]
        if exact or (there == 0.0 and owed[s] == 0.0 and certain and life[s] == 0 and cycle == 1):
            if exact:
                complete(levels, running[s, end - 1], curve)
            else:
                complete(levels, single[s, end - 1], curve)  # nothing is there and sales are lost until the arrival
            need[s] = curve - there
            if cycle == 1:
                outlast[s] = need[s]
