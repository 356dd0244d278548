"""Measurements of the trainer: loading, parallelism, parity and what new tokens buy."""
