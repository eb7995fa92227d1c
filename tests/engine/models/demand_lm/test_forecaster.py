import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.models.demand_lm.forecaster import demand_lm
from fullshelf.engine.models.pretrained import PretrainedModel
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.levels import LEVELS, level_array

PanelOf = Callable[..., Panel]
H = 10

ODD = {
    "all zero": np.zeros(90),
    "one sale": np.eye(1, 60, 50)[0],
    "constant": np.full(100, 7.0),
    "length 1": np.array([3.0]),
    "length 1, no sale": np.array([0.0]),
    "gaps": np.where(np.arange(200) % 60 < 30, 5.0, 0.0),
    "a billion units": np.full(80, 1e9),
    "one sale long ago": np.eye(1, 1500)[0],
    "a millionth": np.full(80, 1e-6),
    "outlier": np.r_[np.ones(70), 1e7],
}


def some_histories(count: int, longest: int = 400) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.poisson(rng.gamma(0.5, 6), rng.integers(1, longest)).astype(float) for _ in range(count)]


def model(folder: Path, levels: tuple[float, ...] = LEVELS) -> PretrainedModel:
    return demand_lm(folder, level_array(levels), 7)


def check_sane(forecast: Forecast) -> None:
    assert forecast.cumulative is not None
    for values in (forecast.quantiles, forecast.cumulative, forecast.mean):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        assert not np.signbit(values).any()
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()
    assert (np.diff(forecast.cumulative, axis=2) >= 0).all()
    assert (np.diff(forecast.cumulative, axis=1) >= 0).all()


def assert_same(one: Forecast, rows: np.ndarray, other: Forecast) -> None:
    assert one.cumulative is not None
    assert other.cumulative is not None
    assert one.quantiles[rows].tobytes() == other.quantiles.tobytes()
    assert one.cumulative[rows].tobytes() == other.cumulative.tobytes()
    assert one.mean[rows].tobytes() == other.mean.tobytes()


@pytest.fixture(scope="module")
def together(tiny_folder: Path, panel_of: PanelOf) -> tuple[list[np.ndarray], Forecast]:
    histories = [*some_histories(300), *ODD.values()]
    return histories, model(tiny_folder).forecast(panel_of(histories), H)


def test_shuffled_series_give_the_same_bytes(
    tiny_folder: Path, panel_of: PanelOf, together: tuple[list[np.ndarray], Forecast]
) -> None:
    histories, expected = together
    order = np.random.default_rng(0).permutation(len(histories))
    assert_same(expected, order, model(tiny_folder).forecast(panel_of([histories[i] for i in order]), H))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_split_series_give_the_same_bytes(
    tiny_folder: Path, panel_of: PanelOf, together: tuple[list[np.ndarray], Forecast], size: int
) -> None:
    histories, expected = together
    ours = model(tiny_folder)
    for first in range(0, len(histories), max(size, 40)):
        rows = np.arange(first, min(first + size, len(histories)))
        assert_same(expected, rows, ours.forecast(panel_of([histories[i] for i in rows]), H))


def test_shards_side_by_side_in_threads_give_the_same_bytes(
    tiny_folder: Path, panel_of: PanelOf, together: tuple[list[np.ndarray], Forecast]
) -> None:
    histories, expected = together
    ours, parts = model(tiny_folder), np.array_split(np.arange(len(histories)), 4)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda rows: ours.forecast(panel_of([histories[i] for i in rows]), H), parts))
        assert set(pool.map(lambda _: torch.get_num_threads(), range(8))) == {1}
    for rows, forecast in zip(parts, found, strict=True):
        assert_same(expected, rows, forecast)


@pytest.mark.parametrize("period", list(Period))
def test_odd_histories_get_sane_answers(tiny_folder: Path, panel_of: PanelOf, period: Period) -> None:
    check_sane(model(tiny_folder).forecast(panel_of(list(ODD.values()), period), H))


def test_many_histories_get_sane_answers(together: tuple[list[np.ndarray], Forecast]) -> None:
    check_sane(together[1])
    assert np.unique(together[1].mean, axis=0).shape[0] > 250  # series differ


def test_a_horizon_of_100_goes_on_where_one_pass_ends(tiny_folder: Path, panel_of: PanelOf) -> None:
    panel = panel_of([h + 1 for h in some_histories(20)])
    far, near = model(tiny_folder).forecast(panel, 100), model(tiny_folder).forecast(panel, 64)
    check_sane(far)
    assert far.quantiles.shape == (20, 100, len(LEVELS))
    assert far.cumulative is not None
    assert near.cumulative is not None
    np.testing.assert_array_equal(far.quantiles[:, :64], near.quantiles)
    np.testing.assert_array_equal(far.cumulative[:, :64], near.cumulative)
    assert (far.cumulative[:, 99, 5] > far.cumulative[:, 63, 5]).mean() > 0.8


def test_a_series_that_stopped_selling_skips_the_model(tiny_folder: Path, panel_of: PanelOf) -> None:
    stopped = np.r_[np.full(50, 4.5), np.zeros(60)]
    found = model(tiny_folder).forecast(panel_of([stopped, stopped[:80]]), H)
    expected = load_model("auto", LEVELS, 7).forecast(panel_of([stopped]), H)
    np.testing.assert_array_equal(found.quantiles[0], expected.quantiles[0])
    assert not np.array_equal(found.mean[1], found.mean[0])


def test_whole_units_are_forecast_in_whole_units(tiny_folder: Path, panel_of: PanelOf) -> None:
    found = model(tiny_folder).forecast(panel_of([np.full(60, 5.0), np.full(60, 5.5)]), H)
    assert (found.quantiles[0] == np.floor(found.quantiles[0])).all()
    assert (found.quantiles[1] != np.floor(found.quantiles[1])).any()


def test_what_is_known_ahead_changes_the_forecast_of_its_series_alone(tiny_folder: Path, panel_of: PanelOf) -> None:
    histories = [np.tile([3.0, 4.5, 6.0, 2.0], 30)] * 2
    panel = panel_of(histories, promo=np.tile([0.0, 0.0, 1.0, 0.0], 60), price=np.full(240, 9.0))
    calm = np.zeros((2, H, 2), np.float32)
    calm[:, :, 1] = 9.0
    planned = calm.copy()
    planned[0, 3] = 1.0, 6.0
    plain, promoted = (
        model(tiny_folder).forecast(panel, H, KnownAhead(values, ("promo", "price"))) for values in (calm, planned)
    )
    assert not np.array_equal(plain.quantiles[0, 3], promoted.quantiles[0, 3])
    np.testing.assert_array_equal(plain.quantiles[1], promoted.quantiles[1])
    assert np.isfinite(promoted.quantiles).all()


def test_other_levels_are_read_off_the_models_own(tiny_folder: Path, panel_of: PanelOf) -> None:
    panel = panel_of([h + 0.5 for h in some_histories(5)])
    every = model(tiny_folder).forecast(panel, H)
    few = model(tiny_folder, (0.1, 0.25, 0.5, 0.999)).forecast(panel, H)
    np.testing.assert_allclose(few.quantiles[:, :, [0, 2]], every.quantiles[:, :, [1, 5]], rtol=1e-6)
    between = (every.quantiles[:, :, 2] + every.quantiles[:, :, 3]) / 2
    np.testing.assert_allclose(few.quantiles[:, :, 1], between, rtol=1e-4)
    assert (few.quantiles[:, :, 3] >= every.quantiles[:, :, -1]).all()
    check_sane(few)


def test_the_mean_is_that_of_the_forecast_distribution(tiny_folder: Path, panel_of: PanelOf) -> None:
    found = model(tiny_folder).forecast(panel_of([h + 0.5 for h in some_histories(20)]), H)
    low, high = found.quantiles[:, :, 0], found.quantiles[:, :, -1]
    assert ((found.mean >= low * 0.9) & (found.mean <= high)).all()


def test_the_fingerprint_is_the_content_of_the_weights(tiny_folder: Path, tmp_path: Path) -> None:
    ours = model(tiny_folder)
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tiny_folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert model(copy).fingerprint == ours.fingerprint
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert model(copy).fingerprint != ours.fingerprint
    assert model(tiny_folder, (0.5, 0.9)).fingerprint != ours.fingerprint


def test_a_model_travels_without_its_weights(tiny_folder: Path, panel_of: PanelOf) -> None:
    ours = model(tiny_folder)
    panel = panel_of(some_histories(3))
    expected = ours.forecast(panel, H)
    travelled = pickle.dumps(ours)
    assert len(travelled) < 1000
    assert_same(expected, np.arange(3), pickle.loads(travelled).forecast(panel, H))


def test_a_folder_is_a_model(tiny_folder: Path) -> None:
    assert load_model(str(tiny_folder), LEVELS, 7).fingerprint == model(tiny_folder).fingerprint


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json here; expected a folder that `save_pretrained` wrote"):
        load_model(str(tmp_path), LEVELS, 7)
    (tmp_path / "config.json").write_text('{"model_type": "fullshelf_demand_lm", "levels": [0.5]}')
    with pytest.raises(ConfigError, match=r"no \*\.safetensors here; the weights of the model are missing"):
        load_model(str(tmp_path), LEVELS, 7)
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigError, match=r"holds a model of type 'bert'"):
        load_model(str(tmp_path), LEVELS, 7)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_model(str(tmp_path), LEVELS, 7)


def test_torch_is_not_loaded_before_something_is_forecast(tiny_folder: Path) -> None:
    code = (
        "import sys\n"
        "from fullshelf.engine.models.catalogue import load_model\n"
        f"model = load_model({str(tiny_folder)!r}, (0.1, 0.5), 7)\n"
        "assert model.fingerprint.startswith('demand-lm ')\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
