"""Tune: a few numbers of the plan learnt from past order rounds, and kept only where later rounds got cheaper."""

from fullshelf.engine.tune.job import tune

__all__ = ["tune"]
