"""`fullshelf fit` as a user meets it: a folder that serves, resuming, and what bad settings are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from typer.testing import CliRunner, Result

from fullshelf.engine.cli import app
from fullshelf.engine.config import load_config
from fullshelf.engine.errors import Interrupted
from fullshelf.engine.fit_job import fit
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.models.demand_lm.configuration import DemandLMConfig, small_backbone
from fullshelf.engine.models.demand_lm.modeling import DemandLM
from fullshelf.engine.stopping import Stop

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def fittable(shop: Any) -> Any:
    torch.manual_seed(2)
    config = DemandLMConfig(
        backbone=small_backbone(16, 1, 2), patch_width=16, slot_width=4, head_width=16, context=64, horizon=8
    )
    DemandLM(config).save_pretrained(shop.folder / "start")
    shop.settings |= {
        "forecast": {"horizon": 4},
        "fit": {"from": "./start", "steps": 12, "check_every": 4, "windows": 16, "learning_rate": 0.01},
    }
    shop.write()
    return shop


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def said(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


def test_fit_writes_a_folder_that_forecasts_and_called_again_does_nothing(fittable: Any) -> None:
    result = call("fit", fittable.config, "--json")
    assert result.exit_code == 0, result.output
    summary = said(result)
    folder = Path(summary["folder"])
    assert folder == fittable.folder / "model"
    assert summary["held_back"] < summary["held_back_before"]
    assert (summary["steps"], summary["kept_old"], summary["already"]) == (12, False, False)
    assert (folder / "loss.svg").read_text().startswith("<svg")
    assert json.loads((folder / "fit.json").read_text())["identity"] == summary["identity"]
    assert not (folder / "training" / "checkpoint").exists()
    out = fittable.folder / "F.parquet"
    sales = fittable.folder / "sales.parquet"
    words = ["forecast", "--sales", sales, "--period", "week", "--horizon", 4, "--model", folder, "--out", out]
    served = call(*words)
    assert served.exit_code == 0, served.output
    assert pl.read_parquet(out).height == 24 * 4
    again = said(call("fit", fittable.config, "--json"))
    assert again["already"]
    assert again["identity"] == summary["identity"]
    other = said(call("fit", fittable.config, "--set", "fit.seed=1", "--json"))
    assert not other["already"]
    assert other["identity"] != summary["identity"]


def test_weights_that_were_fitted_with_product_texts_forecast_by_them(fittable: Any) -> None:
    skus = fittable.tables["sales"]["sku"].unique().sort()
    fittable.tables["skus"] = pl.DataFrame({"sku": skus, "title": [f"tea of kind {i % 3}" for i in range(skus.len())]})
    fittable.write()
    summary = said(call("fit", fittable.config, "--json"))
    assert summary["text"] == "hashed"
    silent = said(call("fit", fittable.config, "--set", "fit.text=none", "--set", "fit.output=silent", "--json"))
    assert (silent["text"], silent["identity"] == summary["identity"]) == (None, False)
    sales, out = fittable.folder / "sales.parquet", fittable.folder / "F.parquet"
    words = ["forecast", "--sales", sales, "--period", "week", "--horizon", 4, "--out", out, "--model"]
    found = []
    for model, given in (("model", ["--skus", fittable.folder / "skus.parquet"]), ("model", []), ("silent", [])):
        result = call(*words, Path(summary["folder"]).parent / model, *given)
        assert result.exit_code == 0, result.output
        found.append(pl.read_parquet(out)["mean"].to_list())
    assert found[0] != found[1]
    assert found[1] != found[2]


def test_a_stopped_fit_resumes_to_the_same_weights(fittable: Any) -> None:
    straight = fit(load_config(fittable.config, ["fit.output=straight"]))

    class AfterSteps(Stop):
        asked = 0

        @property
        def wanted(self) -> bool:
            self.asked += 1
            return self.asked > 6

        def check(self) -> None:
            """The intake is not interrupted here."""

    config = load_config(fittable.config, ["fit.output=stopped"])
    with pytest.raises(Interrupted, match="call again to resume"):
        fit(config, stop=AfterSteps())
    assert not (fittable.folder / "stopped" / "model.safetensors").exists()
    resumed = fit(config)
    assert resumed["steps"] == straight["steps"] == 12
    a, b = ((fittable.folder / name / "model.safetensors").read_bytes() for name in ("straight", "stopped"))
    assert a == b


def test_an_unfinished_fit_of_other_settings_is_not_mixed_in(fittable: Any) -> None:
    class AtOnce(Stop):
        @property
        def wanted(self) -> bool:
            return True

        def check(self) -> None:
            """The intake is not interrupted here."""

    with pytest.raises(Interrupted):
        fit(load_config(fittable.config), stop=AtOnce())
    other = call("fit", fittable.config, "--set", "fit.seed=1")
    assert other.exit_code == 2
    assert "unfinished fit" in other.output
    assert call("fit", fittable.config, "--set", "fit.seed=1", "--no-resume").exit_code == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("fit.from=./nowhere", "nowhere"),
        ("fit.from=./other", "expected a DemandLM"),
        ("fit.frm=shipped", "did you mean 'from'"),
        ("fit.output=s3://bucket/model", "expected a local folder"),
        ("fit.output=sales.parquet", "expected a folder"),
        ("fit.steps=0", "greater than or equal to 1"),
        ("forecast.horizon=30", "three horizons"),
    ],
)
def test_bad_settings_end_with_code_2_and_say_what_to_do(fittable: Any, setting: str, message: str) -> None:
    if setting.startswith("forecast"):
        fittable.tables["sales"] = fittable.tables["sales"].filter(pl.col("date") < pl.date(2023, 5, 1))
        fittable.write()
        setting = "forecast.horizon=8"
    other = fittable.folder / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "gpt2"}')
    (other / "model.safetensors").write_bytes(b"")
    result = call("fit", fittable.config, "--set", setting)
    assert result.exit_code == 2, result.output
    assert not (fittable.folder / "model").exists()
    assert message in result.output


def test_the_settings_of_fit_are_no_part_of_a_refresh(fittable: Any) -> None:
    from fullshelf.engine.identity import run_id

    names = {run_id(load_config(fittable.config, [f"fit.seed={seed}"]), "inputs", "model", 1, 2800) for seed in (0, 1)}
    assert len(names) == 1


def test_training_on_the_prior_needs_no_sales_to_learn_from(fittable: Any) -> None:
    config = load_config(fittable.config, ["fit.data=prior", "fit.steps=2", "fit.windows=4", "fit.minutes=1"])
    summary = fit(config)
    assert summary["data"] == "prior"
    model = load_model(summary["folder"], (0.1, 0.5, 0.9), 52)
    from fullshelf.engine.intake import prepare

    panel = prepare(config, fittable.folder / "cache").read(0, 4).panel
    assert np.isfinite(model.forecast(panel, 4).quantiles).all()
