"""`fullshelf bench inference`: series per second of DemandLM, from host arrays to host quantiles, by context.

Beside it Chronos-Bolt-tiny's shape with random weights on the same histories, in the same run, on as many threads, and
the matrix multiplication that the hardware allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch.utils.flop_counter import FlopCounterMode

from fullshelf.bench.bolt_peer import BoltTiny
from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing, measure
from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.serving import DemandLMServer
from fullshelf.engine.models.demand_lm.windows import GPU_POSITIONS, POSITIONS, contexts, rows_of
from fullshelf.engine.panel import Panel

CONTEXTS = (64, 512, 2048)  # days
SIZES = {"small": CONTEXTS[:2], "full": CONTEXTS}
BATCHES = {"small": (1,), "full": (1, 8)}  # of ours; the peer takes the same series in batches of its own
BUDGET = {"small": 5.0, "full": 20.0}  # seconds of a contender
REPEATS = {"small": 5, "full": 15}  # of five calls on a shared machine a fifth more could not be told from noise
HORIZON = 28  # days
SEED = 17
PEER = "Bolt-tiny shape"
PEER_ROWS = 32  # of a batch on a CPU: larger ones were no faster there
FAIRNESS = (
    "Both read the same histories of the whole context from NumPy arrays and hand back NumPy arrays; ours answers 13 "
    "levels of 28 days and of their running totals, the peer 9 levels of 64 days. `times Bolt-tiny` is against the "
    "peer's faster precision. `of matmul` is the arithmetic of the forward pass over that of large matrix products in "
    "the same precision, measured beside it."
)


def measure_inference(
    machine: Machine,
    limits: Limits,
    folder: Path,
    batches: Sequence[int],
    *,
    sizes: Sequence[int] = CONTEXTS,
    repeats: int = 5,
    budget: float = 20.0,
    say: Callable[[str], None] = print,
) -> Report:
    """Measure ours and the peer at each context; on a CPU with one thread, as a shard's thread has it."""
    server = DemandLMServer.load(folder)
    server.model.config.context = max(sizes)
    on_gpu = server.device.type == "cuda"
    torch.manual_seed(SEED)
    peers = {dtype: BoltTiny().eval().to(server.device, dtype) for dtype in (torch.float32, torch.bfloat16)}
    ceiling = {dtype: _matmul_rate(server.device, dtype) for dtype in peers}
    rows: list[Row] = []
    for C in sizes:
        fixed = rows_of(contexts(Period.DAY, C)[-1], GPU_POSITIONS if on_gpu else POSITIONS)
        for count in batches:
            S = fixed * count
            say(f"context {C}: {S} series")
            panel = histories(S, C)
            timings = measure(_contenders(server, peers, panel, C, fixed), repeats=repeats, budget=budget)
            best = min(timings[_name(dtype)].median for dtype in peers)
            for who, timing in timings.items():
                dtype = server.model.backbone.dtype if who == OURS else _dtype(who)
                flops = _flops(server, peers, panel, C, who)
                figures = {"of matmul": flops / timing.median / ceiling[dtype]}
                if who == OURS:
                    figures["times Bolt-tiny"] = best / timing.median
                size = f"{S} series × {C} days"
                note = f"{str(dtype).removeprefix('torch.')}{', GPU' if on_gpu else ''}"
                rows.append(Row(f"context {C}", who, size, S, "series", timing, 1, figures, note))
    if on_gpu:
        machine = replace(machine, accelerator=torch.cuda.get_device_name())
    parameters = sum(weight.numel() for weight in server.model.parameters())
    return Report(
        "inference", machine, limits, tuple(rows), {"histories": SEED}, (FAIRNESS,), {"parameters": parameters}
    )


def _contenders(
    server: DemandLMServer, peers: dict[torch.dtype, BoltTiny], panel: Panel, C: int, rows: int
) -> dict[str, Callable[[], object]]:
    histories = panel.units.reshape(-1, C)
    step = max(rows, 1024) if server.device.type == "cuda" else PEER_ROWS

    def peer(model: BoltTiny) -> Callable[[], object]:
        return lambda: [
            model(torch.from_numpy(histories[i : i + step]).to(server.device)).cpu().numpy()
            for i in range(0, panel.series, step)
        ]

    found: dict[str, Callable[[], object]] = {OURS: lambda: answers(server, panel)}
    return found | {_name(dtype): peer(model) for dtype, model in peers.items()}


def answers(server: DemandLMServer, panel: Panel) -> object:
    """Forecast a panel's series."""
    return list(server.forecast(panel, None, HORIZON, np.arange(panel.series)))


def _flops(server: DemandLMServer, peers: dict[torch.dtype, BoltTiny], panel: Panel, C: int, who: str) -> float:
    with FlopCounterMode(display=False) as counter:
        if who == OURS:
            answers(server, panel)
        else:
            peers[_dtype(who)](torch.from_numpy(panel.units.reshape(-1, C)).to(server.device))
    return float(counter.get_total_flops())


def _matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return floating-point operations per second of a large matrix product."""
    n = 8192 if device.type == "cuda" else 1024
    a = torch.ones(n, n, device=device, dtype=dtype)

    def product() -> None:
        (a @ a)[0, 0].item()

    timing: Timing = measure({"": product}, repeats=5, budget=3.0)[""]
    return 2.0 * n**3 / min(timing.seconds)


def _name(dtype: torch.dtype) -> str:
    return f"{PEER} {str(dtype).removeprefix('torch.')}"


def _dtype(who: str) -> torch.dtype:
    return torch.bfloat16 if who.endswith("bfloat16") else torch.float32


def histories(S: int, C: int) -> Panel:
    """Draw S series of C days each."""
    rng = np.random.default_rng(SEED)
    units = rng.poisson(rng.gamma(0.7, 4.0, (S, 1)), (S, C)).astype(np.float32)
    return Panel(
        pl.DataFrame({"sku": [f"{s:07d}" for s in range(S)], "location": "all"}),
        units.ravel(),
        np.ones(S * C, np.float32),
        np.empty((S * C, 0), np.float32),
        (),
        np.arange(S + 1, dtype=np.int64) * C,
        Period.DAY,
        Period.DAY.number_of(date(2024, 12, 31)),
    )
