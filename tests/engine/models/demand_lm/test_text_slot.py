"""The slot for a product's text: silent before it is trained, then it tells products apart that have no history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.fine_tuning import History, own_source, window
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.models.demand_lm.serving import DemandLMServer
from fullshelf.engine.models.demand_lm.text_slot import save_text, text_of_fit, with_slot, with_texts
from fullshelf.engine.models.demand_lm.training import Plan, evaluate, train
from fullshelf.engine.models.product_text import HashedWords
from fullshelf.engine.panel import Panel

Build = Callable[..., Panel]
pytestmark = pytest.mark.usefixtures("one_torch_thread")


def tiny() -> DemandLM:
    torch.manual_seed(1)
    shape = {"patch_width": 16, "slot_width": 4, "head_width": 16}
    return DemandLM(DemandLMConfig(backbone=small_backbone(16, 1, 2), context=64, horizon=8, **shape))


def catalogue(panel_of: Build) -> Panel:
    """Make 40 launches of a unit a week that after four weeks sell well or not: the titles say which."""
    well = np.arange(40) % 2 == 0
    histories = [np.r_[np.ones(4), np.full(8, 4.0 if good else 0.25)] for good in well]
    named = pl.DataFrame({"title": np.where(well, "star", "lamp"), "description": None, "category": None})
    return replace(panel_of(histories, Period.WEEK), products=named.cast(pl.String))


def test_a_new_slot_says_nothing_and_keeps_the_forecast(panel_of: Build) -> None:
    panel, model = catalogue(panel_of), tiny()
    wide = with_slot(model, HashedWords(8))
    wanted = np.arange(panel.series)
    plain, told = DemandLMServer(model, torch.device("cpu")), DemandLMServer(wide, torch.device("cpu"), HashedWords(8))
    for (_, a, _), (_, b, _) in zip(*(s.forecast(panel, None, 4, wanted) for s in (plain, told)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (wide.config.static_width, wide.config.text) == (8, "hashed")
    assert with_slot(wide, HashedWords(8)) is wide


def test_fine_tuning_learns_from_titles_what_histories_do_not_tell(panel_of: Build, tmp_path: Path) -> None:
    panel, text = catalogue(panel_of), HashedWords(8)
    history = with_texts(History([panel], (), horizon=4, longest=64), text)
    settings = Plan(steps=250, learning_rate=0.01, warm_up=5, average=0.8, mixed_precision="no")
    found = {}
    for name, own in (("plain", replace(history, static=None)), ("told", history)):
        model = with_slot(tiny(), text)
        train(model, own_source(own, 0, 24), settings, tmp_path / name)
        launches = window(panel, (), np.arange(40), 8, 64, 4, own.static_of(0))  # four weeks old
        found[name] = evaluate(model, [launches]).single
    assert found["told"] < 0.75 * found["plain"]


def test_a_served_model_reads_the_texts_that_it_was_trained_with(panel_of: Build, tmp_path: Path) -> None:
    panel = catalogue(panel_of)
    model = with_slot(tiny(), HashedWords(8))
    torch.nn.init.normal_(model.static_in.weight)  # type: ignore[union-attr]
    model.save_pretrained(tmp_path)
    save_text(HashedWords(8), tmp_path)
    server, wanted = DemandLMServer.load(tmp_path), np.arange(panel.series)
    [(_, told, _)] = server.forecast(panel, None, 4, wanted)
    [(_, silent, _)] = server.forecast(replace(panel, products=None), None, 4, wanted)
    assert not np.array_equal(told, silent)
    order = np.array([7, 30, 2])
    [(rows, part, _)] = server.forecast(panel, None, 4, order)
    np.testing.assert_array_equal(part, told[rows])


def test_how_a_fit_reads_texts(panel_of: Build) -> None:
    history = History([catalogue(panel_of)], (), horizon=4, longest=64)
    nameless = replace(history, panels=[replace(history.panels[0], products=None)])
    assert isinstance(text_of_fit(None, None, tiny(), history), HashedWords)
    assert text_of_fit("none", None, tiny(), history) is None
    assert text_of_fit(None, None, tiny(), nameless) is None
    assert text_of_fit(None, None, tiny(), None) is None
    with pytest.raises(ConfigError, match="'hashd'; expected hashed, none or the folder of an encoder"):
        text_of_fit("hashd", None, tiny(), history)
    with pytest.raises(ConfigError, match="no product that is trained on has a title"):
        text_of_fit("hashed", None, tiny(), nameless)
    with pytest.raises(ConfigError, match=r"'none', but the weights of fit\.from read product text as 'hashed'"):
        text_of_fit("none", None, with_slot(tiny(), HashedWords(8)), history)
