"""Whole runs of a small shop: complete, repeated, interrupted, killed, poisoned, out of disk."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullshelf.engine import pipeline
from fullshelf.engine.commit import switch_current
from fullshelf.engine.config import load_config
from fullshelf.engine.errors import Interrupted, RunError
from fullshelf.engine.refresh import refresh
from fullshelf.engine.stopping import Stop

LEVELS = [
    f"q{q}" for q in ("0.05", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.98", "0.99")
]
COLUMNS = {
    "forecasts": ["sku", "location", "date", "step", "mean", *LEVELS],
    "lead_time_demand": ["sku", "location", "periods", "mean", *LEVELS],
    "orders": [
        "sku",
        "location",
        "policy",
        "order_quantity",
        "order_up_to",
        "reorder_point",
        "safety_stock",
        "critical_ratio",
        "expected_demand",
        "expected_shortage",
        "expected_leftover",
        "expected_cost",
        "fill_rate",
        "shadow_price",
        "reason",
    ],
    "rejects": ["table", "key", "rule", "value", "row"],
}


def run(shop: Any, *overrides: str, stop: Stop | None = None) -> dict[str, Any]:
    return refresh(load_config(shop.config, overrides), stop=stop)


def tables(folder: str | Path) -> dict[str, str]:
    """The sha256 of every table of a run."""
    folder = Path(folder)
    files = (file for name in COLUMNS for file in sorted((folder / name).iterdir()))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def snapshot(folder: Path) -> dict[str, tuple[int, str]]:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return {str(f): (f.stat().st_mtime_ns, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files}


def command(shop: Any, *more: str) -> list[str]:
    return [sys.executable, "-m", "fullshelf.engine", "refresh", str(shop.config), "--quiet", *more]


def test_a_run_leaves_every_table_of_the_contract(shop: Any) -> None:
    summary = run(shop, "run.shards=4")
    folder = Path(summary["folder"])
    assert (shop.runs / "current").resolve() == folder
    assert (folder / "_SUCCESS").exists()
    assert (folder / "report.html").stat().st_size > 1000
    for name, columns in COLUMNS.items():
        assert pl.scan_parquet(folder / name / "*.parquet").collect_schema().names() == columns
    orders = pl.read_parquet(folder / "orders" / "*.parquet").sort("sku", "location")
    supply = shop.tables["supply"].sort("sku", "location")
    assert orders.select("sku", "location").equals(supply.select("sku", "location"))
    quantity, pack, moq = orders["order_quantity"], supply["pack_size"], supply["moq"]
    assert ((quantity % pack) == 0).all()
    assert ((quantity == 0) | (quantity >= moq)).all()
    assert quantity.sum() > 0
    assert orders["reason"].str.len_chars().min() > 10
    forecasts = pl.read_parquet(folder / "forecasts" / "*.parquet")
    assert forecasts.height == 24 * summary["horizon"]
    assert forecasts["date"].min() == shop.tables["sales"]["date"].max() + timedelta(weeks=1)
    assert not list(folder.rglob(".tmp-*"))
    assert not (folder / "_work").exists()


def test_rows_read_are_rows_used_and_rows_rejected(shop: Any) -> None:
    bad = shop.tables["sales"].head(3).with_columns(units=pl.Series([float("nan"), float("inf"), None]))
    shop.tables["sales"] = pl.concat([shop.tables["sales"], bad])
    shop.write()
    summary = run(shop)
    counts = summary["counts"]["tables"]
    assert counts["sales"]["read"] == shop.tables["sales"].height
    assert counts["sales"]["rejected"] == 3
    for table in counts.values():
        assert table["read"] == table["used"] + table["rejected"]
    assert sum(r["rows"] for r in summary["rejected"]) == 3


def test_a_finished_run_called_again_changes_no_byte(shop: Any) -> None:
    first = run(shop)
    before = snapshot(Path(first["folder"]))
    second = run(shop)
    assert (first["already"], second["already"]) == (False, True)
    assert second["run"] == first["run"]
    assert snapshot(Path(first["folder"])) == before


def test_a_run_killed_before_current_was_switched_is_current_after_the_next_call(shop: Any) -> None:
    old = Path(refresh(load_config(shop.config))["folder"])
    second = load_config(shop.config, ["plan.policy=newsvendor"])
    new = Path(refresh(second)["folder"])
    (shop.runs / "current").unlink()
    assert refresh(second)["already"]
    assert (shop.runs / "current").resolve() == new
    earlier = json.loads((old / "run.json").read_text()) | {"completed": "2001-01-01T00:00:00+00:00"}
    (old / "run.json").write_text(json.dumps(earlier))
    switch_current(shop.runs, old.name)
    assert refresh(second)["already"]
    assert (shop.runs / "current").resolve() == new
    assert refresh(load_config(shop.config))["already"]  # a call of an older run takes nothing back
    assert (shop.runs / "current").resolve() == new


def test_changed_sales_make_another_run_and_leave_the_old_one(shop: Any) -> None:
    first = run(shop)
    shop.tables["sales"] = shop.tables["sales"].with_columns(units=pl.col("units") * 2)
    shop.write()
    second = run(shop)
    assert second["run"] != first["run"]
    assert (Path(first["folder"]) / "_SUCCESS").exists()
    assert (shop.runs / "current").resolve() == Path(second["folder"])


def test_threads_change_no_byte_and_shards_no_row(shop: Any, tmp_path: Path) -> None:
    one = run(shop, "run.shards=4", "run.threads=1", f"output={tmp_path / 'one'}")
    four = run(shop, "run.shards=4", "run.threads=4", f"output={tmp_path / 'four'}")
    assert tables(one["folder"]) == tables(four["folder"])
    whole = run(shop, "run.shards=1", f"output={tmp_path / 'whole'}")
    for name in ("forecasts", "lead_time_demand", "orders"):
        by = ["sku", "location", *(["step"] if name == "forecasts" else [])]
        parts = pl.read_parquet(Path(one["folder"]) / name / "*.parquet").sort(by)
        assert parts.equals(pl.read_parquet(Path(whole["folder"]) / name / "*.parquet").sort(by))


def test_a_stop_resumes_with_the_same_bytes(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tables(run(shop, "run.shards=6", f"output={tmp_path / 'clean'}")["folder"])
    stop, whole = Stop(), pipeline.run_shard

    def interrupt(job: pipeline.ShardJob, shard: int) -> dict[str, Any]:
        stop.set()
        return whole(job, shard)

    with monkeypatch.context() as patch:
        patch.setattr("fullshelf.engine.executor.run_shard", interrupt)
        with pytest.raises(Interrupted, match="call again to resume"):
            run(shop, "run.shards=6", "run.threads=1", stop=stop)
    assert not (shop.runs / "current").exists()
    assert len(list(shop.runs.glob("*/_shards/*.json"))) in range(1, 6)
    assert tables(run(shop, "run.shards=6")["folder"]) == expected


def test_sigterm_ends_with_75_and_the_next_call_resumes(shop: Any, tmp_path: Path) -> None:
    expected = tables(run(shop, "run.shards=24", f"output={tmp_path / 'clean'}")["folder"])
    process = subprocess.Popen(command(shop, "--set", "run.shards=24", "--set", "run.threads=1"))
    deadline = time.monotonic() + 120
    while not list(shop.runs.glob("*/_shards/*.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    assert code in (75, 0)  # 0: it was faster than the signal
    assert tables(run(shop, "run.shards=24")["folder"]) == expected


def kill_until_done(shop: Any, kills: int, seed: int) -> int:
    """Start the refresh again and again and kill it at a random moment; let the last start finish."""
    moment, hit = random.Random(seed), 0
    for _ in range(kills):
        process = subprocess.Popen(command(shop, "--set", "run.shards=24"), stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=moment.uniform(0.8, 3.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            hit += 1
    subprocess.run(command(shop, "--set", "run.shards=24"), check=True, stdout=subprocess.DEVNULL)
    return hit


def test_what_a_killed_process_was_writing_is_removed_and_not_counted(shop: Any) -> None:
    folder = Path(run(shop)["folder"])
    (folder / "_SUCCESS").unlink()
    (folder / "run.json").unlink()
    part = next((folder / "lead_time_demand").glob("*.parquet"))
    for name in (".tmp-1-part-00000.parquet", ".tmp-2-part-00000.parquet.part"):
        (part.parent / name).write_bytes(part.read_bytes())
    assert Path(run(shop)["folder"]) == folder
    assert not list(folder.rglob(".tmp-*"))


@pytest.mark.parametrize(
    "kills", [pytest.param(3, id="3 kills"), pytest.param(10, id="10 kills", marks=pytest.mark.slow)]
)
def test_killed_at_random_moments_it_resumes_with_the_same_bytes(shop: Any, tmp_path: Path, kills: int) -> None:
    expected = tables(run(shop, "run.shards=24", f"output={tmp_path / 'clean'}")["folder"])
    kill_until_done(shop, kills, seed=kills)
    folder = (shop.runs / "current").resolve()
    assert tables(folder) == expected
    assert not list(folder.rglob(".tmp-*"))


def test_a_failed_run_never_touches_the_last_good_one(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    good = run(shop)
    before = snapshot(Path(good["folder"]))
    shop.tables["sales"] = shop.tables["sales"].head(-5)
    shop.write()

    def broken(job: pipeline.ShardJob, shard: int) -> dict[str, Any]:
        raise ValueError("the model is broken")

    monkeypatch.setattr("fullshelf.engine.executor.run_shard", broken)
    with pytest.raises(RunError, match=r"every shard failed.*the model is broken"):
        run(shop)
    assert (shop.runs / "current").resolve() == Path(good["folder"])
    assert snapshot(Path(good["folder"])) == before


def test_a_poison_shard_is_quarantined_and_healed_by_the_next_call(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = pipeline.run_shard, []

    def poison(job: pipeline.ShardJob, shard: int) -> dict[str, Any]:
        calls.append(shard)
        if shard == 1:
            raise ValueError("poison")
        return whole(job, shard)

    with monkeypatch.context() as patch:
        patch.setattr("fullshelf.engine.executor.run_shard", poison)
        summary = run(shop, "run.shards=4")
    assert summary["quarantined"] == {"1": "ValueError: poison"}
    assert calls.count(1) == 2
    folder = Path(summary["folder"])
    assert (folder / "_SUCCESS").exists()
    assert not (folder / "orders" / "part-00001.parquet").exists()
    healed = run(shop, "run.shards=4")
    assert healed["quarantined"] == {}
    assert pl.scan_parquet(folder / "orders" / "*.parquet").select(pl.len()).collect().item() == 24


def test_a_full_disk_fails_with_a_sentence_and_resumes(shop: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        words = command(shop, "--set", f"output={disk / 'runs'}")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert "disk is full" in done.stderr
        assert "make room and call again" in done.stderr
        subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        assert (disk / "runs" / "current" / "_SUCCESS").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_the_next_night_says_how_good_the_last_forecasts_were(shop: Any) -> None:
    newest = shop.tables["sales"]["date"].max()
    run(shop, f"as_of={newest - timedelta(weeks=2)}")
    second = run(shop, f"as_of={newest}")
    report = (Path(second["folder"]) / "report.html").read_text()
    assert second["hindsight"]["pairs"] == 24 * 2
    assert "accuracy" in report.lower()


def test_limits_are_never_exceeded_and_their_price_is_told(shop: Any) -> None:
    free = run(shop)
    amount = round(free["orders"]["value"] * 0.4, 2)
    shop.tables["limits"] = pl.DataFrame({"resource": ["capital"], "scope": ["all"], "amount": [amount]})
    shop.write()
    bound = run(shop, "run.shards=4")
    assert 0.8 * amount < bound["orders"]["value"] <= amount
    (limit,) = bound["limits"]
    assert limit["used"] == pytest.approx(bound["orders"]["value"])
    assert limit["shadow_price"] > 0
    orders = pl.read_parquet(Path(bound["folder"]) / "orders" / "*.parquet")
    assert orders["shadow_price"].max() > 0
    joined = orders.join(shop.tables["supply"], on=["sku", "location"])
    assert ((joined["order_quantity"] % joined["pack_size"]) == 0).all()
