"""Pure functions on arrays: forecasting baselines, lead-time demand, inventory mathematics. No I/O, no data frames."""
