"""Adapters of the Metrics port."""
