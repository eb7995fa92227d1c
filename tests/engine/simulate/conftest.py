import polars as pl
import pytest

from fullshelf.engine.simulate import Marketplace, simulate_marketplace


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Marketplace:
    """1,500 series of 400 days at 5 locations, with the truth."""
    return simulate_marketplace(1500, 400, tmp_path_factory.mktemp("market"), seed=4, truth=True)


@pytest.fixture(scope="session")
def tables(market: Marketplace) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(path / "*.parquet") for name, path in market.tables.items()}
