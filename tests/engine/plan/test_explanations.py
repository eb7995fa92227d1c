import numpy as np
import polars as pl
import pytest

from fullshelf.engine.config import PlanSettings
from fullshelf.engine.explanations import COLUMNS
from fullshelf.engine.planning import order_problem
from fullshelf.engine.protection import protect


@pytest.fixture
def explained(gamma_forecast, supply_of, stock_of):
    def make(settings=None, price=None, by_hand=None, on_hand=0.0, mean=10, **terms):
        count = len(on_hand) if isinstance(on_hand, list) else 1
        supply = supply_of(count, **{"lead_time": 0.0, **terms})
        demand = protect(gamma_forecast([mean] * count, 4), supply)
        stock = stock_of(count, on_hand=on_hand)
        problem = order_problem(demand, supply, stock, settings or PlanSettings(), by_hand=by_hand)
        plan = problem.plan(None if price is None else np.full(count, price))
        return plan, plan.explanation

    return make


def why(found):
    return found["lot_because"].to_list()


def test_the_parts_add_up_to_the_order(explained):
    plan, found = explained(on_hand=[0.0, 7.0, 400.0], pack_size=6.0)
    assert found.columns == list(COLUMNS)
    best = found["best_quantity"].to_numpy()
    assert np.maximum(best, 0) + found["lot_units"].to_numpy() == pytest.approx(plan.order_quantity)
    level = found["expected_demand"] + found["safety_units"]
    assert (level - found["covered"]).to_numpy() == pytest.approx(best)
    assert found["best_quantity"][2] < 0
    assert found["covered"].to_list() == [0, 7, 400]


@pytest.mark.parametrize(
    ("terms", "because", "says"),
    [
        ({"pack_size": 6.0}, "pack", "in packs of 6"),
        ({"moq": 40.0}, "minimum", "the minimum order"),
        ({"order_cost": 20.0}, "economic lot", "an economic lot"),
        ({"max_stock": 5.0}, "stock limit", "as much as the stock limit"),
        ({"price": 5.0}, "none", "others earn more"),
        ({"by_hand": np.array([77.0])}, "person", "as a person has set it"),
        ({"on_hand": 300.0}, "none", "what is there suffices"),
        ({"moq": 900.0, "holding_cost": 0.9}, "waits", "would last too long"),
    ],
)
def test_the_word_and_the_sentence_say_the_same(explained, terms, because, says):
    plan, found = explained(**terms)
    assert why(found) == [because]
    assert says in plan.reason[0]


def test_it_says_whether_costs_or_promises_decide(explained):
    _, found = explained()
    assert found.select("decided_by", "promised").row(0) == ("costs", None)
    assert found["underage_cost"].item() == 1.0
    assert found["overage_cost"].item() == pytest.approx(0.02)
    for service, words in (({"fill": 0.97}, ("fill rate", 0.97)), (0.9, ("cycle service", 0.9))):
        _, found = explained(PlanSettings(service=service))
        assert found.select("decided_by", "promised").row(0) == pytest.approx(words)
    plan, found = explained(price=0.4)
    assert found["limit_cost"].item() == pytest.approx(0.4 * plan.order_quantity[0])
    assert pl.Series(plan.shadow_price).to_list() == [0.4]
