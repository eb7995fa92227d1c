"""A made-up marketplace of any size: all input tables, seeded, a part at a time."""

from fullshelf.engine.simulate.marketplace import Marketplace, simulate_marketplace

__all__ = ["Marketplace", "simulate_marketplace"]
