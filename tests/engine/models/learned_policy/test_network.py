"""The network in torch reads and answers what the planner's kernels do."""

import numpy as np
import pytest
import torch

from fullshelf.engine.models.learned_policy.instances import draw_instances
from fullshelf.engine.models.learned_policy.network import Known, OrderNetwork, Orders
from fullshelf.kernels.demand_paths import path_nodes
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.net_requirement import net_requirement
from fullshelf.kernels.order_network import LEAST_SCORE, network_known
from fullshelf.kernels.order_policies import lost_sales_underage
from fullshelf.kernels.quantile_grid import value_at

pytestmark = pytest.mark.usefixtures("one_torch_thread")

SERIES = 48


@pytest.fixture(params=[(1, False), (2, True), (4, False), (6, True)], ids=str)
def told(request):
    """Instances, states of stock and orders on their way, and the requirement by the planner's kernel."""
    lead, drifting = request.param
    given = draw_instances(3, 1, lead, SERIES, 4, drifting)
    rng = np.random.default_rng(lead)
    hand = np.round(given.rate * rng.gamma(1.0, 2.0, SERIES), 1)
    coming = np.round(given.rate[:, None] * rng.gamma(1.0, 1.0, (SERIES, lead)), 1)
    hand[:5], coming[:5] = 0.0, 0.0
    ones, none = np.ones(SERIES), np.zeros(SERIES)
    state = {
        "offsets": np.arange(SERIES + 1) * lead,
        "steps": np.tile(np.arange(1, lead + 1), SERIES),
        "units": coming.ravel(),
    }
    need, outlast, lost = np.empty((SERIES, 14)), np.empty((SERIES, 14)), np.empty(SERIES)
    net_requirement(
        level_array(), given.single.astype(np.float32), given.running.astype(np.float32), given.rate,
        np.full(SERIES, lead), ones[:, None], np.ones(SERIES, np.int64), none.astype(np.int64), none.astype(np.int64),
        True, ones, none, hand, none, *state.values(), path_nodes(), need, outlast, lost,
    )  # fmt: skip
    return given, hand, coming, state, need, lost


def torch_of(given, hand, coming):
    known = Known.of(given, torch.float64)
    return known, torch.as_tensor(hand), torch.as_tensor(coming)


def formula(given, hand, coming):
    covered = np.clip((hand + coming.sum(1)) / (given.rate * given.lead), 0, 1)
    return 1 - covered * given.lead / (given.lead + 1)


def some_network():
    torch.manual_seed(1)
    network = OrderNetwork().double()
    torch.nn.init.normal_(network.last.weight)
    return network


def answered(network, told):
    given, hand, coming, state, need, lost = told
    known = formula(given, hand, coming)
    network_known(
        network.weights(), level_array(), given.single.astype(np.float32), given.running.astype(np.float32), need,
        given.rate, np.full(SERIES, given.lead), given.shortage, given.holding, hand, lost, *state.values(),
        np.ones(SERIES, bool), known,
    )  # fmt: skip
    return known


def test_the_requirement_is_the_planners(told):
    given, hand, coming, _, need, lost = told
    known, *state = torch_of(given, hand, coming)
    ours, short = Orders(known).need(*state)
    assert np.abs(ours.numpy() - need).max() < 2e-3 * given.rate.max()  # ties of paths are sorted otherwise
    np.testing.assert_allclose(short.numpy(), lost, atol=1e-6 * given.rate.max())


def test_the_answer_is_the_kernels(told):
    given, hand, coming, _, _, _ = told
    network = some_network()
    known, *state = torch_of(given, hand, coming)
    orders = Orders(known, network)
    need, lost = orders.need(*state)
    before = torch.as_tensor(formula(given, hand, coming))
    moved = network(orders.features(*state, need, lost, before))
    ours = (before + moved / known.score.clamp_min(LEAST_SCORE)).clamp_max(1.0).detach().numpy()
    theirs = answered(network, told)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    assert (theirs != before.numpy()).mean() > 0.5


def test_the_order_is_the_requirement_at_the_level_of_the_formula(told):
    given, hand, coming, _, need, _ = told
    network = some_network()
    known, *state = torch_of(given, hand, coming)
    ours = Orders(known, network)(*state, torch.ones(SERIES, dtype=torch.float64)).detach().numpy()
    grid = np.concatenate([[0.0], level_array()])
    theirs = np.empty(SERIES)
    for s, share in enumerate(answered(network, told)):
        underage = lost_sales_underage(given.shortage[s], given.holding[s], share)
        theirs[s] = max(value_at(grid, need[s], underage / (underage + given.holding[s])), 0.0)
    assert np.abs(ours - theirs).max() < 5e-3 * given.rate.max()


def test_an_untrained_network_changes_nothing(told):
    given, hand, coming, *_ = told
    np.testing.assert_array_equal(answered(OrderNetwork().double(), told), formula(given, hand, coming))


def test_a_series_answer_does_not_depend_on_its_neighbours(told):
    given, hand, coming, state, need, lost = told
    network, every = some_network(), answered(some_network(), told)
    for s in (0, 7, SERIES - 1):
        known, L = formula(given, hand, coming)[s : s + 1], given.lead
        network_known(
            network.weights(), level_array(), given.single[s : s + 1].astype(np.float32),
            given.running[s : s + 1].astype(np.float32), need[s : s + 1], given.rate[s : s + 1], np.full(1, L),
            given.shortage[s : s + 1], given.holding[s : s + 1], hand[s : s + 1], lost[s : s + 1], np.array([0, L]),
            state["steps"][:L], state["units"][s * L : (s + 1) * L], np.ones(1, bool), known,
        )  # fmt: skip
        assert known[0] == every[s]


def test_twice_the_units_give_the_same_answer_and_twice_the_order(told):
    given, hand, coming, state, need, lost = told
    network, known = some_network(), formula(given, hand, coming)
    network_known(
        network.weights(), level_array(), 2 * given.single.astype(np.float32), 2 * given.running.astype(np.float32),
        2 * need, 2 * given.rate, np.full(SERIES, given.lead), given.shortage, given.holding, 2 * hand, 2 * lost,
        state["offsets"], state["steps"], 2 * state["units"], np.ones(SERIES, bool), known,
    )  # fmt: skip
    np.testing.assert_array_equal(known, answered(network, told))


def test_series_that_are_not_asked_keep_the_formula(told):
    given, hand, coming, state, need, lost = told
    known = formula(given, hand, coming)
    network_known(
        some_network().weights(), level_array(), given.single.astype(np.float32), given.running.astype(np.float32),
        need, given.rate, np.full(SERIES, given.lead), given.shortage, given.holding, hand, lost, *state.values(),
        np.zeros(SERIES, bool), known,
    )  # fmt: skip
    np.testing.assert_array_equal(known, formula(given, hand, coming))
