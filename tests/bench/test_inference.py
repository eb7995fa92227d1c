from pathlib import Path

import pytest
import torch

from fullshelf.bench.bolt_peer import BoltTiny
from fullshelf.bench.inference import measure_inference
from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.result import OURS
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.modeling import DemandLM


def test_both_are_measured_at_each_context(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = DemandLMConfig(backbone=small_backbone(16, 1, 2), patch_width=8, slot_width=4, head_width=8)
    DemandLM(config).save_pretrained(tmp_path)
    limits = Limits(1e9, 0.0, 0.0)
    report = measure_inference(
        this_machine(()), limits, tmp_path, (1,), sizes=(64,), repeats=1, budget=0.1, say=lambda _: None
    )
    assert [row.who for row in report.rows] == [OURS, "Bolt-tiny shape float32", "Bolt-tiny shape bfloat16"]
    for row in report.rows:
        assert row.rate is not None
        assert 0 < row.figures["of matmul"] < 1.5
    ours, *peers = report.rows
    best = max(row.rate or 0.0 for row in peers)
    assert ours.figures["times Bolt-tiny"] == pytest.approx((ours.rate or 0.0) / best)


def test_the_peer_has_the_published_size_and_reads_its_histories() -> None:
    torch.manual_seed(0)
    model = BoltTiny().eval()
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(8.65e6, rel=0.02)
    history = torch.rand(3, 64)
    history[1, :40] = torch.nan
    found = model(history)
    assert found.shape == (3, 64, 9)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(model(history * 10), found * 10, rtol=1e-3, atol=1e-3)
