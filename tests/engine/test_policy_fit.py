"""`fullshelf fit` with `fit.what: policy`, and a run whose orders its weights decide."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from fullshelf.engine.cli import app

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_fit_writes_weights_that_a_refresh_orders_by(shop):
    shop.settings |= {"fit": {"what": "policy", "steps": 2, "windows": 4, "output": "policy"}}
    shop.write()
    result = call("fit", shop.config, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.strip().splitlines()[-1])
    assert (summary["steps"], summary["what"], len(summary["held_back"])) == (2, "policy", 12)
    shop.settings["plan"] = {"policy": "learned", "weights": "./policy/policy.npz"}
    shop.write()
    assert call("check", shop.config).exit_code == 0
    result = call("refresh", shop.config, "--quiet")
    assert result.exit_code == 0, result.output
    orders = pl.read_parquet(shop.runs / (shop.runs / "current").resolve().name / "orders" / "*.parquet")
    assert {"learned", "order-up-to"} >= set(orders["policy"]) > {"order-up-to"}
    back = orders.filter(pl.col("policy") != "learned")["reason"]
    assert back.str.contains("The learned policy stands back: ").all()
    own = (shop.runs / "current").resolve().name
    shop.settings["plan"] = {"policy": "learned"}
    shop.write()
    assert call("refresh", shop.config, "--quiet").exit_code == 0
    assert (shop.runs / "current").resolve().name != own  # other weights are another run


def test_what_has_no_meaning_for_a_policy_is_refused(shop):
    shop.settings |= {"fit": {"what": "policy", "data": "prior"}}
    shop.write()
    result = call("fit", shop.config)
    assert result.exit_code == 2
    assert "fit.data: prior" in result.output
    assert not (shop.folder / "model").exists()


@pytest.mark.parametrize(("name", "value"), [("text", "hashed"), ("threads", 2)])
def test_what_a_policy_does_not_use_is_refused(shop, name, value):
    shop.settings |= {"fit": {"what": "policy", name: value}}
    shop.write()
    result = call("fit", shop.config)
    assert result.exit_code == 2
    assert f"fit.{name}: {value}" in result.output


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00 and no more"])
def test_damaged_weights_are_told(shop, content):
    shop.settings["plan"] = {"policy": "learned", "weights": "./policy.npz"}
    shop.write()
    (shop.folder / "policy.npz").write_bytes(content)
    result = call("check", shop.config)
    assert result.exit_code == 2, result.output
    assert "cannot be read as weights of a learned policy" in result.output


def test_missing_weights_are_told_before_anything_is_written(shop):
    shop.settings["plan"] = {"policy": "learned", "weights": "./nowhere/policy.npz"}
    shop.write()
    for command in ("check", "refresh"):
        result = call(command, shop.config)
        assert result.exit_code == 2
        assert "plan.weights" in result.output
