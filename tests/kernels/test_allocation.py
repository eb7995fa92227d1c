import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.allocation import CLOSE, PARTS, ROOM, exact_sum, in_parts, shadow_prices

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "inventory_cases.json"


def published(family):
    if not CASES.exists():
        pytest.skip("needs ../shared/cases")
    return [case for case in json.loads(CASES.read_text()) if case["family"] == family]


def newsvendor_response(i, A, limits):
    """Orders of normal newsvendors at prices of the resources, whose use A (J, n) per unit is paid like a cost."""
    stats = pytest.importorskip("scipy.stats")
    mean, sd, cu, co = (np.array(i[name], float) for name in ("mean", "sd", "cu", "co"))

    def orders(prices):
        ratio = np.clip((cu - prices @ A) / (cu + co), 1e-12, 1 - 1e-12)
        return np.where(cu > prices @ A, np.maximum(mean + sd * stats.norm.ppf(ratio), 0), 0)

    def use_of(which, prices):
        return [exact_sum(in_parts(A[j] * orders(prices), limits[j])) for j in which]

    return orders, use_of, (cu / np.where(A > 0, A, np.inf)).max(axis=1)


@pytest.mark.shared
def test_published_newsvendor_budget():
    for case in published("newsvendor_budget"):
        i, expected = case["inputs"], case["expected"]
        A = np.array([i["unit_cost"]], float)
        orders, use, ceilings = newsvendor_response(i, A, [i["budget"]])
        high = shadow_prices(use, [np.array([0])], [ROOM], ceilings)
        assert high[0] == pytest.approx(expected["lambda_"], rel=2 * CLOSE, abs=1e-12), case["id"]
        assert expected["lambda_"] <= high[0] * (1 + 1e-9)
        assert orders(high) == pytest.approx(expected["Q"], rel=2e-3)
        assert A[0] @ orders(high) <= i["budget"]


@pytest.mark.shared
def test_published_newsvendor_multi_constraint():
    for case in published("newsvendor_multi_constraint"):
        i, expected = case["inputs"], case["expected"]
        A = np.array(i["A"])
        orders, use, ceilings = newsvendor_response(i, A, i["b"])
        high = shadow_prices(use, [np.array([0]), np.array([1])], [ROOM, ROOM], ceilings)
        assert high == pytest.approx(expected["lambda_"], rel=0.02, abs=1e-9), case["id"]
        assert orders(high) == pytest.approx(expected["Q"], rel=0.01)
        assert (A @ orders(high) <= np.array(i["b"])).all()


@given(
    seed=st.integers(0, 1000), series=st.integers(1, 30), limits=st.integers(1, 4), share=st.floats(0.0, 1.3),
    lot=st.sampled_from([1.0, 25.0]),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_prices_hold_every_limit_and_what_is_slightly_cheaper_does_not(seed, series, limits, share, lot):
    rng = np.random.default_rng(seed)
    worth, wanted = rng.gamma(2, 1, series), rng.integers(1, 200, series)
    claims = rng.random((limits, series)) * (rng.random((limits, series)) < 0.7)
    amounts = share * (claims @ wanted)

    def use_of(which, prices):
        pay = prices @ claims
        q = np.floor(wanted * np.clip(1 - pay / worth, 0, 1) / lot) * lot
        return [exact_sum(in_parts(claims[j] * q, amounts[j])) for j in which]

    def holds(prices):
        return all(use <= room[j] for j, use in enumerate(use_of(range(limits), prices)))

    room, groups = np.where(amounts > 0, ROOM, 0).tolist(), [np.array([j]) for j in range(limits)]
    ceilings = np.where(claims > 0, worth / np.where(claims > 0, claims, 1), 0).max(axis=1)
    high = shadow_prices(use_of, groups, room, ceilings)
    assert holds(high)
    assert (high >= 0).all()
    if holds(np.zeros(limits)):
        assert not high.any()
    elif limits == 1 and amounts[0] > 0:
        assert not holds(high * (1 - 2 * CLOSE))
    for guess in (0.5 * high, 1.001 * high, 40 * high):
        again = shadow_prices(use_of, groups, room, ceilings, guess)
        assert holds(again)
        if limits == 1:
            assert again == pytest.approx(high, rel=2 * CLOSE)


def test_parts_never_overflow_and_whole_packs_fill_a_limit_to_the_brim():
    assert in_parts(np.array([1e300]), 1.0)[0] == 4 * PARTS
    assert in_parts(np.array([1.0]), 1e-308)[0] == 4 * PARTS
    assert exact_sum(in_parts(np.full(1000, 1e300), 1.0)) == 4000 * PARTS
    assert in_parts(np.array([0.0, 1e-9]), 0.0)[0] == 0
    assert in_parts(np.array([1e-9]), 0.0)[0] > 0
    for pack, packs in ((20.0, 50), (0.1, 30), (3.0, 333)):
        assert exact_sum(in_parts(np.full(packs, pack), pack * packs)) <= ROOM
        assert exact_sum(in_parts(np.full(packs + 1, pack), pack * packs)) > ROOM


def test_sums_do_not_depend_on_grouping():
    use = in_parts(np.random.default_rng(0).random(10_000), 3000.0)
    assert exact_sum(use) == sum(exact_sum(part) for part in np.array_split(use, 7))
