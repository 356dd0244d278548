"""Atomic checkpoints with exact resume."""
