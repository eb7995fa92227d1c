"""Many shards on many machines. Knows no forecasting and no inventory mathematics."""
