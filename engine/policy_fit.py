"""`fullshelf fit` with `fit.what: policy`: train the network of `plan.policy: learned` on simulated shops.

It needs no sales: instances are drawn far and wide. The folder gets `policy.npz`, which `plan.weights` takes, and
`policy.json`. Beside another policy it is judged by `fullshelf backtest` on the user's own past.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fullshelf.engine.commit import only_one, replacing, write_json
from fullshelf.engine.config import Config, FitSettings
from fullshelf.engine.errors import ConfigError, Interrupted
from fullshelf.engine.identity import code_version
from fullshelf.engine.progress import Reporter
from fullshelf.engine.stopping import Stop

POLICY, SUMMARY = "policy.npz", "policy.json"  # beside a demand model, which has a fit.json of its own
STEPS = 450


def fit_policy(config: Config, progress: Reporter, stop: Stop) -> dict[str, Any]:
    """Train as `config.fit` says; return policy.json with `folder`.

    Raises
    ------
    ConfigError
        If PyTorch is not installed, or a setting has no meaning for a policy.
    Interrupted
        If `stop` was set; nothing is kept, for it takes minutes.
    """
    settings = config.fit
    if find_spec("torch") is None:
        raise ConfigError("fit needs torch, which is not installed: pip install 'fullshelf[model]'")
    plain, given = FitSettings(), {"from": settings.start, "data": settings.data, "text": settings.text}
    for name, default in {"from": plain.start, "data": plain.data, "text": plain.text}.items():
        if given[name] != default:
            raise ConfigError(
                f"fit.{name}: {given[name]}: a policy starts from nothing, on simulated shops; leave it out"
            )
    if settings.threads != plain.threads:
        raise ConfigError(f"fit.threads: {settings.threads}: a policy is trained by one thread; leave it out")
    from fullshelf.engine.models.learned_policy.training import SCORED, Plan, held_back, one_thread, train

    folder = Path(settings.output)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    until = begun + 60 * settings.minutes if settings.minutes else None
    plan = Plan(
        steps=settings.steps or STEPS,
        instances=settings.windows or Plan().instances,
        learning_rate=settings.learning_rate or Plan().learning_rate,
        check_every=settings.check_every,
        seed=settings.seed,
    )

    def enough() -> bool:
        return stop.wanted or (until is not None and time.monotonic() > until)

    with only_one(folder / ".lock", f"{folder}: another fit"), one_thread():
        network, steps = train(plan, lambda line: progress("steps", line["step"], plan.steps), enough)
        if stop.wanted:
            raise Interrupted("interrupted; a policy takes minutes to train and keeps no checkpoint: call again")
        gains = held_back(network, plan.seed, plan.instances, SCORED)
        with replacing(folder / POLICY) as temporary, temporary.open("wb") as file:
            np.savez(file, **network.weights()._asdict())
        content = {
            "what": "policy",
            "steps": steps,
            "instances": steps * plan.instances,
            "seconds": round(time.monotonic() - begun, 1),
            "held_back": [
                {"lead_time": g.lead, "drifting": g.drifting, "ratio": round(g.ratio, 5), "error": round(g.error, 5)}
                for g in gains
            ],
            "weights": str(folder / POLICY),
            "version": code_version(),
        }
        write_json(folder / SUMMARY, content)
    return content | {"folder": str(folder), "already": False}
