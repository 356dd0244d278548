"""Benchmark items in training documents: found by n-grams, verified, and self-measured."""
