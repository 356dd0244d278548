"""Exact and verified near-duplicate marking: every removal is backed by a direct comparison."""
