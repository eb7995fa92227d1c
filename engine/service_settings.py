"""`plan.service`: promises to customers in the place of shortage costs, for all series or for some of them.

service: 0.95                                   # cycle service: no stock-out in 95 % of the order cycles
service: {fill: 0.98}                           # 98 % of demand is served from the shelf
service:
fill: 0.97                                    # of what no scope below names; left out: by the costs
by:                                           # the first scope that holds decides
- {scope: sku=tea, cycle: 0.99}
- {scope: category=Food/Fresh, fill: 0.95}  # and what lies below it
- {scope: revenue>=500, fill: 0.99}         # currency per period, average of the newest year
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["ScopedTarget", "Service", "as_service"]

FIELDS = ("sku", "location", "supplier", "category")
SCOPE = re.compile(rf"^(?:({'|'.join(FIELDS)})=(.+)|revenue>=([0-9.eE+]+))$")


class _Target(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    cycle: float | None = Field(None, gt=0, lt=1, description="probability of no stock-out in an order cycle")
    fill: float | None = Field(None, gt=0, lt=1, description="share of demand that is served from the shelf")


class ScopedTarget(_Target):
    """One promise for some series."""

    scope: str = Field(description="sku=X, location=X, supplier=X, category=X or revenue>=N")

    @field_validator("scope")
    @classmethod
    def _known_scope(cls, scope: str) -> str:
        found = SCOPE.match(scope)
        if not found:
            raise ValueError(f"a scope is {', '.join(f'{name}=X' for name in FIELDS)} or revenue>=N, got {scope!r}")
        if found[3]:
            try:
                float(found[3])
            except ValueError:
                raise ValueError(f"a scope revenue>=N needs a number, got {scope!r}") from None
        return scope

    @model_validator(mode="after")
    def _one_promise(self) -> ScopedTarget:
        if (self.cycle is None) == (self.fill is None):
            found = "neither" if self.cycle is None else "both"
            raise ValueError(f"scope {self.scope!r}: give either cycle or fill, got {found}")
        return self

    def condition(self) -> tuple[str, str | float]:
        """Return the column and the value: of texts one that it equals, of `revenue` the least."""
        found = SCOPE.match(self.scope)
        if found is None:
            raise ValueError(f"scope {self.scope!r} was not checked")
        return ("revenue", float(found[3])) if found[3] else (found[1], found[2])


class Service(_Target):
    """What is promised: at most one of cycle and fill for all, and scopes that are promised something else."""

    by: tuple[ScopedTarget, ...] = Field((), description="promises for some series; the first scope that holds decides")

    @model_validator(mode="after")
    def _some_promise(self) -> Service:
        if self.cycle is not None and self.fill is not None:
            raise ValueError("give either cycle or fill, got both")
        if self.cycle is None and self.fill is None and not self.by:
            raise ValueError("give cycle, fill or by, got nothing")
        return self


def as_service(value: Any) -> Any:
    """Read a plain number as the cycle service of all series."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"cycle": value} if is_number else value
