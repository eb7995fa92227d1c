"""`plan.tuned`: what `fullshelf tune` found, as it stands in its file, and as it stands in a run's configuration.

The file names segments of series and, for each, at most three numbers that change how its orders are planned:

- demand: the forecast demand is multiplied by it (1.1: the forecast was 10 % too low for what it decides);
- shortage: the cost of a unit short is multiplied by it where it decides, so the critical ratio moves, by its odds;
- cap: no order exceeds so many review periods of expected demand (capped base stock: Xin, Operations Research 2021).

All three are shares or periods, so what is learnt from one SKU can serve another. A segment that did not win on later
rounds has `kept: false` and changes nothing; its numbers stand there to be read.
"""

from __future__ import annotations

import math
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import ConfigError

__all__ = ["TRAITS", "Trait", "TunedSegment", "Tuning"]

Trait = Literal["abc", "xyz", "category", "supplier", "location"]
TRAITS: tuple[Trait, ...] = ("abc", "xyz", "category", "supplier", "location")
CLASSES = {"abc": "ABC", "xyz": "XYZ"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rounds(_Strict):
    """Order rounds of the past, by the periods at whose end the first and the last of them ordered."""

    rounds: int = Field(ge=1)
    first: date
    last: date


class TunedSegment(_Strict):
    """One segment: who is in it, what was found, and what that won on the later rounds."""

    segment: dict[Trait, str] = Field(description="a value for each of `by`")
    kept: bool = Field(description="whether orders obey the numbers")
    demand: float = Field(1.0, gt=0, le=100, description="factor on the forecast demand")
    shortage: float = Field(1.0, gt=0, le=1000, description="factor on the cost of a unit short, where it decides")
    cap: float | None = Field(None, gt=0, description="an order's most, in review periods of expected demand")
    series: int = Field(0, ge=0, description="how many it was tuned on")
    cost: float | None = Field(None, description="currency, on the later rounds, as configured")
    saved: float | None = Field(None, description="share of it that the numbers saved; below 0: they cost more")
    low: float | None = Field(None, description="5 % of resamples of series and rounds saved less")
    high: float | None = Field(None, description="5 % saved more")
    why: str = Field("", description="for the reader")

    @property
    def name(self) -> str:
        """Say which segment it is, e.g. abc=A, xyz=X."""
        return ", ".join(f"{trait}={value}" for trait, value in self.segment.items()) or "all series"


class Tuning(_Strict):
    """The whole file."""

    period: Period
    model: str = Field(description="the demand model whose forecasts were tuned")
    fingerprint: str | None = Field(None, description="of that model's weights, numerics, levels and season")
    policy: str | None = Field(None, description="plan.policy under which it was tuned")
    stockout: str | None = Field(None, description="plan.stockout under which it was tuned")
    by: tuple[Trait, ...] = Field(description="what makes a segment; empty: all series are one")
    abc: tuple[float, float] | None = Field(
        None, description="currency per period, average of the newest year: the least of A, the least of B"
    )
    tuned_on: Rounds | None = None
    judged_on: Rounds | None = None
    seed: int = Field(0, ge=0)
    segments: tuple[TunedSegment, ...]

    def check_model(self, fingerprint: str) -> None:
        """Refuse a model that forecasts otherwise than the one that was tuned.

        Raises
        ------
        ConfigError
            If its fingerprint is another one.
        """
        if self.fingerprint not in (None, fingerprint):
            raise ConfigError(
                f"plan.tuned was made for {self.fingerprint!r}, the model is {fingerprint!r} now and errs otherwise: "
                "run `fullshelf tune` again or leave plan.tuned away"
            )

    @model_validator(mode="after")
    def _known_segments(self) -> Tuning:
        if len(set(self.by)) < len(self.by):
            raise ValueError(f"by names a column twice, got {', '.join(self.by)}")
        if "abc" in self.by and (self.abc is None or not math.inf > self.abc[0] >= self.abc[1] >= 0):
            raise ValueError(f"by abc needs abc: [least of A, least of B], currency per period, got {self.abc}")
        seen = set()
        for found in self.segments:
            if set(found.segment) != set(self.by):
                raise ValueError(
                    f"segment {found.name!r}: expected a value for each of {', '.join(self.by) or 'nothing'}, got "
                    f"{', '.join(found.segment) or 'none'}"
                )
            for trait, letters in CLASSES.items():
                value = found.segment.get(trait)  # type: ignore[call-overload]
                if value is not None and (len(value) != 1 or value not in letters):
                    raise ValueError(f"segment {found.name!r}: {trait} is {' | '.join(letters)}, got {value!r}")
            key = tuple(found.segment[trait] for trait in self.by)
            if key in seen:
                raise ValueError(f"segment {found.name!r} stands twice, got two rows for it")
            seen.add(key)
        return self
