"""The list of all inventory kernels by family, `docs/kernels.md`, written from the code's own docstrings.

``python -m fullshelf.bench.kernel_reference > docs/kernels.md`` writes it anew; a test compares it with the code.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any

FAMILIES: dict[str, tuple[str, ...]] = {
    "Demand": ("distributions", "empirical_demand", "demand_table", "lead_time_moments"),
    "EOQ": ("eoq", "eoq_discounts", "eoq_supply", "joint_replenishment"),
    "Newsvendor": ("newsvendor", "newsvendor_constrained", "priority_list"),
    "Service": ("service", "pooling"),
    "(r, Q)": ("reorder_quantity", "reorder_heuristics"),
    "(s, S)": ("min_max",),
    "Base stock": ("base_stock", "steady_state", "disruptions"),
    "Lot sizing": ("lot_sizing",),
    "Lost sales with lead time": ("lost_sales", "lost_sales_exact", "lost_sales_search"),
    "Perishables": ("perishables", "perishables_exact"),
    "Demand under censoring": ("censored_demand", "kaplan_meier"),
    "Simulation": ("simulation", "policies"),
    "Moving stock": ("rebalancing",),
    "Demand as a quantile grid": ("quantile_grid", "newsvendor_grid"),
}
HEAD = """# Inventory kernels

`from fullshelf.kernels import newsvendor`: functions over SKUs. Scalars and arrays broadcast; several answers come as
a record of arrays. A SKU whose numbers make no problem answers NaN and harms no other, or the function raises a
ValueError, as each says. `parallel=True` uses all threads (`numba.set_num_threads`). Formula, units, source and a
worked number stand in each docstring: `help(newsvendor.normal)`.

```python
from fullshelf.kernels import newsvendor

answer = newsvendor.normal(mean=[50, 80], sd=8, underage_cost=0.70, overage_cost=0.18)
answer.quantity  # 56.60 and 86.60 units
answer.cost  # 2.00 and 2.00, currency
```

This page is made from the code: `python -m fullshelf.bench.kernel_reference > docs/kernels.md`.
"""


@dataclass(frozen=True, slots=True)
class Function:
    """A public function of a module, and what its docstring says first."""

    module: str
    name: str
    arguments: str
    says: str
    docstring: str


def functions(module: str) -> Iterator[Function]:
    """Yield the public functions that are defined in a kernel module or handed on by it."""
    loaded = importlib.import_module(f"fullshelf.kernels.{module}")
    for name in loaded.__all__:
        value: Any = getattr(loaded, name)
        plain = getattr(value, "py_func", value)  # behind a compiled function
        if callable(plain) and not inspect.isclass(plain):
            yield _function(module, name, plain)


def methods(module: str) -> Iterator[Function]:
    """Yield the public methods and properties of the records that a kernel module defines."""
    loaded = importlib.import_module(f"fullshelf.kernels.{module}")
    for owner in loaded.__all__:
        value = getattr(loaded, owner)
        if inspect.isclass(value) and is_dataclass(value) and value.__module__ == loaded.__name__:
            for name, member in vars(value).items():
                plain = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
                if not name.startswith("_") and inspect.isfunction(plain):
                    yield _function(module, f"{owner}.{name}", plain)


def _function(module: str, name: str, plain: Any) -> Function:
    text = inspect.getdoc(plain) or ""
    arguments = [a for a in inspect.signature(plain).parameters if a not in ("self", "cls", "parallel")]
    return Function(module, name, ", ".join(arguments), " ".join(text.split("\n\n")[0].split()), text)


def reference() -> str:
    """Return the page."""
    parts = [HEAD]
    for family, modules in FAMILIES.items():
        parts.append(f"## {family}\n\n| function | arguments | |\n| --- | --- | --- |\n")
        for module in modules:
            for found in (*functions(module), *methods(module)):
                says = found.says.replace("|", "\\|")
                parts.append(f"| `{module}.{found.name}` | {found.arguments} | {says} |\n")
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    print(reference(), end="")
