"""Backtest: past order rounds lived again with what was known then, and the money that the orders would have cost."""

from fullshelf.engine.backtest.job import backtest

__all__ = ["backtest"]
