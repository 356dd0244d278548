"""Held-out loss and multiple choice."""
