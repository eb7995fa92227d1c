from pathlib import Path

import pytest

from fullshelf.engine.config import load_config, parse_config
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.service_settings import Service

SMALLEST = "period: week\ninputs: {sales: sales.parquet, supply: supply.parquet, stock: stock.parquet}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SMALLEST)
    return path


def test_the_smallest_configuration_is_enough_and_paths_are_relative_to_the_file(file: Path) -> None:
    config = load_config(file)
    assert config.inputs.sales == [str(file.parent / "sales.parquet")]
    assert config.output == str(file.parent / "runs")
    assert config.forecast.model == "auto"
    assert config.plan.stockout == "lost"


def test_object_store_paths_stay_as_they_are(file: Path) -> None:
    assert load_config(file, ["inputs.sales=s3://bucket/sales/*.parquet"]).inputs.sales == [
        "s3://bucket/sales/*.parquet"
    ]


def test_the_command_line_wins_and_makes_groups_that_the_file_lacks(file: Path) -> None:
    config = load_config(file, ["forecast.model=sba", "period=day", "as_of=2024-02-29", "plan.service=0.9"])
    assert (config.forecast.model, config.period, str(config.as_of)) == ("sba", "day", "2024-02-29")
    assert config.plan.service == Service(cycle=0.9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("forcast: {model: auto}", "forcast: unknown key; did you mean 'forecast'?"),
        ("forecast: {modell: auto}", "forecast.modell: unknown key; did you mean 'model'?"),
        ("inputs: {sales: a, suply: b}", "inputs.suply: unknown key; did you mean 'supply'?"),
        ("plan: {stockout: loss}", "plan.stockout: Input should be 'lost' or 'backorder', got 'loss'"),
        ("period: hour", "period: Input should be 'day', 'week' or 'month', got 'hour'"),
        ("columns: {sale: {a: b}}", "columns: there is no table 'sale'; did you mean 'sales'?"),
        ("forecast: {levels: [0.5, 0.1]}", "levels must rise strictly inside (0, 1), got (0.5, 0.1)"),
        ("plan: {holding_rate: -1}", "plan.holding_rate: Input should be greater than or equal to 0, got -1"),
        ("as_of: 2024-02-30", "not valid YAML: day is out of range for month"),
        ("run: {threads: 0}", "run.threads: Input should be greater than or equal to 1, got 0"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_what_was_expected(file: Path, text: str, expected: str) -> None:
    key = text.partition(":")[0]
    kept = "".join(line + "\n" for line in SMALLEST.splitlines() if not line.startswith(f"{key}:"))
    file.write_text(kept + text + "\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert expected in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="inputs: required, but not given"):
        parse_config({"period": "day"}, tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"period: [", "not valid YAML"), (b"", "expected a mapping"), (b"\xff\xfe\x00", "not UTF-8")],
)
def test_a_file_that_is_no_configuration_says_so(file: Path, content: bytes, expected: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=expected):
        load_config(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot read the configuration: No such file"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("override", ["forecast.model", "=1", "period.x=1", "as_of=2024-13-01"])
def test_an_override_that_makes_no_sense_says_so(file: Path, override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load_config(file, [override])
