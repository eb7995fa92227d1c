import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.censored_periods import fill_censored


def filled_of(y, observed):
    filled = np.empty(len(y))
    shares = fill_censored(np.array(y, dtype=np.float32), np.array(observed, dtype=np.float32), filled)
    return filled, shares


def test_a_stocked_out_period_counts_for_the_mean_of_the_others_at_least():
    filled, shares = filled_of([4, 0, 8, 9], [1, 0, 1, 0.5])
    assert filled.tolist() == [4, 6, 8, 9]
    assert shares.tolist() == [1, 0, 1, 0.5]


def test_where_no_period_was_in_stock_throughout_the_sales_are_taken_as_they_are():
    filled, shares = filled_of([4, 0, 8], [0.5, 0, 0.9])
    assert filled.tolist() == [4, 0, 8]
    assert shares.tolist() == [1, 1, 1]


def test_an_empty_history_stays_empty():
    filled, shares = filled_of([], [])
    assert filled.size == shares.size == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from([0.0, 0.3, 1.0])), max_size=30))
def test_filling_never_lowers_a_sale_and_leaves_periods_in_stock_alone(rows):
    y, observed = np.array([r[0] for r in rows], np.float32), np.array([r[1] for r in rows], np.float32)
    filled, _ = filled_of(y, observed)
    assert (filled >= y).all()
    assert (filled[observed == 1] == y[observed == 1]).all()
