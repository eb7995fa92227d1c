import pytest
import torch

from fullshelf.engine.models.demand_lm.arcsinh import arcsinh


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_torchs_from_the_smallest_number_to_the_largest(dtype: torch.dtype) -> None:
    x = torch.cat([torch.zeros(1, dtype=dtype), torch.logspace(-12, 9, 2000, dtype=dtype)])
    x = torch.cat([-x, x])
    torch.testing.assert_close(arcsinh(x), torch.asinh(x), rtol=4 * torch.finfo(dtype).eps, atol=0.0)


def test_nothing_stays_nothing() -> None:
    assert arcsinh(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]
