import numpy as np
import polars as pl
import pytest

from fullshelf.engine.allocation import allocate
from fullshelf.engine.claims import claims_of, limit_groups
from fullshelf.engine.config import PlanSettings
from fullshelf.engine.limits import Limit, read_limits
from fullshelf.engine.planning import order_problem
from fullshelf.engine.protection import protect
from fullshelf.engine.shard_orders import ShardOrders, Together

SETTINGS = PlanSettings()


class Catalogue:
    """S series with costs, suppliers and categories, cut into shards at will."""

    def __init__(self, gamma_forecast, supply_of, stock_of, series=120, packs=(1.0, 6.0, 20.0), same=False):
        rng = np.random.default_rng(5)
        self._forecast, self._stock_of = gamma_forecast, stock_of
        self.mean = np.full(series, 9.0) if same else rng.gamma(1, 12, series) + 0.2
        self.keys = pl.DataFrame(
            {"sku": [f"{i:04d}" for i in range(series)], "location": [("A", "B", "C")[i % 3] for i in range(series)]}
        )
        cost = np.ones(series) if same else rng.gamma(3, 2, series) + 0.1
        self.supply = supply_of(
            series, unit_cost=cost, unit_price=2 * cost, holding_cost=0.01 * cost, pack_size=rng.choice(packs, series),
            shortage_cost=cost * (1 if same else rng.uniform(0.2, 2, series)), volume=cost * 0.01, lead_time=0,
            supplier=[("acme", "acme/sub", "zenith")[i % 3] for i in range(series)],
            category=[("food", "food/fresh", "foodstuff", None)[i % 4] for i in range(series)],
        )  # fmt: skip
        self.values = pl.concat([self.keys, self.supply], how="horizontal")

    def shards(self, count, limits):
        groups = [np.flatnonzero(np.arange(self.keys.height) % count == n) for n in range(count)]
        return groups, [self._orders(rows, limits) for rows in groups]

    def _orders(self, rows, limits):
        supply = self.supply[rows.tolist()]
        demand = protect(self._forecast(self.mean[rows], self.mean[rows]), supply)
        problem = order_problem(demand, supply, self._stock_of(rows.size), SETTINGS)
        return ShardOrders(problem, self.values[rows.tolist()], limits)

    def solve(self, limits, count=1):
        groups, shards = self.shards(count, limits)
        found = allocate(Together(shards), limits)
        quantity = np.empty(self.keys.height)
        for rows, shard in zip(groups, shards, strict=True):
            quantity[rows] = shard.quantity
        return found, quantity, shards

    def use(self, limit, quantity):
        return float(limit.claims(self.values) @ quantity)


@pytest.fixture
def catalogue(gamma_forecast, supply_of, stock_of):
    return Catalogue(gamma_forecast, supply_of, stock_of)


def test_claims_follow_resource_and_scope(supply_of):
    keys = pl.DataFrame({"sku": list("abcd"), "location": ["X", "Y", "X", "Y"]})
    supply = supply_of(
        4, unit_cost=[1, 2, 3, None], unit_price=9, volume=[0.1, None, 0.3, 0.4],
        supplier=["s", "s/t", None, "s"], category=["food", "food/fresh", "foodstuff", None],
    )  # fmt: skip
    claims = {
        ("capital", "all"): [1, 2, 3, 9],
        ("volume", "all"): [0.1, 0, 0.3, 0.4],
        ("units", "location=X"): [1, 0, 1, 0],
        ("units", "supplier=s"): [1, 0, 0, 1],
        ("units", "category=food"): [1, 1, 0, 0],
        ("capital", "category=food/fresh"): [0, 2, 0, 0],
    }
    for (resource, scope), expected in claims.items():
        assert Limit(resource, scope, 1.0).claims(pl.concat([keys, supply], how="horizontal")).tolist() == expected


def test_limits_are_read_in_a_fixed_order():
    table = pl.DataFrame({"resource": ["units", "capital"], "scope": ["all", "all"], "amount": [5.0, 7.0]})
    assert [limit.resource for limit in read_limits(table)] == ["capital", "units"]


def test_limits_that_do_not_bind_change_nothing(catalogue):
    free = catalogue.shards(1, [])[1][0]._problem.orders(np.zeros(120))[1]
    limits = [Limit("capital", "all", 1e9), Limit("units", "location=A", 1e9)]
    found, quantity, _ = catalogue.solve(limits)
    assert (quantity == free).all()
    assert not found.price.any()
    assert (found.used == found.wanted).all()


@pytest.mark.parametrize("share", [0.9, 0.5, 0.05])
def test_one_limit_is_held_and_nearly_used_up(catalogue, share):
    free = catalogue.solve([Limit("capital", "all", 1e9)])[1]
    limit = Limit("capital", "all", share * catalogue.use(Limit("capital", "all", 1), free))
    found, quantity, shards = catalogue.solve([limit])
    used = catalogue.use(limit, quantity)
    assert used <= limit.amount
    cheapest = (catalogue.supply["unit_cost"] * catalogue.supply["pack_size"]).min()
    assert used >= limit.amount - 3 * cheapest - 0.01 * limit.amount
    assert found.used[0] == pytest.approx(used, rel=1e-9)
    assert found.price[0] > 0
    assert (quantity % catalogue.supply["pack_size"].to_numpy() == 0).all()
    plan = shards[0].plan()
    assert (plan.order_quantity == quantity).all()
    assert plan.shadow_price == pytest.approx(found.price[0] * catalogue.supply["unit_cost"].to_numpy())
    assert set(plan.explanation["limit"]) == {"capital"}
    assert all("The limit on capital binds: each unit must earn" in reason for reason in plan.reason)


def test_the_limit_that_asks_most_of_a_series_is_named(catalogue):
    everything = catalogue.solve([Limit("capital", "all", 1e9)])[1]
    amount = 0.4 * catalogue.use(Limit("units", "location=A", 1), everything)
    limits = [Limit("capital", "all", 1e9), Limit("units", "location=A", amount)]
    _, _, shards = catalogue.solve(limits)
    plan, there = shards[0].plan(), catalogue.values["location"].to_numpy() == "A"
    named = plan.explanation["limit"].to_numpy()
    assert set(named[there]) == {"units of location A"}
    assert set(named[~there]) == {None}
    assert all("The limit on units of location A binds" in reason for reason in plan.reason.filter(pl.Series(there)))


def test_where_every_order_stands_for_itself_the_allocation_is_all_but_the_cheapest_there_is(catalogue):
    catalogue.supply = catalogue.supply.with_columns(shelf_life=pl.lit(1.0), pack_size=pl.lit(1.0))
    free = catalogue.solve([Limit("capital", "all", 1e9)])[1]
    limit = Limit("capital", "all", 0.5 * catalogue.use(Limit("capital", "all", 1), free))
    found, quantity, shards = catalogue.solve([limit])
    problem = shards[0]._problem

    def money(q):
        return problem.plan(quantity=q).expected_cost.sum()

    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        fits = catalogue.use(limit, np.floor(free * middle)) <= limit.amount
        low, high = (middle, high) if fits else (low, middle)
    assert money(quantity) < 0.99 * money(np.floor(free * low))  # every order cut by the same share
    priced = problem.orders(found.price[0] * catalogue.supply["unit_cost"].to_numpy())[1]
    bound = money(priced) + found.price[0] * (catalogue.use(limit, priced) - limit.amount)  # weak duality
    assert bound - 1e-6 <= money(quantity) <= bound * 1.005


def test_several_overlapping_limits_are_all_held(catalogue):
    free = catalogue.solve([Limit("capital", "all", 1e9)])[1]
    scopes = [("capital", "all", 0.6), ("volume", "location=A", 0.3), ("units", "supplier=acme", 0.5),
              ("capital", "category=food", 0.4), ("units", "category=food/fresh", 5.0)]  # fmt: skip
    limits = [Limit(r, s, f * catalogue.use(Limit(r, s, 1), free)) for r, s, f in scopes]
    found, quantity, _ = catalogue.solve(limits)
    for limit, price, used in zip(limits, found.price, found.used, strict=True):
        assert catalogue.use(limit, quantity) <= limit.amount, limit
        assert used == pytest.approx(catalogue.use(limit, quantity), rel=1e-9)
        if price > 0:
            assert used > 0.9 * limit.amount, limit
    assert found.price[4] == 0
    assert found.price[1] > 0


def test_a_limit_of_nothing_orders_nothing_inside_its_scope_alone(catalogue):
    limits = [Limit("units", "location=B", 0.0)]
    free = catalogue.solve([Limit("capital", "all", 1e9)])[1]
    _, quantity, _ = catalogue.solve(limits)
    inside = catalogue.keys["location"].to_numpy() == "B"
    assert not quantity[inside].any()
    assert (quantity[~inside] == free[~inside]).all()


def test_shards_give_the_same_orders_as_one_run_bit_for_bit(catalogue):
    free = catalogue.solve([Limit("capital", "all", 1e9)])[1]
    limits = [
        Limit("capital", "all", 0.55 * catalogue.use(Limit("capital", "all", 1), free)),
        Limit("volume", "location=A", 0.4 * catalogue.use(Limit("volume", "location=A", 1), free)),
    ]
    whole = catalogue.solve(limits)
    for count in (2, 7):
        parts = catalogue.solve(limits, count)
        assert (parts[1] == whole[1]).all()
        assert (parts[0].price == whole[0].price).all()


def test_equals_share_by_hash_when_all_jump_at_once(gamma_forecast, supply_of, stock_of):
    same = Catalogue(gamma_forecast, supply_of, stock_of, packs=(20.0,), same=True)
    limit = Limit("units", "all", 50 * 20.0)
    _, quantity, _ = same.solve([limit])
    assert quantity.sum() == 1000
    assert np.isin(quantity, (0, 20, 40)).all()
    assert same.solve([limit], 3)[1].tolist() == quantity.tolist()


def test_series_that_are_not_planned_use_nothing(catalogue):
    catalogue.supply = catalogue.supply.with_columns(planned=pl.int_range(pl.len()) % 2 == 0)
    found, quantity, _ = catalogue.solve([Limit("units", "all", 100.0)])
    assert not quantity[1::2].any()
    assert found.used[0] == pytest.approx(quantity.sum())
    assert quantity.sum() <= 100


def test_a_search_that_begins_on_a_sample_ends_at_the_same_prices(gamma_forecast, supply_of, stock_of, monkeypatch):
    catalogue = Catalogue(gamma_forecast, supply_of, stock_of, series=400, packs=(1.0, 2.0))
    wanted = catalogue.solve([Limit("capital", "all", 1e12)])[0].wanted[0]
    limits = [Limit("capital", "all", 0.6 * wanted), Limit("volume", "location=B", 0.001 * wanted)]
    whole, _, _ = catalogue.solve(limits)
    monkeypatch.setattr("fullshelf.engine.allocation.SAMPLE", 50)
    sampled, quantity, _ = catalogue.solve(limits, count=3)
    assert sampled.price == pytest.approx(whole.price, rel=4e-3)
    for limit, used in zip(limits, sampled.used, strict=True):
        assert catalogue.use(limit, quantity) == pytest.approx(used)
        assert 0.97 * limit.amount < used <= limit.amount * (1 + 1e-9)


def test_many_limits_are_held_used_up_and_close_to_the_dual_bound(gamma_forecast, supply_of, stock_of, monkeypatch):
    catalogue = Catalogue(gamma_forecast, supply_of, stock_of, series=1500, packs=(1.0, 2.0))
    rng = np.random.default_rng(1)
    catalogue.keys = catalogue.keys.with_columns(location=pl.Series(rng.integers(0, 8, 1500)).cast(pl.String))
    catalogue.values = pl.concat([catalogue.keys, catalogue.supply], how="horizontal")
    free = catalogue.solve([Limit("capital", "all", 1e12)])[1]
    scopes = ["all", *(f"location={i}" for i in range(8)), "supplier=acme", "category=food", "category=food/fresh"]
    limits = [
        Limit(r, s, rng.uniform(0.4, 1.1) * catalogue.use(Limit(r, s, 1), free))
        for r in ("capital", "volume", "units")
        for s in scopes
    ]
    monkeypatch.setattr("fullshelf.engine.allocation.SAMPLE_A_LIMIT", 10)
    found, quantity, _ = catalogue.solve(limits)
    for limit, price, used in zip(limits, found.price, found.used, strict=True):
        assert catalogue.use(limit, quantity) <= limit.amount * (1 + 1e-9), limit
        assert used == pytest.approx(catalogue.use(limit, quantity), rel=1e-9)
        assert price >= 0
    assert 3 <= (found.price > 0).sum() < len(limits)
    assert 0 <= found.gap < 0.01
    again = catalogue.solve(limits, count=3)
    assert (again[1] == quantity).all()
    assert (again[0].price == found.price).all()
    assert again[0].regret == found.regret


def test_claims_in_groups_are_those_of_each_limit(catalogue):
    scopes = ["all", "location=A", "location=C", "supplier=acme", "supplier=acme/sub", "category=food",
              "category=food/fresh", "category=foodstuff", "location=A"]  # fmt: skip
    limits = [Limit(r, s, 1.0) for r in ("capital", "volume", "units") for s in scopes]
    found = claims_of(limits, catalogue.values)
    groups = limit_groups(limits)
    assert sorted(np.concatenate(groups)) == list(range(len(limits)))
    for g, group in enumerate(groups):
        for j in group:
            claim = np.where(found.limit[:, g] == j, found.claim[:, g], 0.0)
            assert (claim == limits[j].claims(catalogue.values)).all(), limits[j]


@pytest.mark.parametrize("seed", range(4))
def test_a_small_catalogue_is_shared_as_the_linear_program_shares_it(catalogue, seed):
    optimize = pytest.importorskip("scipy.optimize")
    rng = np.random.default_rng(seed)
    catalogue.supply = catalogue.supply.with_columns(shelf_life=pl.lit(1.0), pack_size=pl.lit(1.0))
    scopes = [("capital", "all"), ("volume", "location=A"), ("units", "location=B"), ("units", "all")]
    free = catalogue.solve([Limit("capital", "all", 1e12)])[1]
    limits = [Limit(r, s, rng.uniform(0.4, 0.8) * catalogue.use(Limit(r, s, 1), free)) for r, s in scopes]
    found, quantity, shards = catalogue.solve(limits)
    problem = shards[0]._problem
    top = int(free.max())
    # the cost of a series is convex in whole units: one variable for each unit, taken in the order of what they save
    cost = np.array([problem.plan(quantity=np.minimum(float(q), free)).expected_cost for q in range(top + 1)])
    gains = -np.diff(cost, axis=0)
    units = [(i, k) for i in range(free.size) for k in range(int(free[i]))]
    saved = np.array([gains[k, i] for i, k in units])
    claims = np.array([limit.claims(catalogue.values) for limit in limits])
    table = claims[:, [i for i, _ in units]]
    room = [limit.amount for limit in limits]
    relaxed = optimize.linprog(-saved, table, room, bounds=(0, 1))
    whole = optimize.milp(
        -saved, constraints=optimize.LinearConstraint(table, ub=room), integrality=1, bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 1e-4, "time_limit": 20},
    )  # fmt: skip
    assert relaxed.status == 0
    none = float(cost[0].sum())
    ours = float(problem.plan(quantity=quantity).expected_cost.sum())
    assert none + relaxed.fun - 1e-6 <= ours <= (none + whole.fun) * 1.005
    assert ours - found.regret <= none + whole.fun + 1e-6  # the bound that is reported is one
