"""The configuration file as types: strict, with bounds, a sentence for each field, and help where a key is unknown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.service_settings import Service, as_service
from fullshelf.engine.tuned_settings import Trait, Tuning
from fullshelf.engine.yaml_file import read_mapping
from fullshelf.kernels.levels import LEVELS, level_array


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Paths = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]


class Inputs(_Strict):
    """Where the tables are: each a file, a folder, a glob or a list of them; Parquet or CSV; local or object store."""

    sales: Paths = Field(description="units sold, one row per series and period")
    supply: Paths | None = Field(None, description="costs, lead times, packs")
    stock: Paths | None = Field(None, description="on hand, on order, backorders")
    skus: Paths | None = Field(None, description="titles, categories")
    future: Paths | None = Field(None, description="covariates known ahead, e.g. planned price and promo")
    events: Paths | None = Field(None, description="holidays and other events")
    limits: Paths | None = Field(None, description="capital, volume or units for each order round")
    overrides: Paths | None = Field(None, description="orders, demand factors and levels that persons have set")

    def given(self) -> dict[str, list[str]]:
        """Return the tables that are configured, by name."""
        return {name: paths for name in type(self).model_fields if (paths := getattr(self, name)) is not None}


class ForecastSettings(_Strict):
    """The demand model and what it is asked."""

    model: str = Field("auto", description="a name that `fullshelf forecast --help` lists, or a folder of weights")
    horizon: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="periods; default 28 days, 13 weeks or 12 months; never below lead time + review",
    )
    season: int | None = Field(None, ge=1, le=1024, description="periods; default 7 days, 52 weeks or 12 months")
    levels: tuple[float, ...] = Field(LEVELS, description="probability levels of the forecast")

    @field_validator("levels")
    @classmethod
    def _rising(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        level_array(levels)
        return levels


Policy = Literal["auto", "newsvendor", "order-up-to", "reorder-point", "learned"]


class PlanSettings(_Strict):
    """How demand becomes orders."""

    policy: Policy = Field(
        "auto", description="auto chooses by rule for each series; learned: a trained network, where it applies"
    )
    weights: str = Field(
        "shipped",
        description="of policy: learned: shipped, or the file that `fullshelf fit` with fit.what: policy wrote",
    )
    stockout: Literal["lost", "backorder"] = Field("lost", description="what becomes of demand that stock cannot serve")
    holding_rate: float = Field(
        0.25,
        ge=0,
        le=10,
        description="cost of capital and space, share of unit cost per year; used where supply has no holding_cost",
    )
    service: Annotated[Service, BeforeValidator(as_service)] | None = Field(
        None,
        description="promises in place of shortage costs: a number for cycle service, or cycle, fill, by scope",
    )
    tuned: Tuning | None = Field(None, description="the file that `fullshelf tune` wrote, or what stands in it")


class RunSettings(_Strict):
    """Where and how wide the run works; never changes a number."""

    executor: Literal["local", "ray"] = Field(
        "local", description="local: this machine; ray: refresh works on a cluster, other commands on this machine"
    )
    address: str | None = Field(
        None, description="of the Ray cluster; default RAY_ADDRESS, else one that runs here, else one made for the run"
    )
    actors: int | None = Field(
        None, ge=1, le=65536, description="processes on the cluster; default: as many as fit, also while it grows"
    )
    cores_per_actor: float = Field(1.0, gt=0, le=1024, description="cores, or a share of one, reserved for each")
    gpus_per_actor: float | None = Field(
        None, ge=0, le=64, description="GPUs, or a share of one; default 1 where model and cluster have a use for it"
    )
    accelerator: str | None = Field(None, description="type of accelerator that each needs, as Ray names it, e.g. H200")
    labels: dict[str, str] = Field(
        default_factory=dict, description="labels of the nodes to work on, e.g. {ray.io/market-type: spot}"
    )
    log: Literal["none", "json"] = Field(
        "none", description="json: a line on standard error for each event of a cluster run, with run, shard and actor"
    )
    shard_minutes: float = Field(
        60.0, gt=0, le=10080, description="a shard without a result for so long counts as failed; slow ones race before"
    )
    split: Literal["auto", "driver", "cluster"] = Field(
        "auto", description="who splits the sales of a cluster run; auto: its actors from 200 million new rows on"
    )
    shards: int | None = Field(
        None, ge=1, le=65536, description="parts of the catalogue; default by the size of the sales"
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="shards worked on at once; default: the cores this process may use"
    )
    work: str | None = Field(
        None,
        description="local folder for split sales and scratch; default: .cache in a local output, for one in an object "
        "store the user's cache folder",
    )


class FitSettings(_Strict):
    """`fullshelf fit`: what to train, from where, for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    what: Literal["demand", "policy"] = Field(
        "demand",
        description="demand: the demand model; policy: the network of plan.policy: learned, on simulated shops",
    )
    start: str = Field(
        "shipped", alias="from", description="shipped | scratch | a folder of weights: the weights to start from"
    )
    data: Literal["sales", "prior"] = Field(
        "sales", description="sales: fine-tune on the configured sales; prior: simulated demand, as the shipped model"
    )
    text: str | None = Field(
        None,
        description="hashed | none | folder of a Hugging Face encoder (with a /): how the titles, descriptions and "
        "categories of `skus` are read; default as the starting weights do, else hashed",
    )
    steps: int | None = Field(None, ge=1, description="at most; default: only minutes count")
    minutes: float | None = Field(
        None, gt=0, description="at most; default 10 on sales, 60 on the prior, where steps are not given"
    )
    windows: int | None = Field(
        None, ge=1, le=65536, description="histories in a step, about; default 64, of items for a policy 192"
    )
    learning_rate: float | None = Field(None, gt=0, le=1, description="default 0.001 on sales, 0.004 on the prior")
    check_every: int = Field(100, ge=1, description="steps between two looks at the held-back windows")
    seed: int = Field(0, ge=0, description="the same seed, steps and machine give the same weights")
    threads: int = Field(
        1, ge=1, le=1024, description="of a process on a CPU; cores are better used by as many processes (torchrun)"
    )
    output: str = Field("model", description="folder for the weights, the log and the loss curve")


class BacktestSettings(_Strict):
    """`fullshelf backtest`: which past rounds are lived again, with which models and policies."""

    rounds: int = Field(13, ge=1, le=1000, description="order rounds that count, back from the as-of date")
    every: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="periods between rounds; default the shortest review period, or 7 days, 1 week, 1 month",
    )
    warm_up: int | None = Field(
        None, ge=0, le=1000, description="rounds before those that count; default: what the longest lead time takes"
    )
    models: tuple[str, ...] | None = Field(
        None, min_length=1, description="as forecast.model; default the configured one and seasonal-naive"
    )
    policies: tuple[Policy | Literal["textbook"], ...] | None = Field(
        None, min_length=1, description="as plan.policy, or textbook; default the configured one and textbook"
    )
    resamples: int = Field(
        1000, ge=100, le=100_000, description="of series and rounds, for the intervals of differences"
    )
    seed: int = Field(0, ge=0, description="of the resamples")


class TuneSettings(_Strict):
    """`fullshelf tune`: which numbers of the plan are learnt from past rounds. Rounds are spaced as in a backtest."""

    by: tuple[Trait, ...] = Field(
        ("abc", "xyz"),
        description="what makes a segment: any of abc, xyz, category, supplier, location; []: all are one",
    )
    rounds: int = Field(26, ge=2, le=1000, description="order rounds that are tuned on")
    judge: int = Field(13, ge=2, le=1000, description="later rounds, the newest, that say whether it won")
    series: int = Field(3000, ge=1, description="about how many series are tuned on; drawn from the catalogue by hash")
    least: int = Field(20, ge=10, description="series that a segment needs")
    candidates: int = Field(180, ge=30, le=100_000, description="settings tried for each segment")
    resamples: int = Field(1000, ge=100, le=100_000, description="of series and rounds, for the intervals")
    seed: int = Field(0, ge=0, description="of the search and the resamples")
    output: str = Field("tuned.yaml", description="file for what was found; plan.tuned takes it")


class ReportSettings(_Strict):
    """The page for a person."""

    examples: int = Field(12, ge=0, le=100, description="series drawn with history, forecast and order")


class Config(_Strict):
    """Everything that a refresh needs to know."""

    period: Period = Field(description="day, week (starts on Monday) or month")
    as_of: date | None = Field(None, description="any day of the last known period; default: the newest in sales")
    inputs: Inputs
    output: str = Field("runs", description="folder of the runs, or s3://bucket/prefix, gs://…, az://…")
    columns: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="by table: the file's column name → the contract's"
    )
    covariates: tuple[str, ...] = Field(("price", "promo"), description="sales columns that the model may use")
    forecast: ForecastSettings = Field(default_factory=ForecastSettings)
    plan: PlanSettings = Field(default_factory=PlanSettings)
    run: RunSettings = Field(default_factory=RunSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)
    fit: FitSettings = Field(default_factory=FitSettings)
    backtest: BacktestSettings = Field(default_factory=BacktestSettings)
    tune: TuneSettings = Field(default_factory=TuneSettings)

    @field_validator("columns")
    @classmethod
    def _known_tables(cls, columns: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for table in columns:
            if table not in Inputs.model_fields:
                raise ValueError(f"there is no table {table!r}{nearest(table, Inputs.model_fields)}")
        return columns

    @model_validator(mode="after")
    def _tuned_for_this(self) -> Config:
        tuned = self.plan.tuned
        if tuned is not None and tuned.period != self.period:
            raise ValueError(f"plan.tuned was made for periods of a {self.period}, got one for a {tuned.period}")
        if tuned is not None and tuned.model != Path(self.forecast.model).name:
            raise ValueError(
                f"plan.tuned was made for forecast.model {Path(self.forecast.model).name}, got one for {tuned.model}: "
                "another model errs otherwise; run `fullshelf tune` again or leave plan.tuned away"
            )
        for name in ("policy", "stockout") if tuned is not None else ():
            was, now = getattr(tuned, name), getattr(self.plan, name)
            if was not in (None, now):
                raise ValueError(
                    f"plan.tuned was made for plan.{name} {was}, got it for {now}; run `fullshelf tune` again or leave "
                    "plan.tuned away"
                )
        return self

    @property
    def season(self) -> int:
        """Length of the season in periods."""
        return self.forecast.season or self.period.season


def load_config(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration file; `overrides` are `a.b=value` and win. Relative paths are relative to the file.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, has an unknown key or a value out of bounds.
    """
    values = read_mapping(path, "the configuration", "period, inputs and output")
    for override in overrides:
        _set(values, override)
    return parse_config(values, base=path.resolve().parent, source=str(path))


def parse_config(values: Mapping[str, Any], base: Path, source: str = "configuration") -> Config:
    """Check the values and make the paths absolute, relative to `base`; `plan.tuned` is read, if it is a file."""
    plan = values.get("plan")
    if isinstance(plan, Mapping) and isinstance(plan.get("tuned"), str):
        values = {**values, "plan": {**plan, "tuned": _tuned(plan["tuned"], base, source)}}
    try:
        config = Config.model_validate(values)
    except ValidationError as e:
        raise ConfigError("\n".join([f"{source}:", *(f"  {_explain(error)}" for error in e.errors())])) from e
    inputs = {name: [absolute(p, base) for p in paths] for name, paths in config.inputs.given().items()}
    paths: dict[str, Any] = {"inputs": Inputs(**inputs), "output": absolute(config.output, base)}
    if "/" in config.forecast.model:  # a folder of weights
        model = absolute(config.forecast.model, base)
        paths["forecast"] = config.forecast.model_copy(update={"model": model})
    if config.run.work is not None:
        if "://" in config.run.work:
            raise ConfigError(f"{source}:\n  run.work: {config.run.work}: expected a local folder")
        paths["run"] = config.run.model_copy(update={"work": absolute(config.run.work, base)})
    if config.plan.weights != "shipped":
        weights = absolute(config.plan.weights, base)
        paths["plan"] = config.plan.model_copy(update={"weights": weights})
    fit = {"output": absolute(config.fit.output, base)}
    if config.fit.start not in ("shipped", "scratch"):
        fit["start"] = absolute(config.fit.start, base)
    if config.fit.text is not None and "/" in config.fit.text:  # a folder of an encoder
        fit["text"] = absolute(config.fit.text, base)
    paths["fit"] = config.fit.model_copy(update=fit)
    paths["tune"] = config.tune.model_copy(update={"output": absolute(config.tune.output, base)})
    if config.backtest.models is not None:
        models = tuple(absolute(name, base) if "/" in name else name for name in config.backtest.models)
        paths["backtest"] = config.backtest.model_copy(update={"models": models})
    return config.model_copy(update=paths)


def _tuned(path: str, base: Path, source: str) -> dict[str, Any]:
    if "://" in path:
        raise ConfigError(f"{source}:\n  plan.tuned: {path}: expected a local file")
    file = Path(absolute(path, base))
    if not file.is_file():
        raise ConfigError(
            f"{source}:\n  plan.tuned: {file}: there is no such file; `fullshelf tune` makes it, or leave the key away"
        )
    return read_mapping(file, "what was tuned", "period, model, by and segments")


def absolute(path: str, base: Path) -> str:
    """Make a local path absolute; leave `s3://…` and other URLs as they are."""
    return path if "://" in path else str(base / Path(path).expanduser())


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant, or list the known ones."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _set(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: expected a.b=value")
    *parents, last = key.strip().split(".")
    at = values
    for parent in parents:
        if at.get(parent) is None:
            at[parent] = {}
        at = at[parent]
        if not isinstance(at, dict):
            raise ConfigError(f"--set {override}: {parent!r} is a value, not a group of keys")
    try:
        at[last] = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as e:
        raise ConfigError(f"--set {override}: {text!r} is not valid YAML ({str(e).splitlines()[0]})") from e


def _explain(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "settings together"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key{nearest(str(error['loc'][-1]), _keys_at(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{where}: required, but not given"
    message = error["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if ", got " in message else f"{where}: {message}, got {error['input']!r}"


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    model: Any = Config
    for part in location:
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            break
        model = field.annotation if get_origin(field.annotation) is None else get_args(field.annotation)[0]
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]
