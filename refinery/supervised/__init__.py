"""Supervised tables as text to text."""
