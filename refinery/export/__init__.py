"""Kept text with its origin, for everybody who wants text instead of tokens."""
