import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.histories import actual_after, take_histories


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(0, 8), st.integers(1, 9), st.data())
def test_parts_are_slices_of_each_series(lengths, back, longest, data):
    histories = [np.arange(n) + 100 * i for i, n in enumerate(lengths)]
    values = np.concatenate([np.zeros(0), *histories]).astype(np.float32)
    rows = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=5)), dtype=np.int64)
    part, offsets = take_histories(values, np.cumsum([0, *lengths]), rows, back, longest)
    for i, row in enumerate(rows):
        expected = histories[row][: max(0, lengths[row] - back)][-longest:]
        assert part[offsets[i] : offsets[i + 1]].tolist() == expected.tolist()
    assert offsets[-1] == part.size


def test_what_came_after_a_cut_is_given_by_series():
    values = np.arange(10, dtype=np.float32)
    after = actual_after(values, np.array([0, 4, 10]), np.array([1, 0]), 3, 2)
    assert after.tolist() == [[7, 8], [1, 2]]
