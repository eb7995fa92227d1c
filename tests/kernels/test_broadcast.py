import numpy as np
import pytest

from fullshelf.kernels.broadcast import over_skus, shaped


def test_scalars_take_the_shape_of_the_arrays_beside_them() -> None:
    shape, (mean, sd) = over_skus(np.arange(6).reshape(2, 3), 1)
    assert shape == (2, 3)
    assert mean.tolist() == [0, 1, 2, 3, 4, 5]
    assert sd.tolist() == [1] * 6
    assert mean.flags.c_contiguous
    assert sd.flags.c_contiguous


def test_answers_come_back_in_the_shape_of_the_question() -> None:
    assert shaped(np.arange(6.0), (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.ndim(shaped(np.arange(1.0), ())) == 0


def test_shapes_that_do_not_broadcast_are_named() -> None:
    with pytest.raises(ValueError, match=r"shapes \(2,\), \(3,\), which do not broadcast"):
        over_skus([1, 2], [1, 2, 3])
