from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fullshelf.engine.models.demand_lm import serving
from fullshelf.engine.models.demand_lm.batch import ContextBatch
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.serving import DemandLMServer, _prepared
from fullshelf.engine.models.demand_lm.windows import GPU_POSITIONS, rows_of, windows
from fullshelf.engine.panel import Panel

PanelOf = Callable[..., Panel]


def test_batches_of_a_gpu_are_larger_and_prepared_ahead(panel_of: PanelOf) -> None:
    assert rows_of(511) == 64
    assert rows_of(511, GPU_POSITIONS) == 2048
    panel = panel_of([np.arange(1.0, n) for n in range(2, 200)])
    plain, early = (
        [(w.rows.tolist(), w.batch.units.sum().item()) for w in order(windows(panel, None, 5, 512, np.arange(198)))]
        for order in (list, _prepared)
    )
    assert plain == early
    assert len(plain) == 5


def test_a_batch_that_does_not_fit_is_halved_until_it_does(
    tiny_folder: Path, panel_of: PanelOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, fits = DemandLMServer.load(tiny_folder), 5
    panel = panel_of([np.arange(1.0, n) for n in range(2, 42)])
    expected = list(server.forecast(panel, None, 3, np.arange(40)))
    sizes: list[int] = []

    def small(model: DemandLM, batch: ContextBatch) -> tuple[torch.Tensor, torch.Tensor]:
        if batch.units.shape[0] > fits:
            raise torch.cuda.OutOfMemoryError
        sizes.append(batch.units.shape[0])
        return real(model, batch)

    real = serving.predict
    monkeypatch.setattr(serving, "predict", small)
    for (rows, q, total), (rows_too, q_too, total_too) in zip(
        expected, server.forecast(panel, None, 3, np.arange(40)), strict=True
    ):
        assert rows.tolist() == rows_too.tolist()
        np.testing.assert_allclose(q, q_too, rtol=1e-2, atol=1e-2)
        np.testing.assert_allclose(total, total_too, rtol=1e-2, atol=1e-2)
    assert max(sizes) <= fits
    fits = 0
    with pytest.raises(torch.cuda.OutOfMemoryError):
        list(server.forecast(panel, None, 3, np.arange(40)))
