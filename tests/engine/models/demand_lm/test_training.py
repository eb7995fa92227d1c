"""Training: it learns, and resumes bit by bit; fine-tuning keeps the old weights where they are better."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import InputError
from fullshelf.engine.models.demand_lm.batch import COVARIATES
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.fine_tuning import (
    History,
    fine_tune,
    held_back_windows,
    own_source,
    window,
)
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.prior import Sample, draw
from fullshelf.engine.models.demand_lm.training import LOG, Plan, evaluate, train
from fullshelf.engine.models.demand_lm.training_curve import loss_curve
from fullshelf.engine.models.demand_lm.training_state import LATEST, Average, Progress, has_checkpoint
from fullshelf.engine.panel import Panel

Build = Callable[..., Panel]


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def tiny() -> DemandLM:
    torch.manual_seed(1)
    return DemandLM(
        DemandLMConfig(backbone=small_backbone(32, 1, 2), patch_width=32, slot_width=8, head_width=16, context=64)
    )


def monthly(step: int) -> Sample:
    return draw(24, Period.MONTH, 24, 6, np.random.default_rng([9, step]))


def weights(model: DemandLM) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def alike(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def plan(steps: int, **other: float) -> Plan:
    return Plan(steps=steps, learning_rate=5e-3, warm_up=5, check_every=10, mixed_precision="no", **other)  # type: ignore[arg-type]


def test_every_weight_that_trains_has_a_gradient_also_of_a_loaded_model(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path / "start")
    model = DemandLM.from_pretrained(tmp_path / "start")
    moved = set[str]()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            weight.register_post_accumulate_grad_hook(lambda _, name=name: moved.add(name))
    train(model, monthly, plan(1), tmp_path / "run")
    assert moved == {name for name, weight in model.named_parameters() if weight.requires_grad}


def test_training_lowers_the_loss_on_windows_it_has_not_seen(tmp_path: Path) -> None:
    model, held_back = tiny(), [draw(200, Period.MONTH, 24, 6, np.random.default_rng(77))]
    before = evaluate(model, held_back)
    trained = train(model, monthly, plan(40, average=0.8), tmp_path, held_back)
    assert trained.complete
    assert trained.scores == evaluate(model, held_back)  # the model is left with the averaged weights
    assert trained.scores.single < 0.9 * before.single
    assert trained.scores.total < 0.9 * before.total
    assert not model.training


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    straight, stopped = tiny(), tiny()
    train(straight, monthly, plan(14), tmp_path / "straight")
    asked = iter([False] * 6 + [True] * 100)
    first = train(stopped, monthly, plan(14), tmp_path / "stopped", stop=lambda: next(asked))
    assert not first.complete
    assert first.progress.step == 6
    assert has_checkpoint(tmp_path / "stopped")
    again = tiny()
    with torch.no_grad():
        again.series_in.weight.add_(1)  # the checkpoint's weights count, not these
    second = train(again, monthly, plan(14), tmp_path / "stopped")
    assert second.progress.step == 14
    assert alike(weights(again), weights(straight))


def test_a_step_asks_for_its_windows_by_number(tmp_path: Path) -> None:
    asked: list[int] = []

    def source(step: int) -> Sample:
        asked.append(step)
        return monthly(step)

    train(tiny(), source, plan(5), tmp_path)
    assert asked[:5] == [0, 1, 2, 3, 4]


def test_an_error_while_windows_are_made_ends_the_run(tmp_path: Path) -> None:
    def source(step: int) -> Sample:
        if step == 2:
            raise InputError("no windows")
        return monthly(step)

    with pytest.raises(InputError, match="no windows"):
        train(tiny(), source, plan(5), tmp_path)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    train(tiny(), monthly, plan(2), tmp_path)
    other = DemandLM(DemandLMConfig(backbone=small_backbone(16, 1, 2), patch_width=32, slot_width=8, head_width=16))
    with pytest.raises(InputError, match="another shape"):
        train(other, monthly, plan(4), tmp_path)


def test_a_checkpoint_that_was_being_replaced_is_found(tmp_path: Path) -> None:
    train(tiny(), monthly, plan(2), tmp_path)
    (tmp_path / LATEST).rename(tmp_path / f"{LATEST}.old")
    assert has_checkpoint(tmp_path)
    assert not has_checkpoint(tmp_path / "elsewhere")


def test_the_learning_rate_rises_stays_and_falls() -> None:
    of_100 = Plan(steps=100, learning_rate=1.0, warm_up=10, decay=0.2)
    rates = [of_100.rate(Progress(step, 0, 0.0)) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert set(rates[10:80]) == {1.0}
    assert all(a > b for a, b in pairwise(rates[80:]))
    assert rates[-1] < 0.06
    timed = Plan(minutes=1, learning_rate=1.0, warm_up=0, decay=0.5)
    assert timed.rate(Progress(9, 0, 45.0)) == pytest.approx(0.5)
    assert timed.share_done(Progress(9, 0, 61.0)) == 1
    with pytest.raises(ValueError, match="steps, minutes or both"):
        Plan()


def test_the_average_is_of_the_weights_and_swapping_twice_changes_nothing() -> None:
    model = tiny()
    average = Average(model, keep=0.5)
    start = weights(model)
    with torch.no_grad():
        model.series_in.bias.add_(1)
    average.update(model)
    moved = weights(model)
    average.swap(model)
    low, high = start["series_in.bias"], moved["series_in.bias"]
    middle = model.state_dict()["series_in.bias"]
    assert ((low < middle) & (middle < high)).all()
    average.swap(model)
    assert alike(weights(model), moved)


def test_the_log_has_a_line_for_each_look_and_the_picture_shows_it(tmp_path: Path) -> None:
    held_back = [draw(20, Period.MONTH, 24, 6, np.random.default_rng(78))]
    lines: list[dict[str, float]] = []
    train(tiny(), monthly, plan(20), tmp_path, held_back, report=lines.append)
    written = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert written == lines
    assert [line["step"] for line in written if "held_back" in line] == [10, 20, 20]
    assert all(line["windows"] == 24 * line["step"] for line in written)
    picture = loss_curve(tmp_path / LOG)
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "held back: totals" in picture
    assert ElementTree.fromstring(loss_curve(tmp_path / "none.jsonl")) is not None


def seasonal(series: int, weeks: int, seed: int = 0) -> list[np.ndarray]:
    """Make series that a prior does not know: week t sells as much as week t - 5 did, and nothing in between."""
    random = np.random.default_rng(seed)
    size = random.integers(5, 50, series)
    return [np.where(np.arange(weeks) % 5 == 0, n, 0).astype(np.float32) for n in size]


def test_a_window_sees_what_was_known_then_and_its_target_is_what_came_after(panel_of: Build) -> None:
    history = np.arange(1, 21, dtype=np.float32)
    promo = np.where(np.arange(20) % 4 == 0, 1, 0).astype(np.float32)
    panel = panel_of([history, history[:18]], Period.WEEK, promo=np.concatenate([promo, promo[:18]]))
    sample = window(panel, ("promo",), np.array([0, 1]), back=5, C=16, H=3)
    assert sample.target.tolist() == [[16, 17, 18], [14, 15, 16]]
    assert sample.batch.units[0].tolist() == [0, *range(1, 16)]
    seen = sample.batch.covariates[0, :, COVARIATES.index("promo")]
    assert seen[16:].tolist() == promo[15:18].tolist()
    blind = window(panel, (), np.array([0, 1]), back=5, C=16, H=3)
    assert (blind.batch.covariates[0, 16:, COVARIATES.index("promo")] == 0).all()
    assert (blind.batch.covariates[0, 16:, COVARIATES.index("known")] == 0).all()


def test_sold_out_periods_do_not_count(panel_of: Build) -> None:
    panel = panel_of([np.full(20, 4.0)], Period.WEEK)
    panel.observed[16] = 0.5
    sample = window(panel, (), np.array([0]), back=5, C=16, H=3)
    assert (sample.weight[0] > 0).tolist() == [True, False, True]


def test_no_training_window_reaches_into_the_held_back_tail(panel_of: Build) -> None:
    numbered = [np.arange(1, 61, dtype=np.float32)] * 3
    history = History([panel_of(numbered, Period.WEEK)], (), horizon=4, longest=64)
    source = own_source(history, seed=0, windows=8)
    tail = min(float(sample.target.min()) for sample in held_back_windows(history, 0))
    assert tail == 53  # the newest two horizons
    assert max(float(source(step).target.max()) for step in range(60)) < tail
    assert torch.equal(source(5).target, source(5).target)


def test_a_step_mixes_series_and_origins(panel_of: Build) -> None:
    numbered = [np.arange(1, 201, dtype=np.float32) + 1000 * series for series in range(20)]
    promo = np.concatenate([series % 1000 for series in numbered])
    history = History([panel_of(numbered, Period.WEEK, promo=promo)], ("promo",), horizon=4, longest=64)
    sample = own_source(history, seed=1, windows=32)(0)
    first = sample.target[:, 0]
    assert sample.batch.units.shape[0] == first.numel() == 32
    assert (first % 1000).unique().numel() > 4  # origins
    assert (first // 1000).unique().numel() > 10  # series
    assert torch.equal(sample.batch.units[:, -1] + 1, first)  # each row's history goes with its target
    months = sample.batch.covariates[:, -1, COVARIATES.index("year_sin")]
    assert months.unique().numel() > 4  # and with its own calendar


def test_a_history_of_less_than_three_horizons_is_refused(panel_of: Build) -> None:
    with pytest.raises(InputError, match="three horizons of 4"):
        History([panel_of([np.ones(11)], Period.WEEK)], (), horizon=4, longest=64)


def test_fine_tuning_learns_what_the_prior_does_not_know(panel_of: Build, tmp_path: Path) -> None:
    history = History([panel_of(seasonal(40, 60), Period.WEEK)], (), horizon=4, longest=64)
    model = tiny()
    tuned = fine_tune(model, history, plan(60, average=0.8), tmp_path, windows=24, new_share=1.0)
    assert not tuned.kept_old
    assert tuned.after.single < 0.9 * tuned.before.single
    assert evaluate(model, held_back_windows(history, 0)) == tuned.after  # the best weights, not the last


def test_what_is_kept_lies_between_the_old_weights_and_the_new(panel_of: Build, tmp_path: Path) -> None:
    history = History([panel_of(seasonal(40, 60), Period.WEEK)], (), horizon=4, longest=64)
    found = {}
    for share in (1.0, 0.5):
        model = tiny()
        old = weights(model)
        steps = plan(60, average=0.8)
        tuned = fine_tune(model, history, steps, tmp_path / str(share), windows=24, new_share=share)
        assert not tuned.kept_old
        assert evaluate(model, held_back_windows(history, 0)) == tuned.after
        found[share] = weights(model)
    for name, new in found[1.0].items():
        assert torch.allclose(found[0.5][name], (old[name] + new) / 2, atol=1e-6)


def test_half_the_windows_lie_at_the_coming_time_of_the_year(panel_of: Build) -> None:
    numbered = [np.arange(1, 261, dtype=np.float32)] * 3  # five years of weeks
    history = History([panel_of(numbered, Period.WEEK)], (), horizon=4, longest=64)
    source = own_source(history, seed=0, windows=8)
    firsts = torch.cat([source(step).target[:, 0] for step in range(80)])
    away = (261 - firsts) % 52  # weeks between the window and what comes, one time of the year to the other
    near = float(((away <= 4) | (away >= 48)).float().mean())
    assert 0.5 < near < 0.68  # the half, and by chance a sixth of the others


def test_fine_tuning_that_is_worse_keeps_the_old_weights(panel_of: Build, tmp_path: Path) -> None:
    history = History([panel_of(seasonal(40, 60), Period.WEEK)], (), horizon=4, longest=64)
    model = tiny()
    fine_tune(model, history, plan(60, average=0.8), tmp_path / "good", windows=24)
    good = weights(model)
    wrecking = Plan(
        steps=40, learning_rate=0.9, warm_up=0, decay=0, average=0.0, check_every=5, clip=1e9, mixed_precision="no"
    )
    tuned = fine_tune(model, history, wrecking, tmp_path / "bad", windows=8, patience=3)
    assert tuned.kept_old
    assert tuned.after == tuned.before
    assert tuned.trained.progress.step == 15  # it stops early
    assert alike(weights(model), good)
