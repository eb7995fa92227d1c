"""What a tuned file was made for: anything else is refused, since it errs otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fullshelf.engine.cli import app
from fullshelf.engine.models.catalogue import load_model
from fullshelf.kernels.levels import LEVELS


@pytest.fixture
def tuned(shop: Any) -> Any:
    """A shop that obeys a file for its own model, policy and stock-outs."""
    fingerprint = load_model("auto", LEVELS, 52).fingerprint
    whole = {"segment": {}, "kept": True, "demand": 1.5}
    made_for = {"period": "week", "model": "auto", "fingerprint": fingerprint, "policy": "auto", "stockout": "lost"}
    shop.tuning = {**made_for, "by": [], "segments": [whole]}
    shop.settings["plan"] = {"tuned": "tuned.yaml"}
    shop.write()
    return shop


def checked(shop: Any) -> tuple[int, str]:
    (shop.folder / "tuned.yaml").write_text(yaml.safe_dump(shop.tuning))
    result = CliRunner().invoke(app, ["check", str(shop.config), "--json"])
    return result.exit_code, result.output


def test_a_file_for_this_shop_is_obeyed_and_an_older_one_that_does_not_say(tuned: Any) -> None:
    assert checked(tuned)[0] == 0
    for name in ("fingerprint", "policy", "stockout"):
        del tuned.tuning[name]
    code, said = checked(tuned)
    assert code == 0, json.loads(said)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fingerprint", "auto numerics=1", "the model is 'auto numerics="),
        ("policy", "learned", "made for plan.policy learned, got it for auto"),
        ("stockout", "backorder", "made for plan.stockout backorder, got it for lost"),
        ("model", "theta", "made for forecast.model auto, got one for theta"),
    ],
)
def test_a_file_for_something_else_is_refused(tuned: Any, name: str, value: str, message: str) -> None:
    tuned.tuning[name] = value
    code, said = checked(tuned)
    assert code == 2
    assert message in said
    assert "fullshelf tune" in said
    result = CliRunner().invoke(app, ["refresh", str(tuned.config), "--quiet"])
    assert result.exit_code == 2
    assert not (tuned.runs / "current").exists()
