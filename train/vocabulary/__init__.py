"""Rows of new tokens: how they begin, and how they are trained alone."""
