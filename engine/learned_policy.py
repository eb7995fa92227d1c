"""`plan.policy: learned`: where the network's word counts, and why it does not elsewhere.

The network (`kernels.order_network`) was trained on items that keep, are ordered each period, and whose sales are lost
when the shelf is empty. A series that is anything else gets what `auto` gives it, and its sentence says why.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.errors import ConfigError
from fullshelf.engine.forecast import LeadTimeDemand
from fullshelf.engine.stock_position import StockPosition
from fullshelf.kernels.order_network import FEATURES, LONGEST, Weights, network_known

if TYPE_CHECKING:
    from fullshelf.engine.config import PlanSettings
    from fullshelf.engine.planning import Terms

Array = NDArray[np.float64]

SHIPPED = Path(__file__).parent / "models" / "learned_policy" / "weights" / "policy.npz"
RATIOS = (0.7, 0.998)  # critical ratios that it may decide, within those it was trained on (from 0.6)
WHY = (
    "",
    "demand without stock is owed, and an order-up-to level is best then",
    "service is promised in place of costs",
    "goods that spoil, or whose sale ends",
    "orders come not in every period",
    "its lead time is uncertain",
    f"its lead time is not between 1 and {LONGEST} periods",
    "the smallest order lasts for more than a period",
    "its shortage cost is outside of what the policy was trained on",
    "goods on their way come later than an order placed now",
    "no demand is expected",
)


def network_weights(file: str) -> Weights:
    """Return the weights of a file that `fullshelf fit` wrote, or the shipped ones.

    Raises
    ------
    ConfigError
        If it is no such file.
    """
    return _weights(_path(file))


def weights_fingerprint(file: str) -> str:
    """Return a hash of the weights: another content is another run.

    Raises
    ------
    ConfigError
        As `network_weights`.
    """
    digest = hashlib.sha256()
    for array in network_weights(file):
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def policy_fingerprint(settings: PlanSettings) -> str | None:
    """Return the hash of the weights that a plan orders by; None where its policy is not learned."""
    return weights_fingerprint(settings.weights) if settings.policy == "learned" else None


def _path(file: str) -> Path:
    return SHIPPED if file == "shipped" else Path(file)


@cache
def _weights(path: Path) -> Weights:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: np.ascontiguousarray(arrays[name], dtype=np.float64) for name in arrays.files}
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as e:
        raise ConfigError(f"plan.weights: {path}: cannot be read as weights of a learned policy: {e}") from e
    width = found["first_bias"].size if "first_bias" in found else 0
    expected = {
        "first": (width, FEATURES), "first_bias": (width,), "second": (width, width), "second_bias": (width,),
        "last": (width,), "last_bias": (1,),
    }  # fmt: skip
    shapes = {name: array.shape for name, array in found.items()}
    if shapes != expected or not all(np.isfinite(array).all() for array in found.values()):
        raise ConfigError(
            f"plan.weights: {path}: expected finite arrays {expected}, found {shapes}; train them again with "
            "`fullshelf fit` and fit.what: policy"
        )
    return Weights(**found)


def learned_known(
    settings: PlanSettings, terms: Terms, demand: LeadTimeDemand, position: StockPosition, need: Array,
    lost_before: Array, underage: Array, overage: Array, promised: NDArray[np.bool_], smallest: Array,
    policy: NDArray[np.int64], known: Array,
) -> NDArray[np.int64]:  # fmt: skip
    """Put the network's answer into `known` (S,) where it applies; return for each series 0, or the index into `WHY`.

    Parameters
    ----------
    need, lost_before, underage, overage, smallest, known
        As of `OrderProblem`.
    promised
        (S,) service is promised.
    policy
        (S,) what `auto` chose, index into `planning.POLICIES`.
    """
    lead, rate = demand.periods - demand.review, demand.mean / demand.periods
    total = underage + overage
    ratio = np.divide(underage, total, out=np.zeros(total.size), where=total > 0)
    last = np.zeros(rate.size, np.int64)
    np.maximum.at(last, np.repeat(np.arange(rate.size), np.diff(position.offsets)), position.steps)
    why = np.select(
        [
            np.full(rate.size, settings.stockout != "lost") | (position.owed > 0),
            promised,
            terms.life > 0,
            demand.review != 1,
            demand.lead_weight[:, 0] != 1.0,
            (lead < 1) | (lead > LONGEST),
            (policy != 0) | (smallest > rate),
            (ratio < RATIOS[0]) | (ratio > RATIOS[1]),
            last > lead,
            ~(rate > 1e-9),
        ],
        np.arange(1, len(WHY)),
        0,
    ).astype(np.int64)
    network_known(
        network_weights(settings.weights), demand.levels, demand.totals.single, demand.totals.running, need, rate,
        lead, underage, overage, position.on_hand, lost_before, position.offsets, position.steps, position.units,
        why == 0, known,
    )  # fmt: skip
    return why
