"""The names of the demand models, for those who list them without loading any."""

MODELS = (
    "auto",
    "seasonal-naive",
    "empirical",
    "negative-binomial",
    "croston",
    "sba",
    "tsb",
    "exponential-smoothing",
    "theta",
    "demand-lm",
    "auto+demand-lm",
)
