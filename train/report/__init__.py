"""Metrics and the run report."""
