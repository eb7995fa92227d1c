"""Demand models behind one protocol."""
